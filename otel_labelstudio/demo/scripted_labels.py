"""What the scripted labeler says of the demo's answers: what a person who knows the shop might say."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Of an answer in which ``pattern`` is found: regular expressions, and what takes the place of what they find."""

    pattern: str
    replaced: tuple[tuple[str, str], ...] = ()

    def corrected(self, text: str) -> str:
        """The answer as the labeler leaves it."""
        for found, instead in self.replaced:
            text = re.sub(found, instead, text)
        return text


@dataclass(frozen=True, kw_only=True)
class Review(Correction):
    """What is said of one answer."""

    verdict: str = "good"
    rating: int = 5
    reasons: tuple[str, ...] = ()
    comment: str = ""
    is_skipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Choice(Correction):
    """Which of several answers is the best, by its place from 0; the pattern is found in the first of them."""

    best: int


def review_of(answer: str) -> Review:
    """The first review that fits; of any other answer, that it is good."""
    return next((one for one in REVIEWS if re.search(one.pattern, answer)), Review(pattern="", rating=4))


def choice_of(first_answer: str) -> Choice:
    """The first choice that fits; of any other answers, the first."""
    return next((one for one in CHOICES if re.search(one.pattern, first_answer)), Choice(pattern="", best=0))


REVIEWS = (
    Review(pattern=r"\[tool call\] look_up_order"),
    Review(
        pattern=r"switch to the same helmet in grey",
        verdict="bad",
        rating=2,
        reasons=("wrong fact",),
        replaced=((r", or keep it and switch to .*\?", "?"),),
        comment="The order says nothing of a grey one.",
    ),
    Review(
        pattern=r"\[tool call\] cancel_order",
        verdict="bad",
        rating=2,
        reasons=("wrong tool call",),
        replaced=((r'"late"', '"does not want grey"'),),
        comment="That is not the reason that the customer gave.",
    ),
    Review(pattern=r"is cancelled, and 89.00 EUR"),
    Review(pattern=r"Pack for two climates", rating=4),
    Review(
        pattern=r"Next: a lock timeout",
        verdict="bad",
        rating=2,
        reasons=("wrong fact",),
        replaced=((r" while traffic was at its peak", ""), (r"\n- Next: .*", "")),
        comment="Nobody has said what is next.",
    ),
    Review(pattern=r"doctor's note", is_skipped=True),
)

CHOICES = (
    Choice(pattern=r"Every road, your road", best=1),
    Choice(pattern=r"Checkout is working again", best=2, replaced=((r" today", ""),)),
    Choice(pattern=r"sorry about the bell", best=0),
)
