"""From what dialects found in a span to calls, or to the reason why there are none: the same for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import LLMCall, Message, Part, TextPart
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.captured import has_answer, is_captured, is_empty
from otel_labelstudio.dialects.shared.damages import damages, is_no_answer
from otel_labelstudio.dialects.shared.merging import combined
from otel_labelstudio.dialects.shared.operations import is_inference, names_a_model
from otel_labelstudio.dialects.shared.span_facts import FactKeys, facts_of
from otel_labelstudio.dialects.shared.span_outcome import (
    UNNAMED_ERROR,
    error_type_of,
    finish_reason_of,
    finish_reasons_of,
    usage_of,
)
from otel_labelstudio.dialects.shared.unread_content import unread_content
from otel_labelstudio.earlier_turns import marked
from otel_labelstudio.spans.attributes import bounded
from otel_labelstudio.spans.model import Span

# The facts of which the conventions' attributes know better than a raw request or response
_ON_SPAN = {
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
}


def calls_or_skip(
    span: Span, findings: Findings, keys: FactKeys, hint: Callable[[], str]
) -> tuple[LLMCall, ...] | Skip:
    """The call that the findings tell of, or why there is none.

    ``hint`` says how to have the content captured where it is not. A legacy completion of several prompts gives one
    call a prompt, with the prompt's own choices.
    """
    content = _tidied(findings.content)
    if not is_inference(findings.operation) and not names_a_model(span):
        return Skip(SkipReason.NOT_INFERENCE)
    if not is_captured(content) or not has_answer(content):
        return _skip(span, content, findings, hint, keys)
    return _calls(span, content, findings, keys)


def _calls(span: Span, content: Content, findings: Findings, keys: FactKeys) -> tuple[LLMCall, ...]:
    facts = _facts(span, findings.facts, keys)
    call = LLMCall(
        dialect=findings.dialect,
        operation=findings.operation,
        input_messages=content.input_messages,
        output_messages=_with_finish_reasons(content.output_messages, finish_reasons_of(span.attributes)),
        system_instructions=content.system_instructions,
        tool_definitions=content.tool_definitions,
        incomplete=tuple(dict.fromkeys((*content.incomplete, *damages(span, content, facts["error_type"])))),
        **facts,
    )
    return _by_prompt(marked(call))


def _skip(span: Span, content: Content, findings: Findings, hint: Callable[[], str], keys: FactKeys) -> Skip:
    if not is_inference(findings.operation) and not is_captured(content):
        return Skip(SkipReason.NOT_INFERENCE)
    if error_type := _error_type(span, content, findings):
        unanswered = replace(content, output_messages=())  # of an answer there may be a role
        known = replace(findings, facts={**findings.facts, "error_type": error_type})
        return Skip(SkipReason.FAILED, failed=_calls(span, unanswered, known, keys) if is_captured(content) else ())
    if is_captured(content) and not findings.is_answer_hidden:
        return Skip(SkipReason.ANSWER_UNREADABLE)
    if not findings.is_answer_hidden and (names := unread_content(span)):
        return Skip(SkipReason.ANSWER_UNREADABLE, f"they have it in attributes that are not understood ({names})")
    return Skip(SkipReason.CONTENT_NOT_CAPTURED, hint())


def _error_type(span: Span, content: Content, findings: Findings) -> str | None:
    """Which error ended a call that has no answer; some say so in the finish reason alone."""
    told: str | None = findings.facts.get("error_type") or error_type_of(span)
    of_answers = (finish_reason_of(message.finish_reason) for message in content.output_messages)
    is_told_so = "error" in (*finish_reasons_of(span.attributes), *of_answers)
    return told or (UNNAMED_ERROR if is_told_so else None)


def _facts(span: Span, found: Mapping[str, Any], keys: FactKeys) -> dict[str, Any]:
    attributes = span.attributes
    fields = facts_of(span, keys)
    attached = fields["metadata"]
    for name, value in found.items():
        is_on_span = name in _ON_SPAN and attributes.get(_ON_SPAN[name])
        if value is not None and not is_on_span:
            fields[name] = value
    # What a dialect took from attributes as it stood may hold a double that JSON cannot write
    if found.get("metadata"):
        fields["metadata"] = bounded({**attached, **found["metadata"]})
    if found.get("request_parameters"):
        fields["request_parameters"] = bounded(found["request_parameters"])
    usage = usage_of(attributes)
    fields["usage"] = combined((found["usage"], usage)) if found.get("usage") else usage
    return fields


def _tidied(content: Content) -> Content:
    """Without what redaction left, without a second mention of the system prompt, and with the roles there must be."""
    system = _filled(content.system_instructions)
    inputs = [cleaned for message in content.input_messages if (cleaned := _cleaned(message, message.role)).parts]
    outputs = tuple([_answer(message) for message in content.output_messages])
    emptied = _emptied(content.input_messages) if 0 < len(inputs) < len(content.input_messages) else ()
    return Content(
        _without_repeated_system(tuple(inputs), system),
        outputs,
        system,
        content.tool_definitions,
        (*content.incomplete, *emptied),
    )


def _emptied(messages: Iterable[Message]) -> Iterator[str]:
    """Messages of which only the role is left; an empty answer is often one of tool calls that was written so."""
    if any(not message.parts and message.role != "assistant" for message in messages):
        yield "messages of the input are without their content"


def _answer(message: Message) -> Message:
    message = _cleaned(message, "assistant")
    if len(message.parts) == 1 and isinstance(message.parts[0], TextPart) and is_no_answer(message.parts[0].content):
        return replace(message, parts=())
    return message


def _cleaned(message: Message, role: str) -> Message:
    parts = _filled(message.parts)
    if parts is message.parts and role == message.role:
        return message
    return replace(message, role=role, parts=parts)


def _filled(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    for part in parts:
        if is_empty(part):
            return tuple([part for part in parts if not is_empty(part)])
    return parts


def _without_repeated_system(messages: tuple[Message, ...], system: tuple[Part, ...]) -> tuple[Message, ...]:
    """OpenLIT writes the system prompt among the messages and as system instructions: it was sent once."""
    if not system or all(message.role != "system" for message in messages):
        return messages
    known = {part.content for part in system if isinstance(part, TextPart)}
    known.update(joint.join(p.content for p in system if isinstance(p, TextPart)) for joint in ("", "\n", "\n\n"))
    kept, unseen = [], set(known)
    for message in messages:
        texts = {part.content for part in message.parts if isinstance(part, TextPart)}
        if message.role == "system" and len(texts) == len(message.parts) and texts <= unseen:
            unseen -= texts
        else:
            kept.append(message)
    return tuple(kept)


def _with_finish_reasons(messages: tuple[Message, ...], reasons: tuple[str, ...]) -> tuple[Message, ...]:
    reasons += ("",) * (len(messages) - len(reasons))
    return tuple(
        [
            _with_finish_reason(message, finish_reason_of(message.finish_reason) or reason or None)
            for message, reason in zip(messages, reasons, strict=False)
        ]
    )


def _with_finish_reason(message: Message, reason: str | None) -> Message:
    return message if message.finish_reason == reason else Message(message.role, message.parts, message.name, reason)


def _by_prompt(call: LLMCall) -> tuple[LLMCall, ...]:
    """Legacy completions take several prompts; the answers come prompt by prompt, the same number for each."""
    prompts, choices = call.input_messages, call.output_messages
    is_list = call.operation == "text_completion" and len(prompts) > 1 and not call.system_instructions
    if not is_list or len(choices) % len(prompts) or any(m.role != "user" or len(m.parts) > 1 for m in prompts):
        return (call,)
    share = len(choices) // len(prompts)
    return tuple(
        replace(
            call,
            prompt_index=index,
            input_messages=(prompt,),
            output_messages=choices[index * share : (index + 1) * share],
        )
        for index, prompt in enumerate(prompts)
    )
