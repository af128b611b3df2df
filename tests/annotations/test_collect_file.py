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
from otel_labelstudio.errors import ExportFileError

TIME = "2026-11-26T11:18:49.156402Z"


def exported(task_id: int, *, project: int = 1, annotations: int = 1, **fields: Any) -> dict[str, Any]:
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


def written(path: Path, content: str, encoding: str = "utf-8") -> ExportFile:
    path.write_text(content, encoding=encoding)
    return ExportFile(path)


def all_of(file: ExportFile) -> list[Batch]:
    return list(collect(file))


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
        (json.dumps([exported(1), exported(2)])[:-40], "is damaged after 1 tasks"),
        (json.dumps([exported(1), exported(2, data={"n": 10**400})]), "number that is too large .* after 1 tasks"),
        (json.dumps([exported(1)]).replace("[]", "1e999", 1), "number that is too large"),
        (f"{json.dumps(exported(1))}\n{{", "line 2 is no JSON"),
    ],
)
def test_what_is_no_export_says_so(tmp_path: Path, content: str, error: str) -> None:
    """And how to get one; nothing of its content."""
    with pytest.raises(ExportFileError, match=error) as raised:
        all_of(written(tmp_path / "file", content))
    assert "Paris" not in str(raised.value)


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
