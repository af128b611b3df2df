"""From a provider's raw request and response, as many vendors' spans hold them, to what is found of a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from otel_labelstudio.calls import Message
from otel_labelstudio.dialects.dialect import Content, Findings
from otel_labelstudio.dialects.shared.operations import CHAT, TEXT_COMPLETION
from otel_labelstudio.providers.request import Request
from otel_labelstudio.providers.response import Response
from otel_labelstudio.spans.attributes import integer

INPUT_CUT = "the input was cut at a limit on the length of attributes"
ANSWER_CUT = "the answer was cut at a limit on the length of attributes"
INPUT_HIDDEN = "the input was hidden by the instrumentation's configuration"
PARTS_HIDDEN = "parts of the content were hidden by the instrumentation's configuration"
CHOICES_MISMATCHED = "there are not as many answers as the prompts should have: which is whose is not known"


def findings_of_exchange(
    dialect: str,
    request: Request,
    response: Response,
    *,
    incomplete: Iterable[str] = (),
    is_answer_hidden: bool = False,
    **facts: Any,
) -> Findings:
    """What one request and its answer tell.

    ``facts`` are fields of `LLMCall` that the dialect knows better than the request and the response do; None among
    them is no knowledge. ``is_answer_hidden``: the answer was left out on purpose.
    """
    content = Content(
        input_messages=request.messages,
        output_messages=response.outputs,
        system_instructions=request.system_instructions,
        tool_definitions=request.tool_definitions,
        incomplete=(*incomplete, *_damages(request, response)),
    )
    known: dict[str, Any] = {
        "request_model": request.model or None,
        "response_model": response.model or None,
        "response_id": response.id or None,
        "request_parameters": request.parameters or None,
        "usage": response.usage,
    }
    known |= {name: value for name, value in facts.items() if value not in (None, "", {}, ())}
    operation = TEXT_COMPLETION if request.is_text_completion else CHAT
    return Findings(dialect, operation, content, known, is_answer_hidden)


def has_content(messages: Iterable[Message]) -> bool:
    return any(message.parts for message in messages)


def _damages(request: Request, response: Response) -> Iterator[str]:
    if request.is_cut:
        yield INPUT_CUT
    if response.is_cut:
        yield ANSWER_CUT
    if len(request.inputs) > 1 and len(response.outputs) % len(request.inputs):
        yield CHOICES_MISMATCHED
    asked = integer(request.parameters.get("choice.count")) or 1
    if 0 < len(response.outputs) < asked:
        yield f"{asked} answers were asked for, and {len(response.outputs)} of them recorded"
