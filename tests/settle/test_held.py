"""Spans and log records that wait for each other: who meets whom, who waits for how long, and who goes at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.settle import held
from otel_labelstudio.settle.held import HeldGroups
from otel_labelstudio.settle.log_records import Joined
from otel_labelstudio.spans.model import STATUS_CODE_ERROR, LogRecord, Scope, Span, SpanIds
from tests.hostile.all_kinds import POISON, dialogue, record, said, span
from tests.outbox.calls import numbered
from tests.settle.stepwise import HOUR_S, SETTLE_S, Stepwise

YEAR_2100_NS = 4_102_444_800_000_000_000
WITHOUT_CONTENT = span(1)
QUESTION, ANSWER = dialogue(1)
NOWHERE: dict[str, Any] = {"trace_id": "", "span_id": ""}


# -- log records whose span does not come ------------------------------------------------------------------------


def test_a_question_alone_waits_for_an_hour_and_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once when it is due, once when nobody waits any longer; then it is counted."""
    looked_at = decided(monkeypatch)
    stages = Stepwise()
    stages.accept(QUESTION)
    for _ in range(100):
        stages.wait(HOUR_S / 110)
    assert stages.held == 1
    stages.wait(HOUR_S / 9)
    assert (stages.held, stages.calls) == (0, [])
    assert looked_at == {(QUESTION.trace_id, QUESTION.span_id): 2}
    assert stages.count("spans.skipped[answer_unreadable]") == 1


def test_the_future_is_waited_for_no_longer_than_the_present() -> None:
    """Records that are dated in 2100 go an hour after they came, and their answers when they are due."""
    stages = Stepwise()
    question, _ = (record(2, r.event_name, body=r.body, time_unix_nano=YEAR_2100_NS) for r in dialogue(2))
    stages.accept(question, *(record(3, r.event_name, body=r.body, time_unix_nano=YEAR_2100_NS) for r in dialogue(3)))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [3]
    stages.wait(HOUR_S)
    assert stages.held == 0


def test_an_answer_without_its_span_is_a_call_when_it_is_due() -> None:
    """It says that its span is missing."""
    stages = Stepwise()
    stages.accept(QUESTION, ANSWER)
    stages.wait(SETTLE_S - 1)
    assert (stages.calls, stages.held) == ([], 2)
    stages.wait(1)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert "its span never arrived" in stages.calls[0].incomplete[0]


def test_a_span_that_comes_late_finds_its_question() -> None:
    """Half an hour after the call began its span ends, and the answer comes with it."""
    stages = Stepwise()
    stages.accept(QUESTION)
    stages.wait(HOUR_S / 2)
    stages.accept(ANSWER, WITHOUT_CONTENT)
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert stages.calls[0].incomplete == ()
    assert stages.held == 0


