"""The parts of a message as HTML: text rendered, arguments as a table, results readable, what is long folded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import (
    BlobPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.inline_images import image
from otel_labelstudio.tasks.markup import Html, element, fold, joined, text
from otel_labelstudio.tasks.mend import mend

# How a text is written: as Markdown, or as it is
Writer = Callable[[str], Html]

# Of a tool's result that is open
_MAX_OPEN_RESULT = 300
# Of the beginning of what is folded, in its title
_MAX_BEGINNING = 80
# Of one text, argument or result: the task's meta holds the whole
_MAX_LENGTH = 100_000


def message_html(message: Message, writer: Writer, tool_names: Mapping[str, str]) -> Html:
    """A message; neighboring texts are one, as `render.message_text` joins them."""
    seam = "" if message.role == "assistant" else "\n"
    shown: list[Html] = []
    texts: list[str] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            texts.append(part.content)
            continue
        shown += [_text(seam.join(texts), writer), _part(part, writer, tool_names, message.name)]
        texts = []
    return joined((*shown, _text(seam.join(texts), writer)))


def tool_names(messages: Sequence[Message]) -> dict[str, str]:
    """The names of the tools that were called, by the calls' ids."""
    calls = (part for message in messages for part in message.parts if isinstance(part, ToolCallPart))
    return {call.id: call.name for call in calls if call.id}


def code(source: str) -> Html:
    """Text of which each space counts."""
    return element("pre", text(_cut(source)))


def title(name: str, folded: str) -> Html:
    """What stands above something folded: how long it is, and how it begins."""
    return joined((text(f"{name} · {len(folded):,} characters "), dim(_beginning(folded))))


def dim(value: str) -> Html:
    """Text beside what counts."""
    return element("span", text(value), css="osl-dim")


def _part(part: Part, writer: Writer, names: Mapping[str, str], tool: str | None) -> Html:
    match part:
        case ReasoningPart():
            return fold(title("reasoning", part.content), _text(part.content, writer))
        case ToolCallPart():
            return joined((_tool_heading(f"▸ {part.name}"), _arguments(part.arguments)))
        case ToolCallResponsePart():
            return _tool_result(names.get(part.id or "") or tool or "result", part.response)
        case BlobPart() | UriPart():
            label = render.part_text(part) or ""
            return image(part, label) or element("p", dim(label))
        case _:
            return element("p", dim(render.part_text(part) or ""))


def _text(source: str, writer: Writer) -> Html:
    return writer(_cut(source)) if source.strip() else Html("")


def _tool_heading(name: str) -> Html:
    return element("div", text(name), css="osl-call")


def _arguments(arguments: Any) -> Html:
    if arguments in (None, "", {}, []):
        return Html("")
    if not isinstance(arguments, Mapping):
        return code(_readable(arguments))
    rows = (
        element("tr", element("th", text(str(name))), element("td", code(_readable(value))))
        for name, value in arguments.items()
    )
    return element("table", element("tbody", *rows), css="osl-args")


def _tool_result(name: str, response: Any) -> Html:
    shown = _readable(response)
    if len(shown) <= _MAX_OPEN_RESULT:
        return joined((_tool_heading(f"◂ {name}"), code(shown)))
    return fold(title(f"◂ {name}", shown), code(shown))


def _readable(value: Any) -> str:
    """A JSON value, or a text that holds one, on several lines; any other text as it is."""
    if isinstance(value, str) and not value.lstrip().startswith(("{", "[")):
        return value
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        return json.dumps(mend(parsed), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return value if isinstance(value, str) else "[nested too deep]"


def _beginning(said: str) -> str:
    line = " ".join(said[: 4 * _MAX_BEGINNING].split())
    return line if len(line) <= _MAX_BEGINNING else line[: _MAX_BEGINNING - 1] + "…"


def _cut(source: str) -> str:
    if len(source) <= _MAX_LENGTH:
        return source
    return f"{source[:_MAX_LENGTH]}\n[{len(source) - _MAX_LENGTH:,} more characters]"
