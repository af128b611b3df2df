"""Export files: what is read of them, and what is no export."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations.collecting import Batch, ExportFile, collect
from otel_labelstudio.annotations.records import UNREADABLE_TASK
from otel_labelstudio.errors import ExportFileError

ARRAY, LINES = "[{}]", "{}\n"
TOO_MANY_DIGITS = "1" * 5_000
# What is JSON, or what Python writes as JSON, and no parser of it takes
UNPARSABLE = {
    "a number of too many digits": TOO_MANY_DIGITS,
    "more levels than a parser takes": "[" * 100_000 + "]" * 100_000,
    "a tab within a text": '"a\tb"',
    "what is no value": "undefined",
}
# What parsers differ about
ODD = {
    "an integer of 65 bits": str(2**64),
    "an integer that no float holds": str(10**400),
    "a float out of range": "1e999",
    "no number": "NaN",
    "infinity": "-Infinity",
    "half a character": r'"\ud800"',
    "NUL": r'"\u0000"',
    "a name twice": '{"a": 1, "a": 2}',
    "five hundred levels": "[" * 500 + "]" * 500,
}
# What an export has nowhere: in its place may have been a task
NO_TASKS = ("null", "7", '"text"', "[]", "{}", '{"id": "7"}')
TIME = "2026-11-26T11:18:49.156402Z"


def exported(task_id: int, *, project: int | str | None = 1, annotations: int = 1, **fields: Any) -> dict[str, Any]:
    """A task as Label Studio exports it, with as much as is read of one."""
    made = {"id": task_id, "completed_by": 1, "result": [], "created_at": TIME, "updated_at": TIME}
    return {
        "id": task_id,
        "project": project,
        "data": {},
        "meta": None,
        "updated_at": TIME,
        "predictions": [task_id],
        "annotations": [made] * annotations,
        **fields,
    }


def with_value(task_id: int, value: str, **fields: Any) -> str:
    """The JSON of a task whose data have this value."""
    return json.dumps(exported(task_id, data={"odd": "value"}, **fields)).replace('"value"', value)


def written(path: Path, content: str, encoding: str = "utf-8") -> ExportFile:
    path.write_text(content, encoding=encoding)
    return ExportFile(path)


def all_of(file: ExportFile) -> list[Batch]:
    return list(collect(file))


def ids_of(batches: list[Batch]) -> dict[int, list[int] | None]:
    """All ids that are told of each project in the end; None where they are not."""
    return {batch.project.id: None if batch.all_ids is None else list(batch.all_ids) for batch in batches}


def test_tasks_come_in_batches_and_their_ids_at_the_end(tmp_path: Path) -> None:
    """Those without annotations are named too; each project has a last batch."""
    tasks = [exported(n, annotations=n % 2) for n in range(1, 302)] + [exported(1, project=2)]
    batches = all_of(written(tmp_path / "export.json", json.dumps(tasks)))
    assert [(b.project.id, len(b.tasks), len(b.without_annotations)) for b in batches] == [
        *((1, 100, 100), (1, 51, 50), (2, 1, 0)),
        *((1, 0, 0), (2, 0, 0)),
    ]
    assert [list(b.all_ids or ()) for b in batches[-2:]] == [list(range(1, 302)), [1]]
    assert 301 in (batches[-2].all_ids or ())
    assert 302 not in (batches[-2].all_ids or ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("write", [json.dumps, lambda tasks: "\n".join(map(json.dumps, tasks)) + "\n\n"])
def test_a_list_and_a_task_a_line_are_the_same(tmp_path: Path, write: Any, encoding: str) -> None:
    """Also with a mark of the encoding before it, and white space."""
    file = written(tmp_path / "export", f"\n {write([exported(1), exported(2)])}", encoding)
    assert [task.id for batch in collect(file) for task in batch.tasks] == [1, 2]


def test_since_leaves_out_what_did_not_change(tmp_path: Path) -> None:
    """But for ten minutes before it; all ids are told nevertheless."""
    tasks = [exported(1), exported(2, updated_at="2026-11-26T09:00:00Z")]
    file = written(tmp_path / "export.json", json.dumps(tasks))
    since = datetime(2026, 11, 26, 11, 28, tzinfo=timezone.utc)
    first, last = collect(file, since={1: since})
    assert [task.id for task in first.tasks] == [1]
    assert list(last.all_ids or ()) == [1, 2]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "is empty"),
        ("id,response\n1,Paris\n", "is no JSON"),
        ('[{"id": 1, "prompt": "x", "annotation_id": 3, "response": "Paris"}]', "JSON_MIN"),
        ('["text"]', "JSON_MIN"),
        ('{\n  "id": 1\n}', "line 1 is no JSON"),
        ('{"tasks": []}', "JSON_MIN"),
        (json.dumps([exported(1), exported(2)])[:-40], "is damaged after 1 task"),
        (f"[{json.dumps(exported(1))}, {{{TOO_MANY_DIGITS}}}]", "is damaged after 1 task"),
        (f"[{json.dumps(exported(1))}]]", "is damaged after 1 task"),
        (f"{json.dumps(exported(1))}\n{{", "line 2 is no JSON"),
        *((ARRAY.format(f"{json.dumps(exported(1))}, {no_task}"), "is damaged after 1 task") for no_task in NO_TASKS),
        *((f"{json.dumps(exported(1))}\n{no_task}\n", "is damaged after 1 task") for no_task in NO_TASKS),
        ('{"id": 1, garbage\n{"id": 2, garbage\n', "line 1 is no JSON"),
    ],
)
def test_what_is_no_export_says_so(tmp_path: Path, content: str, error: str) -> None:
    """And how to get one; nothing of its content."""
    with pytest.raises(ExportFileError, match=error) as raised:
        all_of(written(tmp_path / "file", content))
    assert "Paris" not in str(raised.value)


def written_with(path: Path, form: str, task: str) -> ExportFile:
    """A file with two tasks around this one, as an array or a task a line."""
    tasks = [json.dumps(exported(1)), task, json.dumps(exported(3))]
    return written(path, form.format((", " if form == ARRAY else "\n").join(tasks)))


@pytest.mark.parametrize("form", [ARRAY, LINES])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_parsers_differ_about_is_read(tmp_path: Path, form: str, odd: str) -> None:
    """With its annotations, as the tasks around it."""
    first, _ = all_of(written_with(tmp_path / "file", form, with_value(2, odd)))
    assert [(task.id, task.why_no_call, len(task.annotations)) for task in first.tasks] == [
        (task_id, "not_ours", 1) for task_id in (1, 2, 3)
    ]


@pytest.mark.parametrize("form", [ARRAY, LINES])
@pytest.mark.parametrize("value", UNPARSABLE.values(), ids=UNPARSABLE.keys())
def test_a_task_that_cannot_be_parsed_costs_itself_alone(tmp_path: Path, form: str, value: str) -> None:
    """It says why nothing can be said of it, and is there: it was not deleted."""
    first, last = all_of(written_with(tmp_path / "file", form, with_value(2, value, annotations=0)))
    assert [(task.id, task.why_no_call) for task in first.tasks] == [
        *((1, "not_ours"), (2, UNREADABLE_TASK)),
        (3, "not_ours"),
    ]
    assert (first.without_annotations, list(last.all_ids or ())) == (frozenset(), [1, 2, 3])


@pytest.mark.parametrize("kept", range(1, 250, 9))
def test_lines_that_end_in_the_middle_of_a_task_are_refused(tmp_path: Path, kept: int) -> None:
    """Wherever it is cut, though its id is there: those that would have followed are not deleted."""
    lines = [json.dumps(exported(number)) for number in (1, 2)]
    assert len(lines[1]) > kept
    for cut in (lines[1][:kept], with_value(2, TOO_MANY_DIGITS)[:-kept]):
        with pytest.raises(ExportFileError, match="line 2 is no JSON"):
            all_of(written(tmp_path / "file", f"{lines[0]}\n{cut}"))


@pytest.mark.parametrize("longest", [100, 2**25], ids=["too long", "not too long"])
@pytest.mark.parametrize("second", [json.dumps(exported(2)), with_value(2, TOO_MANY_DIGITS)])
@pytest.mark.parametrize("between", ["", " ", ",", "\r", "\r\r"])
def test_two_tasks_on_a_line_are_refused(
    tmp_path: Path, between: str, second: str, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them would be counted, or the first alone; old line ends (CR) are no others."""
    monkeypatch.setattr("otel_labelstudio.annotations.collecting.from_file.LONGEST_ITEM", longest)
    with pytest.raises(ExportFileError, match="line 1 is no JSON"):
        all_of(written(tmp_path / "file", between.join((json.dumps(exported(1)), second))))


