"""What `collect` gives, piece by piece."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from otel_labelstudio.annotations.records import AnnotatedProject, AnnotatedTask

# A time for all projects, or one for each: by its id, or by what is asked of it
Since: TypeAlias = datetime | Mapping[int, datetime] | Callable[[AnnotatedProject], datetime | None] | None

# A transaction may be seen some time after the moment that stands in it
_OVERLAP = timedelta(minutes=10)


def time_for(since: Since, project: AnnotatedProject) -> datetime | None:
    """That of a project; None where there is none."""
    if since is None or isinstance(since, datetime):
        return since
    return since.get(project.id) if isinstance(since, Mapping) else since(project)


def beginning(since: Since, project: AnnotatedProject) -> datetime | None:
    """From when on a project's tasks are to be looked at; None for all."""
    at = time_for(since, project)
    return None if at is None else at - _OVERLAP


class TaskIds(Collection[int]):
    """The ids of all tasks of a project: eight bytes each, sorted."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids = array("q", sorted(ids))

    def __contains__(self, task_id: object) -> bool:
        if not isinstance(task_id, int):
            return False
        place = bisect_left(self._ids, task_id)
        return place < len(self._ids) and self._ids[place] == task_id

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"TaskIds({len(self)} ids)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tasks of one project that are new or have changed.

    ``tasks`` have annotations or drafts; ``without_annotations`` are ids of tasks that have none, or none any more.
    Whoever has taken in this batch and those before it may begin with ``watermark`` the next time; it is None where
    nothing tells the time, and where what changed before was not read.
    The last batch of a project, which may be empty, has ``all_ids``: a task that is not among them was deleted. It is
    None there where not all of them are known.
    """

    project: AnnotatedProject
    tasks: tuple[AnnotatedTask, ...] = field(default=(), repr=False)
    without_annotations: frozenset[int] = frozenset()
    watermark: datetime | None = None
    all_ids: TaskIds | None = None


class Source(Protocol):
    """Where annotations come from."""

    def batches(self, since: Since = None) -> Iterator[Batch]:
        """All that changed since then, project by project, what changed first coming first."""
        ...
