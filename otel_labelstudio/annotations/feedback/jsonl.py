"""JSON lines on standard output, an evaluation a line and nothing else, for whoever brings them elsewhere.

An annotation that is changed is another line; which of several answers, turns or steps is meant stands with the name,
as in ``verdict[2]``. Corrected texts are no part of it: `otel-labelstudio dataset` writes those.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.sink import Result, Sent, SinkOptions

NAME = "jsonl"
CREDENTIALS: tuple[str, ...] = ()


class JsonLinesSink:
    target = NAME
    batch_size = 100
    can_delete = False
    needs_span = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def items(self, evaluation: Evaluation) -> tuple[Evaluation, ...]:
        return (evaluation,)

    def send(self, items: Sequence[Evaluation]) -> Iterator[Sequence[Result]]:
        for item in items:
            self._stream.write(json.dumps(_line(item)) + "\n")
        self._stream.flush()
        yield [Result(item.key) for item in items]

    def delete(self, sent: Sequence[Sent]) -> Iterator[Sequence[Result]]:
        raise NotImplementedError

    def close(self) -> None:
        pass


def open_sink(options: SinkOptions) -> JsonLinesSink:
    return JsonLinesSink(options.stream or sys.stdout)


def _line(item: Evaluation) -> dict[str, Any]:
    return {
        "trace_id": item.trace_id,
        "span_id": item.span_id,
        "response_id": item.response_id,
        "name": item.name if item.index is None else f"{item.name}[{item.index}]",
        "score": item.score,
        "label": item.label,
        "explanation": item.explanation,
        "annotator": item.annotator,
        "annotation_id": item.annotation_id,
        "task_id": item.task_id,
        "project_id": item.project_id,
        "updated_at": item.updated_at.isoformat(),
    }