def test_thousands_of_questions_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary call goes in the first round after it is due, and each question is looked at twice in its life."""
    looked_at = decided(monkeypatch)
    stages = Stepwise()
    stages.pipeline.accept_log_records([dialogue(number)[0] for number in range(10, 5010)])
    stages.accept(numbered(9001))
    stages.clock.now += SETTLE_S
    stages.round()
    assert [int(call.trace_id, 16) for call in stages.calls] == [9001]
    stages.wait(0)
    stages.wait(HOUR_S)
    assert stages.held == 0
    assert len(looked_at) == 5000
    assert set(looked_at.values()) == {2}


# -- log records whose span was seen -----------------------------------------------------------------------------


@pytest.mark.parametrize("is_record_first", [False, True])
def test_records_complete_a_span_that_was_read(is_record_first: bool) -> None:
    """What the span does not say is taken from its log record, whichever comes first, and nothing waits."""
    told = record(
        1,
        "gen_ai.client.inference.operation.details",
        attributes={**said(1), "gen_ai.conversation.id": "of the record"},
    )
    whole = span(1, said(1))
    stages = Stepwise()
    stages.accept(*((told, whole) if is_record_first else (whole, told)))
    stages.wait(0)
    assert stages.held == 0
    stages.wait(SETTLE_S)
    (call,) = stages.calls
    assert call.conversation_id == "of the record"


SKIPPED = {
    "a tool": span(1, {"gen_ai.operation.name": "execute_tool"}),
    "an embedding": span(1, {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e"}),
}


@pytest.mark.parametrize("is_record_first", [False, True])
@pytest.mark.parametrize("skipped", SKIPPED.values(), ids=SKIPPED.keys())
def test_records_of_a_span_that_is_no_inference_go_at_once(skipped: Span, is_record_first: bool) -> None:
    """They wait neither for their hour nor for company."""
    stages = Stepwise()
    stages.accept(*((QUESTION, skipped) if is_record_first else (skipped, QUESTION)))
    stages.wait(0)
    assert (stages.held, stages.calls) == (0, [])


@pytest.mark.parametrize("is_record_first", [False, True])
def test_records_of_a_call_that_failed_go_with_it(is_record_first: bool) -> None:
    """The span waits for its answer as for company; then both go, and a record that comes later goes at once."""
    failed = span(1, status_code=STATUS_CODE_ERROR)
    stages = Stepwise()
    stages.accept(*((QUESTION, failed) if is_record_first else (failed, QUESTION)))
    stages.wait(SETTLE_S)
    assert (stages.held, stages.calls) == (0, [])
    assert stages.count("spans.skipped[failed]") == 1
    stages.accept(QUESTION)
    stages.wait(0)
    assert stages.held == 0
    assert stages.count("spans.skipped[failed]") == 1


def test_an_answer_that_comes_after_the_call_failed_makes_no_second_call() -> None:
    """Its span was looked at, and is not looked at again."""
    stages = Stepwise()
    stages.accept(WITHOUT_CONTENT, QUESTION, ANSWER)
    stages.wait(SETTLE_S)
    stages.accept(ANSWER)
    stages.wait(SETTLE_S)
    stages.wait(HOUR_S)
    assert stages.numbers == [1]


# -- live and from files -----------------------------------------------------------------------------------------

ELSEWHERE: dict[str, tuple[Sequence[Span], Sequence[LogRecord]]] = {
    "agent": ([span(1, {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai"})], dialogue(1)),
    "tool": ([span(1, {"gen_ai.operation.name": "execute_tool"})], dialogue(1)),
    "embedding": ([span(1, {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e"})], dialogue(1)),
    "failed chat": ([span(1, status_code=STATUS_CODE_ERROR)], dialogue(1)),
    "failed without answer": ([span(1, status_code=STATUS_CODE_ERROR)], dialogue(1)[:1]),
    "chat": ([WITHOUT_CONTENT], dialogue(1)),
    "records alone": ([], dialogue(1)),
}


@pytest.mark.parametrize("are_records_first", [False, True])
@pytest.mark.parametrize(("spans", "records"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_live_is_as_from_a_file(spans: list[Span], records: list[LogRecord], are_records_first: bool) -> None:
    """What an outbox makes of a span and the content in its log records is what `read_calls` makes of them."""
    stages = Stepwise()
    telemetry: list[Span | LogRecord] = [*records, *spans] if are_records_first else [*spans, *records]
    stages.accept(*telemetry)
    for _ in range(3):
        stages.wait(SETTLE_S)
    stages.wait(HOUR_S)
    assert stages.calls == read_recording(Recording(list(spans), list(records))).calls


def test_a_file_keeps_what_waits(tmp_path: Path) -> None:
    """Records and their span meet although the process ended between them, and a span stays known to later records."""
    path = tmp_path / "calls.outbox"
    before = Stepwise(path)
    before.accept(QUESTION, ANSWER, SKIPPED["a tool"])
    before.close()
    between = Stepwise(path, before.clock)
    assert between.held == 2
    between.wait(0)
    assert between.held == 0
    between.accept(*dialogue(2))
    between.close()
    after = Stepwise(path, before.clock)
    after.accept(span(2))
    after.wait(SETTLE_S)
    after.wait(SETTLE_S)
    assert after.numbers == [2]
    assert after.calls[0].incomplete == ()
    after.close()


# -- what stands outside of any span -----------------------------------------------------------------------------


def strays(number: int, scope: str) -> list[LogRecord]:
    return dialogue(number, **NOWHERE, scope=Scope(scope))


def test_strays_belong_to_the_one_span_during_which_they_were_written() -> None:
    """Of their scope, and in either order."""
    owner = span(1, scope=Scope("s"))
    orders: list[list[Span | LogRecord]] = [[owner, *strays(1, "s")], [*strays(1, "s"), owner]]
    for telemetry in orders:
        stages = Stepwise()
        stages.accept(*telemetry)
        stages.wait(SETTLE_S)
        stages.wait(SETTLE_S)
        assert stages.numbers == [1]
        assert (stages.calls[0].span_id, stages.held) == (owner.span_id, 0)


def test_strays_of_two_spans_are_left_out_and_counted() -> None:
    """Half of another call's dialogue is worse than none."""
    stages = Stepwise()
    stages.accept(*strays(1, "s"), span(1, scope=Scope("s")), span(2, scope=Scope("s")))
    for _ in range(3):
        stages.wait(SETTLE_S)
    stages.wait(HOUR_S)
    assert (stages.calls, stages.held) == ([], 0)
    assert stages.count("log_records.unmatched") == 2
    assert stages.count("spans.skipped[content_not_captured]") == 2


