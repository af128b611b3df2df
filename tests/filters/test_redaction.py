"""`redact`: what fits a pattern is nowhere in a call any more."""

from __future__ import annotations

import json
import re
import time
import uuid
from base64 import b64encode
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_labelstudio import (
    BlobPart,
    FilePart,
    GenericPart,
    LLMCall,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
    Usage,
)
from otel_labelstudio.earlier_turns import Continuation, continuation_facts, continuation_of
from otel_labelstudio.filters import (
    EMAIL_ADDRESS,
    IBAN,
    IPV4_ADDRESS,
    PAYMENT_CARD_NUMBER,
    PERSONAL_DATA,
    PHONE_NUMBER,
    SECRET,
    US_SOCIAL_SECURITY_NUMBER,
    redact,
    redact_personal_data,
)
from otel_labelstudio.testing import InMemoryLabelStudioExporter
from tests.tasks.calls_strategy import calls, texts

any_call = settings(deadline=None, suppress_health_check=list(HealthCheck))

ADDRESS, NUMBER = "ann.o'neill+1@mail.example.org", 4111111111111111
EXAMPLES = {
    EMAIL_ADDRESS: (
        *(ADDRESS, "jürgen@büro.example.de", "a@b.io", "jane%40example.com"),
        *(r"jane\u0040example.com", r"j\u00fcrgen@b\u00fcro.example.de"),
    ),
    PHONE_NUMBER: (
        *("+49 170 1234567", "+1-555-123-4567", "(555) 123-4567", "0049 30 123456", "030/1234567", "1-800-555-1234"),
        *("(030) 1234567", "(020) 7946 0958", "(0171) 2345678", "06 12 34 56 78", "06.12.34.56.78", "01712345678"),
        *("07700900123", "+1\u2011555\u2011123\u20114567", r"+49\u00a0170\u00a01234567"),
    ),
    IBAN: (
        *("DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO9386011117947", "FR1420041010050500013M02606"),
        "MT84MALT011000012345MTLCAST001S",
    ),
    PAYMENT_CARD_NUMBER: (*("4111 1111 1111 1111", "5500-0000-0000-0004", "371449635398431", "6799990100000000019"),),
    US_SOCIAL_SECURITY_NUMBER: ("123-45-6789",),
    IPV4_ADDRESS: ("192.0.2.17",),
    SECRET: ("sk-proj-abcdefghij0123456789", "AKIAIOSFODNN7EXAMPLE", "Bearer abcdefghijklmnop0123"),
}
HARMLESS = (
    *("2026-11-26 14:00:07", "550e8400-e29b-41d4-a716-446655440000", "3.14159265", "v1.23.2", "12,345,678 tokens"),
    *("As of FY24 both cash flow from operations", "US-east AZ12, what does that mean here", "SKU AB12-CD34-EF56"),
    *("At 01/2024 10:30", "01 02 03 04 05 06 07 08", "1700000000", "1790000000000000000", "ab12cd34ef56ab12"),
    *("46387841-7015-4474-9122-9e47158dd3ee", "00361678-7873-4c7c-902c-19216ba044ae", "ALL OF IT IN CAPITALS DE12 TOO"),
)
# What `redact` leaves alone, and why it may: none of it is a text that somebody wrote
LEFT_ALONE = {"trace_id", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano", "usage"}


def everywhere(text: str, id_text: str = "") -> LLMCall:
    """A call with this text in each place that a text can have, as a name and as a key too; an id may have another."""
    id_text = id_text or text
    extra, value = {text: [text, {text: text}]}, {"to": [text], text: {"x": text}}
    parts = (
        TextPart(text, extra),
        ReasoningPart(text, extra),
        ToolCallPart(text, value, id_text, extra),
        ToolCallResponsePart(value, id_text, extra),
        BlobPart(text, text, text, extra),
        UriPart(text, text, text, extra),
        FilePart(text, text, text, extra),
        GenericPart(text, extra),
    )
    messages = (Message(text, parts, name=text, finish_reason=text),)
    return LLMCall(
        trace_id="1" * 32,
        span_id="2" * 16,
        parent_span_id="3" * 16,
        start_time_unix_nano=1_790_000_000_000_000_000,
        end_time_unix_nano=1_790_000_001_000_000_000,
        dialect=text,
        scope=text,
        operation=text,
        provider=text,
        request_model=text,
        response_model=text,
        response_id=id_text,
        system_instructions=parts,
        input_messages=messages,
        output_messages=messages,
        tool_definitions=({"name": text, text: value},),
        request_parameters=value,
        usage=Usage(1, 2),
        conversation_id=id_text,
        user_id=text,
        tags=(text,),
        metadata=value,
        run_id=text,
        service_name=text,
        error_type=text,
        incomplete=(text,),
    )


def written(call: LLMCall) -> str:
    return json.dumps({name: value for name, value in call.to_dict().items() if name not in LEFT_ALONE})


def test_the_call_of_these_tests_has_the_text_everywhere() -> None:
    """No field of a call or of a part, however new, is without it."""
    call = everywhere("CANARY")

    def empty_fields(record: Any) -> list[str]:
        named = {f.name: getattr(record, f.name) for f in fields(record)}
        inner = [item for value in named.values() if isinstance(value, tuple) for item in value if is_dataclass(item)]
        return [name for name, value in named.items() if name not in {*LEFT_ALONE, "prompt_index"} and not value] + [
            name for item in inner for name in empty_fields(item)
        ]

    assert empty_fields(call) == []
    assert {type(part) for part in call.system_instructions} >= {TextPart, ToolCallPart, GenericPart}


@pytest.mark.parametrize(
    ("pattern", "text"), [pytest.param(pattern, text, id=text) for pattern, found in EXAMPLES.items() for text in found]
)
def test_nothing_of_it_stays_anywhere(pattern: re.Pattern[str], text: str) -> None:
    """In texts, names, keys, tool arguments, results and definitions: the whole of it is replaced, and nothing else."""
    redacted = redact([pattern])(everywhere(f"see {text}, please"))
    assert re.fullmatch(r"see \[redacted\]-[a-p]{16}, please", redacted.response_id or "")
    assert redacted == everywhere("see [redacted], please", redacted.response_id or "")
    assert not pattern.search(written(redacted))


@any_call
@given(calls(texts | st.sampled_from(["CANARY-1", "x CANARY-22 y", "CANARY-CANARY-3-4"])))
def test_no_pattern_survives_in_any_call(call: LLMCall) -> None:
    """Whatever a call holds."""
    pattern = re.compile("CANARY-[0-9]+")
    assert not pattern.search(json.dumps(redact([pattern])(call).to_dict()))


@any_call
@given(calls(texts | st.sampled_from([text for found in EXAMPLES.values() for text in found])))
def test_no_ready_pattern_survives_in_any_call(call: LLMCall) -> None:
    """Those that are ready hold together too: what one of them leaves behind fits no other."""
    redacted = redact(EXAMPLES)(call)
    values = [value for name, value in redacted.to_dict().items() if name not in LEFT_ALONE]

    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for pair in value.items() for item in pair for text in leaves(item)]
        return [text for item in value for text in leaves(item)] if isinstance(value, list) else [str(value)]

    assert [text for text in leaves(values) for pattern in EXAMPLES if pattern.search(text)] == []


