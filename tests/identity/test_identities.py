"""Whatever ids calls come with: what went in once comes out once, by every door, live and after a restart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from otel_labelstudio import LabelStudioLogRecordExporter, LabelStudioSpanExporter, LLMCall
from otel_labelstudio.outbox.serialization import key_text
from otel_labelstudio.recordings import RecordedCalls, decode_files, read_recording
from otel_labelstudio.testing import RecordingSink
from tests.identity.identities import Form, Ids, Told, generated, number_of, otlp, sdk_records, sdk_span
from tests.receiver.serving import Receiver, post

SEED = 20261126
ROUNDS = generated(SEED, rounds=3)
ALL = [told for of_round in ROUNDS for told in of_round]
NUMBERS = sorted(told.number for told in ALL)
SETTINGS: dict[str, Any] = {"api_key": "k", "url": "http://127.0.0.1:9", "mode": "chat", "settle_s": 0}


class Process(Protocol):
    """An exporting process, from its start to its end."""

    sink: RecordingSink

    def send(self, told: Sequence[Told]) -> None:
        """Each in a request of its own; all is delivered when it returns."""

    def stop(self) -> None: ...


class Exporter:
    """The in-process exporters of spans and log records."""

    def __init__(self, outbox: Path | None, **settings: Any) -> None:
        chosen = {**SETTINGS, "outbox": outbox and str(outbox), **settings}
        self._spans, self._records = LabelStudioSpanExporter(**chosen), LabelStudioLogRecordExporter(**chosen)
        self.sink = RecordingSink()
        assert self._spans._pipeline is not None
        self._spans._pipeline._worker._deliveries._sink = self.sink

    def send(self, told: Sequence[Told]) -> None:
        for one in told:
            if one.form is Form.SPAN:
                self._spans.export([sdk_span(one)])
            else:
                self._records.export(sdk_records(one))
        assert self._spans.force_flush()

    def stop(self) -> None:
        self._spans.shutdown()
        self._records.shutdown()

    @property
    def counts(self) -> dict[str, int]:
        return self._spans.counts


class OTLPReceiver:
    """The receiver, over HTTP."""

    def __init__(self, outbox: Path) -> None:
        self._receiver = Receiver(outbox)
        self._receiver.__enter__()
        self.sink = self._receiver.sink

    def send(self, told: Sequence[Told]) -> None:
        for one in told:
            signal, request = otlp(one)
            body = json.dumps(request).encode()
            status, _, _ = post(f"{self._receiver.http}/v1/{signal}", body, "application/json")
            assert status == 200
        assert self._receiver.flush()

    def stop(self) -> None:
        self._receiver.__exit__()


DOORS: dict[str, Callable[[Path], Process]] = {"exporter": Exporter, "receiver": OTLPReceiver}


@pytest.fixture(scope="module", params=list(DOORS.values()), ids=list(DOORS))
def delivered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[RecordingSink]:
    """What each of three processes delivers: one gets two rounds, the next the third, the last everything again."""
    outbox = tmp_path_factory.mktemp("identity") / "outbox.db"
    sinks = []
    for rounds in (ROUNDS[:2], ROUNDS[2:], ROUNDS):
        process = request.param(outbox)
        for told in rounds:
            process.send(told)
        process.stop()
        sinks.append(process.sink)
    return sinks


def numbers(*sinks: RecordingSink) -> list[int]:
    return sorted(number_of(call) for sink in sinks for call in sink.calls)


def test_each_call_is_delivered_once(delivered: list[RecordingSink]) -> None:
    """Those with ids that are none, or that are those of others, as those with ids of their own."""
    first, second, _ = delivered
    assert numbers(first, second) == NUMBERS


def test_each_has_a_key_of_its_own(delivered: list[RecordingSink]) -> None:
    """By which it is found in Label Studio."""
    sinks = delivered
    call_ids = Counter(entry.call_id for sink in sinks for entry in sink.entries)
    assert max(call_ids.values()) == 1


def test_what_is_sent_again_is_not_delivered_again(delivered: list[RecordingSink]) -> None:
    """By the process that was started anew."""
    _, _, third = delivered
    assert numbers(third) == []


def recorded(folder: Path, *rounds: Sequence[Told]) -> RecordedCalls:
    """The calls of what a Collector has written down."""
    for signal in ("traces", "logs"):
        requests = [otlp(told) for of_round in rounds for told in of_round]
        lines = [json.dumps(request) for its, request in requests if its == signal]
        (folder / f"{signal}.jsonl").write_text("\n".join(lines))
    return read_recording(decode_files([folder / "traces.jsonl", folder / "logs.jsonl"]))


def test_each_call_is_read_from_files_once(tmp_path: Path) -> None:
    """With a key of its own, and how many had no valid ids is counted."""
    found = recorded(tmp_path, *ROUNDS)
    assert sorted(map(number_of, found.calls)) == NUMBERS
    assert len({folded.keys[0] for folded in found.folded}) == len(NUMBERS)
    # Log records without ids get valid ones when they are parted into calls
    invalid = [told for told in ALL if told.ids not in (Ids.OWN, Ids.SHARED)]
    assert 0 < found.without_valid_ids <= len(invalid)


def test_a_recording_of_what_was_delivered_has_its_keys(
    delivered: list[RecordingSink], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """So that it is found, and not stored again; the SDK pads ids that are too short, so that they are others."""
    first, second, _ = delivered
    keys = {
        number_of(folded.call): {key_text(key) for key in folded.keys} for folded in recorded(tmp_path, *ROUNDS).folded
    }
    padded = {told.number for told in ALL if told.ids in (Ids.SHORT, Ids.SHORT_SHARED)}
    is_sdk = "exporter" in request.node.name
    for entry in (*first.entries, *second.entries):
        number = number_of(entry.call)
        assert entry.call_id in keys[number] or (is_sdk and number in padded)


def test_files_of_different_days_have_different_keys(tmp_path: Path) -> None:
    """Spans with ids that were used again are told apart when they are looked up, by their times."""
    day_keys = []
    for of_round in ROUNDS:
        found = recorded(tmp_path, of_round)
        used_again = {told.number for told in of_round if told.form is Form.SPAN and told.ids is Ids.SHARED}
        day_keys.append({f.keys[0] for f in found.folded if number_of(f.call) not in used_again})
    assert sum(map(len, day_keys)) == len(set().union(*day_keys))


def blanked(call: LLMCall) -> LLMCall:
    """A ``call_filter`` that tells nobody the ids."""
    return replace(call, trace_id="", span_id="", parent_span_id="")


def test_a_filter_that_blanks_the_ids_costs_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each has a key of its own, which says nothing of its ids; what is not valid is counted, and said once."""
    first = Exporter(tmp_path / "outbox.db", call_filter=blanked)
    first.send(ALL)
    assert first.counts["calls.without_valid_ids"] == len(ALL)
    first.stop()
    again = Exporter(tmp_path / "outbox.db", call_filter=blanked)
    again.send(ALL)
    again.stop()
    assert numbers(first.sink, again.sink) == NUMBERS
    ids = {told.trace_id for told in ALL if told.ids is Ids.OWN}
    assert not any(trace_id in entry.call_id for entry in first.sink.entries for trace_id in ids)
    said = [message for message in caplog.messages if "valid trace and span ids" in message]
    assert len(said) == 2  # once by each process
    assert "Call-" not in caplog.text