def test_strays_of_nobody_are_a_call_of_their_own() -> None:
    """If they hold an answer."""
    stages = Stepwise()
    stages.accept(*strays(1, "s"), strays(2, "other")[0])
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert stages.held == 1
    stages.wait(HOUR_S)
    assert (stages.held, stages.count("log_records.unmatched")) == (0, 1)


def test_records_in_the_context_of_an_applications_span_are_strays() -> None:
    """A server's span tells of no model: the dialogue belongs to the call's span beside it."""
    server = span(7, {"http.method": "POST"}, trace_id=span(1).trace_id)
    ids = {"trace_id": server.trace_id, "span_id": server.span_id}
    stages = Stepwise()
    stages.accept(server, span(1), *dialogue(1, **ids))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert (stages.calls[0].span_id, stages.held) == (span(1).span_id, 0)


@pytest.mark.parametrize("is_answer_first", [True, False], ids=["answer first", "span first"])
@pytest.mark.parametrize(
    "ids", [NOWHERE, {"span_id": "7" * 16}], ids=["no ids", "those of the application's span, which went elsewhere"]
)
def test_an_answer_outside_of_its_spans_context_finds_the_question(ids: dict[str, Any], is_answer_first: bool) -> None:
    """The question has its span's ids, and a stream's answer, which is written later, has not."""
    call = span(1, parent_span_id="7" * 16)
    answer = replace(ANSWER, **ids)
    stages = Stepwise()
    stages.accept(QUESTION, *((answer, call) if is_answer_first else (call, answer)))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert (stages.calls[0].span_id, stages.calls[0].incomplete, stages.held) == (call.span_id, (), 0)
    assert stages.calls == read_recording(Recording([call], [QUESTION, answer])).calls


def test_one_stray_that_cannot_be_read_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialogues beside it, which are decided on together, go on."""
    fail_on(monkeypatch, lambda joined: any(r.scope.name == POISON for r in joined.log_records))
    stages = Stepwise()
    stages.accept(*strays(1, "s"), *strays(2, POISON), *strays(3, "t"))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1, 3]
    assert stages.reasons == ["cannot be settled (ZeroDivisionError)"] * 2
    assert stages.held == 0


def test_spans_without_an_id_are_decided_on_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be read is a dead letter alone; each of the others is skipped once."""
    fail_on(monkeypatch, lambda joined: POISON in joined.span.attributes)
    stages = Stepwise()
    poison = span(2, {**WITHOUT_CONTENT.attributes, POISON: True}, **NOWHERE)
    stages.accept(span(1, **NOWHERE), poison, span(3, **NOWHERE), span(4, span_id="0" * 16))
    stages.wait(SETTLE_S)
    assert stages.held == 0
    assert stages.count("spans.skipped[content_not_captured]") == 3
    assert stages.reasons == ["cannot be settled (ZeroDivisionError)"]


# -- relatives ---------------------------------------------------------------------------------------------------

NODE = span(2, {"lk.chat_ctx": json.dumps({"items": []}), "lk.response.text": "Answer number 1."})
REQUEST = span(
    1,
    {**WITHOUT_CONTENT.attributes, "lk.llm_metrics": "{}"},
    parent_span_id=NODE.span_id,
    trace_id=NODE.trace_id,
)


