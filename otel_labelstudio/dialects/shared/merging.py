"""Several dialects' findings in one span as those of one call.

Gateways write the conventions' messages beside keys of their own, and each has something that the other lacks. Who said
what comes from one dialect, the one that tells most: an answer and an input, whole rather than cut, then the number of
parts. What this one lacks altogether (the input, the tools, all tool calls of the answer) comes from the others;
messages are never mixed with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import GenericPart, Message, ReasoningPart, ToolCallPart, Usage
from otel_labelstudio.dialects.dialect import NO_CONTENT, Content, Findings
from otel_labelstudio.dialects.shared.captured import (
    has_answer,
    has_input,
    is_captured,
    is_input_whole,
    parts_of,
    says_something,
)


def merged(found: Sequence[Findings]) -> Findings:
    """The findings of the dialect that tells most of the call, completed with what the others know."""
    if len(found) == 1:
        return found[0]
    telling = [f for f in found if f.content is not NO_CONTENT and is_captured(f.content)]
    best = max(telling, key=_completeness) if len(telling) > 1 else telling[0] if telling else found[0]
    others = [f for f in found if f is not best and (f.facts or f.content is not NO_CONTENT or f.is_answer_hidden)]
    if not others:
        return best
    return replace(
        best,
        content=_completed(best.content, [other.content for other in others]),
        facts=_facts((best, *others)),
        is_answer_hidden=any(findings.is_answer_hidden for findings in found),
    )


def combined(usages: Iterable[Usage | None]) -> Usage:
    """Each count from the first that has it."""
    counts: dict[str, int] = {}
    for usage in reversed([usage for usage in usages if usage is not None]):
        counts |= usage.to_dict()
    return Usage(**counts)


def _completeness(findings: Findings) -> tuple[bool, bool, bool, int]:
    content = findings.content
    parts = (*content.system_instructions, *parts_of((*content.input_messages, *content.output_messages)))
    understood = sum(says_something(part) for part in parts if not isinstance(part, GenericPart))
    return has_answer(content), has_input(content), not content.incomplete, understood


def _facts(found: Sequence[Findings]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for findings in found:
        facts |= {name: value for name, value in findings.facts.items() if value is not None and name not in facts}
    metadata = [findings.facts.get("metadata") or {} for findings in reversed(found)]
    if any(metadata):
        facts["metadata"] = {name: value for held in metadata for name, value in held.items()}
    if "usage" in facts:
        facts["usage"] = combined(findings.facts.get("usage") for findings in found)
    return facts


def _completed(content: Content, others: Iterable[Content]) -> Content:
    for other in others:
        taken: dict[str, Any] = {}
        is_lacking = not has_input(content) and has_input(other)
        if is_lacking or (is_input_whole(other) and not is_input_whole(content)):
            taken["input_messages"] = other.input_messages
        if not has_answer(content) and has_answer(other):
            taken["output_messages"] = other.output_messages
        if taken:
            taken["incomplete"] = (*content.incomplete, *other.incomplete)
        for name in ("system_instructions", "tool_definitions"):
            if not getattr(content, name) and getattr(other, name):
                taken[name] = getattr(other, name)
        answers = taken.get("output_messages", content.output_messages)
        completed = _with_lacking_parts(answers, other.output_messages)
        if completed is not answers:
            taken["output_messages"] = completed
        content = replace(content, **taken) if taken else content
    return content


def _with_lacking_parts(answers: tuple[Message, ...], others: tuple[Message, ...]) -> tuple[Message, ...]:
    """One answer with the tool calls, or the reasoning, of which it has none."""
    if len(answers) != 1 or len(others) != 1:
        return answers
    parts = answers[0].parts
    if not any(isinstance(part, ToolCallPart) for part in parts):
        parts += tuple(part for part in others[0].parts if isinstance(part, ToolCallPart))
    if not any(isinstance(part, ReasoningPart) for part in parts):
        parts = (*(part for part in others[0].parts if isinstance(part, ReasoningPart)), *parts)
    return (replace(answers[0], parts=parts),) if len(parts) > len(answers[0].parts) else answers
