"""Small requests that are taken in together: a transaction and its sync cost the same for one span as for many.

Only what is alike goes together: requests of one signal that follow each other, and that were received within one
second, since the project of a call may be named after the second at which it was accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from otel_labelstudio.receiver.pieces import decoded_in_pieces
from otel_labelstudio.receiver.requests import Telemetry, uncompressed
from otel_labelstudio.receiver.segments import StoredRequest

# Beyond that, a transaction is a small part of what a request costs; and whoever sends waits for the end of a step
_MOST_REQUESTS = 64
_MOST_BYTES = 2**18
# What is larger is taken in by itself
SMALL_BYTES = 2**15


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """What several requests hold together, and the last of them."""

    telemetry: Telemetry
    last: StoredRequest


def request_batch(
    first: StoredRequest, following: Callable[[StoredRequest], StoredRequest | None]
) -> RequestBatch | None:
    """The first request with small ones behind it, of which ``following`` gives the next; None where it is by itself.

    One that cannot be decoded ends the batch.
    """
    if len(first.request.body) > SMALL_BYTES or _next_alike(first, following) is None:
        return None
    taken: list[Telemetry] = []
    stored: StoredRequest | None = first
    last, size = first, 0
    while stored is not None and len(taken) < _MOST_REQUESTS and size < _MOST_BYTES:
        try:
            # Its size was looked at when it was answered
            body = uncompressed(stored.request, sys.maxsize, reserve=lambda _: None)
            telemetry, faults = decoded_in_pieces(stored.request.signal, stored.request.content_type, body)
        except Exception:  # it is said where it is read by itself
            break
        if faults:
            break
        taken.append(telemetry)
        last, size = stored, size + len(body)
        stored = _next_alike(stored, following)
    return RequestBatch(_joined(taken), last) if len(taken) > 1 else None


def _next_alike(
    stored: StoredRequest, following: Callable[[StoredRequest], StoredRequest | None]
) -> StoredRequest | None:
    found = following(stored)
    if found is None or found.request.signal is not stored.request.signal:
        return None
    return found if int(found.received_at) == int(stored.received_at) else None


def _joined(telemetry: list[Telemetry]) -> Telemetry:
    return Telemetry(
        [span for one in telemetry for span in one.spans],
        [ids for one in telemetry for ids in one.other_spans],
        [log_record for one in telemetry for log_record in one.log_records],
    )
