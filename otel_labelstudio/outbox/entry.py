"""The records that the outbox gives out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from otel_labelstudio.calls import LLMCall

STATES = ("settling", "pending", "in_flight", "delivered", "folded", "dead")


class Put(Enum):
    """What became of a reading that was offered."""

    ACCEPTED = "accepted"
    KNOWN = "known"  # it is here already, or was delivered
    FULL = "full"


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One call to a destination.

    ``task_id`` is set once the call is known to be a task. ``is_outcome_unknown`` holds while it may be one: since
    ``sent_at`` (seconds since 1970; None where an earlier run of ours may have stored it), as a task with an id above
    ``after_task_id``. ``import_ids`` name the requests that carried it. ``failures`` counts how often the call was
    set aside, because requests with it alone failed, while the server took others. ``project_ids`` are, if it may be a
    task, the projects to which calls of its destination were sent. ``other_keys`` are those of the call's other
    readings: an earlier run, of this version or another, may have stored it by one of them.
    """

    seq: int
    call_id: str
    destination: str
    call: LLMCall = field(repr=False)
    is_outcome_unknown: bool = False
    sent_at: float | None = None
    after_task_id: int = 0
    task_id: int | None = None
    import_ids: tuple[str, ...] = ()
    failures: int = 0
    project_ids: tuple[int, ...] = ()
    other_keys: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All that it may be known by in Label Studio; first that by which we know it."""
        return (self.call_id, *self.other_keys)


@dataclass(frozen=True, slots=True)
class CallToRecheck:
    """A delivered call that is to be looked up once more, with the ids of the requests that carried it, and of the
    projects to which calls of its destination were sent, and the keys of its other readings."""

    call_id: str
    import_ids: tuple[str, ...]
    project_ids: tuple[int, ...] = ()
    other_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What was refused for good, when (seconds since 1970) and why. ``call`` is None where it cannot be read."""

    call_id: str
    destination: str
    call: LLMCall | None = field(repr=False)
    reason: str
    died_at: float


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a reading comes from, as a digest of its resource, and where it goes; each is empty where not known."""

    resource: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True)
class SettlingReading:
    """A reading that waits for others of its call. ``call_id`` is that of the call if it is its first reading, and
    ``other_keys`` are those of readings that were folded into it before it was accepted."""

    seq: int
    key: str
    call_id: str
    origin: Origin
    is_outcome_unknown: bool
    other_keys: tuple[str, ...]
    call: LLMCall = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row whose text cannot be read, and why: the disk's fault, or another version's."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A span or log record that is no reading yet. ``body`` is its JSON; times are seconds since 1970."""

    seq: int
    kind: str
    trace_id: str
    span_id: str
    body: str = field(repr=False)
    due_at: float
    expires_at: float