@any_call
@given(calls())
def test_what_is_left_is_a_call(call: LLMCall) -> None:
    """It can be stored and read back, and tells apart what it told apart before."""
    redacted = redact("[0-9a-z]", "*")(call)
    assert LLMCall.from_dict(json.loads(json.dumps(redacted.to_dict()))).input_messages == redacted.input_messages
    assert (redacted.key, redacted.usage) == (call.key, call.usage)


def test_numbers_in_json_are_looked_at() -> None:
    """A card's number is one also where it is a number; others stay numbers."""
    part = ToolCallPart("pay", {"card": NUMBER, "amount": 12.5, "is_paid": True, "note": None})
    call = redact(PERSONAL_DATA)(replace(everywhere("x"), output_messages=(Message("assistant", (part,)),)))
    (redacted,) = call.output_messages[0].parts
    assert redacted == replace(part, arguments={**part.arguments, "card": "[redacted]"})


def test_what_is_personal_can_be_named_without_code() -> None:
    """`otel_labelstudio.filters:redact_personal_data` is a filter as it stands."""
    found = [text for pattern in PERSONAL_DATA for text in EXAMPLES[pattern]]
    redacted = written(redact_personal_data(everywhere("; ".join(found))))
    assert [text for text in found if json.dumps(text)[1:-1] in redacted] == []


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_not_personal_stays(text: str) -> None:
    """Dates, ids, versions and counts; and a call with nothing to take out is the very same."""
    call = everywhere(text)
    assert redact_personal_data(call) is call


