"""Operations on one server: within limits, and with every failure as a `DeliveryError`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from otel_labelstudio.delivery.label_studio.answers import (
    WHOAMI,
    Answer,
    Operation,
    RefusedError,
    blocked,
    failure,
    refusal,
    shut_out,
)
from otel_labelstudio.delivery.label_studio.limits import Allowance
from otel_labelstudio.delivery.label_studio.records import text
from otel_labelstudio.errors import DeliveryError

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.access import Access
    from otel_labelstudio.delivery.label_studio.connection import Connection

_T = TypeVar("_T")

# A process that is copied while a module is imported could never import it in the child
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
    )


class Api:
    """Runs one operation at a time. The connection is opened, and what it needs imported, with the first."""

    def __init__(self, url: str, api_key: str, timeout_s: float, access: Access) -> None:
        self._url, self._api_key, self._timeout_s, self._access = url, api_key, timeout_s, access
        self._allowance = Allowance()
        self._connection: Connection | None = None

    def call(self, operation: Operation, run: Callable[[Connection], _T], timeout_s: float | None = None) -> _T:
        """What ``run`` makes of its requests, all of which have ``timeout_s`` together. Raises `DeliveryError`."""
        self._allowance.renew(timeout_s or self._timeout_s)
        try:
            return run(self._connected())
        except DeliveryError:
            raise
        except RefusedError as error:
            failed = self._refusal(operation, error.answer)
        except Exception as error:  # of the network, of the HTTP library, of an answer that is not Label Studio's
            failed = failure(operation, error, self._url, self._timeout_s)
        raise failed

    def hurry(self, deadline: float) -> None:
        """Let no operation last beyond this time (of `time.monotonic`)."""
        self._allowance.hurry(deadline)

    def close(self) -> None:
        """Close the connection; the next operation opens one again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            with _importing:
                from otel_labelstudio.delivery.label_studio.connection import Connection

                self._connection = Connection(self._url, self._api_key, self._timeout_s, self._allowance, self._access)
        return self._connection

    def _refusal(self, operation: Operation, answer: Answer) -> DeliveryError:
        """Where an answer does not tell whose it is, a look at who we are does: no key mends what a firewall broke."""
        if not answer.may_be_a_proxys:
            return refusal(operation, answer, self._url)
        if operation.is_open or answer.asks_for_another_login:
            return shut_out(operation, answer, self._url)
        self._allowance.renew(self._timeout_s)
        try:
            whoami(self._connected())
        except RefusedError as error:
            look = error.answer
            if look.may_be_a_proxys and not look.detail:
                return shut_out(operation, look, self._url)
            return refusal(Operation(operation.what), look, self._url)  # nothing happened: it was refused
        except Exception as error:
            return failure(WHOAMI, error, self._url, self._timeout_s)
        return blocked(operation, answer, self._url)


def whoami(connection: Connection) -> str:
    """The address of the user whose key the connection has."""
    return text(connection.request("GET", "current-user/whoami")["email"])
