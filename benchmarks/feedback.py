"""How fast what people said becomes feedback, beside collecting and judging alone, and how much memory that takes.

    python benchmarks/feedback.py [--tasks N] [--annotations N] [--file-tasks N] [--postgresql]

As the command does it, with a state: events by OTLP to an endpoint on this machine, which answers at once, and JSON
lines to a file. Each way is a process of its own. From a project, then once more after a hundred annotations; then
from an export file of a tenth of the tasks, and of all, and once more where nothing is new. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from collecting import (
    Figure,
    alone,
    annotate,
    collected_from,
    filled_project,
    judged,
    served,
    show,
    write_export,
)
from measuring import peak_mib

from otel_labelstudio.annotations import (
    AnnotatorForm,
    EvaluationRules,
    ExportFile,
    FeedbackState,
    LabelStudioSource,
    SinkOptions,
    annotator_naming,
    collect,
    open_sink,
    send_feedback,
)
from otel_labelstudio.annotations.collecting import Source
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.annotations.feedback.back_end import BackEndServer
from tests.delivery.labeling import Labeling
from tests.exactly_once.postgres import installed, postgresql

_CHANGED = 100
_OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True)
class Target:
    """A back end, and a directory for its state and for what it writes."""

    sink: str
    directory: Path
    endpoint: str | None = None


def main() -> None:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--annotations", type=int, default=1_000)
    parser.add_argument("--file-tasks", type=int, default=50_000)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    from_server(options.tasks, options.annotations, is_postgresql=options.postgresql)
    from_file(options.file_tasks)


def from_server(tasks: int, annotations: int, *, is_postgresql: bool) -> None:
    """Collecting before and after, since the machine has other work."""
    with ExitStack() as running:
        programs = installed() if is_postgresql else None
        database = running.enter_context(postgresql(programs)) if programs else None
        labeling = served(running.enter_context(EmbeddedLabelStudio(database=database)))
        project_id = filled_project(labeling, tasks, annotations)
        otlp, jsonl = targets(running)
        collected, sent = partial(collected_from, labeling, project_id), partial(sent_from, labeling, project_id)
        rows = {"collect and judge, everything": alone(collected)}
        rows["events by OTLP, everything"] = alone(partial(sent, otlp))
        rows["JSON lines, everything"] = alone(partial(sent, jsonl))
        rows["collect and judge, again"] = alone(collected)
        annotate(labeling, project_id, _CHANGED)
        watermark = rows["collect and judge, everything"].watermark
        assert watermark is not None
        later = watermark + _OVERLAP  # else all that was imported just now would come again
        rows[f"events by OTLP, after {_CHANGED} annotations"] = alone(partial(sent, otlp, later))
    show(f"{tasks:,} tasks, {annotations:,} of them annotated, {'PostgreSQL' if programs else 'SQLite'}", rows)


def from_file(tasks: int) -> None:
    """A file of a tenth of the size, and the whole."""
    rows = {}
    for count in (tasks // 10, tasks):
        with ExitStack() as running:
            otlp, jsonl = targets(running)
            path = otlp.directory / "export.json"
            write_export(path, count)
            size = f"{count:,} tasks, {path.stat().st_size / 2**20:,.0f} MiB"
            rows[f"collect and judge, {size}"] = alone(partial(judged, path))
            rows[f"events by OTLP, {count:,} tasks"] = alone(partial(sent_of, path, otlp))
            rows[f"events by OTLP, {count:,} tasks, nothing new"] = alone(partial(sent_of, path, otlp))
            rows[f"JSON lines, {count:,} tasks"] = alone(partial(sent_of, path, jsonl))
    show("an export file", rows)


def targets(running: ExitStack) -> tuple[Target, Target]:
    """By OTLP and as JSON lines, for as long as the context lasts; the endpoint is this process."""
    directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
    back_end = running.enter_context(BackEndServer())
    return Target("otlp", directory, back_end.url), Target("jsonl", directory)


def sent_from(labeling: Labeling, project_id: int, target: Target, since: datetime | None = None) -> Figure:
    """Of a project."""
    with LabelStudioSource.connected(url=labeling.url, api_key=labeling.api_key, project_ids=[project_id]) as source:
        return sent(source, target, since)


def sent_of(path: Path, target: Target) -> Figure:
    """Of a file."""
    return sent(ExportFile(path), target)


def sent(source: Source, target: Target, since: datetime | None = None) -> Figure:
    """As the command does it; each task gives one evaluation."""
    begin = time.perf_counter()
    with (
        closing(FeedbackState(target.directory / f"{target.sink}.db")) as state,
        (target.directory / "evaluations.jsonl").open("w") as stream,
        closing(open_sink(target.sink, SinkOptions(endpoint=target.endpoint, stream=stream))) as sink,
    ):
        rules = EvaluationRules(annotator_naming(AnnotatorForm.HASH, state.annotator_key))
        batches = collect(source, since=since or partial(state.read_until, sink.target))
        told = send_feedback(batches, sink, state, rules).to_dict()
    assert told["sent"] + told["unchanged"] == told["tasks_read"], told
    return Figure(time.perf_counter() - begin, peak_mib(os.getpid()), told["tasks_read"])


if __name__ == "__main__":
    main()
