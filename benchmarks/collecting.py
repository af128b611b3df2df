"""How fast annotations become a dataset, beside a bare export of the same tasks, and how much memory that takes.

    python benchmarks/collecting.py [--tasks N] [--annotations N] [--file-tasks N] [--postgresql]

A project of tasks of four kilobytes, some of which are annotated. Each way of reading it is a process of its own: the
ids and exports of the same tasks, without a look at what they say; `collect` and `judge`; a whole dataset, as the
command writes it; and the last two once more after a hundred annotations. Then an export file of so many tasks, and of
a tenth of them. Linux only.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from measuring import peak_mib

from otel_labelstudio.annotations import Batch, Dataset, DatasetOptions, ExportFile, LabelStudioSource, collect, judge
from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.build import build_task
from tests.delivery.labeling import Labeling, fresh_title
from tests.exactly_once.postgres import installed, postgresql

_IMPORTED_AT_ONCE, _EXPORTED_AT_ONCE, _IDS_AT_ONCE = 500, 200, 5_000
_CHANGED = 100
_OVERLAP = timedelta(minutes=10)
_QUESTION, _ANSWER = "My chain slips on the smallest gear. " * 30, "A worn sprocket. " * 60


@dataclass(frozen=True)
class Figure:
    """What a way took: seconds, and MiB of its process at the most. ``tasks`` is how many it saw with annotations."""

    seconds: float
    mib: float
    tasks: int
    watermark: datetime | None = None


def main() -> None:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--annotations", type=int, default=1_000)
    parser.add_argument("--file-tasks", type=int, default=100_000)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    from_server(options.tasks, options.annotations, is_postgresql=options.postgresql)
    from_file(options.file_tasks)


def from_server(tasks: int, annotations: int, *, is_postgresql: bool) -> None:
    """The bare export before and after, since the machine has other work."""
    with ExitStack() as running:
        programs = installed() if is_postgresql else None
        database = running.enter_context(postgresql(programs)) if programs else None
        labeling = served(running.enter_context(EmbeddedLabelStudio(database=database)))
        project_id = filled_project(labeling, tasks, annotations)
        directory = Path(running.enter_context(tempfile.TemporaryDirectory())) / "dataset"
        bare, collected = partial(exported, labeling, project_id), partial(collected_from, labeling, project_id)
        written = partial(written_from, labeling, project_id, directory)
        rows = {"ids and exports alone": alone(bare), "collect and judge, everything": alone(collected)}
        rows["a dataset from nothing"] = alone(written)
        rows["ids and exports alone, again"] = alone(bare)
        annotate(labeling, project_id, _CHANGED)
        watermark = rows["collect and judge, everything"].watermark
        assert watermark is not None
        later = watermark + _OVERLAP  # else all that was imported just now would come again
        rows[f"collect and judge, after {_CHANGED} annotations"] = alone(partial(collected, later))
        rows[f"the dataset, after {_CHANGED} annotations"] = alone(partial(written, later))
    show(f"{tasks:,} tasks, {annotations:,} of them annotated, {'PostgreSQL' if programs else 'SQLite'}", rows)


def from_file(tasks: int) -> None:
    """A file of a tenth of the size, and the whole."""
    rows = {}
    with tempfile.TemporaryDirectory() as directory:
        for count in (tasks // 10, tasks):
            path = Path(directory) / f"{count}.json"
            write_export(path, count)
            size = f"{path.stat().st_size / 2**20:,.0f} MiB"
            rows[f"collect and judge, {count:,} tasks, {size}"] = alone(partial(judged, path))
            rows[f"a dataset from nothing, {count:,} tasks"] = alone(partial(written_of, path, path.with_suffix("")))
            path.unlink()
    show("an export file", rows)


def exported(labeling: Labeling, project_id: int) -> Figure:
    """What a script that reads nothing of it does."""
    begin, seen = time.perf_counter(), 0
    for ids in chunks(ids_of(labeling, project_id), _EXPORTED_AT_ONCE):
        query = urlencode({"exportType": "JSON", "ids[]": ids}, doseq=True)
        seen += fetched(labeling, f"/api/projects/{project_id}/export?{query}").count(b'"unique_id":')
    return Figure(time.perf_counter() - begin, peak_mib(os.getpid()), seen)


def collected_from(labeling: Labeling, project_id: int, since: datetime | None = None) -> Figure:
    """As a command does it."""
    with LabelStudioSource.connected(url=labeling.url, api_key=labeling.api_key, project_ids=[project_id]) as source:
        return measured(lambda: collect(source, since=since))


def written_from(labeling: Labeling, project_id: int, directory: Path, since: datetime | None = None) -> Figure:
    """As the command does it."""
    with LabelStudioSource.connected(url=labeling.url, api_key=labeling.api_key, project_ids=[project_id]) as source:
        return written(collect(source, since=since), directory, of=labeling.url)


def written_of(path: Path, directory: Path) -> Figure:
    """Of a file."""
    return written(collect(ExportFile(path)), directory, of="a file")


def written(batches: Iterator[Batch], directory: Path, *, of: str) -> Figure:
    """With all that is known of it from earlier runs."""
    begin, seen = time.perf_counter(), 0
    with Dataset(directory, DatasetOptions(), of=of) as dataset:
        for batch in batches:
            dataset.take_in(batch)
            seen += len(batch.tasks)
        dataset.write()
    return Figure(time.perf_counter() - begin, peak_mib(os.getpid()), seen)


def judged(path: Path) -> Figure:
    """Of a file."""
    return measured(lambda: collect(ExportFile(path)))


def measured(begin_collecting: Callable[[], Iterator[Batch]]) -> Figure:
    """Every task is judged and let go."""
    begin, seen, watermark = time.perf_counter(), 0, None
    for batch in begin_collecting():
        seen += len([judge(task) for task in batch.tasks])
        watermark = batch.watermark
    return Figure(time.perf_counter() - begin, peak_mib(os.getpid()), seen, watermark)


def alone(way: Callable[[], Figure]) -> Figure:
    """In a fresh process, whose memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(way).result()


