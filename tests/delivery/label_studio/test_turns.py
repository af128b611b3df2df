"""One import at a time for one server, but for one that hangs."""

from __future__ import annotations

import pytest

from otel_labelstudio.delivery.label_studio.turns import PATIENCE_S, Turns
from otel_labelstudio.errors import RetryableDeliveryError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_at_a_time() -> None:
    """Who has no turn within the time gets none; the next one does when it is given back."""
    turns = Turns(Clock())
    with turns.turn(0), pytest.raises(RetryableDeliveryError), turns.turn(0):
        pytest.fail("two turns at once")
    with turns.turn(0):
        pass


def test_one_that_hangs_is_waited_for_no_more() -> None:
    """Then others have turns beside it, one at a time again."""
    clock = Clock()
    turns = Turns(clock)
    with turns.turn(0):
        clock.now += PATIENCE_S
        with turns.turn(0), pytest.raises(RetryableDeliveryError), turns.turn(0):
            pytest.fail("two turns at once")
        with turns.turn(0):
            pass


def test_a_turn_is_given_back_where_it_fails() -> None:
    """Whatever is raised within it."""
    turns = Turns(Clock())
    with pytest.raises(ZeroDivisionError), turns.turn(0):
        raise ZeroDivisionError
    with turns.turn(0):
        pass
