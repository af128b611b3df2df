"""From when on is read, and how far a run has then read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from otel_labelstudio.annotations.collecting import Batch, Since, TaskIds, collect
from otel_labelstudio.annotations.collecting.batches import beginning
from otel_labelstudio.annotations.datasets import Dataset, DatasetOptions
from otel_labelstudio.annotations.records import AnnotatedProject, AnnotatedTask, Control
from otel_labelstudio.annotations.times import utc
from tests.annotations.annotated import NOON, annotation, answered, box, task

PROJECT = AnnotatedProject(1, "Calls", "http://localhost:8080")


@dataclass(frozen=True)
class Days:
    """A project with a task of each day, as a server tells it."""

    days: int
    project: AnnotatedProject = PROJECT

    def batches(self, since: Since = None) -> Iterator[Batch]:
        begin = beginning(since, self.project)
        tasks = [replace(task_of_day(day), project=self.project) for day in range(self.days)]
        for one in (one for one in tasks if begin is None or (one.updated_at and one.updated_at >= begin)):
            yield Batch(project=self.project, tasks=(one,), watermark=one.updated_at)
        yield Batch(project=self.project, watermark=tasks[-1].updated_at, all_ids=TaskIds(one.id for one in tasks))


def day(number: int) -> datetime:
    return NOON + timedelta(days=number)


def task_of_day(number: int) -> AnnotatedTask:
    answer = f"Answer {number}."
    return task(answered(answer), annotation(box(answer)), id=number + 1, project=PROJECT, updated_at=day(number))


def count_after(
    directory: Path, since: datetime | None, days: int = 5, project: AnnotatedProject = PROJECT
) -> tuple[int, dict[int, datetime]]:
    """How many tasks a dataset has after a run as the command does it, and how far that has read."""
    with Dataset(directory, DatasetOptions()) as dataset:
        known = dataset.read_until
        for batch in collect(Days(days, project), since=since or known, watermarks=known):
            dataset.take_in(batch)
        return dataset.count_of_tasks(), dataset.watermarks()


def test_what_a_first_run_skips_the_next_one_reads(tmp_path: Path) -> None:
    """The first run reads from some day on; the next, by default, reads all."""
    assert count_after(tmp_path / "shop", day(3)) == (2, {})
    assert count_after(tmp_path / "shop", None) == (5, {1: day(4)})


def test_what_a_later_run_skips_the_next_one_reads(tmp_path: Path) -> None:
    """A run from a day on that no run before has reached leaves the watermark where it was."""
    assert count_after(tmp_path / "shop", None, days=2) == (2, {1: day(1)})
    assert count_after(tmp_path / "shop", day(3)) == (4, {1: day(1)})
    assert count_after(tmp_path / "shop", None) == (5, {1: day(4)})


def test_a_run_that_skips_nothing_moves_on(tmp_path: Path) -> None:
    """From a day on up to which all was read."""
    count_after(tmp_path / "shop", None, days=3)
    assert count_after(tmp_path / "shop", day(1)) == (5, {1: day(4)})


def test_a_changed_interface_has_all_read_again(tmp_path: Path) -> None:
    """Rows depend on its controls (a rating's scale, a Ranker's buckets), and no task changes with them. A run that
    reads a part alone leaves it so."""
    rated = [replace(PROJECT, controls=(Control("rating", "Rating", "prompt", max_rating=n),)) for n in (5, 10)]

    def rereads(project: AnnotatedProject, since: datetime | None = None) -> bool:
        count_after(tmp_path / "shop", since, project=project)
        with Dataset(tmp_path / "shop", DatasetOptions()) as dataset:
            return dataset.read_until(project) is None

    assert not rereads(rated[0])
    assert rereads(rated[1], day(3))
    assert not rereads(rated[1])


@pytest.mark.parametrize("text", ["2026-11-01", " 2026-11-01T00:00Z", "2026-11-01T02:00+02:00"])
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str) -> None:
    """On whatever machine."""
    assert utc(text) == datetime(2026, 11, 1, tzinfo=timezone.utc)
    assert utc(text).tzinfo is timezone.utc


@pytest.mark.parametrize("text", ["", "yesterday", "9999-12-31T23:59-05:00", "0001-01-01T00:00+05:00"])
def test_what_is_no_time(text: str) -> None:
    """Is a `ValueError`, also where it is one that no UTC has."""
    with pytest.raises(ValueError):  # noqa: PT011 - of two sources
        utc(text)
