"""Calls of a recording that people are to see as one: answers to the same input, or the calls of one agent's run.

============  =======================================================================================================
``input``     calls that were asked the same become one with all their answers, for the layout ``compare``. The
              models' names are left out and the answers' order is mixed: a labeler does not know whose is whose
``trace``     the calls of one trace become one whose input tells what the run did, step by step, and whose answer is
              the last one, for the layout ``agent``
============  =======================================================================================================

A call that meets no other stays as it is. From what a joined call was made stands in its metadata (`calls.JOINED`), so
that a preference is known to be one between models, and each answer's span is found again. A joined call is another
one than those that it was made of: each of them may be a task too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from hashlib import blake2b
from typing import Any, TypeAlias

from otel_labelstudio.calls import JOINED, LLMCall, Message, ToolCallPart, ToolCallResponsePart, Usage
from otel_labelstudio.identity import with_digest_index
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.tasks import render

_MakeOne: TypeAlias = Callable[[Sequence[LLMCall]], "LLMCall | None"]


class Join(str, Enum):
    """Which calls of a recording become one."""

    INPUT = "input"
    TRACE = "trace"


def joined(calls: Sequence[FoldedCall], join: Join | None) -> list[FoldedCall]:
    """The calls, with those joined that belong together; in the order of each one's first."""
    if join is None:
        return list(calls)
    key, make_one = _WAYS[join]
    groups: defaultdict[Hashable, list[FoldedCall]] = defaultdict(list)
    for folded in calls:
        groups[key(folded.call)].append(folded)
    return [call for group in groups.values() for call in _joined(group, make_one)]


def _joined(group: Sequence[FoldedCall], make_one: _MakeOne) -> Sequence[FoldedCall]:
    call = make_one([folded.call for folded in group]) if len(group) > 1 else None
    if call is None:
        return group
    call = with_digest_index(call)
    resource = group[0].resource if len({folded.resource for folded in group}) == 1 else ""
    return [FoldedCall(call, (call.key,), resource, _shared([folded.resource_attributes for folded in group]))]


def _asked(call: LLMCall) -> Hashable:
    """What a person sees of the input: providers write the same in different ways."""
    if call.is_unanswered or not call.input_messages:
        return call.key
    shown = tuple(render.dialogue(call)) if call.is_chat else render.prompt(call)
    return shown, tuple(render.tool_text(tool)[0] for tool in call.tool_definitions)


def _comparison(calls: Sequence[LLMCall]) -> LLMCall | None:
    """One call with the different answers of all; None where no two calls answered differently."""
    answers = {_said(message): (message, call) for call in reversed(calls) for message in call.output_messages}
    mixed = [answers[said] for said in sorted(answers, key=lambda said: _digest(calls[0], said))]
    if len({call.key for _, call in mixed}) < 2:
        return None
    return replace(
        calls[0],
        **{name: _common(calls, name) for name in ("service_name", "conversation_id", "user_id")},
        provider=None,
        request_model=None,
        response_model=None,
        response_id=None,
        run_id=None,
        request_parameters={},
        usage=Usage(),
        output_messages=tuple(message for message, _ in mixed),
        metadata={**_shared([call.metadata for call in calls]), JOINED: [_origin(call) for _, call in mixed]},
        incomplete=_incomplete(calls),
    )


def _incomplete(calls: Sequence[LLMCall]) -> tuple[str, ...]:
    """What is missing of one of them is missing of the whole."""
    return tuple(dict.fromkeys(reason for call in calls for reason in call.incomplete))


def _common(calls: Sequence[LLMCall], name: str) -> Any:
    values = {getattr(call, name) for call in calls}
    return values.pop() if len(values) == 1 else None


def _shared(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of them say alike."""
    first, *others = several
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _digest(call: LLMCall, answer: str) -> bytes:
    return blake2b(f"{call.trace_id} {call.span_id} {answer}".encode(errors="replace")).digest()


def _origin(call: LLMCall) -> dict[str, Any]:
    known = {name: getattr(call, name) for name in ("trace_id", "span_id", "response_id", "provider", "service_name")}
    return {name: value for name, value in {**known, "model": call.model}.items() if value}


def _run(calls: Sequence[LLMCall]) -> LLMCall:
    """One call that tells a run: what was asked first, each answer on the way with the results of its tools, and the
    answer that came last."""
    first, last = calls[0], max(calls, key=lambda call: call.end_time_unix_nano)
    in_order = [*(call for call in calls if call is not last), last]
    messages: list[Message] = []
    for call in in_order:
        messages += _news(call, messages, continues=_question(call) == _question(first))
        messages += () if call is last else call.output_messages[:1]
    others = sum(_question(call) != _question(first) for call in calls)
    joined = (f"joined from {len(calls)} calls, {others} of them with an input of its own",) if others else ()
    return replace(
        last,
        start_time_unix_nano=first.start_time_unix_nano,
        system_instructions=first.system_instructions,
        input_messages=tuple(replace(message, finish_reason=None) for message in messages),
        tool_definitions=_different(tool for call in calls for tool in call.tool_definitions),
        usage=_sum(calls),
        metadata={**last.metadata, JOINED: [_origin(call) for call in in_order]},
        incomplete=(*_incomplete(calls), *joined),
    )


def _question(call: LLMCall) -> str | None:
    return next((_said(message) for message in call.input_messages if message.role == "user"), None)


def _news(call: LLMCall, known: Sequence[Message], *, continues: bool) -> list[Message]:
    """What the input of a call adds to a run; one that has an input of its own adds only what tools returned."""
    left, news = Counter((message.role, _said(message)) for message in known), []
    for message in call.input_messages:
        told = (message.role, _said(message))
        left[told] -= 1
        if left[told] < 0 and (continues or _is_result_of(message, known)):
            news.append(message)
    return news


def _said(message: Message) -> str:
    return render.message_text(message.role, message.parts)


def _is_result_of(message: Message, known: Sequence[Message]) -> bool:
    asked = {part.id for one in known for part in one.parts if isinstance(part, ToolCallPart)}
    results = [part for part in message.parts if isinstance(part, ToolCallResponsePart)]
    return bool(results) and all(part.id in asked for part in results)


def _different(tools: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({render.value_text(tool): tool for tool in tools}.values())


def _sum(calls: Sequence[LLMCall]) -> Usage:
    counts = [call.usage.to_dict() for call in calls]
    return Usage(**{name: sum(count.get(name, 0) for count in counts) for name in set().union(*counts)})


def _trace(call: LLMCall) -> Hashable:
    return call.trace_id if call.is_chat and not call.is_unanswered else call.key


_WAYS: dict[Join, tuple[Callable[[LLMCall], Hashable], _MakeOne]] = {
    Join.INPUT: (_asked, _comparison),
    Join.TRACE: (_trace, _run),
}
