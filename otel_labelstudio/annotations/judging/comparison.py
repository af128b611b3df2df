"""The model's answers beside what a person left: which text came of which, and what became of it.

Label Studio keeps no ids for the texts of a box, and their places shift when one is removed. So texts are brought
together in four passes, each over what the ones before it left: the same text; the same words; the most similar one, if
at least half of it is left; the one in the same place, if there are as many as there were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otel_labelstudio.annotations.judging.similarity import similarity
from otel_labelstudio.annotations.records import Act, JudgedAnswer

EDIT = 0.5
"""Similarity from which a text counts as an edit of another."""

# Zero-width space, word joiner, byte order mark: what is pasted along with a text
_INVISIBLE = dict.fromkeys((0x200B, 0x2060, 0xFEFF))
# More texts than any call has answers: a script's. The rest of them stands for none of the model's
_MOST_COMPARED = 32


@dataclass(frozen=True, slots=True)
class Compared:
    """One judged answer for each of the model's, and the texts that stand for none of them."""

    answers: tuple[JudgedAnswer, ...]
    written: tuple[str, ...] = field(default=(), repr=False)


def compare(bases: Sequence[str], finals: Sequence[str]) -> Compared:
    """What became of each of the model's answers."""
    finals = [_with_line_ends_of(bases, final) for final in finals]
    partner = _partners(bases, finals)
    answers = [_judged(i, base, finals[partner[i]] if i in partner else None) for i, base in enumerate(bases)]
    taken = set(partner.values())
    written = [text for i, text in enumerate(finals) if i not in taken and text.strip()]
    return Compared(tuple(answers), tuple(written))


def without_text(bases: Sequence[str], *, is_removed: bool) -> Compared:
    """What became of them where an annotation has no text: removed, or not touched."""
    if is_removed:
        return compare(bases, ())
    return Compared(tuple(JudgedAnswer(i, base, base, Act.UNTOUCHED) for i, base in enumerate(bases)))


def _partners(bases: Sequence[str], finals: Sequence[str]) -> dict[int, int]:
    """Index of a base -> index of the text that came of it."""
    partner: dict[int, int] = {}

    def is_free(base: int) -> bool:
        return base not in partner

    def pair(choose: Callable[[int], int | None]) -> None:
        taken = set(partner.values())
        for final in (i for i in range(len(finals)) if i not in taken):
            base = choose(final)
            if base is not None:
                partner[base] = final

    def first(is_same: Callable[[str, str], bool]) -> Callable[[int], int | None]:
        return lambda final: next((i for i, b in enumerate(bases) if is_free(i) and is_same(b, finals[final])), None)

    def most_similar(final: int) -> int | None:
        if final >= _MOST_COMPARED:
            return None
        found = ((similarity(bases[i], finals[final], at_least=EDIT), -i) for i in range(len(bases)) if is_free(i))
        best, place = max(found, default=(0.0, 0))
        return -place if best >= EDIT else None

    def in_place(final: int) -> int | None:
        is_one = len(bases) == len(finals) and is_free(final) and bool(finals[final].strip())
        return final if is_one else None

    pair(first(lambda base, final: base == final))
    pair(first(lambda base, final: _words(base) == _words(final)))
    pair(most_similar)
    pair(in_place)
    return partner


def _judged(index: int, base: str, final: str | None) -> JudgedAnswer:
    if final == base or (final is None and not base.strip()):  # of nothing, nothing can be removed
        return JudgedAnswer(index, base, base, Act.ACCEPTED)
    if final is None:
        return JudgedAnswer(index, base, None, Act.REMOVED, 0.0)
    alike = similarity(base, final)
    if _words(base) == _words(final):
        return JudgedAnswer(index, base, final, Act.WHITESPACE, alike)
    return JudgedAnswer(index, base, final, Act.EDITED if alike >= EDIT else Act.REWRITTEN, alike)


def _words(text: str) -> list[str]:
    return text.translate(_INVISIBLE).split()


def _with_line_ends_of(bases: Sequence[str], final: str) -> str:
    """A browser ends each line of a text that was edited in it by LF alone, which is nobody's correction. Tool calls
    stand on lines that LF ends, whatever the model's text has."""
    is_crlf = bool(bases) and all(base.count("\n") == base.count("\r\n") > 0 for base in bases)
    return final.replace("\n", "\r\n") if is_crlf and "\r" not in final else final
