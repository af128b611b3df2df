"""Calls that failed before any answer: skipped, or taken with what was asked, live and from files alike."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.earlier_turns import Continuation, continuation_facts, with_turns_of_each_other
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.model import STATUS_CODE_ERROR, LogRecord, Scope, Span, SpanEvent
from tests.delivery.telemetry import chat
from tests.hostile.all_kinds import dialogue, record, span
from tests.settle.stepwise import HOUR_S, SETTLE_S, Stepwise

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
ERROR: dict[str, Any] = {
    "status_code": STATUS_CODE_ERROR,
    "status_message": "SECRET",
    "events": (SpanEvent("exception", attributes={"exception.type": "TimeoutError", "exception.message": "SECRET"}),),
}
DETAILS = "gen_ai.client.inference.operation.details"
FRAMEWORK, CLIENT = Scope("framework"), Scope("client")


def messages(role: str, *texts: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts])


def asked(question: str = "Why?", **attributes: Any) -> dict[str, Any]:
    """The attributes of a call that has no answer."""
    return {**CHAT, "gen_ai.input.messages": messages("user", question), **attributes}


def answered(question: str = "Why?", answer: str = "Because.") -> dict[str, Any]:
    return asked(question, **{"gen_ai.output.messages": messages("assistant", answer)})


def settled(*telemetry: Span | LogRecord, **settings: Any) -> Stepwise:
    """What comes of it live, at the end of all waiting."""
    stages = Stepwise(failed_calls=True, **settings)
    stages.accept(*telemetry)
    for seconds in (SETTLE_S, SETTLE_S, HOUR_S, SETTLE_S):
        stages.wait(seconds)
    return stages


def of_files(*telemetry: Span | LogRecord) -> list[LLMCall]:
    spans = [one for one in telemetry if isinstance(one, Span)]
    records = [one for one in telemetry if isinstance(one, LogRecord)]
    return read_recording(Recording(spans, records), takes_failed_calls=True).calls


def calls_of(*telemetry: Span | LogRecord) -> list[LLMCall]:
    """What comes of it, which is the same live and from files."""
    live = settled(*telemetry).calls
    assert live == of_files(*telemetry)
    return live


def questions(call: LLMCall) -> list[str]:
    return [part.content for message in call.input_messages for part in message.parts]  # type: ignore[union-attr]


def test_it_is_skipped_unless_it_is_asked_for() -> None:
    """By default it is counted with its reason; a stream that broke off after part of its answer is a call anyway."""
    stages = Stepwise()
    broken_off = span(2, answered(answer="Beca"), **ERROR)
    stages.accept(span(1, asked(), **ERROR), broken_off)
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    (partial,) = stages.calls
    assert partial.incomplete == ("the call broke off after part of its answer (TimeoutError)",)
    assert stages.count("spans.skipped[failed]") == 1
    assert of_files(broken_off) == [partial]


def test_it_is_taken_with_its_input_and_the_errors_type() -> None:
    """And with nothing of what the error says."""
    telemetry = (span(1, asked(), **ERROR), span(2, answered(answer="Beca"), **ERROR))
    stages = settled(*telemetry)
    assert stages.calls == of_files(*telemetry)
    failed, partial = stages.calls
    assert (questions(failed), failed.output_messages) == (["Why?"], ())
    assert (failed.error_type, failed.is_unanswered) == ("TimeoutError", True)
    assert failed.incomplete == ("the call broke off and its telemetry has no answer (TimeoutError)",)
    assert (partial.error_type, partial.is_unanswered) == ("TimeoutError", False)
    assert "SECRET" not in json.dumps([failed.to_dict(), partial.to_dict()])
    assert stages.count("calls.accepted") == 2
    assert stages.count("spans.skipped[failed]") == 0


def test_it_needs_no_door_for_log_records() -> None:
    """Nothing is waited for then, and it is taken as it comes."""
    stages = Stepwise(failed_calls=True)
    stages.pipeline.joins_log_records = False
    stages.accept(span(1, asked(), **ERROR))
    assert stages.count("calls.accepted") == 1


def test_one_of_which_nothing_was_asked_is_still_skipped() -> None:
    """There is nothing to review where the instrumentation has left out the input."""
    stages = settled(span(1, **ERROR))
    assert stages.calls == []
    assert stages.count("spans.skipped[failed]") == 1


@pytest.mark.parametrize("is_record_first", [False, True])
def test_its_input_comes_in_log_records(is_record_first: bool) -> None:
    """With the ids of its span, before the span or after it."""
    question, _ = dialogue(1)
    telemetry: list[Span | LogRecord] = [span(1, **ERROR), question]
    (call,) = calls_of(*(telemetry[::-1] if is_record_first else telemetry))
    assert questions(call) == ["Question number 1?"]
    assert call.incomplete == ("the call broke off and its telemetry has no answer (TimeoutError)",)


def test_its_input_comes_in_log_records_without_ids() -> None:
    """As LangChain's instrumentation writes them: the span during which they were written has them."""
    question, _ = dialogue(1, trace_id="", span_id="")
    (call,) = calls_of(question, span(1, **ERROR))
    assert questions(call) == ["Question number 1?"]


