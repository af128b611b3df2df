"""What an outbox makes of spans and log records is what a recording of them gives, whatever they are and in whatever
order they come."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.model import STATUS_CODE_ERROR, LogRecord, Scope, Span
from tests.hostile.all_kinds import dialogue, record, said, span
from tests.settle.stepwise import HOUR_S, SETTLE_S, Stepwise

_SECOND_NS = 10**9
_FIRST_NS = 1_763_800_000 * _SECOND_NS
_WHOLE_CALL = "gen_ai.client.inference.operation.details"

ATTRIBUTES: dict[str, Callable[[int], Mapping[str, Any] | None]] = {
    "content": said,
    "no content": lambda _: None,
    "agent": lambda _: {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai"},
    "agent with content": lambda number: {**said(number), "gen_ai.operation.name": "invoke_agent"},
    "tool": lambda _: {"gen_ai.operation.name": "execute_tool"},
    "embedding": lambda _: {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e"},
    "no model": lambda _: {"http.method": "POST"},
}
NOWHERE = {"trace_id": "", "span_id": ""}


def telemetry_of(chance: random.Random, number: int) -> list[Span | LogRecord]:
    """A span, perhaps, and what log records say during it, perhaps in the context of another span or of none."""
    at = _FIRST_NS + number * 10 * _SECOND_NS
    scope = Scope(chance.choice(["one", "other"]))
    made: list[Span | LogRecord] = []
    if chance.random() < 0.8:
        attributes = ATTRIBUTES[chance.choice(list(ATTRIBUTES))](number)
        failed = {"status_code": STATUS_CODE_ERROR} if chance.random() < 0.3 else {}
        times = {"start_time_unix_nano": at, "end_time_unix_nano": at + _SECOND_NS}
        made.append(span(number, attributes, scope=scope, **times, **failed))
    ids = chance.choice([{}, {}, NOWHERE, {"trace_id": f"{1:032x}", "span_id": f"{1:016x}"}])
    if chance.random() < 0.5:
        told = dialogue(number, **ids, scope=scope, time_unix_nano=at + 1000)
        made += told[: chance.choice([1, 2, 2, 2])]
        if chance.random() < 0.3:  # of a second call
            made += dialogue(number, **ids, scope=scope, time_unix_nano=at + 2000)
    elif chance.random() < 0.5:
        fields = {**ids, "scope": scope, "time_unix_nano": at + 1000}
        made.append(record(number, _WHOLE_CALL, attributes=said(number), **fields))
    return made


def as_text(calls: list[LLMCall]) -> list[str]:
    return sorted(json.dumps(call.to_dict(), sort_keys=True) for call in calls)


@pytest.mark.parametrize("seed", range(60))
def test_live_is_as_from_a_file(seed: int) -> None:
    """Spans of every kind, that failed or not, with content in log records of their own, of another span, of none."""
    chance = random.Random(seed)
    telemetry = [one for number in range(1, chance.randint(2, 5)) for one in telemetry_of(chance, number)]
    chance.shuffle(telemetry)
    stages = Stepwise()
    stages.accept(*telemetry)
    for _ in range(3):
        stages.wait(SETTLE_S)
    stages.wait(HOUR_S)
    spans = [one for one in telemetry if isinstance(one, Span)]
    records = [one for one in telemetry if isinstance(one, LogRecord)]
    assert as_text(stages.calls) == as_text(read_recording(Recording(spans, records)).calls)
