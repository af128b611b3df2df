"""What can go wrong, grouped by what the caller does next.

::

    Exception
    └── LabelStudioExportError           everything that this package raises on purpose
        ├── ConfigError                  stop at start and say how to correct it
        ├── DecodeError                  tell the sender that the bytes are not OTLP
        ├── ExportFileError              choose another file, or export it again
        ├── OutboxError                  nothing was accepted: the disk is full or the file is damaged
        │   ├── OutboxFullError          nothing was accepted: as much waits for delivery as may
        │   └── OutboxGoneError          nothing was accepted: somebody removed or replaced the file meanwhile
        └── DeliveryError                Label Studio did not take the tasks
            ├── RetryableDeliveryError   try the same again, after `retry_after_s` where the server named a time
            │   └── FailingCallsError    the same, but some time leave alone the call that it begins with
            ├── UnknownOutcomeError      it may or may not have happened: look before trying again
            ├── PausedDeliveryError      nothing will go through until a person corrects the cause; try now and then
            │   └── ProjectLimitError    as many projects were created as may be
            ├── BlockedRequestError      something before the server refuses what some task says; others may pass
            └── RejectedTasksError       these tasks will never be taken as they are: dead letters

No message holds an API key, a prompt or an answer.
"""

from __future__ import annotations

from collections.abc import Mapping


class LabelStudioExportError(Exception):
    """The base of all errors of this package."""


class ConfigError(LabelStudioExportError):
    """A setting is missing or wrong; the message says which, and how to correct it."""


class DecodeError(LabelStudioExportError):
    """The input is not OTLP."""


class ExportFileError(LabelStudioExportError):
    """A file is not the JSON that Label Studio exports; the message says what it is taken for."""


class OutboxError(LabelStudioExportError):
    """The outbox cannot be written; what was to be accepted was not."""


class OutboxFullError(OutboxError):
    """There is no room in the outbox for what was to be accepted; ``is_hopeless`` if an empty one had none either."""

    def __init__(self, message: str, *, is_hopeless: bool = False) -> None:
        super().__init__(message)
        self.is_hopeless = is_hopeless


class OutboxGoneError(OutboxError):
    """The outbox on the disk is not the one that is open: what was stored there would end with this process."""


class DeliveryError(LabelStudioExportError):
    """Label Studio did not take the tasks. ``is_whole_server`` if it takes none of any project."""

    is_whole_server = False


class RetryableDeliveryError(DeliveryError):
    """Label Studio refused for now, and stored nothing; the same request may succeed later.

    ``is_whole_server`` if nobody answers there at all.
    """

    def __init__(self, message: str, retry_after_s: float | None = None, *, is_whole_server: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_whole_server = is_whole_server


class FailingCallsError(RetryableDeliveryError):
    """The server answers, and fails on several calls in a row, of which the first is the first that was asked for."""


class UnknownOutcomeError(DeliveryError):
    """The request may have been carried out: no answer came, or one that does not tell.

    ``retry_after_s`` as in `RetryableDeliveryError`.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PausedDeliveryError(DeliveryError):
    """Something that only a person can correct: the key, the project, its labeling interface.

    ``is_whole_server`` if it holds for every project of that server, as a wrong key does.
    """

    def __init__(self, message: str, *, is_whole_server: bool = False) -> None:
        super().__init__(message)
        self.is_whole_server = is_whole_server


class BlockedRequestError(DeliveryError):
    """Something in front of Label Studio, such as a firewall, refused this request; nothing was stored.

    Other requests pass. So do the tasks of this one in smaller requests, except the one that causes the refusal.
    """


class ProjectLimitError(PausedDeliveryError):
    """The project does not exist, and as many were created lately as may be."""


class RejectedTasksError(DeliveryError):
    """Label Studio says that the tasks are wrong; it stored none of them.

    ``reasons`` has, by its index in the request, each task that the server named; it is empty where it named none.
    """

    def __init__(self, message: str, reasons: Mapping[int, str] | None = None) -> None:
        super().__init__(message)
        self.reasons = dict(reasons or {})


def safe_text(error: Exception) -> str:
    """What a log line says of an error: of one that nobody foresaw its type alone, since its text may hold content."""
    return str(error) if isinstance(error, LabelStudioExportError) else f"unexpected {type(error).__name__}"


def is_failure(error: BaseException) -> bool:
    """Whether something has failed, and nobody wishes to end: any `Exception`, or that an extension written in Rust has
    panicked, which PyO3 raises as a `BaseException`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
