"""VoltAgent: the messages on a span of type ``llm``, the answer there too or on the agent's span around it.

Recorded with @voltagent/core 2.10, of which one span stands for all steps of a turn, and the agent's has the answer.
Other back-ends' tests show the answer on the span itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.operations import CHAT
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.providers.tools import tools_by_name
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import below, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "voltagent"
PREFIXES: tuple[str, ...] = ("voltagent.", "llm.")
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {}

# @voltagent/core 2.10, observability
_TYPE, _CALL = "span.type", "llm"
_MESSAGES, _TOOLS, _MODEL = "llm.messages", "llm.tools", "llm.model"
_OUTPUT = "output"
_SETTINGS, _USAGE = "llm.", "llm.usage."
# The agent's span: which agent it is of, and whose conversation it is
_ENTITY_TYPE, _AGENT = "entity.type", "agent"


def recognises(span: Span) -> bool:
    return _MESSAGES in span.attributes and _TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes[_TYPE] != _CALL:
        return Skip(SkipReason.NOT_INFERENCE)
    request, response = request_from(attributes[_MESSAGES]), response_from(attributes.get(_OUTPUT))
    return findings_of_exchange(
        NAME,
        replace(
            request,
            model=text(attributes.get(_MODEL)),
            parameters=request_parameters_from(below(attributes, _SETTINGS)),
            tool_definitions=tools_by_name(_names_or_json(attributes.get(_TOOLS))),
            is_text_completion=False,
        ),
        replace(response, usage=usage_from(below(attributes, _USAGE))),
    )


def borrows(span: Span) -> bool:
    return recognises(span) and span.attributes[_TYPE] == _CALL and _OUTPUT not in span.attributes


def lends(span: Span) -> bool:
    attributes = span.attributes
    return attributes.get(_ENTITY_TYPE) == _AGENT and _TYPE not in attributes and _OUTPUT in attributes


def lend(span: Span) -> Findings:
    """The answer that the agent's span has of the call below it."""
    return Findings(NAME, CHAT, Content(output_messages=response_from(span.attributes[_OUTPUT]).outputs))


def _names_or_json(tools: Any) -> Any:
    """``llm.tools`` is the JSON text of the tools, or their names with commas between."""
    return tools.split(", ") if isinstance(tools, str) and not tools.startswith(("[", "{")) else tools
