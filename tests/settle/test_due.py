"""What is due becomes calls, whatever is due beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall, TextPart
from otel_labelstudio.earlier_turns import Continuation, continuation_facts
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.filters.selection import RoutedCall, Selection
from otel_labelstudio.outbox.accepting import Accepting
from otel_labelstudio.outbox.settling import SettlingRows
from otel_labelstudio.spans.model import Span
from tests.hostile.all_kinds import dialogue, span
from tests.outbox.calls import number_of, numbered
from tests.settle.stepwise import SETTLE_S, Stepwise

# Comparing raises on it: another version wrote what it continues
INCOMPARABLE: dict[str, Any] = {"metadata": {"continues": {"of another version": 1}}}


def delivered(stages: Stepwise) -> list[int]:
    return sorted(map(number_of, stages.calls))


# -- readings ----------------------------------------------------------------------------------------------------


def test_two_readings_of_a_call_are_delivered_once() -> None:
    """When the first of them has waited: it is compared with what is due later."""
    stages = Stepwise()
    stages.accept(numbered(1))
    stages.wait(SETTLE_S / 2)
    stages.accept(numbered(1, "client"))
    stages.wait(SETTLE_S / 2)
    assert delivered(stages) == [1]
    stages.wait(SETTLE_S)
    assert delivered(stages) == [1]
    assert stages.count("calls.late_duplicates") == 0


def test_a_reading_that_comes_after_its_call_was_settled_is_a_late_duplicate() -> None:
    """It is counted, and delivered no second time."""
    stages = Stepwise()
    stages.accept(numbered(1))
    stages.wait(SETTLE_S)
    stages.accept(numbered(1, "client"))
    stages.wait(SETTLE_S)
    assert delivered(stages) == [1]
    assert stages.count("calls.late_duplicates") == 1


def test_a_reading_that_cannot_be_compared_is_a_dead_letter_alone() -> None:
    """It keeps its bytes; the calls beside it go, and those with two readings go once."""
    stages = Stepwise()
    stages.accept(*map(numbered, range(1, 20)), numbered(50, **INCOMPARABLE), *(numbered(n, "client") for n in (3, 9)))
    stages.wait(SETTLE_S)
    assert delivered(stages) == list(range(1, 20))
    (letter,) = stages.pipeline.dead_letters()
    assert letter.call == numbered(50, **INCOMPARABLE)
    assert letter.reason == "cannot be settled (TypeError)"
    assert stages.count("tasks.rejected[unreadable]") == 1


def test_one_that_is_due_later_holds_up_nobody() -> None:
    """What is due is settled without it, still once, and it becomes a dead letter when it is due itself."""
    stages = Stepwise()
    stages.accept(numbered(1), numbered(1, "client"))
    stages.wait(SETTLE_S / 2)
    stages.accept(numbered(50, **INCOMPARABLE))
    stages.wait(SETTLE_S / 2)
    assert (delivered(stages), stages.reasons) == ([1], [])
    stages.wait(SETTLE_S)
    assert stages.reasons == ["cannot be settled (TypeError)"]
    assert len(stages.outbox) == 0


def test_a_damaged_reading_is_a_dead_letter_alone() -> None:
    """Due or due later."""
    stages = Stepwise()
    stages.accept(numbered(1), numbered(2))
    stages.wait(SETTLE_S / 2)
    stages.accept(numbered(3), numbered(4))
    with stages.outbox.database.transaction() as db:
        db.execute("UPDATE readings SET body = substr(body, 2) WHERE seq IN (1, 3)")
    stages.wait(SETTLE_S / 2)
    assert delivered(stages) == [2]
    assert stages.reasons == ["cannot be read (JSONDecodeError)"] * 2
    stages.wait(SETTLE_S)
    assert delivered(stages) == [2, 4]


@pytest.mark.parametrize(
    "continuation",
    [Continuation(response_id="answer-1", has_answer=False), Continuation(span_id=numbered(1).span_id)],
    ids=["of a response", "of a span"],
)
@pytest.mark.parametrize("is_settled_before", [False, True])
def test_earlier_turns_come_from_the_call_that_is_continued(
    continuation: Continuation, is_settled_before: bool
) -> None:
    """Whether it settles beside the one that continues it, or was delivered before."""
    stages = Stepwise()
    stages.accept(numbered(1, response_id="answer-1"))
    if is_settled_before:
        stages.wait(SETTLE_S)
    stages.accept(numbered(2, trace_id=numbered(1).trace_id, **continuation_facts(continuation)))
    stages.wait(SETTLE_S)
    (call,) = (call for call in stages.calls if call.span_id == numbered(2).span_id)
    said = [part.content for m in call.input_messages for part in m.parts if isinstance(part, TextPart)]
    assert said[0] == "Question number 1?"
    assert said[-1] == "Question number 2?"


# -- what is held ------------------------------------------------------------------------------------------------


def failing(function: Callable[..., Any], is_to_blame: Callable[..., bool]) -> Callable[..., Any]:
    """A stage's function, which raises on some of what it is given."""

    def fail(*arguments: Any, **named: Any) -> Any:
        if is_to_blame(*arguments[1:]):
            raise ZeroDivisionError
        return function(*arguments, **named)

    return fail


