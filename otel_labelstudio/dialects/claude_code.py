"""Claude Code's traces (beta, ``ENABLE_BETA_TRACING_DETAILED``): what is new in a request, and the text of the answer.

Each span ``claude_code.llm_request`` has the user's words and the tool results since the request before it. The system
prompt and the calls of tools in the answer are nowhere, so that every call is incomplete. Known from what has been
published of its source; nothing was recorded. The keys have no namespace, usage's among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from otel_labelstudio.calls import Message, TextPart, ToolCallResponsePart, Usage
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.operations import CHAT
from otel_labelstudio.spans.attributes import integer, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "claude_code"
PREFIXES: tuple[str, ...] = ("span.type",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {
    "com.anthropic.claude_code": f"set ENABLE_BETA_TRACING_DETAILED=1 and OTEL_LOG_USER_PROMPTS=1 {APPLICATION}"
}

_TYPE, _CALL = "span.type", "llm_request"
_SCOPE = "com.anthropic.claude_code"
_NEW, _ANSWER = "new_context", "response.model_output"
_MODEL = "model"
_HAS_TOOL_CALL = "response.has_tool_call"
_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_write_input_tokens": "cache_creation_tokens",
}
_TRUNCATED = {f"{_NEW}_truncated": "the input", f"{_ANSWER}_truncated": "the answer"}

# formatMessagesForContext: blocks with a head each, between lines of three dashes
_BETWEEN = re.compile(r"\n\n---\n\n(?=\[(?:USER|TOOL RESULT: [^\]\n]*)\]\n)")
_HEAD = re.compile(r"\[(USER|TOOL RESULT: (?P<id>[^\]\n]*))\]\n")


def recognises(span: Span) -> bool:
    return _TYPE in span.attributes and span.scope.name.startswith(_SCOPE)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes[_TYPE] != _CALL:
        return Skip(SkipReason.NOT_INFERENCE)
    answer = text(attributes.get(_ANSWER))
    content = Content(
        input_messages=tuple(_messages(text(attributes.get(_NEW)) or "")),
        output_messages=(Message("assistant", (TextPart(answer),)),) if answer else (),
        incomplete=tuple(_missing(span)),
    )
    usage = Usage(**{name: integer(attributes.get(key)) for name, key in _USAGE.items()})
    return Findings(NAME, CHAT, content, {"usage": usage, "request_model": text(attributes.get(_MODEL))})


def _messages(context: str) -> Iterator[Message]:
    for block in _BETWEEN.split(context) if context else ():
        head = _HEAD.match(block)
        said = block[head.end() :] if head else block
        if head and head["id"] is not None:
            yield Message("tool", (ToolCallResponsePart(said, head["id"]),))
        elif said:
            yield Message("user", (TextPart(said),))


def _missing(span: Span) -> Iterator[str]:
    yield "the turns before the new ones, and the system prompt, are not in Claude Code's traces"
    if str(span.attributes.get(_HAS_TOOL_CALL)).lower() == "true":
        yield "the tool calls of the answer are not in Claude Code's traces"
    for key, name in _TRUNCATED.items():
        if span.attributes.get(key):
            yield f"{name} was shortened by Claude Code"
