"""Which log records belong to which span, where all of them are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from otel_labelstudio.calls import CallKey
from otel_labelstudio.dialects import Skip, SkipReason
from otel_labelstudio.settle.log_records import (
    Joined,
    calls_without_span,
    is_call_of_its_own,
    owners_by_time,
)
from otel_labelstudio.settle.recorded import RecordedTelemetry
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.hostile.all_kinds import dialogue, numbers_of, record, said, span

NOWHERE = {"trace_id": "", "span_id": ""}
WHOLE_CALL = "gen_ai.client.inference.operation.details"


def whole(number: int, **fields: Any) -> LogRecord:
    return record(number, WHOLE_CALL, attributes=said(number), **fields)


def joined_of(spans: Sequence[Span], log_records: Sequence[LogRecord]) -> list[Joined]:
    """The spans, and what stands for those that are missing, that give calls."""
    return [reading.joined for reading in RecordedTelemetry(spans, log_records).readings]


def numbers(joined: Joined) -> set[int]:
    reading = joined.read()
    return set() if isinstance(reading, Skip) else set().union(*map(numbers_of, reading))


def test_each_span_gets_its_records_in_the_order_of_the_dialogue() -> None:
    """Whatever the order in which they arrive."""
    records = [replace(r, time_unix_nano=r.time_unix_nano + at) for at, r in enumerate([*dialogue(1), *dialogue(2)])]
    joined = joined_of([span(1), span(2)], records[::-1])
    assert [[r.event_name for r in one.log_records] for one in joined] == [["gen_ai.user.message", "gen_ai.choice"]] * 2
    assert [numbers(one) for one in joined] == [{1}, {2}]


def test_a_spans_own_words_stay_and_the_records_fill_what_it_lacks() -> None:
    """Facts that stand in the record alone are the call's."""
    told = replace(whole(1), attributes={**said(2), "gen_ai.conversation.id": "of the record"})
    calls = [reading.call for reading in RecordedTelemetry([span(1, said(1))], [told]).readings]
    assert [(numbers_of(call), call.conversation_id) for call in calls] == [({1}, "of the record")]


def test_records_without_their_span_are_one_call_if_they_hold_an_answer() -> None:
    """It says that its span is missing, and lasts from the first record to the last."""
    first, last = dialogue(1)
    last = replace(last, time_unix_nano=first.time_unix_nano + 5)
    (joined,) = calls_without_span([first, last])
    assert joined.is_span_missing
    assert numbers(joined) == {1}
    assert joined.span.end_time_unix_nano - joined.span.start_time_unix_nano == 5
    (question,) = calls_without_span([first])
    assert isinstance(question.read(), Skip)


def keys(*log_records: LogRecord) -> list[CallKey]:
    """Of the calls that records without their span tell of."""
    readings = [joined.read() for joined in calls_without_span(log_records)]
    return [call.key for reading in readings if not isinstance(reading, Skip) for call in reading]


def test_whole_calls_of_one_missing_span_have_keys_of_their_own() -> None:
    """The same ones whether they come together or apart, and when a record is sent again."""
    ids = {"trace_id": f"{7:032x}", "span_id": f"{7:016x}"}
    one, other = whole(1, **ids), whole(2, **ids)
    later = replace(one, time_unix_nano=one.time_unix_nano + 1)
    assert keys(one, other, later) == keys(one) + keys(other) + keys(later)
    assert len({*keys(one, one, other, later)}) == 3
    assert {(key.trace_id, key.span_id) for key in keys(one, other)} == {(one.trace_id, one.span_id)}


def test_dialogues_of_one_missing_span_are_calls_of_their_own() -> None:
    """Where the same choice is answered twice; further choices of one answer are of one call."""
    ids = {"trace_id": f"{7:032x}", "span_id": f"{7:016x}"}
    first, second = ([replace(r, time_unix_nano=n) for r in dialogue(n, **ids)] for n in (1, 2))
    assert keys(*first, *second) == keys(*first) + keys(*second)
    assert len({*keys(*first, *second)}) == 2
    further = replace(first[1], body={**first[1].body, "index": 1})
    assert len(keys(*first, further)) == 1