def test_a_line_that_is_too_long_and_cut_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is looked for, though it is not parsed."""
    monkeypatch.setattr("otel_labelstudio.annotations.collecting.from_file.LONGEST_ITEM", 1_000)
    long = json.dumps(exported(2, data="x" * 5_000))
    with pytest.raises(ExportFileError, match="line 2 is no JSON"):
        all_of(written(tmp_path / "file", f"{json.dumps(exported(1))}\n{long[:-1]}\n"))


@pytest.mark.parametrize("form", [ARRAY, LINES])
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_a_task_that_is_too_long_costs_itself_alone(
    tmp_path: Path, form: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands among those of two projects, it is of its own, which an export tells at the end of a task."""
    for module in ("array_items", "from_file"):
        monkeypatch.setattr(f"otel_labelstudio.annotations.collecting.{module}.LONGEST_ITEM", 1_000)
    tasks = [json.dumps(exported(number, project=project)) for number, project in ((1, 1), (2, 1), (3, 2), (4, 2))]
    tasks.insert(place, json.dumps({"id": 5, "data": "x" * 600_000, "project": 2}))
    file = written(tmp_path / "file", form.format((", " if form == ARRAY else "\n").join(tasks)))
    batches = all_of(file)
    unreadable = [task for batch in batches for task in batch.tasks if task.why_no_call == UNREADABLE_TASK]
    assert [(task.id, task.project.id) for task in unreadable] == [(5, 2)]
    assert ids_of(batches) == {1: [1, 2], 2: [3, 4, 5]}


