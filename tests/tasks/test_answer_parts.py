"""Edited answers back to messages: tool calls in them are tool calls again, or the answer is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.calls import Message, Part, TextPart, ToolCallPart
from otel_labelstudio.tasks.answer_parts import ToolCallTextError, answer_parts
from otel_labelstudio.tasks.render import answers
from tests.annotations.datasets.garden import assistant, call

ROSE = ToolCallPart("stock", {"article": "rose"}, "call_a")
TULIP = ToolCallPart("stock", {"article": "tulip"}, "call_b")


def edited(text: str, *original: Part) -> tuple[Part, ...]:
    answer = assistant(*original)
    return answer_parts(text, call(output_messages=(answer,)), answer)


def test_text_is_one_part() -> None:
    """White space within is kept."""
    assert edited("Yes,\n\n  four. ") == (TextPart("Yes,\n\n  four. "),)


def test_line_breaks_around_a_text_are_kept() -> None:
    """As a completion begins and ends; only those beside a tool call are no text."""
    assert edited("\n\nRoses are blue.\n") == (TextPart("\n\nRoses are blue.\n"),)
    assert edited('\nSo:\n\n[tool call] stock({"article": "rose"})\n\nWait.\n', ROSE) == (
        TextPart("\nSo:\n"),
        ROSE,
        TextPart("\nWait.\n"),
    )


def test_an_edited_tool_call_keeps_its_id() -> None:
    """Only the arguments are new."""
    assert edited('[tool call] stock({"article": "lily"})', ROSE) == (
        ToolCallPart("stock", {"article": "lily"}, "call_a"),
    )


def test_ids_go_by_position_and_name() -> None:
    """Of two calls of one tool the second keeps its id where the first is edited or removed; a third one has none."""
    lily = '[tool call] stock({"article": "lily"})'
    tulip = '[tool call] stock({"article": "tulip"})'
    assert ids(f"{lily}\n{tulip}") == ["call_a", "call_b"]
    assert ids(tulip) == ["call_b"]
    assert ids(f"{tulip}\n{lily}\n{lily}") == ["call_b", "call_a", None]


def ids(text: str) -> list[str | None]:
    return [part.id for part in edited(text, ROSE, TULIP) if isinstance(part, ToolCallPart)]


def test_equal_tool_calls_have_ids_of_their_own() -> None:
    """As the model gave them."""
    again = ToolCallPart("stock", {"article": "rose"}, "call_c")
    line = '[tool call] stock({"article": "rose"})'
    assert edited(f"Well:\n{line}\n{line}", ROSE, again) == (TextPart("Well:"), ROSE, again)


def test_text_beside_tool_calls_stays_text() -> None:
    """Without the line breaks that set the tool calls apart."""
    text = 'Let me look.\n[tool call] stock({"article": "rose"})\nOne moment.'
    assert edited(text, ROSE) == (TextPart("Let me look."), ROSE, TextPart("One moment."))


def test_arguments_may_be_written_over_several_lines() -> None:
    """As people write JSON."""
    assert edited('[tool call] stock(\n{"article":\n  "rose"}\n)', ROSE) == (ROSE,)


def test_a_tool_call_without_arguments() -> None:
    """Is an empty object."""
    assert edited("[tool call] stock()", ROSE) == (ToolCallPart("stock", {}, "call_a"),)


def test_the_models_own_arguments_need_be_no_json() -> None:
    """Where its line stands as it came."""
    odd = ToolCallPart("stock", "rose, (3)", "call_a")
    assert edited("Now:\n[tool call] stock(rose, (3))", odd) == (TextPart("Now:"), odd)


@pytest.mark.parametrize(
    "text",
    [
        '[tool call] order({"article": "rose"})',  # a tool that the call does not know
        '[tool call] stock({"article": "rose"',
        "[tool call] stock(a rose)",
        '[tool call] stock({"article": "rose"}) and more',
        '[tool call]stock({"article": "rose"})',
        'So: [tool call] stock({"article": "rose"})',
        '[Tool Call] stock({"article": "rose"})',
        'So:\n stock({"article": "rose"})',  # its mark was deleted
    ],
)
def test_a_tool_call_that_cannot_be_read_is_refused(text: str) -> None:
    """No model learns to write "[tool call]", and the error does not hold what was written."""
    with pytest.raises(ToolCallTextError) as raised:
        edited(text, ROSE)
    assert "rose" not in str(raised.value)


def test_a_link_to_a_page_on_tool_calls_is_text() -> None:
    """Its words are in brackets too."""
    text = "See [tool calls](https://example.com/guide) and [Tool call](#tool-call)."
    assert edited(text, TextPart("See the guide.")) == (TextPart(text),)


def test_a_tool_call_may_stand_on_a_line_with_a_carriage_return() -> None:
    """As where a person adds one to an answer whose line ends are put back to the model's own."""
    assert edited('So.\r\n[tool call] stock({"article": "rose"})\r\nWait.\r\nOr not.', TextPart("So.\r\nWait.")) == (
        TextPart("So."),
        ToolCallPart("stock", {"article": "rose"}),
        TextPart("Wait.\r\nOr not."),
    )


def test_an_answer_that_called_no_tool_may_speak_of_one() -> None:
    """As a line of code."""
    assert edited("stock() counts.", TextPart("It counts.")) == (TextPart("stock() counts."),)


# Drawing the first texts takes a busy machine a while
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.text(min_size=1), st.none() | st.integers() | st.text()), min_size=1, max_size=4),
    st.text(st.characters(exclude_characters="\n\r[")).filter(str.strip),
)
def test_it_is_the_way_back_of_the_answers_text(arguments: list[dict[str, object]], text: str) -> None:
    """Whatever tool calls an answer has, its text gives them again, without the ids too."""
    calls = [ToolCallPart("stock", one, f"call_{number}") for number, one in enumerate(arguments)]
    answer = Message("assistant", (TextPart(text), *calls))
    of = call(output_messages=(answer,))
    assert answer_parts(answers(of)[0], of, answer) == answer.parts
    assert answer_parts(answers(of)[0], of) == (
        TextPart(text),
        *(ToolCallPart("stock", one) for one in arguments),
    )
