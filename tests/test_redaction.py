"""`redact`: what fits a pattern is nowhere in a call any more."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from tests.tasks.calls_strategy import calls, texts

any_call = settings(deadline=None, suppress_health_check=list(HealthCheck))

ADDRESS, NUMBER = "ann.o'neill+1@mail.example.org", 4111111111111111
EXAMPLES = {
    EMAIL_ADDRESS: (ADDRESS, "jürgen@büro.example.de", "a@b.io"),
    PHONE_NUMBER: ("+49 170 1234567", "+1-555-123-4567", "(555) 123-4567", "0049 30 123456", "030/1234567"),
    IBAN: ("DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"),
    PAYMENT_CARD_NUMBER: ("4111 1111 1111 1111", "5500-0000-0000-0004", "371449635398431"),
    US_SOCIAL_SECURITY_NUMBER: ("123-45-6789",),
    IPV4_ADDRESS: ("192.0.2.17",),
    SECRET: ("sk-proj-abcdefghij0123456789", "AKIAIOSFODNN7EXAMPLE", "Bearer abcdefghijklmnop0123"),
}
HARMLESS = ("2026-11-26 14:00:07", "550e8400-e29b-41d4-a716-446655440000", "3.14159265", "v1.23.2", "12,345,678 tokens")
# What `redact` leaves alone, and why it may: none of it is a text that somebody wrote
LEFT_ALONE = {"trace_id", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano", "usage"}


def everywhere(text: str) -> LLMCall:
    """A call with this text in each place that a text can have, as a name and as a key too."""
    extra, value = {text: [text, {text: text}]}, {"to": [text], text: {"x": text}}
    parts = (
        TextPart(text, extra),
        ReasoningPart(text, extra),
        ToolCallPart(text, value, text, extra),
        ToolCallResponsePart(value, text, extra),
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
        response_id=text,
        system_instructions=parts,
        input_messages=messages,
        output_messages=messages,
        tool_definitions=({"name": text, text: value},),
        request_parameters=value,
        usage=Usage(1, 2),
        conversation_id=text,
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
    ("pattern", "text"), [(pattern, text) for pattern, found in EXAMPLES.items() for text in found]
)
def test_nothing_of_it_stays_anywhere(pattern: re.Pattern[str], text: str) -> None:
    """In texts, names, keys, tool arguments, results and definitions: the whole of it is replaced, and nothing else."""
    redacted = redact([pattern])(everywhere(f"see {text}, please"))
    assert redacted == everywhere("see [redacted], please")
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


def test_a_large_text_costs_little() -> None:
    """The patterns look at each character a few times: a megabyte of base64 takes no longer than a hundred kilobytes
    ten times over would, where a pattern that begins everywhere takes a hundred times as long."""
    text = "iVBORw0KGgoAAAANSUhEUgAA" * 40_000
    assert redact(EXAMPLES)(replace(everywhere("x"), user_id=text)).user_id == text
