"""A call as HTML that a labeler's page can show as it is: nothing in it runs, loads, links, or styles what is outside.

What users, models and tools wrote could do all of that in Label Studio's pages. Two walls keep it out. Everything is
escaped when it becomes `markup.Html`, and Markdown is rendered by a parser whose HTML is off; then `sanitize` writes
anew only what its allow-list names.

What is read first is open, the rest is folded: instructions, tools, reasoning, long results, all but the last turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import LLMCall, Message, ReasoningPart, TextPart, ToolCallResponsePart
from otel_labelstudio.printable import counted
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.markdown import markdown, plain
from otel_labelstudio.tasks.markup import Html, element, fold, joined, text
from otel_labelstudio.tasks.mend import mend_text
from otel_labelstudio.tasks.parts_html import Writer, code, dim, message_html, title, tool_names
from otel_labelstudio.tasks.sanitize import sanitize

# Turns that are open; those before them are one click away
_OPEN_TURNS = 8
# Characters that are rendered; of a longer dialogue the turns that are folded stand as they were written, and so do
# the others where they alone are longer
_MAX_RENDERED = 200_000

_SYSTEM_ROLES = ("system", "developer")
_ROLE_CLASSES = {"user": "osl-user", "tool": "osl-tool"}
_NOTHING = Html("")


def dialogue_html(call: LLMCall) -> str:
    """The input of a call: instructions, tools and turns, in their order."""
    return _dialogue(call, call.input_messages)


def request_html(call: LLMCall) -> str:
    """The input of a call up to the last turn of a user: what an agent was asked."""
    return _dialogue(call, call.input_messages[: _steps_begin(call.input_messages)])


def steps_html(call: LLMCall) -> list[str]:
    """What an agent did since: each turn of the model, with the results of the tools that it called."""
    messages, names = call.input_messages, tool_names(call.input_messages)
    steps: list[list[Message]] = []
    for message in messages[_steps_begin(messages) :]:
        if _holds_results(message) and steps:
            steps[-1].append(message)
        else:
            steps.append([message])
    writer = _writer(call, messages)
    return [_page(*(_turn(message, writer, names) for message in step)) for step in steps]


def _dialogue(call: LLMCall, messages: Sequence[Message]) -> str:
    system = Message("system", call.system_instructions)
    of_all, of_last = _writer(call, messages), _writer(call, messages[-_OPEN_TURNS:])
    names = tool_names(messages)
    earlier = [_turn(message, of_all, names) for message in messages[:-_OPEN_TURNS]]
    last = [_turn(message, of_last, names) for message in messages[-_OPEN_TURNS:]]
    return _page(
        _incomplete(call.incomplete),
        _system(system, _writer(call, [system])) if call.system_instructions else _NOTHING,
        _tools(call.tool_definitions),
        _earlier(earlier),
        *(last or [element("p", dim(render.NO_INPUT))]),
    )


def answer_html(call: LLMCall) -> str:
    """What the model answered; each of several choices below its number."""
    choices = _choices(call)
    if len(choices) == 1:
        return _page(_turn_of("assistant", choices[0]))
    return _page(*(_turn_of(f"answer {number}", choice) for number, choice in enumerate(choices, 1)))


def choices_html(call: LLMCall) -> list[str]:
    """Each choice that the model offered, below its number."""
    return [_page(_turn_of(f"answer {number}", choice)) for number, choice in enumerate(_choices(call), 1)]


def _page(*children: Html) -> str:
    """What Label Studio cannot store is mended first: the sanitizer cannot read it either."""
    return sanitize(Html(mend_text(element("div", *children, css="osl-dialogue"))))


def _writer(call: LLMCall, messages: Sequence[Message]) -> Writer:
    """A completion's prompt is most often code, or a text that breaks off: it stands as it was written. So do messages
    that would take seconds to render."""
    is_long = sum(map(_text_length, messages)) > _MAX_RENDERED
    return plain if is_long or not call.is_chat else markdown


def _choices(call: LLMCall) -> list[Html]:
    writer, empty = _writer(call, call.output_messages), dim("[empty]")
    return [message_html(message, writer, {}) or empty for message in call.output_messages] or [empty]


def _incomplete(reasons: Sequence[str]) -> Html:
    return element("p", dim(f"Incomplete: {'; '.join(reasons)}")) if reasons else _NOTHING


def _tools(definitions: Sequence[Mapping[str, Any]]) -> Html:
    if not definitions:
        return _NOTHING
    names = ", ".join(map(_tool_name, definitions))
    return fold(joined((text(f"tools · {len(definitions)} "), dim(names))), code(render.tools_text(definitions)))


def _tool_name(definition: Mapping[str, Any]) -> str:
    function = definition.get("function")
    return str((function if isinstance(function, Mapping) else definition).get("name") or "?")


def _earlier(turns: Sequence[Html]) -> Html:
    return fold(text(counted(len(turns), "earlier turn")), *turns) if turns else _NOTHING


def _turn(message: Message, writer: Writer, names: Mapping[str, str]) -> Html:
    if message.role in _SYSTEM_ROLES:
        return _system(message, writer)
    is_named = message.name is not None and message.role != "tool"
    role = f"{message.role} · {message.name}" if is_named else message.role
    return _turn_of(role, message_html(message, writer, names), _ROLE_CLASSES.get(message.role, "osl-assistant"))


def _steps_begin(messages: Sequence[Message]) -> int:
    """Behind the last turn of a user; where there is none, nothing tells steps from what was asked."""
    users = [n for n, message in enumerate(messages) if message.role == "user" and not _holds_results(message)]
    return users[-1] + 1 if users else len(messages)


def _holds_results(message: Message) -> bool:
    """Whether a message holds what tools returned, and nothing else: Anthropic's come as the user's."""
    parts = message.parts
    return message.role == "tool" or (bool(parts) and all(isinstance(part, ToolCallResponsePart) for part in parts))


def _system(message: Message, writer: Writer) -> Html:
    said = render.message_text(message.role, message.parts)
    return fold(title(f"{message.role} prompt", said), message_html(message, writer, {}))


def _turn_of(role: str, shown: Html, css: str = "osl-assistant") -> Html:
    return element("div", element("div", text(role), css="osl-role"), shown, css=f"osl-turn {css}")


def _text_length(message: Message) -> int:
    return sum(len(part.content) for part in message.parts if isinstance(part, TextPart | ReasoningPart))
