"""From an export file: the "JSON" of Label Studio's export page, of any size, or a task a line (JSON lines).

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
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any

import ijson

from otel_labelstudio.annotations.collecting.batches import Batch, Since, TaskIds, beginning
from otel_labelstudio.annotations.collecting.tasks import task_of, whole_number
from otel_labelstudio.annotations.records import AnnotatedProject, AnnotatedTask
from otel_labelstudio.errors import ExportFileError

_TASKS_AT_ONCE = 200
# As large as the largest answer of a server that is read
_LONGEST_LINE = 32 * 2**20
_CURE_OF_NUMBERS = "read the project from the server instead, or remove it"
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
        for project, seen in ids.items():
            yield Batch(project=project, all_ids=TaskIds(seen))


def _batch(project: AnnotatedProject, tasks: Sequence[AnnotatedTask], since: Since) -> Batch:
    begin = beginning(since, project)
    changed = [task for task in tasks if begin is None or task.updated_at is None or task.updated_at >= begin]
    return Batch(
        project=project,
        tasks=tuple(task for task in changed if task.annotations),
        without_annotations=frozenset(task.id for task in changed if not task.annotations),
    )


def _tasks(path: Path) -> Iterator[AnnotatedTask]:
    for number, record in enumerate(_records(path)):
        project_id = whole_number(record.get("project")) if isinstance(record, Mapping) else None
        task = task_of(record, AnnotatedProject(project_id or 0), {})
        if number == 0 and (task is None or not {"data", "annotations"} <= record.keys()):
            raise ExportFileError(f"{path} has no tasks with their annotations, as JSON_MIN has none; {_CURE}")
        if task is not None:
            yield task


def _records(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield from _READERS.get(_first_byte(file), _refuse)(path, file)
    except OSError as error:
        raise ExportFileError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None


def _first_byte(file: IO[bytes]) -> bytes:
    """The first one that is no white space; it is read again. Some editors write a mark of the encoding before it."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while (byte := file.read(1)).isspace():
        pass
    file.seek(-len(byte), os.SEEK_CUR)
    return byte


def _of_array(path: Path, file: IO[bytes]) -> Iterator[Any]:
    number = 0
    try:
        for number, record in enumerate(ijson.items(file, "item", use_float=True), start=1):  # noqa: B007
            yield record
    except (ijson.JSONError, UnicodeDecodeError) as error:
        why = f"has a number that is too large ({_CURE_OF_NUMBERS})" if "overflow" in str(error) else "is damaged"
        raise ExportFileError(f"{path} {why} after {number} tasks ({type(error).__name__})") from None


def _of_lines(path: Path, file: IO[bytes]) -> Iterator[Any]:
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            raise ExportFileError(f"{path}: line {number} is longer than {_LONGEST_LINE // 2**20} MiB; {_CURE}")
        try:
            if line.strip():
                yield json.loads(line)
        except (ValueError, RecursionError):
            raise ExportFileError(f"{path}: line {number} is no JSON; {_CURE}") from None


def _refuse(path: Path, file: IO[bytes]) -> Iterator[Any]:
    what = "is no JSON" if file.read(1) else "is empty"
    raise ExportFileError(f"{path} {what}; {_CURE}")


_READERS = {b"[": _of_array, b"{": _of_lines}
