"""Calls that have only the new turns of a conversation, the earlier ones being those of another call.

A request names the answer that it goes on from (``previous_response_id``), a span the one that it adds to, and some
write what is new since the last call of the conversation. The earlier turns come in front where that call is at hand,
as the same instrumentation has read it; where it is not, the call says that it is incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from otel_labelstudio.calls import LLMCall, Message

EARLIER_TURNS_MISSING = "the earlier turns of the conversation stand on another span, which is not at hand"

# Where a call keeps it until the turns are there; the name of the conventions' request parameter
CONTINUES, PREVIOUS_RESPONSE = "continues", "previous_response.id"


@dataclass(frozen=True, slots=True)
class Continuation:
    """Which call has the earlier turns: that of a span, of a response, or the last of the conversation.

    ``dropped`` of its last messages are not part of this call. ``has_answer``: the new turns begin with its answer.
    """

    span_id: str = ""
    response_id: str = ""
    is_of_conversation: bool = False
    dropped: int = 0
    has_answer: bool = True


def continuation_facts(continuation: Continuation) -> dict[str, Any]:
    """The continuation as a fact of a call, for `Findings`."""
    return {"metadata": {CONTINUES: {name: value for name, value in asdict(continuation).items() if value}}}


def continuation_of(call: LLMCall) -> Continuation | None:
    """Which call has this one's earlier turns; None where it has them itself."""
    held = call.metadata.get(CONTINUES)
    if isinstance(held, dict):
        return Continuation(**{"has_answer": False, **held})
    response_id = call.request_parameters.get(PREVIOUS_RESPONSE)
    is_told = any(message.role == "assistant" for message in call.input_messages)
    return Continuation(response_id=str(response_id), has_answer=False) if response_id and not is_told else None


def marked(call: LLMCall) -> LLMCall:
    """The call, which says so where its earlier turns are elsewhere."""
    continuation = continuation_of(call)
    if continuation is None or (continuation.is_of_conversation and _begins(call)):
        return call
    return replace(call, incomplete=(*call.incomplete, EARLIER_TURNS_MISSING))


def _begins(call: LLMCall) -> bool:
    """Whether it may be the conversation's first call: no answer stands at its beginning."""
    return not call.input_messages or call.input_messages[0].role in ("system", "user")


def with_earlier_turns(call: LLMCall, earlier: LLMCall) -> LLMCall:
    """The call with the turns of the one that it continues in front, which has to be whole itself."""
    continuation = continuation_of(call)
    if continuation is None or EARLIER_TURNS_MISSING in earlier.incomplete:
        return call
    turns = earlier.input_messages[: len(earlier.input_messages) - continuation.dropped]
    if not continuation.has_answer:
        turns += _answers(earlier)
    return replace(
        call,
        system_instructions=call.system_instructions or earlier.system_instructions,
        input_messages=(*turns, *call.input_messages),
        incomplete=tuple(said for said in call.incomplete if said != EARLIER_TURNS_MISSING),
        metadata={name: value for name, value in call.metadata.items() if name != CONTINUES},
    )


def with_turns_of_each_other(
    calls: Iterable[LLMCall], find: Callable[[LLMCall, Continuation], LLMCall | None] = lambda *_: None
) -> Iterator[LLMCall]:
    """Calls in the order in which they started, each with the earlier turns that another of them has.

    ``find`` is asked for a call that is not among them.
    """
    known: dict[tuple[str, ...], LLMCall] = {}
    for call in sorted(calls, key=lambda call: call.start_time_unix_nano):
        continuation = continuation_of(call)
        earlier = (known.get(_key(call, continuation)) or find(call, continuation)) if continuation else None
        whole = with_earlier_turns(call, earlier) if earlier else call
        known |= dict.fromkeys(_keys(whole), whole)
        yield whole


def _key(call: LLMCall, continuation: Continuation) -> tuple[str, ...]:
    if continuation.span_id:
        return "span", continuation.span_id
    if continuation.response_id:
        return "response", continuation.response_id, call.scope
    return "conversation", call.conversation_id or "", call.scope


def _keys(call: LLMCall) -> Iterator[tuple[str, ...]]:
    yield "span", call.span_id
    if call.response_id:
        yield "response", call.response_id, call.scope
    if call.conversation_id and not call.is_unanswered:  # nothing goes on from an answer that never came
        yield "conversation", call.conversation_id, call.scope


def _answers(call: LLMCall) -> tuple[Message, ...]:
    """The answer as a turn; of several choices, nobody knows with which the conversation went on."""
    return tuple(replace(message, finish_reason=None) for message in call.output_messages[:1])
