"""The files of a dataset: what stands in them, and what becomes of them when labels change and runs are killed."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from otel_labelstudio.annotations import DatasetOptions, Kind, Several, judge, write_dataset
from otel_labelstudio.annotations.collecting import Batch, TaskIds
from otel_labelstudio.annotations.datasets import Contents, Dataset, LeftOut, output, writing
from otel_labelstudio.annotations.datasets.left_out import REASONS
from otel_labelstudio.annotations.datasets.rows import TaskRows, rows_of
from otel_labelstudio.annotations.datasets.splitting import SPLITS, Split
from otel_labelstudio.annotations.datasets.store import StateError
from otel_labelstudio.annotations.records import AnnotatedProject, AnnotatedTask, Disregarded, JudgedCall, NotJudged
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError
from tests.annotations.annotated import BEN, NOON, annotation, box, said
from tests.annotations.datasets.garden import (
    STOCK,
    accepted,
    answering,
    assistant,
    call,
    edited,
    judged,
    text,
    worked_on,
)

ALL = tuple(Kind)
PROJECT = AnnotatedProject(1, "Calls", "http://localhost:8080")


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def written(directory: Path) -> dict[str, bytes]:
    """All files with their bytes."""
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def completions(directory: Path) -> list[str]:
    return [
        row["completion"][0]["content"]
        for split in SPLITS
        if (directory / "sft" / f"{split}.jsonl").exists()
        for row in lines(directory / "sft" / f"{split}.jsonl")
    ]


def plain(number: int, **fields: Any) -> LLMCall:
    """A call with a prompt and an answer of its own, without tools."""
    question = (text("user", f"Question {number}?"),)
    made = {"tool_definitions": (), "system_instructions": (), "input_messages": question, **fields}
    return answering(number, f"Answer {number}.", **made)


def many(numbers: Iterable[int], **fields: Any) -> list[JudgedCall]:
    return [accepted(plain(number, **fields), number) for number in numbers]


def test_every_row_has_a_line_of_provenance(tmp_path: Path) -> None:
    """In the order of the rows, with the place of each: which call, whose annotation, when, and what was done."""
    write_dataset([edited(answering(), "Yes, just four."), *many(range(3, 20))], tmp_path / "shop")
    sources = lines(tmp_path / "shop" / "provenance.jsonl")
    rows = [
        (f"{kind}/{split}.jsonl", number)
        for kind in ("sft", "dpo")
        for split in SPLITS
        if (tmp_path / "shop" / kind / f"{split}.jsonl").exists()
        for number, _ in enumerate(lines(tmp_path / "shop" / kind / f"{split}.jsonl"), 1)
    ]
    assert [(source["file"], source["line"]) for source in sources] == rows
    assert len({source["row"] for source in sources}) == len(rows)
    [first] = [s for s in sources if s["trace_id"] == f"{2:032x}" and s["file"].startswith("dpo")]
    assert first["span_id"] == f"{2:016x}"
    assert first["call_id"] == f"call-{2:016x}"
    assert first["model"] == "gpt-4o-mini"
    assert first["task"] == 1
    assert first["act"] in ("edited", "rewritten")
    [by] = first["annotations"]
    assert (by["updated_at"], by["lead_time_s"]) == (NOON.isoformat(), 4.0)
    assert len(by["by"]) == 16


@pytest.mark.parametrize(("how", "name"), [("email", "anna@example.com"), ("none", None)])
def test_people_are_named_on_demand(how: str, name: str | None, tmp_path: Path) -> None:
    """By default they are not."""
    write_dataset(many([1]), tmp_path / "shop", DatasetOptions(annotator=how))
    assert lines(tmp_path / "shop" / "provenance.jsonl")[0]["annotations"][0]["by"] == name


def test_a_name_is_the_same_in_each_run_and_another_in_another_dataset(tmp_path: Path) -> None:
    """The key stays in the state, which nobody else reads."""

    def name(directory: Path) -> str:
        write_dataset(many([1]), directory)
        found: str = lines(directory / "provenance.jsonl")[0]["annotations"][0]["by"]
        return found

    assert name(tmp_path / "a") == name(tmp_path / "a") != name(tmp_path / "b")
    assert b"anna" not in b"".join(written(tmp_path / "a").values())


def test_ids_that_cannot_be_encoded_end_no_run(tmp_path: Path) -> None:
    """Somebody wrote half a character to a task's meta: its row and those of the others are written."""
    half = dict.fromkeys(("trace_id", "span_id", "conversation_id", "response_id", "request_model"), "\ud800")
    odd = worked_on(plain(1, **half), annotation(box("Answer 1.")), call_id="\ud800")
    write_dataset([judged(odd), *many([2, 3])], tmp_path / "shop")
    assert sorted(completions(tmp_path / "shop")) == ["Answer 1.", "Answer 2.", "Answer 3."]


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """The dataset and its state."""
    write_dataset(many([1]), tmp_path / "shop")
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((tmp_path / "shop.state").stat().st_mode) == 0o700
    rows = tmp_path / "shop.state" / "rows.sqlite"
    rows.chmod(0o644)
    write_dataset(many([1]), tmp_path / "shop")
    assert stat.S_IMODE(rows.stat().st_mode) == 0o600


