"""The variables of the layouts, in the tags that they are for, and what fills them.

Foreign text may stand in a ``HyperText`` as HTML of `safe_html`, and in a ``Header`` as text: of what is shown there
Label Studio runs nothing. The same variables in any other tag are filled as everyone's are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from otel_labelstudio.calls import JOINED, LLMCall
from otel_labelstudio.tasks.safe_html import answer_html, choices_html, dialogue_html, request_html, steps_html

Fill = Callable[[LLMCall], Any]

# As many choices as there are digits to choose them by
_DIGITS = 9
# Characters of a fact: the line is one line
_MAX_FACT = 60
_ITEM = re.compile(r"(\w+)\[[^\]]*\]\.html")


def fill_of(tag: str, variable: str) -> Fill | None:
    """What fills a variable that a tag of this type shows; None for one that no layout has."""
    if found := _ITEM.fullmatch(variable):
        variable = f"{found[1]}[].html"
    return _FILLS.get((tag, variable))


def _items(pages: Callable[[LLMCall], list[str]]) -> Fill:
    return lambda call: [{"html": html} for html in pages(call)]


def _numbers_of_choices(call: LLMCall) -> list[dict[str, str]]:
    """The choices by their numbers, with the digit as the key, and a way to say that none is good."""
    count = max(1, len(call.output_messages))
    numbers = [{"value": str(number), "hotkey": str(number)} for number in range(1, min(count, _DIGITS) + 1)]
    others = [{"value": str(number)} for number in range(_DIGITS + 1, count + 1)]
    return [*numbers, *others, {"value": "none", "hotkey": "0"}]


def _facts(call: LLMCall) -> str:
    """One line of what is not in the dialogue: how it was answered, and by whom."""
    usage, duration_s = call.usage, (call.end_time_unix_nano - call.start_time_unix_nano) / 1e9
    tokens = f"{_count(usage.input_tokens)} → {_count(usage.output_tokens)} tokens"
    facts = (
        call.model or ("several models" if JOINED in call.metadata else "unknown model"),
        f"{duration_s:,.1f} s",
        tokens if tokens != "? → ? tokens" else None,
        ", ".join(dict.fromkeys(call.finish_reasons)),
        call.service_name,
        call.error_type,
    )
    return " · ".join(fact[:_MAX_FACT] for fact in facts if fact)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"


def _rating_title(call: LLMCall) -> str:
    """Whose answer a rating judges: the corrected one has none."""
    count = len(call.output_messages)
    whose = "the model's answer" if count < 2 else f"answer 1 of the model's {count}"
    return f"Rate {whose}, as it came:"


_FILLS: dict[tuple[str, str], Fill] = {
    ("HyperText", "dialogue_html"): dialogue_html,
    ("HyperText", "answer_html"): answer_html,
    ("HyperText", "choices[].html"): _items(choices_html),
    ("HyperText", "request_html"): request_html,
    ("HyperText", "steps[].html"): _items(steps_html),
    ("Choices", "choice_numbers"): _numbers_of_choices,
    ("Header", "call_facts"): _facts,
    ("Header", "rating_title"): _rating_title,
}
