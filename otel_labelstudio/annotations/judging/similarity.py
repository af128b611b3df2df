"""How much two texts have in common, in a time that no text can stretch.

What stands at both ends of both is common. Of the middle, short texts are compared by character and longer ones by
word, in order (`difflib`, whose time is at worst cubic); texts of thousands of words only by which words they have.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

# Characters, words
_SHORT, _LONG = 200, 2_000
_WORD = re.compile(r"\S+\s*|\s+")


def similarity(one: str, other: str, *, at_least: float = 0.0) -> float:
    """Between 0 and 1: twice the characters in common, of all that both have. Where it cannot be ``at_least`` this
    much, some smaller number."""
    length = len(one) + len(other)
    if one == other or length == 0:
        return 1.0
    most = 2 * min(len(one), len(other)) / length
    if most < at_least:
        return most
    start = _common_start(one, other)
    one, other = one[start:], other[start:]
    end = _common_start(one[::-1], other[::-1])
    one, other = one[: len(one) - end], other[: len(other) - end]
    return 2 * (start + end + _in_common(one, other)) / length


def _common_start(one: str, other: str) -> int:
    """Searched in halves: to compare two pieces takes no time beside a loop over their characters."""
    return bisect_left(range(min(len(one), len(other))), True, key=lambda n: one[: n + 1] != other[: n + 1])


def _in_common(one: str, other: str) -> int:
    """Characters that both have."""
    if max(len(one), len(other)) <= _SHORT:
        return _in_order(one, other)
    words = _WORD.findall(one), _WORD.findall(other)
    if max(map(len, words)) <= _LONG:
        return _in_order(*words)
    return sum(len(word) * count for word, count in (Counter(words[0]) & Counter(words[1])).items())


def _in_order(one: Sequence[str], other: Sequence[str]) -> int:
    matcher = SequenceMatcher(None, one, other, autojunk=len(other) > _SHORT)
    return sum(len(item) for block in matcher.get_matching_blocks() for item in one[block.a : block.a + block.size])