def test_what_was_moved_away_from_a_span_is_no_call_without_it() -> None:
    """It may be of an agent or a tool as well."""
    moved = record(1, "scope", body={"input": {"messages": []}}, scope=Scope("scope"))
    assert list(calls_without_span([moved])) == []


def test_strays_without_ids_that_are_sent_again_have_the_same_key() -> None:
    """Two different ones have different ones."""
    (one,), (again,), (other,) = (joined_of([], [whole(number, **NOWHERE)]) for number in (1, 1, 2))
    assert one.span.span_id == again.span.span_id != other.span.span_id


@pytest.mark.parametrize(
    ("change", "is_owner"),
    [
        ({}, True),
        ({"scope": Scope("another")}, False),
        ({"end_time_unix_nano": 1_763_800_000_000_000_000}, False),
        ({"start_time_unix_nano": 1_763_800_001_000_000_000}, False),
        ({"resource": {"service.name": "another"}}, True),
    ],
    ids=["same", "scope", "ended before", "began after", "record without a resource"],
)
def test_the_owner_was_under_way_in_the_same_scope(change: dict[str, Any], is_owner: bool) -> None:
    """All records of the dialogue were written during it."""
    owner = replace(span(1), **change)
    assert bool(owners_by_time(dialogue(1, **NOWHERE), [owner])) is is_owner


def test_a_trace_or_resource_that_differs_is_no_owners() -> None:
    """Where the record has one."""
    records = dialogue(1, trace_id=f"{2:032x}", span_id="")
    assert owners_by_time(records, [span(1)]) == []
    records = dialogue(1, **NOWHERE, resource={"service.name": "another"})
    assert owners_by_time(records, [span(1)]) == []


def test_a_span_that_was_sent_twice_is_one_owner() -> None:
    """By its ids."""
    assert len(owners_by_time(dialogue(1, **NOWHERE), [span(1), span(1)])) == 1


@pytest.mark.parametrize(
    ("records", "owners", "expected"),
    [(dialogue(1), 0, True), (dialogue(1), 2, False), (dialogue(1)[:1], 0, False), ([whole(1)], 2, True)],
    ids=["an answer", "of two", "a question", "a whole call"],
)
def test_strays_are_a_call_where_they_tell_of_one(records: list[LogRecord], owners: int, expected: bool) -> None:
    """Half of another call's dialogue is none."""
    assert is_call_of_its_own(records, owners) is expected


def test_a_stray_answer_is_not_added_to_a_span_that_has_its_records() -> None:
    """One span has one answer: the stray is another call's."""
    joined = joined_of([span(1)], [*dialogue(1), *dialogue(2, **NOWHERE)])
    assert [len(one.log_records) for one in joined if not one.is_span_missing] == [2]


AROUND = "7" * 16


@pytest.mark.parametrize(
    "ids", [NOWHERE, {"span_id": AROUND}], ids=["no ids", "those of the application's span, which went elsewhere"]
)
def test_an_answer_outside_of_its_spans_context_finds_the_question(ids: dict[str, Any]) -> None:
    """The question has its span's ids, and a stream's answer, which is written later, has not."""
    question, answer = dialogue(1)
    (joined,) = joined_of([span(1, parent_span_id=AROUND)], [question, replace(answer, **ids)])
    assert not joined.is_span_missing
    assert [record.event_name for record in joined.log_records] == ["gen_ai.user.message", "gen_ai.choice"]


def test_an_answer_outside_of_several_spans_goes_to_none() -> None:
    """Two streams of one application at once: nothing tells which of them was answered so."""
    first, second = (span(number, trace_id=span(1).trace_id, parent_span_id=AROUND) for number in (1, 2))
    answer = record(1, "gen_ai.choice", body=dialogue(1)[1].body, span_id=AROUND)
    recorded = RecordedTelemetry([first, second], [answer])
    assert recorded.readings == []
    assert recorded.skipped == {SkipReason.CONTENT_NOT_CAPTURED: 2}