def test_a_call_in_json_text_stays_json() -> None:
    """Tool calls come as JSON text too: an escape before an address stays whole."""
    text = json.dumps({"to": f"\n{ADDRESS}\t{ADDRESS}"})
    redacted = redact([EMAIL_ADDRESS])(everywhere(text)).user_id
    assert redacted is not None
    assert json.loads(redacted) == {"to": "\n[redacted]\t[redacted]"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("card4111111111111111", "card[redacted]"),
        (r"\u00a0+49 170 1234567\u00a0", r"\u00a0[redacted]\u00a0"),
        (r"\u0022ann@example.org\u0022", r"\u0022[redacted]\u0022"),
        ("at 4111 1111 1111 1111-", "at [redacted]-"),
    ],
)
def test_what_stands_around_it_stays(before: str, after: str) -> None:
    """A word directly in front, and escapes of JSON that are no part of it."""
    assert redact_personal_data(everywhere(before)).user_id == after


@pytest.mark.parametrize(
    ("patterns", "before", "after"),
    [
        ("secret", "a secret", "a [redacted]"),
        (re.compile("SECRET", re.IGNORECASE), "a secret", "a [redacted]"),
        (["ab", "X"], "aXb", "a[redacted]b"),
    ],
)
def test_one_pattern_or_several(patterns: Any, before: str, after: str) -> None:
    """As text or compiled; one alone is not taken for a list of letters."""
    assert redact(patterns)(everywhere(before)).user_id == after


def test_what_a_replacement_leaves_behind_is_looked_at_again() -> None:
    """Without anything in its place, the rest may fit once more."""
    assert redact(["ab", "X"], "")(everywhere("aXb aaXbb")).user_id == " "
    assert redact("ab", "")(everywhere("a" * 9 + "b" * 9)).user_id == ""


@pytest.mark.parametrize("pattern", [r"\w+", "red", "x*"])
def test_a_replacement_that_fits_is_refused(pattern: str) -> None:
    """It would be replaced for ever."""
    with pytest.raises(ValueError, match="fits the pattern"):
        redact(pattern)


# Texts on which a pattern that looks far from each of its beginnings looks at everything again and again
HARD = {
    EMAIL_ADDRESS: ("a@" + "a." * 99, "a.", r"\u00fc", r"\n\u00fca", "a%40b.", "a@a."),
    PHONE_NUMBER: ("1", "01-111", "001/", r"1\u2011", "0 "),
    IBAN: ("DE12 ", "DE12", "A1B2-"),
    PAYMENT_CARD_NUMBER: ("4111 ", "card4111", "3"),
    US_SOCIAL_SECURITY_NUMBER: ("123-45-", "1"),
    IPV4_ADDRESS: ("1.", "25"),
    SECRET: ("eyJ", "eyJaaaaaaaa", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----a", "Bearer+", "sk-", " "),
}


def steps(pattern: re.Pattern[str], text: str) -> float:
    """How long it takes, at its best, in seconds of this thread alone."""

    def once() -> float:
        began = time.thread_time()
        pattern.sub("", text)
        return time.thread_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    ("pattern", "unit"), [pytest.param(pattern, unit, id=unit) for pattern, units in HARD.items() for unit in units]
)
def test_no_text_is_hard_for_a_pattern(pattern: re.Pattern[str], unit: str) -> None:
    """Eight times the length costs about eight times as much, where trying everything again costs sixty-four times."""
    for before in ("", "01 ", "+1", "-----BEGIN ", "Bearer "):
        short, long = (f"{before}{unit * (length // len(unit))}_" for length in (4_000, 32_000))
        assert steps(pattern, long) < 24 * steps(pattern, short) + 0.005


def test_ordinary_ids_and_media_stay() -> None:
    """Of ten thousand random UUIDs and some megabytes of base64 none is taken for personal data."""
    drawn = Random(26)
    ids = [str(uuid.UUID(int=drawn.getrandbits(128), version=4)) for _ in range(10_000)]
    spans = [f"{drawn.getrandbits(64):016x}" for _ in range(1_000)]
    base64 = [b64encode(drawn.randbytes(300_000)).decode() for _ in range(5)]
    assert [text for text in ids for pattern in PERSONAL_DATA if pattern.search(text)] == []
    assert [text for text in (*spans, *base64) if IBAN.search(text)] == []