def test_where_a_project_is_not_known_nothing_counts_as_deleted(tmp_path: Path) -> None:
    """The task may be of any of them; where no task says its project, they are of one."""

    def all_ids(*tasks: str) -> dict[int, list[int] | None]:
        return ids_of(all_of(written(tmp_path / "file", ARRAY.format(", ".join(tasks)))))

    known, none = json.dumps(exported(1)), json.dumps(exported(2, project=None))
    unknown = json.dumps(exported(3, project="value")).replace('"value"', TOO_MANY_DIGITS)
    assert all_ids(known, unknown) == all_ids(unknown, known) == all_ids(known, none) == {0: None, 1: None}
    assert all_ids(none, unknown) == {0: [2, 3]}


def test_a_file_may_begin_with_a_task_that_cannot_be_parsed(tmp_path: Path) -> None:
    """What follows shows whether it is an export."""
    bad = with_value(1, TOO_MANY_DIGITS)
    first, *_ = all_of(written(tmp_path / "file", f"[{bad}, {json.dumps(exported(2))}]"))
    assert [task.id for task in first.tasks] == [1, 2]
    with pytest.raises(ExportFileError, match="JSON_MIN"):
        all_of(written(tmp_path / "file", f'[{bad}, {{"id": 2}}]'))


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    """Whatever was damaged, the task is there."""
    path = tmp_path / "file"
    path.write_bytes(ARRAY.format(with_value(1, '"Paris"')).encode().replace(b"Paris", b"\xff\xfe"))
    assert [task.id for batch in collect(ExportFile(path)) for task in batch.tasks] == [1]


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """As the system does."""
    with pytest.raises(ExportFileError, match="No such file"):
        all_of(ExportFile(tmp_path / "missing.json"))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Of thousands of tasks it holds some hundreds."""

    def peak(tasks: int) -> int:
        path = tmp_path / f"{tasks}.json"
        with path.open("w") as file:
            file.writelines(_pieces(tasks))
        tracemalloc.start()
        assert sum(len(batch.tasks) for batch in collect(ExportFile(path))) == tasks
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(8_000) < peak(2_000) + 2**20


def _pieces(tasks: int) -> Iterator[str]:
    yield "["
    for number in range(tasks):
        yield ("," if number else "") + json.dumps(exported(number, data={"prompt": "x" * 500}))
    yield "]"