def test_what_cannot_be_written_down_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox takes the other spans of the same round; the one to blame is a dead letter, and not tried for ever."""
    put = failing(Accepting.put, lambda call, _: number_of(call) == 2)
    monkeypatch.setattr(Accepting, "put", put)
    stages = Stepwise()
    for number in (1, 2, 3):
        stages.accept(span(number), *dialogue(number))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert delivered(stages) == [1, 3]
    assert stages.reasons == ["cannot be settled (ZeroDivisionError)"] * 3  # the span and its two log records
    assert (stages.held, stages.count("tasks.rejected[settling_failed]")) == (0, 3)


def test_held_telemetry_that_cannot_be_settled_keeps_no_reading_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody can tell what is to blame."""
    monkeypatch.setattr(SettlingRows, "due_groups", failing(SettlingRows.due_groups, lambda *_: True))
    stages = Stepwise()
    stages.accept(numbered(1), span(2))
    stages.clock.now += SETTLE_S
    with pytest.raises(ZeroDivisionError):
        stages.settler.settle(stages.clock())
    assert stages.outbox.figures.status().states["pending"] == 1


def test_a_disk_that_fails_buries_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, and all is there when the disk works again."""
    stages = Stepwise()
    stages.accept(numbered(1), span(2), *dialogue(2))
    with monkeypatch.context() as broken:

        def fail(*_: Any, **__: Any) -> None:
            raise OutboxError("the disk is full")

        broken.setattr(SettlingRows, "release", fail)
        broken.setattr(SettlingRows, "settle", fail)
        stages.clock.now += SETTLE_S
        with pytest.raises(OutboxError):
            stages.settler.settle(stages.clock())
    assert (stages.reasons, stages.held) == ([], 3)
    stages.wait(0)
    stages.wait(SETTLE_S)
    assert delivered(stages) == [1, 2]


def test_what_was_held_passes_the_filter() -> None:
    """As what is read at once does: it may be there to keep a secret."""
    stages = Stepwise(call_filter=lambda call: None if number_of(call) == 1 else call)
    stages.accept(span(1), *dialogue(1), span(2), *dialogue(2))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert delivered(stages) == [2]
    assert stages.count("calls.dropped[filtered]") == 1


def test_a_call_that_cannot_be_routed_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came with it go on, from whatever door."""
    address = Selection._destination

    def fail(selection: Selection, at: Span | None, *further: Any) -> str:
        if at is not None and at.span_id == span(1).span_id:
            raise ZeroDivisionError
        return address(selection, at, *further)

    monkeypatch.setattr(Selection, "_destination", fail)
    stages = Stepwise()
    stages.accept(span(1), *dialogue(1), span(2), *dialogue(2), numbered(3))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert delivered(stages) == [2, 3]
    assert stages.count("calls.dropped[fault]") == 1


def test_a_selection_that_raises_costs_one_call_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans and calls of one batch are selected one by one."""
    ask = Selection.routed

    def fail(
        selection: Selection, calls: Iterable[LLMCall], accepted_at: float, of: Span | None = None
    ) -> list[RoutedCall]:
        if any(number_of(call) == 1 for call in calls):
            raise ZeroDivisionError
        return ask(selection, calls, accepted_at, of)

    monkeypatch.setattr(Selection, "routed", fail)
    stages = Stepwise()
    assert stages.pipeline.accept_calls([numbered(1), numbered(2)])
    stages.wait(SETTLE_S)
    assert delivered(stages) == [2]
    assert stages.count("calls.dropped[fault]") == 1
