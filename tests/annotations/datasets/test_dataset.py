"""What becomes of a dataset when labels change, and of tasks of which there are no rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations import DatasetOptions, judge, write_dataset
from otel_labelstudio.annotations.collecting import Batch, TaskIds
from otel_labelstudio.annotations.datasets import Contents, Dataset, LeftOut
from otel_labelstudio.annotations.datasets.left_out import REASONS
from otel_labelstudio.annotations.datasets.rows import TaskRows, rows_of
from otel_labelstudio.annotations.records import (
    AnnotatedProject,
    AnnotatedTask,
    Control,
    Disregarded,
    JudgedCall,
    NotJudged,
)
from tests.annotations.annotated import NOON, annotation, box
from tests.annotations.datasets.files import completions
from tests.annotations.datasets.garden import plain, worked_on

PROJECT = AnnotatedProject(1, "Calls", "http://localhost:8080")


def take_in(directory: Path, *batches: Batch, options: DatasetOptions | None = None, of: str = "") -> Contents:
    with Dataset(directory, options or DatasetOptions(), of=of) as dataset:
        for batch in batches:
            dataset.take_in(batch)
        return dataset.write()


def batch(*tasks: AnnotatedTask, present: Iterable[int] = (), **fields: Any) -> Batch:
    return Batch(project=PROJECT, tasks=tasks, all_ids=TaskIds(present), **fields)


def submitted(number: int, answer: str | None = None) -> AnnotatedTask:
    of = plain(number)
    task = worked_on(of, annotation(box(answer or f"Answer {number}.")), number=number)
    return replace(task, project=PROJECT)


def test_a_task_that_cannot_be_read_keeps_its_rows(tmp_path: Path) -> None:
    """A fault of the server takes back nothing that was read before; it is counted where nothing was."""
    unreadable = [AnnotatedTask(id=n, project=PROJECT, why_no_call="unreadable_task") for n in (1, 2)]
    take_in(tmp_path / "shop", batch(submitted(1), present=(1, 2)))
    contents = take_in(tmp_path / "shop", batch(*unreadable, present=(1, 2)))
    assert completions(tmp_path / "shop") == ["Answer 1."]
    assert contents.reasons[("", LeftOut.UNREADABLE)] == 1


def test_a_scale_for_which_the_bounds_are_not_made_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once a project, unless the options have bounds of their own; five stars need none."""
    scales = {number: Control("stars", "Rating", max_rating=number) for number in (5, 10)}

    def said(stars: int, **options: Any) -> int:
        caplog.clear()
        rated = replace(batch(submitted(1), present=(1,)), project=replace(PROJECT, controls=(scales[stars],)))
        take_in(tmp_path / "shop", rated, rated, options=DatasetOptions(**options))
        return sum("Project 1 rates by 10 stars" in record.getMessage() for record in caplog.records)

    assert (said(10), said(5), said(10, min_rating=8, max_bad_rating=4)) == (1, 0, 0)


def test_a_task_on_which_judging_fails_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one that cannot be read."""

    def judge_one(task: AnnotatedTask, *, keep_bulk: bool) -> JudgedCall | NotJudged:
        if task.id == 1:
            raise ValueError("odd")
        return judge(task, keep_bulk=keep_bulk)

    monkeypatch.setattr("otel_labelstudio.annotations.judging.guarded.judge", judge_one)
    contents = take_in(tmp_path / "shop", batch(submitted(1), submitted(2), present=(1, 2)))
    assert completions(tmp_path / "shop") == ["Answer 2."]
    assert contents.reasons[("", LeftOut.UNREADABLE)] == 1


def test_a_task_of_which_no_rows_can_be_made_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps those of an earlier run, and is counted where it has none."""
    take_in(tmp_path / "shop", batch(submitted(1), present=(1,)))

    def rows(one: JudgedCall | NotJudged, *others: Any) -> TaskRows:
        if isinstance(one, JudgedCall) and one.task.id < 3:
            raise ValueError("odd")
        return rows_of(one, *others)

    monkeypatch.setattr("otel_labelstudio.annotations.datasets.dataset.rows_of", rows)
    contents = take_in(tmp_path / "shop", batch(*map(submitted, (1, 2, 3)), present=(1, 2, 3)))
    assert sorted(completions(tmp_path / "shop")) == ["Answer 1.", "Answer 3."]
    assert contents.reasons[("", LeftOut.UNREADABLE)] == 1