def test_media_that_is_base64_is_whole_afterwards() -> None:
    """In a part of its own, and in an address that holds it, with text around it; what is no base64 is looked at."""
    media = b64encode(b"4111" * 30).decode()
    fitting = re.compile("[0-9]{2}|[A-Z]{3}")
    assert fitting.search(media)
    uri = f"data:image/png;base64,{media}"
    parts = (
        BlobPart("image", media, "image/png"),
        UriPart("image", uri),
        TextPart(f"12 {uri} 34"),
        BlobPart("image", "12"),
    )
    call = replace(everywhere("x"), input_messages=(Message("user", parts),))
    redacted = redact(fitting, "*")(call).input_messages[0].parts
    assert redacted == (*parts[:2], TextPart(f"* {uri} *"), BlobPart("image", "*"))
    plain = replace(everywhere("x"), input_messages=(Message("user", parts[:2]),))
    assert redact(fitting, "*")(plain) is plain


def ids_of(call: LLMCall) -> tuple[Any, ...]:
    """Those that other calls, readings and results are found by."""
    parts = [part for message in call.input_messages for part in message.parts]
    tools = [part.id for part in parts if isinstance(part, ToolCallPart | ToolCallResponsePart)]
    return call.response_id, call.conversation_id, call.request_parameters["previous_response.id"], *tools


@any_call
@given(st.text("01AB- ", max_size=4), st.text("01AB- ", max_size=4))
def test_ids_that_differ_differ_afterwards(one: str, other: str) -> None:
    """Whatever fits in them; one id is the same wherever it stands, as an answer's and in what goes on from it."""
    take_out = redact(["[0-9]", "[A-Z]+"], "*")

    def redacted(text: str) -> tuple[Any, ...]:
        call = everywhere("x", text or "1")
        call = replace(call, request_parameters={"previous_response.id": text or "1"})
        return ids_of(take_out(call))

    assert len(set(redacted(one))) == 1
    assert (set(redacted(one)) == set(redacted(other))) == ((one or "1") == (other or "1"))


def test_ids_are_the_same_in_every_process_and_with_a_key_nobody_can_try_them() -> None:
    """The outbox outlives a process, and a recording may be sent twice; another key gives others."""
    call = everywhere("+49 170 1234567")
    assert redact_personal_data(call).conversation_id == "[redacted]-lbkkbloilgfijgbm"
    ids = {redact(PERSONAL_DATA, key=key)(call).conversation_id for key in ("", "a secret", "another", "a secret")}
    assert len(ids) == 3


def test_the_call_that_has_the_earlier_turns_is_still_named() -> None:
    """By its span's id, whatever fits in it; an application's own text of that name is looked at."""
    take_out = redact("[0-9]+", "*")
    facts = continuation_facts(Continuation(span_id="1234567812345678", dropped=2))
    continued = replace(everywhere("x"), metadata=facts["metadata"])
    assert continuation_of(take_out(continued)) == continuation_of(continued)
    for own in ("12", {"span_id": "12"}, {"order": "1234567812345678"}):
        assert "12" not in json.dumps(take_out(replace(continued, metadata={"continues": own})).metadata)


def asked(number: str, question: str, earlier: str = "") -> dict[str, str]:
    """The attributes of a span: a question, whose answer has this number and which goes on from an earlier answer."""

    def message(role: str, content: str) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": content}]}

    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.id": number,
        "gen_ai.input.messages": json.dumps([message("user", question)]),
        "gen_ai.output.messages": json.dumps([{**message("assistant", f"re: {question}"), "finish_reason": "stop"}]),
        "gen_ai.request.previous_response.id": earlier,
    }


def test_conversations_of_two_people_stay_apart() -> None:
    """All of whose ids are telephone numbers: each goes on from its own answer, and no call is lost."""
    exporter = InMemoryLabelStudioExporter(call_filter=redact_personal_data)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ann, bob = "+49 170 1111111", "+49 170 2222222"
    for attributes in (
        asked(ann, "Ann's"),
        asked(bob, "Bob's"),
        asked(f"{ann}9", "Ann again", ann),
        asked(f"{bob}9", "Bob again", bob),
    ):
        provider.get_tracer("application").start_span("chat", attributes=attributes).end()
    said = [[text_of(message) for message in call.input_messages] for call in exporter.calls]
    assert said == [
        ["Ann's"],
        ["Bob's"],
        ["Ann's", "re: Ann's", "Ann again"],
        ["Bob's", "re: Bob's", "Bob again"],
    ]


def text_of(message: Message) -> str:
    return "".join(part.content for part in message.parts if isinstance(part, TextPart))
