"""What fills a variable of a labeling configuration: by its name what of the call, by its tag in which type.

Label Studio refuses a task that lacks a variable, and its editor shows an error, or nothing at all, for a value of
another type than a tag takes. So there is always a value, of the right type, empty where the call has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.facts import facts
from otel_labelstudio.tasks.inline_images import is_inline_image, uri_of
from otel_labelstudio.tasks.label_config import CHAT, DIALOGUE_NAMES, HYPER_TEXT, PARAGRAPHS, Variable
from otel_labelstudio.tasks.layouts.data import fill_of

_ANSWER = ("response", "answer", "completion", "output", "summary")
_ANSWERS = ("responses", "answers", "completions", "outputs", "summaries", "choices", "options", "items")
_TOOLS = ("tools", "tool_definitions", "functions")

# What a variable may be called -> the text that fills it
_TEXTS: dict[str, Callable[[LLMCall], Any]] = {
    **dict.fromkeys(("system", "system_prompt", "system_instructions", "instructions"), render.system_text),
    **dict.fromkeys(_TOOLS, lambda call: render.tools_text(call.tool_definitions)),
    **dict.fromkeys(DIALOGUE_NAMES, render.dialogue_text),
    **dict.fromkeys(_ANSWER, lambda call: render.answers(call)[0]),
    **dict.fromkeys(_ANSWERS, lambda call: "\n\n".join(render.answers(call))),
    **dict.fromkeys(("service", "service_name"), lambda call: call.service_name),
    **dict.fromkeys(("conversation_id", "session_id", "thread_id"), lambda call: call.conversation_id),
    **dict.fromkeys(("user", "user_id"), lambda call: call.user_id),
    "tags": lambda call: ", ".join(call.tags),
    "request_model": lambda call: call.request_model,
    "response_model": lambda call: call.response_model,
    "response_id": lambda call: call.response_id,
}
# response_2, answer1, completion_b: one of several choices
_NUMBERED_ANSWER = re.compile(rf"(?:{'|'.join(_ANSWER)})_?(?:(\d{{1,3}})|([a-z]))\Z")

# choices[0].body, answers[1]
_ITEM_OF_ANSWERS = re.compile(r"(\w+)\[(\d{1,3})\](?:\.\w+)*")


def value_of(variable: Variable, call: LLMCall) -> Any:
    """The value of a variable in the task of a call."""
    if fill := fill_of(variable.tag, variable.name):
        return fill(call)
    if variable.template is not None:
        return _filled(variable.template, call)
    if "[" in variable.name:  # below a Repeater, which takes the list itself
        return _items(variable.name.partition("[")[0], call)
    typed = _TYPED.get(variable.tag)
    return typed(variable, call) if typed else _text(variable.name, call)


def shows_answer(variable: Variable) -> bool:
    """Whether the variable shows an answer of the call."""
    name = variable.name.partition("[")[0]
    is_list = variable.tag == "List" and name not in (*DIALOGUE_NAMES, *_TOOLS)
    return is_list or name in (*_ANSWER, *_ANSWERS) or bool(_NUMBERED_ANSWER.match(name))


def answer_index(name: str) -> int | None:
    """Which of a call's answers a variable of this name shows; None for one that shows none, or several."""
    if item := _ITEM_OF_ANSWERS.fullmatch(name):
        return int(item[2]) if item[1] in _ANSWERS else None
    if name in _ANSWER:
        return 0
    numbered = _NUMBERED_ANSWER.match(name)
    return _numbered(*numbered.groups()) if numbered else None


def turns_of(turns: Sequence[render.Turn], variable: Variable) -> list[dict[str, str]]:
    """A dialogue as a Paragraphs or Chat tag takes it."""
    return [{variable.role_key: role, variable.content_key: content} for role, content in turns]


def _text(name: str, call: LLMCall) -> str:
    if name.isdigit():  # "costs $5"
        return f"${name}"
    numbered = _NUMBERED_ANSWER.match(name)
    if numbered and name not in _TEXTS:
        return _numbered_answer(call, *numbered.groups())
    fill = _TEXTS.get(name)
    value = fill(call) if fill else facts(call).get(name, call.metadata.get(name))
    if value is None:
        value = call.request_parameters.get(name, "")
    return value if isinstance(value, str) else str(value)


