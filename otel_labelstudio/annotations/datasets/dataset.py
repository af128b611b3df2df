"""A dataset and its state, as the command and a notebook use them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from otel_labelstudio.annotations.annotators import AnnotatorForm, NameOf, annotator_naming, kept_annotator_key
from otel_labelstudio.annotations.collecting import Batch
from otel_labelstudio.annotations.datasets.card import Contents
from otel_labelstudio.annotations.datasets.options import DatasetOptions
from otel_labelstudio.annotations.datasets.output import Output
from otel_labelstudio.annotations.datasets.rows import TaskRows, rows_of
from otel_labelstudio.annotations.datasets.store import RowStore
from otel_labelstudio.annotations.datasets.writing import OnRows, write_files
from otel_labelstudio.annotations.judging import judged_or_left_out
from otel_labelstudio.annotations.records import (
    DEFAULT_MAX_RATING,
    JUDGING_FAILED,
    AnnotatedProject,
    JudgedCall,
    NotJudged,
)
from otel_labelstudio.annotations.watermarks import controls_digest, read_until
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger

_logger = logger(__name__)

Judged = JudgedCall | NotJudged


def write_dataset(judged: Iterable[Judged], directory: str | Path, options: DatasetOptions | None = None) -> Contents:
    """Write the dataset of all these judged calls to a directory that is absent, empty or of an earlier run.

    What an earlier run has written of other tasks is gone. Raises `ConfigError` where the directory holds anything
    else.
    """
    with Dataset(Path(directory), options or DatasetOptions()) as dataset:
        dataset.read(judged)
        dataset.remove_unless_read()
        return dataset.write()


class Dataset:
    """The dataset at ``directory``, with what earlier runs have read for it; one process at a time::

        with Dataset(Path("out"), DatasetOptions(), of=server.url) as dataset:
            for batch in collect(source, since=dataset.read_until):
                dataset.take_in(batch)
            contents = dataset.write()

    ``of`` says where annotations come from. Where it, or an option on which rows depend, is another than in the run
    before, nothing is known yet, and there are no watermarks.
    """

    def __init__(self, directory: Path, options: DatasetOptions, *, of: str = "") -> None:
        self._options = options
        self._fingerprint = f"{options.fingerprint()} of {of}"
        with _explained(directory):
            self._output = Output(directory)
        self._lock = FileLock(self._output.state / "lock", mode=0o600)
        self._projects: set[str] = set()

    def __enter__(self) -> Dataset:
        with _explained(self._output.state):
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise ConfigError(f"another run writes to {self._output.directory}") from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        """What only the run that has the lock may touch."""
        with _explained(self._output.state):
            self._output.recover()
            self._name_of = self._naming()
            self._store = RowStore(self._output.state, self._fingerprint)

    def _naming(self) -> NameOf:
        form = AnnotatorForm(self._options.annotator)
        key = kept_annotator_key(self._output.state / "annotators.key") if form is AnnotatorForm.HASH else b""
        return annotator_naming(form, key)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise self._store.error_of(error) from error

    def watermarks(self) -> dict[int, datetime]:
        """How far each project was read, by its id."""
        return {project: datetime.fromisoformat(at) for project, at in self._store.watermarks()}

    def read_until(self, project: AnnotatedProject) -> datetime | None:
        """How far a project was read; None where its labeling interface is another than then."""
        return read_until(project, self.watermarks().get(project.id), self._store.controls(project.id))

    def take_in(self, batch: Batch) -> None:
        """Take in what `collect` gives, all batches in their order; tasks that are gone are forgotten."""
        project = batch.project.key
        if project not in self._projects:
            self._warn_of_scales(batch.project)
        self._projects.add(project)
        judged = (judged_or_left_out(task, keep_bulk=self._options.bulk) for task in batch.tasks)
        self.read(one for one in judged if not self._keeps_earlier_rows(one))
        self._store.remove(project, batch.without_annotations)
        if batch.all_ids is not None:
            self._store.remove_absent(project, batch.all_ids)
        if batch.watermark is not None:
            self._store.keep_watermark(batch.project.id, batch.watermark.isoformat(), controls_digest(batch.project))

    def read(self, judged: Iterable[Judged]) -> None:
        """Take judged calls in; those of a task replace what was read of it before."""
        self._store.replace(self._rows(judged))

    def remove_unless_read(self) -> None:
        """Forget what was not read since this object was made."""
        self._store.remove_unless_read()

    def count_of_rows(self) -> int:
        """How many rows there are, before duplicates are found."""
        return self._store.count_of("rows")

    def count_of_tasks(self) -> int:
        """How many annotated tasks there are."""
        return self._store.count_of("tasks")

    def write(self, on_rows: OnRows = lambda _: None) -> Contents:
        """Put the dataset of all that was read in the place of the earlier one."""
        if self._projects:
            self._store.remove_other_projects(self._projects)
        with _explained(self._output.directory):
            new = self._output.prepare()
            contents = write_files(self._store, new, self._options, on_rows)
            self._output.publish()
        return contents

    def _warn_of_scales(self, project: AnnotatedProject) -> None:
        """Of ten stars, four are no praise."""
        scales = {control.max_rating for control in project.controls if control.max_rating} - {DEFAULT_MAX_RATING}
        if scales and self._options.has_default_bounds:
            _logger.warning(
                "Project %d rates by %s stars. Say which are good with --min-rating and bad with --max-bad-rating: now "
                "it is %g and more, and %g and fewer.",
                *(project.id, " and ".join(map(str, sorted(scales)))),
                *(self._options.min_rating, self._options.max_bad_rating),
            )

    def _keeps_earlier_rows(self, judged: Judged) -> bool:
        """Of a task that cannot be read this time: a fault takes no rows back."""
        is_unknown = isinstance(judged, NotJudged) and judged.is_unknown
        return is_unknown and self._store.has(judged.task.project.key, judged.task.id)

    def _rows(self, judged: Iterable[Judged]) -> Iterator[tuple[str, int, TaskRows]]:
        for one in judged:
            rows = self._rows_or_reason(one)
            if rows is not None:
                yield one.task.project.key, one.task.id, rows

    def _rows_or_reason(self, judged: Judged) -> TaskRows | None:
        """A task of which rows cannot be made costs itself alone; None where it keeps those of an earlier run."""
        try:
            return rows_of(judged, self._options, self._name_of)
        except Exception as error:
            _logger.warning("Cannot make rows of task %d (%s).", judged.task.id, type(error).__name__)
            failed = NotJudged(judged.task, JUDGING_FAILED)
        return None if self._keeps_earlier_rows(failed) else rows_of(failed, self._options, self._name_of)


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """What the system refuses is said in a line that names the place: no permission, no space, a file in the way."""
    try:
        yield
    except BrokenPipeError:  # of the progress that a caller shows
        raise
    except OSError as error:
        raise ConfigError(f"cannot write to {place}: {error.strerror or error}") from error
