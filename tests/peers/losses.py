"""What a peer's telemetry does not hold of what went over the wire: each told narrowly, so that all else must be read.

A loss changes the facts of the wire into those that the telemetry has. Where a peer begins to tell what it did not tell
before, the loss no longer holds and its test fails, as it does where our reading loses something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any, TypeAlias
from unittest.mock import ANY

from tests.peers.chat_answers import pieces_of
from tests.peers.facts import Facts, text
from tests.peers.scenarios import Json

Change: TypeAlias = Callable[[Facts], Facts]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost in these scenarios, and why; without a ``change`` it is the whole call.

    ``stands_in`` names where the telemetry has it all the same, and so says why we do not read it from there. Without
    one, no text that is lost may stand anywhere in the telemetry of the call.
    """

    reason: str
    scenarios: tuple[str, ...]
    change: Change | None = None
    stands_in: str = ""


def texts_of(value: Any) -> Iterator[str]:
    """Every text in facts or in what they hold."""
    if isinstance(value, Facts):
        yield from texts_of([value.input, value.output, value.tools, value.parameters])
        yield from texts_of([value.request_model, value.response_model, value.response_id])
    elif isinstance(value, dict):
        yield from texts_of([*value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, str):
        yield value


def without(*names: str) -> Change:
    """Nothing of these."""
    empty: dict[str, Any] = {"tools": [], "input": [], "usage": {}}
    changes = {name: empty[name] for name in names}
    return lambda facts: replace(facts, **changes)


def without_counts(*names: str) -> Change:
    """Without some of the token counts."""
    return lambda facts: replace(facts, usage={k: v for k, v in facts.usage.items() if k not in names})


def without_parameters(*names: str) -> Change:
    """Without some of the request's parameters."""
    return lambda facts: replace(facts, parameters={k: v for k, v in facts.parameters.items() if k not in names})


def with_parts(of: str, change: Callable[[Json], Json | None]) -> Change:
    """Each part of the ``input`` or ``output`` as it stands there, or left out."""
    return partial(_with_parts, of, change)


def without_id(kind: str) -> Callable[[Json], Json]:
    """Parts of a kind without their ids."""
    return lambda part: {k: v for k, v in part.items() if k != "id"} if part["type"] == kind else part


def without_kind(kind: str) -> Callable[[Json], Json | None]:
    """No parts of a kind."""
    return lambda part: None if part["type"] == kind else part


def item_id(part: Json) -> Json:
    """A tool call of a response by the id of its item."""
    return {**part, "id": f"fc_{part['id'].split('_')[1]}"}


def replaced_media(part: Json) -> Json:
    """Media of which it is only said that they were there."""
    return {**part, "content": ""} if part["type"] == "blob" else part


def texts_last(facts: Facts) -> Facts:
    """The answer's texts after its other parts."""
    return replace(
        facts, output=[_sorted_parts(each, key=lambda part: part["type"] == "text") for each in facts.output]
    )


def texts_first(facts: Facts) -> Facts:
    """The answer's texts before its other parts."""
    return replace(
        facts, output=[_sorted_parts(each, key=lambda part: part["type"] != "text") for each in facts.output]
    )


def choices_joined(facts: Facts) -> Facts:
    """The pieces of several choices in the order in which they were streamed, as one."""
    pieces = zip_longest(*(pieces_of(each["parts"][0]["content"]) for each in facts.output), fillvalue="")
    return replace(facts, output=[{**facts.output[0], "parts": [text("".join(map("".join, pieces)))]}])


def with_requested_model(facts: Facts) -> Facts:
    """The model that answered is said to be the one that was asked for."""
    return replace(facts, response_model=facts.request_model)


def with_own_id(facts: Facts) -> Facts:
    """An id that nobody can foresee."""
    return replace(facts, response_id=ANY)


def with_echoed_parameters(facts: Facts) -> Facts:
    """Those of the request, and what the stand-in's answer says of the others."""
    return replace(facts, parameters={"temperature": 1.0, "top_p": 1.0, **facts.parameters})


def first_message_alone(facts: Facts) -> Facts:
    """Of the input, the first message."""
    return replace(facts, input=facts.input[:1])


def without_first_message(facts: Facts) -> Facts:
    """Of the input, all but the first message."""
    return replace(facts, input=facts.input[1:])


def broken_off(told: str, finish_reason: str | None) -> Change:
    """The answer as far as the application has read it, and no usage, which comes last."""
    output: list[Json] = [{"parts": [text(told)], "finish_reason": finish_reason}]
    return lambda facts: replace(facts, output=output, usage={})


def _sorted_parts(message: Json, key: Callable[[Json], bool]) -> Json:
    return {**message, "parts": sorted(message["parts"], key=key)}


def _with_parts(of: str, change: Callable[[Json], Json | None], facts: Facts) -> Facts:
    messages: Any = [
        {**message, "parts": [changed for part in message["parts"] if (changed := change(part)) is not None]}
        for message in getattr(facts, of)
    ]
    return replace(facts, **{of: messages})