@pytest.mark.parametrize("telemetry", [(NODE, REQUEST), (REQUEST, NODE)], ids=["node first", "request first"])
def test_a_call_is_read_with_the_span_that_has_its_content(telemetry: tuple[Span, ...]) -> None:
    """In either order, and the span that lends is no call."""
    stages = Stepwise()
    stages.accept(*telemetry)
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert stages.calls == read_recording(Recording([*telemetry], [])).calls
    assert stages.held == 0


def test_a_damaged_relative_is_one_dead_letter() -> None:
    """Several spans of its trace look at it in one round."""
    stages = Stepwise()
    others = [
        span(number, REQUEST.attributes, trace_id=NODE.trace_id, parent_span_id=NODE.span_id) for number in (1, 3, 4)
    ]
    stages.accept(NODE, *others)
    damage(stages, "kind = 'span' AND span_id = ?", NODE.span_id)
    stages.wait(SETTLE_S)
    assert stages.held == 0
    assert stages.reasons == ["cannot be read (JSONDecodeError)"]


# -- damage and bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "body = substr(body, 1, length(body) - 5)",
        "body = json_set(body, '$.of_a_newer_version', 1)",
        "body = json_remove(body, '$.scope')",
        "body = '[]'",
    ],
)
def test_a_row_that_cannot_be_read_is_a_dead_letter_alone(change: str) -> None:
    """The disk's fault, or a newer version's: it keeps its bytes, and what is held beside it goes on."""
    stages = Stepwise()
    stages.accept(span(1), *dialogue(1), *dialogue(2), span(2))
    with stages.outbox.database.transaction() as db:
        db.execute(f"UPDATE held SET {change} WHERE trace_id = ?", (span(1).trace_id,))
        bodies = {row[0] for row in db.execute("SELECT body FROM held WHERE trace_id = ?", (span(1).trace_id,))}
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [2]
    assert stages.held == 0
    assert len(stages.reasons) == 3
    with stages.outbox.database.reading() as db:
        assert {row[0] for row in db.execute("SELECT body FROM readings WHERE state = 'dead'")} == bodies


def test_as_many_are_held_as_calls_may_wait() -> None:
    """More are refused, and counted."""
    stages = Stepwise(outbox_max_calls=10)
    for number in range(12):
        stages.accept(dialogue(number + 1)[0])
    assert stages.held == 10
    assert stages.count("calls.dropped[outbox_full]") == 2
    stages.accept(numbered(100))
    assert stages.count("calls.accepted") == 1


def test_the_bytes_of_what_is_held_are_bounded() -> None:
    """Together with those of what waits for delivery."""
    stages = Stepwise(outbox_max_bytes=2000)
    for number in range(12):
        stages.accept(dialogue(number + 1)[0])
    assert 0 < stages.held < 12
    assert stages.outbox.figures.status().waiting_bytes <= 2000
    assert stages.count("calls.dropped[outbox_full]") == 12 - stages.held


# -- seams -------------------------------------------------------------------------------------------------------


def decided(monkeypatch: pytest.MonkeyPatch) -> Counter[SpanIds]:
    """How often each group was decided on."""
    found: Counter[SpanIds] = Counter()
    decide = HeldGroups.decide

    def counted(groups: HeldGroups, ids: SpanIds, due_by: float, now: float) -> held.Decision:
        found[ids] += 1
        return decide(groups, ids, due_by, now)

    monkeypatch.setattr(HeldGroups, "decide", counted)
    return found


def fail_on(monkeypatch: pytest.MonkeyPatch, is_to_blame: Any) -> None:
    """Reading some of what is held raises what nobody foresaw."""
    read = Joined.read

    def fail(joined: Joined) -> Any:
        return 1 // 0 if is_to_blame(joined) else read(joined)

    monkeypatch.setattr(Joined, "read", fail)


def damage(stages: Stepwise, condition: str, value: str) -> None:
    with stages.outbox.database.transaction() as db:
        db.execute(f"UPDATE held SET body = substr(body, 2) WHERE {condition}", (value,))
