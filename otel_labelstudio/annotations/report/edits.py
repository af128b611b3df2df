"""Which words people put in the place of which: what a prompt's author should hear first.

Words are compared by difflib. All is bounded: very long answers are not compared, long passages are no phrase but a
rewrite, and of phrases that come once only so many are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.annotations.report.links import link_to
from otel_labelstudio.annotations.report.records import Edit, TaskLink
from otel_labelstudio.annotations.report.seen import seen_answers
from otel_labelstudio.annotations.report.tally import BECAME, EDITED

_MOST_WORDS = 2_000  # of an answer: difflib is quadratic at its worst
_LONGEST_PHRASE = 8
_MOST_PHRASES = 50_000
SHOWN = 20


@dataclass(slots=True)
class _Seen:
    calls: int
    example: TaskLink


class EditTally:
    """Counts phrases, each once a call however often it comes in it."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def add(self, judged: JudgedCall) -> None:
        """A call with all that people changed in its answers."""
        answers = [answer for judgement in judged.judgements for answer in seen_answers(judgement)]
        edited = [(answer.base, answer.final) for answer in answers if BECAME[answer.act] == EDITED]
        for phrase in {phrase for base, final in edited if final for phrase in phrases(base, final)}:
            if phrase in self._seen:
                self._seen[phrase].calls += 1
            else:
                self._seen[phrase] = _Seen(1, link_to(judged.task))
        if len(self._seen) > _MOST_PHRASES:
            self._seen = {phrase: seen for phrase, seen in self._seen.items() if seen.calls > 1}

    def most_frequent(self) -> tuple[Edit, ...]:
        """The phrases that were changed in most calls."""
        ordered = sorted(self._seen.items(), key=lambda item: (-item[1].calls, item[0]))
        return tuple(Edit(*phrase, seen.calls, seen.example) for phrase, seen in ordered[:SHOWN])


def phrases(base: str, final: str) -> Iterator[tuple[str, str]]:
    """The words that differ, as (removed, inserted); passages that are too long to be a phrase are left out."""
    before, after = base.split(), final.split()
    if max(len(before), len(after)) > _MOST_WORDS:
        return
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal" and max(j - i, m - k) <= _LONGEST_PHRASE:
            yield " ".join(before[i:j]), " ".join(after[k:m])