def test_the_question_of_a_failed_call_is_not_part_of_the_next_dialogue() -> None:
    """Without ids, its messages stand before those of the call that was answered after it, and no answer ends them."""
    nowhere: dict[str, Any] = {"trace_id": "", "span_id": ""}
    later: dict[str, Any] = {
        "start_time_unix_nano": span(1).end_time_unix_nano + 1,
        "end_time_unix_nano": span(1).end_time_unix_nano * 2,
    }
    after = {"time_unix_nano": span(1).end_time_unix_nano + 10**6}
    telemetry: tuple[Span | LogRecord, ...] = (
        dialogue(1, **nowhere)[0],
        span(1, **ERROR),
        *dialogue(2, **nowhere, **after),
        span(2, **later),
    )
    failed, whole = calls_of(*telemetry)
    assert (questions(failed), failed.is_unanswered) == (["Question number 1?"], True)
    assert (questions(whole), whole.incomplete) == (["Question number 2?"], ())
    by_default = Stepwise()
    by_default.accept(*telemetry)
    by_default.wait(SETTLE_S)
    by_default.wait(SETTLE_S)
    assert by_default.calls == [whole]
    assert by_default.held == 0


@pytest.mark.parametrize("nowhere", [{}, {"trace_id": "", "span_id": ""}], ids=["with ids", "without ids"])
def test_a_log_record_tells_of_a_failure_without_its_span(nowhere: dict[str, Any]) -> None:
    """One that holds the whole call: it is over, and waits for nothing."""
    told = record(1, DETAILS, attributes=asked(**{"error.type": "TimeoutError"}), **nowhere)
    (call,) = calls_of(told)
    assert (questions(call), call.error_type) == (["Why?"], "TimeoutError")
    assert "its span never arrived, only its log records did" in call.incomplete
    stages = Stepwise(failed_calls=True)
    stages.accept(told)
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.calls == [call]


def test_a_question_in_log_records_alone_is_no_failure() -> None:
    """Nothing says that the call ended."""
    assert calls_of(dialogue(1)[0]) == []


def test_each_prompt_of_a_failed_completion_is_a_call() -> None:
    """As it is where they are answered."""
    attributes = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": "m",
        "gen_ai.input.messages": messages("user", "First", "Second"),
    }
    calls = calls_of(span(1, attributes, **ERROR))
    assert [(call.prompt_index, questions(call)) for call in calls] == [(0, ["First"]), (1, ["Second"])]


def test_a_framework_and_its_client_that_failed_are_one_call() -> None:
    """Two scopes, one input, overlapping times; what the framework calls the error does not matter."""
    inner = span(2, asked(), scope=CLIENT, **ERROR)
    outer = span(1, asked(**{"error.type": "ModelError"}), scope=FRAMEWORK, status_code=STATUS_CODE_ERROR)
    assert len(calls_of(inner, outer)) == 1


def test_of_a_framework_and_its_client_the_one_with_part_of_the_answer_counts() -> None:
    """A stream broke off, and only the client's span has what had come."""
    inner = span(2, answered(answer="Beca"), scope=CLIENT, **ERROR)
    (call,) = calls_of(span(1, asked(), scope=FRAMEWORK, **ERROR), inner)
    assert not call.is_unanswered


def test_a_call_that_was_tried_again_is_two() -> None:
    """The client failed and tried again below the framework's span, which has the answer."""
    telemetry = (
        span(1, answered(), scope=FRAMEWORK, end_time_unix_nano=span(9).end_time_unix_nano),
        span(2, asked(), scope=CLIENT, **ERROR),
        span(3, answered(), scope=CLIENT),
    )
    assert sorted(call.is_unanswered for call in calls_of(*telemetry)) == [False, True]


def test_each_try_that_failed_is_a_call() -> None:
    """The framework gave up after three: its span is a reading of one of them."""
    tries = [span(number, asked(), scope=CLIENT, **ERROR) for number in (2, 3, 4)]
    assert len(calls_of(span(1, asked(), scope=FRAMEWORK, **ERROR), *tries)) == 3


def test_calls_that_failed_at_once_are_not_mixed_up() -> None:
    """All share a system prompt, each is seen by framework and client, and what is nearest in time is of another."""
    system = json.dumps([{"type": "text", "content": "You are the patient support assistant of a bicycle shop."}])
    telemetry = []
    for number in range(1, 11):
        attributes = asked(f"Question {number}?", **{"gen_ai.system_instructions": system})
        telemetry.append(span(number, attributes, scope=FRAMEWORK, **ERROR))
        told_more = {"gen_ai.usage.input_tokens": 30} if number % 2 else {}
        telemetry.append(span(number + 50, attributes | told_more, scope=CLIENT, **ERROR))
    assert Counter(questions(call)[0] for call in calls_of(*telemetry)) == {f"Question {n}?": 1 for n in range(1, 11)}


def test_a_late_reading_of_a_failure_is_no_second_call() -> None:
    """The framework's span ends after the client's was delivered."""
    stages = settled(span(2, asked(), scope=CLIENT, **ERROR))
    stages.accept(span(1, asked(), scope=FRAMEWORK, **ERROR))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert len(stages.calls) == 1
    assert stages.count("calls.late_duplicates") == 1


def test_no_conversation_goes_on_from_a_failed_call() -> None:
    """What has only the new turns gets those before them from the last call that was answered."""
    goes_on = continuation_facts(Continuation(is_of_conversation=True, has_answer=False))
    first = chat("First?", "One.", conversation_id="c")
    lost = chat("Lost?", conversation_id="c", output_messages=(), error_type="TimeoutError")
    last = chat("Last?", "Two.", conversation_id="c", **goes_on)
    *_, whole = with_turns_of_each_other([first, lost, last])
    assert questions(whole) == ["First?", "One.", "Last?"]
