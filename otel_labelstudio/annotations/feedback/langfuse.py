"""Langfuse: scores on the observation, which is the span. A score is overwritten by its id, and can be deleted.

A corrected text is a score of its own, of the type CORRECTION, which Langfuse shows beside the observation's output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.annotations.feedback.evaluation import Evaluation, digest
from otel_labelstudio.annotations.feedback.http import BackEnd
from otel_labelstudio.annotations.feedback.sink import Result, Sent, SinkOptions
from otel_labelstudio.errors import ConfigError, PausedDeliveryError

NAME = "langfuse"
_PUBLIC_KEY, _SECRET_KEY = "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"
_ADDRESSES = ("LANGFUSE_BASE_URL", "LANGFUSE_HOST")
CREDENTIALS = (_PUBLIC_KEY, _SECRET_KEY, *_ADDRESSES)
# langfuse, fern/apis/server/definition/scores.yml
_SCORES = "/api/public/scores"
# A score of the type CORRECTION is kept under this name, whatever name it is sent with
_CORRECTION_NAME = "output"
_LONGEST_TEXT = 500
_SHARE = "labelstudio.score"


class LangfuseSink:
    batch_size = 50
    can_delete = True
    needs_span = True

    def __init__(self, back_end: BackEnd) -> None:
        self.target = f"{NAME} {back_end.url}"
        self._back_end = back_end

    def items(self, evaluation: Evaluation) -> tuple[Evaluation, ...]:
        if evaluation.corrected is None:
            return (evaluation,)
        text = replace(evaluation, key=digest(evaluation.key, "text"), name=_CORRECTION_NAME, score=None, label=None)
        return (replace(evaluation, corrected=None), text)

    def send(self, items: Sequence[Evaluation]) -> Iterator[Sequence[Result]]:
        for item in items:
            answer = self._back_end.request("POST", _SCORES, json.dumps(_score(item)).encode())
            if answer.status in (404, 405):
                raise PausedDeliveryError(f"there is no Langfuse at {self._back_end.url}; check --endpoint")
            yield [Result(item.key, refused=None if answer.is_success else f"HTTP status {answer.status}")]

    def delete(self, sent: Sequence[Sent]) -> Iterator[Sequence[Result]]:
        for one in sent:
            answer = self._back_end.request("DELETE", f"{_SCORES}/{one.key}")
            is_gone = answer.is_success or answer.status == 404
            yield [Result(one.key, refused=None if is_gone else f"HTTP status {answer.status}")]

    def close(self) -> None:
        self._back_end.close()


def open_sink(options: SinkOptions) -> LangfuseSink:
    keys = [options.credentials.get(name, "") for name in (_PUBLIC_KEY, _SECRET_KEY)]
    if not all(keys):
        raise ConfigError(f"Langfuse needs {_PUBLIC_KEY} and {_SECRET_KEY}: Langfuse's project settings > API keys")
    url = options.address(*_ADDRESSES)
    hint = f"{_PUBLIC_KEY} and {_SECRET_KEY}"
    return LangfuseSink(BackEnd(url, {}, options.timeout_s, hint, login=(keys[0], keys[1])))


def _score(item: Evaluation) -> dict[str, Any]:
    data_type, value = _typed_value(item)
    score = {
        "id": item.key,
        "traceId": item.trace_id,
        "observationId": item.span_id,
        "name": item.name,
        "value": value,
        "dataType": data_type,
        "metadata": {**item.facts, **({_SHARE: item.score} if item.label and item.score is not None else {})},
    }
    return score if item.explanation is None else {**score, "comment": item.explanation}


def _typed_value(item: Evaluation) -> tuple[str, str | float]:
    """A score has one value: where there is a label, that is it, and the score goes into the metadata."""
    if item.corrected is not None:
        return "CORRECTION", item.corrected
    if item.label is not None:
        return "CATEGORICAL", item.label
    if item.score is not None:
        return "NUMERIC", item.score
    return "TEXT", (item.explanation or item.name)[:_LONGEST_TEXT]
