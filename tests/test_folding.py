"""Which readings are the same call."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from otel_labelstudio.calls import LLMCall, Message, TextPart, ToolCallPart, ToolCallResponsePart, Usage
from otel_labelstudio.settle import content_items
from otel_labelstudio.settle.content_items import answer_items
from otel_labelstudio.settle.fold import fold
from otel_labelstudio.settle.same_call import closest_call, fingerprints, is_same_call

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def text(role: str, content: str) -> Message:
    return Message(role, (TextPart(content),))


def reading(span_id: str, *, at: float = 0.0, lasts: float = 1.0, **fields: object) -> LLMCall:
    """A reading that starts ``at`` seconds after a fixed time; fields as of `LLMCall`."""
    start = START + round(at * SECOND)
    values: dict[str, object] = {
        "trace_id": "a" * 32,
        "span_id": span_id,
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + round(lasts * SECOND),
        "dialect": "genai",
        "scope": "framework",
        "operation": "chat",
        "input_messages": (text("user", "What is the capital of France?"),),
        "output_messages": (text("assistant", "The capital of France is Paris."),),
    }
    return LLMCall(**(values | fields))  # type: ignore[arg-type]


def richest(*readings: LLMCall) -> LLMCall:
    """The reading that the readings of one call become."""
    (call,) = fold(readings)
    return call.call


FRAMEWORK = reading("01", response_id="chatcmpl-1")
CLIENT = reading("02", at=0.1, lasts=0.8, scope="client", response_id="chatcmpl-1")


def test_one_response_id_is_one_call() -> None:
    """Two scopes that saw the same response tell of the same call, in whatever traces."""
    assert is_same_call(FRAMEWORK, CLIENT)
    assert is_same_call(FRAMEWORK, replace(CLIENT, trace_id="b" * 32))


def test_different_response_ids_are_different_calls() -> None:
    """The same question asked twice at once, and answered alike, are two calls where their ids differ."""
    assert not is_same_call(FRAMEWORK, replace(CLIENT, response_id="chatcmpl-2"))


def test_response_ids_of_different_forms_prove_nothing() -> None:
    """A message's id and its response's id are names of the same thing; the content decides."""
    other = replace(CLIENT, response_id="msg_77")
    assert is_same_call(FRAMEWORK, other)
    assert not is_same_call(FRAMEWORK, replace(other, output_messages=(text("assistant", "It is Paris."),)))


@pytest.mark.parametrize("scope", ["framework", "client"])
def test_a_repeated_response_id_does_not_make_two_calls_one(scope: str) -> None:
    """A stand-in that answers with a constant id, or a cache, is asked again later: that is another call."""
    assert not is_same_call(FRAMEWORK, reading("03", at=10, scope=scope, response_id="chatcmpl-1"))


def test_one_scope_sees_a_call_once_unless_it_covers_several_layers() -> None:
    """A stand-in's constant id does not unite calls at once; a platform's wrappers of framework and client do."""
    assert not is_same_call(FRAMEWORK, replace(CLIENT, scope="framework"))
    assert is_same_call(replace(FRAMEWORK, scope="langsmith"), replace(CLIENT, scope="langsmith"))
    without_id = replace(FRAMEWORK, scope="langsmith", response_id=None)
    assert not is_same_call(without_id, replace(without_id, span_id="02"))


def test_calls_of_one_scope_one_after_the_other_are_two_even_with_one_id() -> None:
    """A fast stand-in with a constant id answers twice within a second."""
    assert not is_same_call(FRAMEWORK, reading("03", at=1.01, response_id="chatcmpl-1"))


def test_a_response_id_does_not_unite_what_differs_in_its_answer() -> None:
    """Servers that number from one after each start reuse ids; overlapping calls of two such servers stay two."""
    assert not is_same_call(FRAMEWORK, replace(CLIENT, output_messages=(text("assistant", "Tokyo, of course."),)))


def test_without_ids_equal_content_at_the_same_time_is_one_call() -> None:
    """Two scopes, one question, one answer, overlapping times."""
    one, other = replace(FRAMEWORK, response_id=None), replace(CLIENT, response_id=None)
    assert is_same_call(one, other)
    assert is_same_call(one, CLIENT)


@pytest.mark.parametrize(
    "difference",
    [
        {"output_messages": (text("assistant", "Paris."),)},
        {"input_messages": (text("user", "What is the capital of Japan?"),)},
        {"start_time_unix_nano": START + 10 * SECOND, "end_time_unix_nano": START + 11 * SECOND},
        {"scope": "framework"},
    ],
)
def test_without_ids_each_condition_is_needed(difference: dict[str, object]) -> None:
    """Another answer, another question, another time, or a second span of one scope: two calls."""
    other = replace(CLIENT, response_id=None)
    assert not is_same_call(replace(FRAMEWORK, response_id=None), replace(other, **difference))  # type: ignore[arg-type]


def test_nesting_proves_nothing() -> None:
    """A call below another is its own call; some instrumentations leak their context into the next call."""
    below = reading("02", at=2, parent_span_id="01", scope="client")
    assert not is_same_call(replace(FRAMEWORK, response_id=None), below)
    assert is_same_call(replace(FRAMEWORK, response_id=None), replace(CLIENT, response_id=None, parent_span_id="99"))


def test_prompts_of_one_span_stay_apart() -> None:
    """A legacy completion gives one call a prompt, all of them with one response id."""
    prompts = [replace(FRAMEWORK, prompt_index=index) for index in range(3)]
    assert [call.call for call in fold(prompts)] == prompts


def test_a_span_that_came_twice_is_one_call() -> None:
    """A Collector that retries sends the same span again."""
    (call,) = fold([FRAMEWORK, FRAMEWORK])
    assert call.keys == (FRAMEWORK.key,)


def test_equality_does_not_depend_on_how_a_dialect_writes() -> None:
    """Arguments as value or text, white space, the system prompt's place, a tool result's wrapping."""
    call, result = ToolCallPart("weather", {"city": "Paris", "days": 2}, "c1"), ToolCallResponsePart("Sunny, 21", "c1")
    one = reading(
        "01",
        system_instructions=(TextPart("Be brief."),),
        input_messages=(
            text("user", "Weather?"),
            Message("assistant", (call,)),
            Message("tool", (result,)),
        ),
        output_messages=(text("assistant", "It is sunny.\n"),),
    )
    other = replace(
        one,
        span_id="02",
        scope="client",
        system_instructions=(),
        input_messages=(
            text("system", "Be brief."),
            text("user", "Weather? "),
            Message("assistant", (ToolCallPart("weather", '{"days": 2, "city": "Paris"}', "call_1"),)),
            Message("tool", (ToolCallResponsePart([{"type": "text", "text": "Sunny, 21"}], "call_1"),)),
        ),
        output_messages=(text("assistant", "It is sunny."),),
    )
    assert is_same_call(one, other)


def test_what_a_dialect_lost_does_not_make_another_call() -> None:
    """One choice of two, a history without its tool calls, a text that was cut."""
    long = "Paris has been the capital of France since the days of Hugh Capet, with interruptions."
    whole = reading(
        "01",
        input_messages=(
            text("user", "Tell me."),
            Message("assistant", (TextPart("Let me look."), ToolCallPart("look_up", {"q": "Paris"}))),
        ),
        output_messages=(text("assistant", long), text("assistant", "Paris, and that is that.")),
    )
    lossy = replace(
        whole,
        span_id="02",
        scope="client",
        input_messages=(text("user", "Tell me."), text("assistant", "Let me look.")),
        output_messages=(text("assistant", long[:60]),),
    )
    assert is_same_call(whole, lossy)
    assert set(fingerprints(whole)) & set(fingerprints(lossy))


@pytest.mark.parametrize("left", [(), (text("user", "Hello."), text("assistant", "Hi, what can I d"))])
def test_an_input_that_is_known_to_be_damaged_may_differ_in_what_was_lost(left: tuple[Message, ...]) -> None:
    """A limit cut the dialogue, or an image took the whole of it away; answer, time and model still agree."""
    whole = reading("01", input_messages=(text("user", "Hello."), text("assistant", "Hi, what can I do for you?")))
    damaged = replace(whole, span_id="02", scope="client", input_messages=left)
    assert not is_same_call(whole, damaged)
    assert is_same_call(whole, replace(damaged, incomplete=("the input was cut",)))


def test_a_stream_that_logfire_closes_after_its_twin_is_one_call() -> None:
    """Logfire writes a stream's answer in a span without duration when the stream has been read."""
    streamed = reading("02", at=1.004, lasts=0, scope="logfire.anthropic")
    assert is_same_call(reading("01"), streamed)
    assert not is_same_call(reading("01"), replace(streamed, scope="framework"))
    assert not is_same_call(reading("01"), reading("02", at=1.5, lasts=0, scope="logfire.anthropic"))


