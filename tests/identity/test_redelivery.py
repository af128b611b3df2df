"""Kafka's consumers and Collectors deliver at least once: spans and log records come again, apart from each other, at
any later time."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from otel_labelstudio.spans.model import LogRecord, Span
from tests.hostile.all_kinds import numbers_of, record, said, span
from tests.settle.stepwise import HOUR_S, SETTLE_S, Stepwise

_WHOLE_CALL = "gen_ai.client.inference.operation.details"
_PAUSES_S = (0.0, 0.5, SETTLE_S, SETTLE_S, HOUR_S)
# Calls whose content stands in a log record, and on their span
_IN_RECORDS, _ON_SPANS = range(1, 7), range(51, 54)


@pytest.mark.parametrize("round_number", range(25))
def test_what_comes_again_is_no_second_call(round_number: int) -> None:
    """Some of it up to three times, in any order and any company; each call is delivered once."""
    rng = random.Random(random.randrange(10**6))
    telemetry: list[Span | LogRecord] = [span(number) for number in _IN_RECORDS]
    telemetry += [record(number, _WHOLE_CALL, attributes=said(number)) for number in _IN_RECORDS]
    telemetry += [span(number, said(number)) for number in _ON_SPANS]
    arriving = [one for one in telemetry for _ in range(rng.choice([1, 2, 2, 3]))]
    rng.shuffle(arriving)
    stages = Stepwise()
    while arriving:
        count = rng.randint(1, 6)
        request, arriving = arriving[:count], arriving[count:]
        stages.pipeline.accept_spans([one for one in request if isinstance(one, Span)])
        stages.pipeline.accept_log_records([one for one in request if isinstance(one, LogRecord)])
        stages.wait(rng.choice(_PAUSES_S))
    for pause_s in (SETTLE_S, SETTLE_S, HOUR_S, HOUR_S):
        stages.wait(pause_s)
    delivered = Counter(number for call in stages.calls for number in numbers_of(call))
    assert delivered == dict.fromkeys([*_IN_RECORDS, *_ON_SPANS], 1)
    stages.close()