def test_the_card_lists_what_is_there(tmp_path: Path) -> None:
    """A configuration for each kind that has rows, the first by default; no split without rows; columns; counts."""
    options = DatasetOptions(kinds=(Kind.DPO, Kind.SFT, Kind.KTO), train_share=1, min_rating=4.5)
    contents = write_dataset(
        [edited(answering(), "Yes, just four."), accepted(plain(3), 3)], tmp_path / "shop", options
    )
    card = (tmp_path / "shop" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert [(one["config_name"], one.get("default", False)) for one in head["configs"]] == [
        *(("dpo", True), ("sft", False), ("kto", False)),
    ]
    assert head["configs"][1]["data_files"] == [{"split": "train", "path": "sft/train.jsonl"}]
    assert head["dataset_info"][1]["features"][-1] == {"name": "tools", "list": "json"}
    assert contents.rows[Kind.SFT] == {"train": 2}
    assert "| 2 | `sft/train.jsonl` |" in card
    assert "| 1 | dpo | nothing was said that gives such a row, as another answer would for a pair |" in card
    assert "otel-labelstudio dataset --kind dpo,sft,kto --min-rating 4.5 --split 1/0" in card


def test_rows_of_a_file_have_the_same_keys(tmp_path: Path) -> None:
    """Tools are null where only other rows have some, and not there at all where none has."""
    write_dataset([accepted(plain(1), 1), accepted(call(2), 2)], tmp_path / "some", DatasetOptions(train_share=1))
    assert [row["tools"] is None for row in lines(tmp_path / "some" / "sft" / "train.jsonl")] == [True, False]
    write_dataset(many([1]), tmp_path / "none", DatasetOptions(train_share=1))
    assert "tools" not in lines(tmp_path / "none" / "sft" / "train.jsonl")[0]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """In whatever order it comes, and whatever was there before."""
    tasks = [edited(answering(), "Yes, just four."), *many(range(3, 40))]
    options = DatasetOptions(kinds=ALL, annotator="none")
    write_dataset(tasks, tmp_path / "a", options)
    write_dataset(many(range(50, 60)), tmp_path / "b", options)
    write_dataset(tasks[::-1], tmp_path / "b", options)
    assert written(tmp_path / "a") == written(tmp_path / "b")


def test_nothing_gives_an_empty_dataset(tmp_path: Path) -> None:
    """With its card and no rows."""
    assert write_dataset([], tmp_path / "shop").rows == {}
    assert sorted(written(tmp_path / "shop")) == ["README.md", "provenance.jsonl"]


def splits(directory: Path) -> dict[str, str]:
    """Which split each call is in, by its trace."""
    return {s["trace_id"]: s["file"].split("/")[1] for s in lines(directory / "provenance.jsonl")}


def test_reruns_move_nothing_between_train_and_test(tmp_path: Path) -> None:
    """What is added later changes nothing of what was there; about a tenth is for testing."""
    write_dataset(many(range(1, 200)), tmp_path / "shop")
    before = splits(tmp_path / "shop")
    assert 5 < sum(split == "test.jsonl" for split in before.values()) < 40
    write_dataset(many(range(1, 400)), tmp_path / "shop")
    after = splits(tmp_path / "shop")
    assert {trace: after[trace] for trace in before} == before


def test_a_conversation_is_on_one_side(tmp_path: Path) -> None:
    """By its id, or by its trace where there is none; so are equal prompts, and a call that continues another."""
    together = [
        *many(range(1, 40), conversation_id="one"),
        *(accepted(plain(n, trace_id="f" * 32), n) for n in range(50, 90)),
        *(accepted(replace(plain(n), input_messages=plain(100).input_messages), n) for n in range(100, 140)),
    ]
    so_far = plain(200).input_messages
    for number in range(200, 240):
        of = replace(plain(number), input_messages=so_far)
        together.append(accepted(of, number))
        so_far = (*so_far, assistant(*of.output_messages[0].parts), text("user", "And?"))
    write_dataset(together, tmp_path / "shop", DatasetOptions(train_share=0.5))
    found = splits(tmp_path / "shop")
    for numbers in (range(1, 40), range(100, 140), range(200, 240)):
        assert len({found[f"{number:032x}"] for number in numbers}) == 1
    assert sum(trace == "f" * 32 for trace in found) == 1


def test_a_question_under_other_tools_is_on_the_same_side(tmp_path: Path) -> None:
    """Tools change with every release of an application, and its users ask the same; a continued call too."""
    question = plain(1).input_messages
    asked = [
        replace(plain(n), input_messages=question, tool_definitions=({**STOCK, "name": f"v{n}"},)) for n in range(40)
    ]
    history = (*question, *asked[0].output_messages, text("user", "And?"))
    asked += [replace(one, trace_id=f"{n + 50:032x}", input_messages=history) for n, one in enumerate(asked)]
    tasks = [accepted(of, number) for number, of in enumerate(asked, 1)]
    write_dataset(tasks, tmp_path / "shop", DatasetOptions(train_share=0.5))
    assert len(splits(tmp_path / "shop")) == 80
    assert len(set(splits(tmp_path / "shop").values())) == 1


def test_conversations_that_begin_alike_are_joined_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each with each: thousands begin with the same greeting."""
    joins = 0
    join = Split._join

    def counted(self: Split, one: int, other: int) -> None:
        nonlocal joins
        joins += 1
        join(self, one, other)

    monkeypatch.setattr(Split, "_join", counted)
    greeting = (text("user", "Hello"),)
    begun = [replace(plain(n), input_messages=greeting, output_messages=(text("assistant", "Hi"),)) for n in range(50)]
    history = (*greeting, text("assistant", "Hi"))
    continued = [replace(plain(n), input_messages=(*history, text("user", f"{n}?"))) for n in range(50, 100)]
    write_dataset([accepted(of, n) for n, of in enumerate((*begun, *continued))], tmp_path / "shop")
    assert joins <= 100
    assert len(set(splits(tmp_path / "shop").values())) == 1


def test_the_same_row_is_written_once(tmp_path: Path) -> None:
    """Its provenance has all that it comes from."""
    twice = [accepted(plain(1), 1), accepted(replace(plain(2), **same(plain(1))), 2)]
    contents = write_dataset(twice, tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 1."]
    assert contents.reasons[("sft", LeftOut.DUPLICATE)] == 1
    [source] = lines(tmp_path / "shop" / "provenance.jsonl")
    assert [other["trace_id"] for other in source["duplicates"]] == [f"{2:032x}"]


def same(of: LLMCall) -> dict[str, Any]:
    return {"input_messages": of.input_messages, "output_messages": of.output_messages}


def test_pairs_that_contradict_each_other_are_left_out(tmp_path: Path) -> None:
    """Two people prefer one answer and the other."""
    of = replace(plain(1), output_messages=(text("assistant", "A"), text("assistant", "B")))
    task = worked_on(
        of,
        annotation(box("A", "B"), said("choices", "best", ("1",))),
        annotation(box("A", "B"), said("choices", "best", ("2",)), by=BEN, updated_by=BEN),
    )
    contents = write_dataset([judged(task)], tmp_path / "shop", DatasetOptions(several=Several.EACH))
    assert Kind.DPO not in contents.rows
    assert contents.reasons[("dpo", LeftOut.CONTRADICTORY)] == 2


def test_labels_are_voted_upon(tmp_path: Path) -> None:
    """Of three people two count; of two who differ none."""

    def labeled(number: int, *words: str) -> JudgedCall:
        people = [replace(BEN, id=10 + at) for at in range(len(words))]
        made = [
            annotation(box(f"Answer {number}."), said("choices", "verdict", (word,)), by=person, updated_by=person)
            for word, person in zip(words, people, strict=True)
        ]
        return judged(worked_on(plain(number), *made, number=number))

    tasks = [labeled(1, "good", "bad", "good"), labeled(2, "bad", "good")]
    contents = write_dataset(tasks, tmp_path / "shop", DatasetOptions(kinds=(Kind.KTO,), train_share=1))
    assert [row["label"] for row in lines(tmp_path / "shop" / "kto" / "train.jsonl")] == [True]
    assert contents.reasons == {
        ("kto", LeftOut.DUPLICATE): 1,
        ("kto", LeftOut.OUTVOTED): 1,
        ("kto", LeftOut.TIE): 2,
    }


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


@pytest.mark.parametrize("mine", ["notes.txt", "sft/more.jsonl", ".git/config"])
def test_a_directory_with_other_files_is_not_touched(mine: str, tmp_path: Path) -> None:
    """Neither one that never was a dataset, nor one that has become more; the error names the files."""
    (tmp_path / "shop" / mine).parent.mkdir(parents=True)
    (tmp_path / "shop" / mine).write_text("mine")
    with pytest.raises(ConfigError, match=mine):
        write_dataset(many([1]), tmp_path / "shop")
    assert not (tmp_path / "shop.state").exists()
    write_dataset(many([1]), tmp_path / "other")
    (tmp_path / "other" / mine).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "other" / mine).write_text("mine")
    before = written(tmp_path / "other")
    with pytest.raises(ConfigError, match=mine):
        write_dataset(many([2]), tmp_path / "other")
    assert written(tmp_path / "other") == before


@pytest.mark.parametrize("name", ["photos", "sft/extra", "kto"])
@pytest.mark.parametrize("is_link", [False, True], ids=["directory", "link"])
def test_links_and_empty_directories_are_somebodys_too(name: str, is_link: bool, tmp_path: Path) -> None:
    """They are not deleted, nor is what a link stands for; an empty directory of a kind's name could be ours."""
    write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "elsewhere").mkdir()
    mine = tmp_path / "shop" / name
    mine.symlink_to(tmp_path / "elsewhere") if is_link else mine.mkdir()
    if name == "kto" and not is_link:
        write_dataset(many([2]), tmp_path / "shop")
        return
    with pytest.raises(ConfigError, match=name):
        write_dataset(many([2]), tmp_path / "shop")
    assert mine.is_symlink() == is_link
    assert mine.is_dir()