def test_a_call_out_of_a_log_record_alone_finds_its_twin() -> None:
    """An event written when the call was over has only that moment for a time."""
    event = reading("02", at=1.01, lasts=0, scope="other", response_id="chatcmpl-1", incomplete=("no span",))
    assert is_same_call(FRAMEWORK, event)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("gpt-4o", "openai/gpt-4o-2024-08-06", True),
        ("gemini-2.5-flash", "models/gemini-2.5-flash", True),
        ("gpt-4o", None, True),
        ("gpt-4o", "claude-sonnet-4-5", False),
    ],
)
def test_without_ids_the_models_must_not_contradict(one: str, other: str | None, expected: bool) -> None:
    """Two models that are asked the same at the same time, and agree, are two calls."""
    twins = reading("01", request_model=one), replace(CLIENT, response_id=None, request_model=other)
    assert is_same_call(*twins) is expected


def test_numbering_that_starts_again_does_not_unite_calls_a_moment_apart() -> None:
    """A stand-in restarted between two tests gives the same id to the same question, seen by another scope."""
    assert not is_same_call(FRAMEWORK, reading("03", at=1.15, scope="client", response_id="chatcmpl-1"))


def test_the_richest_reading_wins_whole_and_all_keys_are_told() -> None:
    """A call is never a mixture of two dialects; whoever stored the other reading can find the call, which is known by
    the first one's key, however rich that is."""
    rich = replace(CLIENT, usage=Usage(18, 7), tool_definitions=({"name": "weather"},))
    (call,) = fold([FRAMEWORK, rich])
    assert call.call is rich
    assert call.keys == (FRAMEWORK.key, rich.key)