def test_a_project_that_is_named_again_is_read_anew(tmp_path: Path) -> None:
    """Left out of one run, its rows are gone, and so is how far it was read: with it they come back."""
    second = replace(PROJECT, id=2)
    tasks = {1: submitted(1), 2: replace(submitted(2), project=second)}

    def run(*projects: AnnotatedProject) -> dict[int, datetime]:
        with Dataset(tmp_path / "shop", DatasetOptions()) as dataset:
            known = dataset.watermarks()
            for project in projects:
                changed = () if project.id in known else (tasks[project.id],)
                dataset.take_in(Batch(project=project, tasks=changed, all_ids=TaskIds([project.id]), watermark=NOON))
            dataset.write()
            return dataset.watermarks()

    assert run(PROJECT, second) == {1: NOON, 2: NOON}
    assert run(PROJECT) == {1: NOON}
    assert completions(tmp_path / "shop") == ["Answer 1."]
    run(PROJECT, second)
    assert sorted(completions(tmp_path / "shop")) == ["Answer 1.", "Answer 2."]


def test_what_changed_replaces_what_was_there(tmp_path: Path) -> None:
    """A changed annotation its row, a deleted one and a deleted task nothing; the rest stays as it was read before."""
    take_in(tmp_path / "shop", batch(*map(submitted, range(1, 6)), present=range(1, 6)))
    take_in(
        tmp_path / "shop",
        batch(submitted(2, "Another."), present=(1, 2, 3, 5), without_annotations=frozenset({3})),
    )
    assert sorted(completions(tmp_path / "shop")) == ["Another.", "Answer 1.", "Answer 5."]


def test_how_far_was_read_is_kept_by_project(tmp_path: Path) -> None:
    """For the next run, unless rows would depend on other options, or come from elsewhere."""
    take_in(tmp_path / "shop", batch(submitted(1), present=(1,), watermark=NOON))

    def watermarks(**fields: Any) -> dict[int, datetime]:
        options = DatasetOptions(**fields.pop("options", {}))
        with Dataset(tmp_path / "shop", options, **fields) as dataset:
            return dataset.watermarks()

    assert watermarks(options={"train_share": 0.5}) == {1: NOON}
    assert watermarks(of="elsewhere") == {}
    take_in(tmp_path / "shop", batch(submitted(1), present=(1,), watermark=NOON))
    assert watermarks(options={"min_rating": 5}) == {}


def test_projects_that_are_no_longer_asked_for_are_gone(tmp_path: Path) -> None:
    """The dataset is of what the last run named."""
    take_in(tmp_path / "shop", batch(submitted(1), present=(1,)))
    other = replace(submitted(2), project=replace(PROJECT, id=2))
    take_in(tmp_path / "shop", Batch(project=other.project, tasks=(other,), all_ids=TaskIds((2,))))
    assert completions(tmp_path / "shop") == ["Answer 2."]


def test_tasks_that_are_not_ours_or_cannot_be_read_are_counted(tmp_path: Path) -> None:
    """Each by its reason."""
    not_ours, unreadable = (
        AnnotatedTask(id=number, project=PROJECT, why_no_call=why)
        for number, why in enumerate(("not_ours", "unreadable_task"))
    )
    found = [judge(not_ours), judge(unreadable)]
    assert all(isinstance(one, NotJudged) for one in found)
    assert write_dataset(found, tmp_path / "shop").reasons == {("", LeftOut.NOT_OURS): 1, ("", LeftOut.UNREADABLE): 1}


def test_every_reason_to_disregard_an_annotation_is_one_to_leave_a_row_out() -> None:
    """A new one without a reason of the same name would end the run that meets it."""
    assert {why.value for why in Disregarded} <= REASONS.keys()