def _numbered_answer(call: LLMCall, number: str | None, letter: str | None) -> str:
    """Of choice 1, or a; empty where there are fewer."""
    answers, index = render.answers(call), _numbered(number, letter)
    return answers[index] if 0 <= index < len(answers) else ""


def _numbered(number: str | None, letter: str | None) -> int:
    return int(number) - 1 if number else ord(letter or "a") - ord("a")


def _filled(template: str, call: LLMCall) -> str:
    return re.sub(r"\$([\w.]*\w)", lambda found: _text(found.group(1), call), template)


def _turns(variable: Variable, call: LLMCall) -> list[dict[str, str]]:
    """The dialogue where the name asks for it; else one turn, of nobody, with what the name asks for."""
    is_dialogue = variable.name in (*DIALOGUE_NAMES, "turns")
    return turns_of(render.dialogue(call) if is_dialogue else [("", _text(variable.name, call))], variable)


def _html(variable: Variable, call: LLMCall) -> str:
    return render.as_html(_text(variable.name, call))


def _table(variable: Variable, call: LLMCall) -> Mapping[str, Any] | Sequence[Any]:
    """Rows of a name and a value."""
    name = variable.name
    if name in ("parameters", "request_parameters"):
        return {key: render.value_text(value) for key, value in call.request_parameters.items()}
    if name == "metadata":
        return {key: render.value_text(value) for key, value in call.metadata.items()}
    if name in _ANSWERS or name in DIALOGUE_NAMES or name in _TOOLS:
        return {item["title"]: item["body"] for item in _items(name, call)}
    if name in ("facts", "call", "table"):
        return {key: render.value_text(value) for key, value in facts(call).items()}
    text = _text(name, call)
    return {name: text} if text else {}


def _list(variable: Variable, call: LLMCall) -> list[dict[str, str]]:
    """Of a List, and of the Ranker that sorts it: the choices, unless the name asks for something else."""
    known = variable.name in (*DIALOGUE_NAMES, *_TOOLS)
    return _items(variable.name if known else "choices", call)


def _options(variable: Variable, call: LLMCall) -> list[dict[str, str]]:
    """Of dynamic Choices and the like; the alias is what stands in the annotation."""
    return [{"value": item["body"], "alias": item["id"]} for item in _items(variable.name, call)]


def _items(name: str, call: LLMCall) -> list[dict[str, str]]:
    """The choices (their ids are the choices' indexes), turns or tools of a call, one each."""
    if name in (*_ANSWERS, *_ANSWER):
        titled = [(f"Answer {index + 1}", text) for index, text in enumerate(render.answers(call))]
    elif name in (*DIALOGUE_NAMES, "turns"):
        titled = render.dialogue(call)
    elif name in _TOOLS:
        titled = [render.tool_text(definition) for definition in call.tool_definitions]
    else:
        titled = []
    return [{"id": str(index), "title": title, "body": body} for index, (title, body) in enumerate(titled)]


def _image(_variable: Variable, call: LLMCall) -> str:
    """The last one that the call was sent inline; nothing is loaded from elsewhere."""
    uris = (uri_of(part) for message in reversed(call.input_messages) for part in reversed(message.parts))
    return next(filter(is_inline_image, uris), "")


def _repeated(variable: Variable, call: LLMCall) -> list[dict[str, str]]:
    return _items(variable.name, call)


_TYPED: dict[str, Callable[[Variable, LLMCall], Any]] = {
    PARAGRAPHS: _turns,
    CHAT: _turns,
    HYPER_TEXT: _html,
    "Table": _table,
    "List": _list,
    "Repeater": _repeated,
    "Image": _image,
    **dict.fromkeys(("Choices", "Taxonomy"), _options),
    **dict.fromkeys(("Labels", "ParagraphLabels", "HyperTextLabels"), _options),
}
