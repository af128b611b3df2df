"""Recorded telemetry to send: the corpus, each scenario with ids of its own, since many recordings share theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.recordings import Recording, decode_files

_ID_FIELDS = ("trace_id", "span_id", "parent_span_id")


@dataclass(frozen=True)
class Scenario:
    """One recorded run: its files, and what they hold."""

    name: str
    files: tuple[Path, ...]
    recording: Recording


def scenarios(corpus: Path, directory: Path) -> Iterator[Scenario]:
    """Every scenario of the corpus, with new ids, in ``directory``."""
    for truth in sorted(corpus.glob("*/*/truth.json")):
        name = f"{truth.parent.parent.name}/{truth.parent.name}"
        to = directory / name
        to.mkdir(parents=True)
        files = tuple(_with_ids_of_their_own(path, to) for path in sorted(truth.parent.glob("*.pb")))
        yield Scenario(name, files, decode_files(files))


def signal_of(path: Path) -> str:
    """As the URL names it."""
    return "logs" if path.name.startswith("logs") else "traces"


def _with_ids_of_their_own(path: Path, to: Path) -> Path:
    request = ExportLogsServiceRequest() if signal_of(path) == "logs" else ExportTraceServiceRequest()
    request.ParseFromString(path.read_bytes())
    mask = hashlib.sha256(str(to.relative_to(to.parents[1])).encode()).digest()
    for item in _items(request):
        for name in _ID_FIELDS:
            if old := getattr(item, name, b""):
                setattr(item, name, bytes(a ^ b for a, b in zip(old, mask[: len(old)], strict=True)))
    (to / path.name).write_bytes(request.SerializeToString())
    return to / path.name


def _items(request: Any) -> Iterator[Any]:
    if isinstance(request, ExportLogsServiceRequest):
        yield from (r for rl in request.resource_logs for sl in rl.scope_logs for r in sl.log_records)
        return
    for span in (s for rs in request.resource_spans for ss in rs.scope_spans for s in ss.spans):
        yield span
        yield from span.links
