"""Calls that failed before any answer came: skipped, or taken for those who review errors (setting ``failed_calls``).

What is taken is a reading as any other: the call's input and the error's type, without an answer. It is settled with
what else is told of the call (`same_call` says how), and its task has no prediction.
"""

from __future__ import annotations

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import Skip


def with_failed_calls(reading: tuple[LLMCall, ...] | Skip) -> tuple[LLMCall, ...] | Skip:
    """The failed calls in the place of the skip that has them."""
    return reading.failed if isinstance(reading, Skip) and reading.failed else reading
