"""Spring AI: prompts and answers as lists of texts without roles, in log lines or in attributes of one's own.

With ``spring.ai.chat.observations.log-prompt`` and ``log-completion`` two handlers log each call's texts, within its
span. Many copy an observation filter besides which writes the same lists under ``gen_ai.prompt`` and
``gen_ai.completion``. Quotes in the texts are not escaped, and calls of tools are empty texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import Message, TextPart
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.moved_content import ANSWER_LINE, PROMPT_LINE
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.providers.tools import tools_by_name
from otel_labelstudio.spans.attributes import decoded
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "spring_ai"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {"conversation_id": ("spring.ai.chat.client.conversation.id",)}
HINTS: Mapping[str, str] = {
    "org.springframework": "set spring.ai.chat.observations.log-prompt=true and log-completion=true"
    f" {APPLICATION}, and export its logs here too",
}

# Spring AI 1.1; the filter's names are the conventions' of 1.27, of which the span is not
_SCOPE = "org.springframework"
_PROMPT, _COMPLETION = "gen_ai.prompt", "gen_ai.completion"
_KIND = "spring.ai.kind"
_TOOL_NAMES = "spring.ai.model.request.tool.names"

_BETWEEN = '", "'
_ROLES_UNKNOWN = "which of the texts are the system's, the user's and the model's is not in Spring AI's telemetry"
_CALLS_MISSING = "calls of tools and their results are not in Spring AI's telemetry"


def recognises(span: Span) -> bool:
    return span.scope.name.startswith(_SCOPE)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    operation = operation_of(span)
    if _KIND in span.attributes or is_no_inference(operation):
        return Skip(SkipReason.NOT_INFERENCE)
    prompt = _texts(span.attributes.get(_PROMPT)) or _texts(_line(log_records, PROMPT_LINE))
    answers = _answers(span.attributes.get(_COMPLETION)) or _answers(_line(log_records, ANSWER_LINE))
    content = Content(
        input_messages=tuple(Message("user", (TextPart(said),)) for said in prompt if _is_said(said)),
        output_messages=tuple(Message("assistant", (TextPart(said),)) for said in answers if _is_said(said)),
        tool_definitions=tools_by_name(span.attributes.get(_TOOL_NAMES)),
        incomplete=tuple(_missing(prompt)),
    )
    return Findings(NAME, operation, content)


def _missing(prompt: Sequence[str]) -> Iterator[str]:
    if len(prompt) > 1:
        yield _ROLES_UNKNOWN
    if not all(map(_is_said, prompt)):
        yield _CALLS_MISSING


def _is_said(said: str) -> bool:
    return said not in ("", "null")


def _line(log_records: Sequence[LogRecord], head: str) -> str | None:
    bodies = (record.body for record in log_records if isinstance(record.body, str))
    return next((body.removeprefix(head) for body in bodies if body.startswith(head)), None)


def _answers(held: Any) -> list[str]:
    """One answer where quotes make it doubtful: JSON answers are more frequent than several choices."""
    texts = _texts(held)
    return texts if len(texts) < 2 or _json_texts(held) else [_BETWEEN.join(texts)]


def _texts(held: Any) -> list[str]:
    """The texts between the outermost brackets, whatever quotes are in them."""
    if isinstance(held, list):
        return [str(item) for item in held]
    inner = held.strip() if isinstance(held, str) else ""
    if not inner.startswith('["') or not inner.endswith('"]'):
        return []
    return _json_texts(inner) or inner[2:-2].split(_BETWEEN)


def _json_texts(held: Any) -> list[str]:
    """The texts where the list is JSON, as it is without quotes in them."""
    listed = decoded(held)
    is_whole = isinstance(listed.value, list) and not listed.is_cut
    return listed.value if is_whole and all(isinstance(item, str) for item in listed.value) else []
