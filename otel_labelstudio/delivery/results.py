"""What a sink says while it delivers, in the order in which it becomes true; the worker writes each down before the
sink goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from otel_labelstudio.outbox.entry import OutboxEntry


@dataclass(frozen=True, slots=True)
class Sending:
    """A request with these calls is made next. Until more is known they may be tasks with an id above
    ``after_task_id``, whose meta names the ``import_id``."""

    entries: Sequence[OutboxEntry]
    import_id: str
    after_task_id: int = 0


@dataclass(frozen=True, slots=True)
class NotStored:
    """The request has certainly stored none of these."""

    entries: Sequence[OutboxEntry]


@dataclass(frozen=True, slots=True)
class Stored:
    """These calls are tasks now, each with its id; their predictions are still to be checked."""

    tasks: Sequence[tuple[OutboxEntry, int]]


@dataclass(frozen=True, slots=True)
class Recheck:
    """Something was sent for these of which two copies may come to be stored: look them up again in ``after_s``."""

    entries: Sequence[OutboxEntry]
    after_s: float


@dataclass(frozen=True, slots=True)
class InProject:
    """The project with this id is the destination's now: what is sent next goes there, and may be looked up there."""

    project_id: int


@dataclass(frozen=True, slots=True)
class ProjectCreated:
    """The destination's project did not exist, and was created."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """These calls are done: tasks, with their predictions."""

    entries: Sequence[OutboxEntry]


@dataclass(frozen=True, slots=True)
class Dead:
    """This call will never be taken as it is, and why; ``kind`` is what is counted."""

    entry: OutboxEntry
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Retry:
    """These calls are to be tried again in ``after_s`` seconds; nothing else waits for that."""

    entries: Sequence[OutboxEntry]
    after_s: float


@dataclass(frozen=True, slots=True)
class LookUpsFail:
    """The server does not tell what it has stored. These calls are to be tried again in ``after_s`` seconds, and so are
    all of their destination that must be looked up first: what is known to be unsent goes by."""

    entries: Sequence[OutboxEntry]
    after_s: float


Result: TypeAlias = (
    Sending | NotStored | Stored | Recheck | InProject | ProjectCreated | Delivered | Dead | Retry | LookUpsFail
)
