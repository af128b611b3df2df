"""What a team of three said in two weeks of the calls of two models: enough of everything for a page to show."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

from otel_labelstudio.annotations.records import Act, AnnotatedProject, Disregarded, JudgedCall, Judgement, Verdict
from tests.annotations.report.judged import (
    NOON,
    answer,
    best,
    chosen,
    comment,
    edited,
    judged,
    judgement,
    rating,
)

REVIEW = AnnotatedProject(3, "Support: review", "http://labels.example:8080")
COMPARE = AnnotatedProject(4, "Support: compare", "http://labels.example:8080")
NEW_PROMPT = NOON + timedelta(days=7)
_EDITS = (
    ("Dear customer, it ships on Monday.", "Hello, it ships on Monday.", 0.83),
    ("Dear customer, we regret the delay.", "Hello, sorry for the delay.", 0.61),
    ("It ships in 3-5 business days.", "It ships within a week.", 0.55),
)
_REASONS = ("wrong fact", "ignores instruction", "style", "wrong tool call")


def calls(seed: int = 3) -> Iterator[JudgedCall]:
    """260 calls, of which 40 were judged by two people, and 60 have three answers to compare."""
    chance = random.Random(seed)
    for number in range(200):
        model = "gpt-4o-mini" if number % 2 else "gpt-4o"
        at = NOON + timedelta(hours=number * 336 / 200)
        is_new = at >= NEW_PROMPT
        quality = 0.55 + 0.2 * (model == "gpt-4o") + 0.15 * is_new
        people = range(1, 3) if number % 5 == 0 else (chance.choice((1, 1, 2, 3)),)
        is_good = chance.random() < quality
        said = [_review(chance, by, is_good=is_good if chance.random() < 0.9 else not is_good) for by in people]
        yield judged(*said, model=model, at=at, project=REVIEW, metadata={"prompt_version": "v8" if is_new else "v7"})
    for number in range(60):
        first = chance.choice((0, 0, 1, 1, 1, 2))
        answers = [answer(index=index) for index in range(3)]
        one = judgement(
            *answers, by=1 + number % 3, preferences=best(first, 3), says=[chosen(str(first + 1), name="best")]
        )
        yield judged(one, model="gpt-4o-mini", at=NOON + timedelta(hours=number), project=COMPARE)
    yield judged(disregarded=[Disregarded.SKIPPED], project=REVIEW)


def _review(chance: random.Random, by: int, *, is_good: bool) -> Judgement:
    if is_good:
        says: list[Verdict] = [chosen("good"), rating(chance.choice((4, 5, 5)))]
        return judgement(answer(), by=by, says=says, lead_time_s=chance.uniform(8, 40))
    says = [chosen("bad"), rating(chance.choice((1, 2, 2, 3))), chosen(chance.choice(_REASONS), name="reasons")]
    if chance.random() < 0.2:
        says.append(comment("The customer asked for a date, and there is none in it."))
    base, final, similarity = chance.choice(_EDITS)
    became = answer(Act.REMOVED) if chance.random() < 0.15 else edited(final, similarity, base=base)
    return judgement(became, by=by, says=says, lead_time_s=chance.uniform(30, 180))
