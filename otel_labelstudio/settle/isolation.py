"""One item on which something fails must not cost the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from otel_labelstudio.errors import OutboxError

_T = TypeVar("_T")


def isolate(items: Sequence[_T], work: Callable[[Sequence[_T]], None], set_aside: Callable[[_T, str], None]) -> None:
    """Work on all of the items together; where that raises, on halves of them, down to the items that are to blame.

    Those are set aside with the type of the error, whose message may repeat what an item says. `OutboxError` is the
    fault of none of them, and raised.
    """
    if not items:
        return
    try:
        work(items)
    except OutboxError:
        raise
    except Exception as error:
        if len(items) == 1:
            set_aside(items[0], type(error).__name__)
            return
        middle = len(items) // 2
        isolate(items[:middle], work, set_aside)
        isolate(items[middle:], work, set_aside)