def test_a_directory_of_empty_directories_is_somebodys(tmp_path: Path) -> None:
    """No run of ours has left them."""
    (tmp_path / "shop" / "sft").mkdir(parents=True)
    with pytest.raises(ConfigError, match="sft"):
        write_dataset(many([1]), tmp_path / "shop")


def test_a_second_run_does_not_undo_the_first_ones_exchange(tmp_path: Path) -> None:
    """Between two renames the earlier dataset is not in its place: only who has the lock puts it back."""
    write_dataset(many([1]), tmp_path / "shop")
    with Dataset(tmp_path / "shop", DatasetOptions()):
        (tmp_path / "shop").rename(tmp_path / "shop.state" / "old")
        with pytest.raises(ConfigError, match="another run"):
            write_dataset(many([2]), tmp_path / "shop")
        assert not (tmp_path / "shop").exists()


def test_files_that_only_have_our_names_are_somebodys(tmp_path: Path) -> None:
    """A README of another hand does not make a directory ours."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "README.md").write_text("# My project")
    with pytest.raises(ConfigError, match=r"README\.md"):
        write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        write_dataset(many([1]), tmp_path / "file")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """Another is told to wait."""
    with Dataset(tmp_path / "shop", DatasetOptions()), pytest.raises(ConfigError, match="another run"):
        write_dataset(many([1]), tmp_path / "shop")


def test_a_damaged_state_says_what_to_do(tmp_path: Path) -> None:
    """It holds nothing that is not in Label Studio."""
    write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "shop.state" / "rows.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(StateError, match="remove it"):
        write_dataset(many([1]), tmp_path / "shop")


def in_the_way_of_the_state(directory: Path) -> Path:
    (directory / "shop.state").write_text("mine")
    return directory / "shop"


def below_a_file(directory: Path) -> Path:
    (directory / "file").write_text("mine")
    return directory / "file" / "shop"


def not_lockable(directory: Path) -> Path:
    (directory / "shop.state" / "lock").mkdir(parents=True)
    return directory / "shop"


@pytest.mark.parametrize("place", [in_the_way_of_the_state, below_a_file, not_lockable])
def test_a_place_that_cannot_be_written_to_is_named(place: Callable[[Path], Path], tmp_path: Path) -> None:
    """In one line of the command, not in a traceback."""
    directory = place(tmp_path)
    with pytest.raises(ConfigError, match=f"cannot write to .*{directory.name}"):
        write_dataset(many([1]), directory)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the state's database, here by a limit on its size, and in the files; the earlier dataset stays."""
    write_dataset(many([1]), tmp_path / "shop")

    def read_too_much() -> None:
        with Dataset(tmp_path / "shop", DatasetOptions()) as dataset:
            dataset._store.connection.execute("PRAGMA max_page_count = 1")
            dataset.read(many(range(2, 2000)))

    with pytest.raises(StateError, match=r"rows\.sqlite cannot be used: .*full"):
        read_too_much()

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing, "_created", full)
    with pytest.raises(ConfigError, match=r"cannot write to .*: No space left"):
        write_dataset(many([2]), tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 1."]


def key_of(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.state") / "annotators.key"


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    """Hashes with it could be reversed by anybody; a run that was killed while it wrote the key leaves none."""
    write_dataset(many([1]), tmp_path / "shop")
    key_of(tmp_path / "shop").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"annotators\.key is damaged; remove it"):
        write_dataset(many([1]), tmp_path / "shop")
    key_of(tmp_path / "shop").unlink()
    key_of(tmp_path / "shop").with_suffix(".key.new").write_bytes(b"half a key")
    write_dataset(many([1]), tmp_path / "shop")
    assert len(key_of(tmp_path / "shop").read_bytes()) == 32


def test_a_key_is_made_for_hashes_alone_and_by_who_has_the_lock(tmp_path: Path) -> None:
    """So that two first runs do not write two keys."""
    with Dataset(tmp_path / "shop", DatasetOptions(annotator="none")):
        with pytest.raises(ConfigError, match="another run"):
            write_dataset(many([1]), tmp_path / "shop")
        assert not key_of(tmp_path / "shop").exists()


def test_a_run_that_is_killed_leaves_the_earlier_dataset_or_the_new_one(tmp_path: Path) -> None:
    """At each step that changes a file in turn; the next run writes the new one."""
    program = [sys.executable, "-m", "tests.annotations.datasets.killed_at_each_step", str(tmp_path)]
    run = subprocess.run(program, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found = [line.split(" ", 1)[1] for line in run.stdout.splitlines()]
    assert len(found) > 10
    assert set(found) == {"earlier", "new"}


@pytest.mark.parametrize(
    ("number", "is_mount_point"), [(errno.EBUSY, True), (errno.EXDEV, True), (errno.ENOSPC, False)]
)
def test_a_mount_point_is_named_only_where_it_can_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_mount_point: bool
) -> None:
    """Directories are not exchanged for other reasons too, such as a full disk; the system's own words say which."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(renameat2=lambda *_: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: number)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigError, match=os.strerror(number)) as refused:
        output._exchange(tmp_path / "new", tmp_path / "old")
    assert ("mount point" in str(refused.value)) == is_mount_point


def test_every_reason_to_disregard_an_annotation_is_one_to_leave_a_row_out() -> None:
    """A new one without a reason of the same name would end the run that meets it."""
    assert {why.value for why in Disregarded} <= REASONS.keys()


def test_where_directories_cannot_be_exchanged_the_next_run_puts_the_earlier_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On systems other than Linux, in the moment between two renames."""

    class KilledError(Exception):
        """The process ends."""

    monkeypatch.setattr(output, "_exchange", lambda *_: False)
    write_dataset(many([1]), tmp_path / "shop")
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KilledError
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KilledError):
        write_dataset(many([2]), tmp_path / "shop")
    monkeypatch.setattr(Path, "rename", rename)
    with Dataset(tmp_path / "shop", DatasetOptions()):
        assert completions(tmp_path / "shop") == ["Answer 1."]
    write_dataset(many([2]), tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 2."]