def test_a_whole_reading_beats_one_that_was_cut() -> None:
    """Usage and tools do not make up for a dialogue of which something is missing."""
    cut = replace(CLIENT, incomplete=("input cut",), usage=Usage(18, 7), tool_definitions=({"name": "weather"},))
    assert richest(cut, FRAMEWORK) is FRAMEWORK
    assert richest(FRAMEWORK, cut) is FRAMEWORK


def test_of_two_equally_rich_readings_the_one_nearer_to_the_wire_wins() -> None:
    """The client's own span measures the call; a framework's bookkeeping in the metadata does not outweigh that."""
    bookkeeping = {f"ls_{number}": number for number in range(9)}
    assert richest(FRAMEWORK, CLIENT) is CLIENT
    framework, client = replace(FRAMEWORK, metadata=bookkeeping), replace(CLIENT, metadata={"customer": 7})
    assert richest(framework, client) is client


def test_concurrent_calls_find_their_own_twin() -> None:
    """Three equal questions at once, each seen by two scopes without ids, are three calls and not one."""
    frameworks = [reading(f"1{n}", at=n * 0.1) for n in range(3)]
    clients = [reading(f"2{n}", at=n * 0.1 + 0.01, lasts=0.98, scope="client") for n in range(3)]
    for readings in itertools.permutations([*frameworks, *clients]):
        assert [sorted(key.span_id for key in call.keys) for call in fold(readings)] == [
            ["10", "20"],
            ["11", "21"],
            ["12", "22"],
        ]


def test_the_order_of_arrival_does_not_matter() -> None:
    """Folding any permutation gives the same calls with the same keys."""
    readings = [
        FRAMEWORK,
        CLIENT,
        reading("03", scope="third", lasts=0.9),
        reading("04", at=5, response_id="chatcmpl-4"),
        reading("05", at=5.1, scope="client", response_id="chatcmpl-5", lasts=0.5),
    ]
    expected = fold(readings)
    assert len(expected) == 3
    assert all(fold(permutation) == expected for permutation in itertools.permutations(readings))


def test_the_same_rules_serve_readings_that_come_one_by_one() -> None:
    """An outbox asks for a new reading which of the waiting calls it is of."""
    waiting = [[FRAMEWORK], [reading("09", at=10, response_id="chatcmpl-9")]]
    assert closest_call(CLIENT, waiting) is waiting[0]
    assert closest_call(reading("07", at=20), waiting) is None


def test_time_grows_with_the_number_of_calls_and_not_with_its_square() -> None:
    """Five thousand calls that all give the same answer, many of them at once, fold in seconds."""
    seconds = random.Random(1)
    readings = [
        reading(f"{n:016x}", at=seconds.random() * 600, scope=("framework", "client")[n % 2], response_id=None)
        for n in range(5_000)
    ]
    began = time.thread_time()
    assert 2_500 <= len(fold(readings)) <= 5_000
    assert time.thread_time() - began < 15


@pytest.mark.parametrize("question", ["What is the capital of France?", "And of Japan ({})?"])
def test_what_a_reading_says_is_worked_out_once(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many readings of many scopes are under way at once and answered alike: long ones are long to work out."""
    worked_out: Counter[str] = Counter()

    def counted(call: LLMCall) -> content_items.Items:
        worked_out[call.span_id] += 1
        return answer_items(call)

    monkeypatch.setattr(content_items, "answer_items", counted)
    fold(
        reading(f"{n:016x}", scope=f"scope {n}", input_messages=(text("user", question.format(n)),)) for n in range(150)
    )
    assert list(worked_out.values()) == [1] * 150


def test_a_call_has_only_so_many_readings() -> None:
    """Readings of more scopes than a call can pass through are calls of their own, so that comparing ends."""
    readings = [reading(f"{n:016x}", scope=f"scope {n}") for n in range(130)]
    assert [len(call.keys) for call in fold(readings)] == [64, 64, 2]