def filled_project(labeling: Labeling, tasks: int, annotations: int) -> int:
    """A project with so many tasks, the first of which are annotated; its id."""
    project_id = labeling.make_project(fresh_title("collecting"), default_label_config(Mode.CHAT))
    for records in chunks(records_of(tasks, annotations), _IMPORTED_AT_ONCE):
        labeling.request("POST", f"/api/projects/{project_id}/import", records)
    return project_id


def annotate(labeling: Labeling, project_id: int, count: int) -> None:
    """The last tasks, by the API."""
    for task_id in ids_of(labeling, project_id)[-count:]:
        labeling.request("POST", f"/api/tasks/{task_id}/annotations/", annotation("Another answer."))


def records_of(tasks: int, annotations: int) -> Iterator[dict[str, Any]]:
    """Tasks as an import takes them; every second annotation is an edit."""
    binding = binding_from_label_config(default_label_config(Mode.CHAT))
    for number in range(tasks):
        record = build_task(call(number), binding, call_id=f"{number}").to_dict()
        text = f"{number} {_ANSWER}" + (" It has to be replaced." if number % 2 else "")
        yield {**record, "annotations": [annotation(text)]} if number < annotations else record


def annotation(text: str) -> dict[str, Any]:
    """One that a person spent some time on."""
    region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": [text]}}
    return {"result": [region], "lead_time": 4.2}


def call(number: int) -> LLMCall:
    """Of about two kilobytes."""
    return LLMCall(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        start_time_unix_nano=1_763_800_000_000_000_000 + number,
        end_time_unix_nano=1_763_800_001_000_000_000 + number,
        dialect="genai",
        operation="chat",
        request_model="gpt-4o-mini",
        input_messages=(Message("user", (TextPart(_QUESTION + str(number)),)),),
        output_messages=(Message("assistant", (TextPart(f"{number} {_ANSWER}"),), finish_reason="stop"),),
    )


def write_export(path: Path, tasks: int) -> None:
    """A file as Label Studio exports it, each task with an annotation."""
    at = "2026-11-26T11:17:03.910775Z"
    kept = {"completed_by": 1, "updated_by": 1, "created_at": at, "updated_at": at, "was_cancelled": False}
    with path.open("w", encoding="utf-8") as file:
        for number, record in enumerate(records_of(tasks, tasks)):
            made = [{"id": number, **kept, **each} for each in record["annotations"]]
            task = {
                **record,
                "id": number,
                "project": 1,
                "updated_at": at,
                "annotations": made,
                "predictions": [number],
            }
            file.write(("[" if number == 0 else ",\n") + json.dumps(task, ensure_ascii=False))
        file.write("]\n")


def ids_of(labeling: Labeling, project_id: int) -> list[int]:
    """Of all tasks of a project, page by page."""
    found: list[int] = []
    params: dict[str, Any] = {"project": project_id, "include": "id,updated_at", "page_size": _IDS_AT_ONCE}
    while True:
        params["page"] = len(found) // _IDS_AT_ONCE + 1
        answer = json.loads(fetched(labeling, f"/api/tasks?{urlencode(params)}"))
        found += [task["id"] for task in answer["tasks"]]
        if len(found) >= answer["total"]:
            return found


def fetched(labeling: Labeling, path: str) -> bytes:
    """An answer as it comes."""
    request = urllib.request.Request(f"{labeling.url}{path}", headers={"Authorization": f"Token {labeling.api_key}"})
    with urllib.request.urlopen(request, timeout=600) as response:
        body: bytes = response.read()
        return body


def served(server: EmbeddedLabelStudio) -> Labeling:
    """With what a process needs of it."""
    return Labeling(server.url, server.api_key)


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """So many at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def show(title: str, rows: Mapping[str, Figure]) -> None:
    """In Markdown."""
    print(f"\n| {title} | seconds | annotated tasks | MiB at the most |\n|---|---|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure.seconds:,.1f} | {figure.tasks:,} | {figure.mib:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
