"""From an export file: the "JSON" of Label Studio's export page, of any size, or a task a line (JSON lines).

A task that cannot be parsed, or is longer than any that is read of a server, is one without a call
(`UNREADABLE_TASK`), as long as its id can be told; damage that leaves no task there ends the reading.

The other formats lack what is needed: JSON_MIN and CSV leave out the meta, which has the call, and what was skipped.
A file says nothing of its project but the id. So where a meaning hangs on the labeling configuration (the order of a
Ranker's buckets, a rating's scale), a server tells more.
"""

from __future__ import annotations

import codecs
import json
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from otel_labelstudio.annotations.collecting.array_items import LONGEST_ITEM, UNPARSABLE, array_items
from otel_labelstudio.annotations.collecting.batches import Batch, Since, TaskIds, beginning
from otel_labelstudio.annotations.collecting.tasks import task_of, whole_number
from otel_labelstudio.annotations.collecting.unparsable import UnparsableItem, only_item
from otel_labelstudio.annotations.records import UNREADABLE_TASK, AnnotatedProject, AnnotatedTask
from otel_labelstudio.errors import ExportFileError
from otel_labelstudio.printable import counted

_TASKS_AT_ONCE = 200
# Of tasks that do not say theirs
_NO_PROJECT = AnnotatedProject(0)
_CURE = 'export the project from Label Studio as "JSON"'


class ExportFile:
    """One file, with the tasks of one project or of several."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def batches(self, since: Since = None) -> Iterator[Batch]:
        """See `collect`; no watermark, since a file says when it was written no more than its tasks do."""
        ids: dict[AnnotatedProject, array[int]] = {}
        for project, tasks in groupby(_tasks(self._path), key=lambda task: task.project):
            seen = ids.setdefault(project, array("q"))
            while listed := list(islice(tasks, _TASKS_AT_ONCE)):
                seen.extend(task.id for task in listed)
                yield _batch(project, listed, since)
        # A task that does not say its project may be of any of them
        has_all = len(ids) == 1 or _NO_PROJECT not in ids
        for project, seen in ids.items():
            yield Batch(project=project, all_ids=TaskIds(seen) if has_all else None)


def _batch(project: AnnotatedProject, tasks: Sequence[AnnotatedTask], since: Since) -> Batch:
    begin = beginning(since, project)
    changed = [task for task in tasks if begin is None or task.updated_at is None or task.updated_at >= begin]
    return Batch(
        project=project,
        tasks=tuple(task for task in changed if _may_have_annotations(task)),
        without_annotations=frozenset(task.id for task in changed if not _may_have_annotations(task)),
    )


def _may_have_annotations(task: AnnotatedTask) -> bool:
    return bool(task.annotations) or task.why_no_call == UNREADABLE_TASK


def _tasks(path: Path) -> Iterator[AnnotatedTask]:
    is_export = False
    for number, record in enumerate(_records(path)):
        task = _task(record)
        is_parsed = not isinstance(record, UnparsableItem)
        if is_parsed and not is_export and (task is None or not {"data", "annotations"} <= record.keys()):
            raise ExportFileError(f"{path} has no tasks with their annotations, as JSON_MIN has none; {_CURE}")
        if task is None:
            raise ExportFileError(f"{path} is damaged after {counted(number, 'task')}")
        is_export = is_export or is_parsed
        yield task


def _task(record: Any) -> AnnotatedTask | None:
    if isinstance(record, UnparsableItem):
        project = AnnotatedProject(record.numbers.get("project", _NO_PROJECT.id))
        return AnnotatedTask(id=record.numbers["id"], project=project, why_no_call=UNREADABLE_TASK)
    project_id = whole_number(record.get("project")) if isinstance(record, Mapping) else None
    return task_of(record, AnnotatedProject(project_id or _NO_PROJECT.id), {})


def _records(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            read = _READERS.get(_first_byte(file), _refuse)
            # What is damaged within a text is replaced there
            with TextIOWrapper(file, "utf-8", "replace", newline="\n") as text:
                yield from read(path, text)
    except OSError as error:
        raise ExportFileError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None


def _first_byte(file: BinaryIO) -> bytes:
    """The first one that is no white space; it is read again. Some editors write a mark of the encoding before it."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while (byte := file.read(1)).isspace():
        pass
    file.seek(-len(byte), os.SEEK_CUR)
    return byte


def _of_array(path: Path, file: TextIO) -> Iterator[Any]:
    number = 0
    try:
        for item in array_items(file):
            yield _with_id(item)
            number += 1
    except ValueError:
        raise ExportFileError(f"{path} is damaged after {counted(number, 'task')}") from None


def _of_lines(path: Path, file: TextIO) -> Iterator[Any]:
    number = 0
    try:
        while line := file.readline(LONGEST_ITEM + 1):
            number += 1
            if line.strip():
                yield _with_id(_of_line(line, file))
    except ValueError:
        raise ExportFileError(f"{path}: line {number} is no JSON; {_CURE}") from None


def _of_line(line: str, file: TextIO) -> Any:
    """Its only item; one that is too long is not parsed, and its end is still to be read."""
    with suppress(*UNPARSABLE):
        if len(line) <= LONGEST_ITEM:
            return json.loads(line)
    return only_item(_pieces(line, file))


def _pieces(line: str, file: TextIO) -> Iterator[str]:
    yield line
    while line and not line.endswith("\n"):
        line = file.readline(LONGEST_ITEM)
        yield line


def _with_id(item: Any) -> Any:
    """Raises `ValueError` where not even that can be told of what cannot be parsed: then it is no task."""
    if isinstance(item, UnparsableItem) and "id" not in item.numbers:
        raise ValueError("no task")
    return item


def _refuse(path: Path, file: TextIO) -> Iterator[Any]:
    what = "is no JSON" if file.read(1) else "is empty"
    raise ExportFileError(f"{path} {what}; {_CURE}")


_READERS = {b"[": _of_array, b"{": _of_lines}
