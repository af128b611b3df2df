"""What the stand-in answers: fixed texts and tool calls for the demo's conversations, a plain one for all else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the request's tools."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One choice of an answer: text, or tool calls, or both."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Script:
    """Answers to a request whose last message has the role and matches the pattern; one for each choice asked for."""

    role: str
    pattern: str
    answers: tuple[Answer, ...]
    tools: frozenset[str] = field(default=frozenset())

    def fits(self, role: str, text: str, tools: frozenset[str]) -> bool:
        """Whether this is the script for the message, given the names of the tools that the request offers."""
        return role == self.role and self.tools <= tools and re.search(self.pattern, text, re.IGNORECASE) is not None


def answers_to(role: str, text: str, tools: Iterable[str], count: int) -> list[Answer]:
    """The first fitting script's answers, from the top again where more are asked for than there are.

    Args:
        role: the last message's role; ``prompt`` for a text completion.
        text: its text.
        tools: the names of the tools that the request offers.
        count: the number of choices.
    """
    offered = frozenset(tools)
    answers = next((script.answers for script in SCRIPTS if script.fits(role, text, offered)), None)
    answers = answers or (_plain_answer(role, text),)
    return [answers[i % len(answers)] for i in range(count)]


def _plain_answer(role: str, text: str) -> Answer:
    first_words = " ".join(text.split()[:12])
    if role == "tool":
        return Answer(f"The tool says: {first_words}")
    return Answer(f'This is a stand-in for a model, with no answer of its own to: "{first_words}"')


def _one(role: str, pattern: str, text: str) -> Script:
    return Script(role, pattern, (Answer(text),))


def _calls(pattern: str, *calls: ToolCall) -> Script:
    return Script("user", pattern, (Answer(tool_calls=calls),), frozenset(call.name for call in calls))


def _several(pattern: str, *texts: str) -> Script:
    return Script("user", pattern, tuple(map(Answer, texts)))


_INTERVALS = """\
Sort the intervals by their start; then each one either extends the last merged interval or begins a new one:

```python
def merge(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
```

`merge([(5, 8), (1, 3), (2, 4)])` gives `[(1, 4), (5, 8)]`."""

_INTERVALS_COST = """\
- **Time:** O(n log n), all of it from the sort; the loop itself is O(n).
- **Space:** O(n) for the sorted copy and the result.

If the intervals arrive sorted, drop `sorted()` and it runs in O(n)."""

_SCRIPT_TAG = """\
The page shows the tag because something escaped it: the browser received `&lt;script&gt;` instead of `<script>`.

1. Template engines such as Jinja escape every value by default. That is what you want here.
2. Do not switch it off with `|safe`: a comment with `<script>alert("hi")</script>` would then run for each visitor.
3. If comments may hold *some* markup, clean them with an allow-list sanitizer, and mark only its result as safe."""

_SUMMARY = """\
- Checkout failed for 23 minutes (14:02 to 14:25 UTC); about 1,900 orders could not be placed.
- Cause: a migration locked the `payments` table while traffic was at its peak.
- Fix: the migration was cancelled, then run at night in batches.
- Next: a lock timeout for all migrations (Priya, by Friday), and an alert on failed checkouts (Tom)."""

_REFUSAL = """\
I can't help with writing a doctor's note that no doctor has signed: it could cost you your job, and using it is an \
offence in many places.

What I can do is help you write a short, honest message to your manager. For example:

> Hi Dana, I'm not well and won't be able to work on Thursday and Friday. I'll hand over what is urgent today."""

_SHIPPED_LATE = """\
Order HB-20418 has not left our warehouse yet: the trail helmet is out of stock until 3 December. Since it has not \
shipped, you can still cancel it at no cost.

Would you like me to cancel it, or keep it and switch to the same helmet in grey, which could ship today?"""

_CANCELLED = """\
Done: order HB-20418 is cancelled, and 89.00 EUR go back to your card within 3 to 5 working days. \
You will get a confirmation by e-mail. Sorry for the wait!"""

_PACKING = """\
Pack for two climates:

- **Lisbon:** 19 °C and sunny. A light jacket for the evening is enough.
- **Oslo:** -2 °C with snow. Warm coat, gloves, and shoes with a good grip.

Your flight has a stop in Oslo, so keep the coat in your hand luggage."""

_SQL = """
SELECT c.name, SUM(o.total) AS revenue
FROM customers AS c
JOIN orders AS o ON o.customer_id = c.id
WHERE o.created_at >= DATE '2026-01-01'
GROUP BY c.id, c.name
ORDER BY revenue DESC
LIMIT 5;"""

SCRIPTS: tuple[Script, ...] = (
    _calls(r"HB-20418", ToolCall("look_up_order", {"order_id": "HB-20418"})),
    _calls(r"cancel it", ToolCall("cancel_order", {"order_id": "HB-20418", "reason": "late"})),
    _one("tool", r"out of stock", _SHIPPED_LATE),
    _one("tool", r"refund", _CANCELLED),
    _calls(
        r"what should I pack",
        ToolCall("weather_forecast", {"city": "Lisbon", "days": 3}),
        ToolCall("weather_forecast", {"city": "Oslo", "days": 3}),
    ),
    _one("tool", r"snow|sunny", _PACKING),
    _one("user", r"overlapping intervals", _INTERVALS),
    _one("user", r"how expensive", _INTERVALS_COST),
    _one("user", r"<script>", _SCRIPT_TAG),
    _one("user", r"summari[sz]e", _SUMMARY),
    _one("user", r"doctor's note", _REFUSAL),
    _several(r"slogan", "Every road, your road.", "Built for the long way home.", "Go far. Arrive smiling."),
    _several(
        r"subject line",
        "Checkout is working again",
        "URGENT!!! Your order may be LOST",
        "What happened to orders between 14:02 and 14:25 today, and what we did about it",
    ),
    _several(
        r"review",
        "Thank you, and sorry about the bell! A new one is on its way to you, free of charge.",
        "We are glad that you like the bike. Bells are not covered by the warranty.",
        "Sorry to hear that. Please write to us.",
    ),
    _one("prompt", r"SQL", _SQL),
    _one(
        "prompt",
        r"<h1>",
        "\n<h1>Winter tyres, fitted while you wait</h1>\n<p>Book online, drive away in 40 minutes.</p>",
    ),
    _one("prompt", r"Ticket: .*charged twice", " billing"),
    _one("prompt", r"Ticket: .*crash", " bug"),
    Script(
        "prompt",
        r"slogan",
        (Answer("\n\nEvery road, your road."), Answer("\n\nBuilt for the long way home.")),
    ),
    _one("prompt", r"French", " Votre commande a été expédiée ce matin ; vous la recevrez d'ici vendredi."),
)
"""In this order; the first that fits answers."""


def arguments_text(call: ToolCall) -> str:
    """The arguments as the API sends them: JSON in a string."""
    return json.dumps(call.arguments)
