"""A dataset and its state, as the command and a notebook use them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from otel_labelstudio.annotations.datasets.card import Contents
from otel_labelstudio.annotations.datasets.options import DatasetOptions
from otel_labelstudio.annotations.datasets.output import Output
from otel_labelstudio.annotations.datasets.pseudonyms import naming
from otel_labelstudio.annotations.datasets.rows import TaskRows, rows_of
from otel_labelstudio.annotations.datasets.store import RowStore
from otel_labelstudio.annotations.datasets.writing import write_files
from otel_labelstudio.annotations.records import AnnotatedProject, JudgedCall, NotJudged
from otel_labelstudio.errors import ConfigError

Judged = JudgedCall | NotJudged
OnProgress = Callable[[int], object]


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
    """The dataset at ``directory``, with what earlier runs have read for it; one process at a time.

    `watermark` is what the caller kept by `keep_watermark`: how far it has read. It is None where all must be read:
    for a new dataset, and after a change of options on which rows depend.
    """

    def __init__(self, directory: Path, options: DatasetOptions) -> None:
        self._options = options
        self._output = Output(directory)
        self._lock = FileLock(self._output.state / "lock")
        self._name = naming(options.annotator, self._output.state)

    def __enter__(self) -> Dataset:
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(f"another run writes to {self._output.directory}") from error
        self._store = RowStore(self._output.state, self._options.fingerprint())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        self._lock.release()

    @property
    def watermark(self) -> str | None:
        return self._store.value("watermark")

    def keep_watermark(self, watermark: str) -> None:
        """Keep how far was read; to be called when all of it was given to `read`."""
        self._store.keep("watermark", watermark)

    def read(self, judged: Iterable[Judged], on_progress: OnProgress = lambda _: None) -> None:
        """Take judged calls in; those of a task replace what an earlier run has read of it."""
        for count in self._store.replace(self._rows(judged)):
            on_progress(count)

    def remove_unless_read(self) -> None:
        """Remove what this run has not read: where it has read all that there is."""
        self._store.remove_unless_read()

    def remove_absent(self, project: AnnotatedProject, present: Iterable[int]) -> None:
        """Remove the tasks of a project that are not among those present."""
        self._store.remove_absent(_place(project), present)

    def count_of_rows(self) -> int:
        """How many rows there are, before duplicates are found."""
        return self._store.count_of_rows()

    def write(self, on_progress: OnProgress = lambda _: None) -> Contents:
        """Put the dataset of all that was read in the place of the earlier one."""
        new = self._output.prepare()
        contents = write_files(self._store, new, self._options, on_progress)
        self._output.publish()
        return contents

    def _rows(self, judged: Iterable[Judged]) -> Iterator[tuple[str, int, TaskRows]]:
        for one in judged:
            yield _place(one.task.project), one.task.id, rows_of(one, self._options, self._name)


def _place(project: AnnotatedProject) -> str:
    return f"{project.url} {project.id}"
