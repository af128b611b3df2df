"""What can be told of a JSON object or array that no parser takes: where it ends, and which task it is.

Only its brackets and its texts are looked at. Where a bracket is missing, the next items would be taken for a part of
this one, and those that are not there any more count as deleted. So brackets and texts must stand where they can stand
in JSON: each bracket is closed by one of its kind, and each value of an object comes after a name. All else may be
anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MARK = re.compile(r'["\[\]{}]')
_REST_OF_TEXT = re.compile(r'([^"\\]*(?:\\.[^"\\]*)*)("|\\?\Z)', re.DOTALL)
# For each escape the match holds some hundred bytes
_MATCHED_AT_ONCE = 2**16
# What stands between a name and what follows; no more digits than an id has
_WHOLE_NUMBER = re.compile(r"[ \t\r\n]*:[ \t\r\n]*([0-9]{1,18})[ \t\r\n]*,?[ \t\r\n]*")
_NUMBERS = frozenset(("id", "project"))
# Of a text and of what is between two marks, no more is kept than these need
_KEPT = 2**8
_MOST_LEVELS = 2**20
_OPENED_BY = {"]": "[", "}": "{"}
# By what holds the bracket, or the text: the marks one of which it comes after
_BEFORE_BRACKET = {"": ("",), "[": ("[", ","), "{": (":",)}
_BEFORE_TEXT = {**_BEFORE_BRACKET, "{": ("{", ",", ":")}


@dataclass(frozen=True, slots=True)
class UnparsableItem:
    """An item that cannot be parsed; ``numbers`` are its own whole numbers by their names, as far as they say which
    task it is."""

    numbers: Mapping[str, int]


def only_item(pieces: Iterable[str]) -> UnparsableItem:
    """The one that these pieces of text hold. Raises `ValueError` where it does not end, or something follows it."""
    outline, end = Outline(), None
    for piece in pieces:
        end = outline.end(piece, 0) if end is None else 0
        if end is not None and piece[end:].strip():
            raise ValueError("more than one item")
    if end is None:
        raise ValueError("an item without an end")
    return outline.item()


class Outline:
    """The brackets and texts of one item, whose text comes in pieces."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._numbers: dict[str, int] = {}
        self._is_repeated = False
        self._mark, self._since_mark = "", ""
        self._text, self._is_text, self._is_escaped = "", False, False

    def end(self, piece: str, at: int) -> int | None:
        """Where the item ends in this piece; None if it does not. Raises `ValueError` where a mark stands where none
        can stand."""
        while at < len(piece):
            at = self._after_text(piece, at) if self._is_text else self._after_mark(piece, at)
            if not self._open and not self._is_text:
                return at
        return None

    def item(self) -> UnparsableItem:
        """Raises `ValueError` where it looks like several that have become one."""
        if self._is_repeated:
            raise ValueError("more than one item")
        return UnparsableItem(self._numbers)

    def _after_mark(self, piece: str, at: int) -> int:
        mark = _MARK.search(piece, at)
        self._since_mark = (self._since_mark + piece[at : mark.start() if mark else len(piece)])[-_KEPT:]
        if mark is None:
            return len(piece)
        self._note_number()
        self._count(mark[0])
        self._mark, self._since_mark = mark[0], ""
        return mark.end()

    def _note_number(self) -> None:
        is_own = len(self._open) == 1 and self._mark == '"' and self._text in _NUMBERS
        number = _WHOLE_NUMBER.fullmatch(self._since_mark) if is_own else None
        if number:
            self._is_repeated |= self._text in self._numbers
            self._numbers[self._text] = int(number[1])

    def _count(self, mark: str) -> None:
        if mark in _OPENED_BY:
            if not self._open or self._open.pop() != _OPENED_BY[mark]:
                raise ValueError("brackets that do not belong together")
            return
        before = (self._since_mark.rstrip() or self._mark)[-1:]
        allowed = _BEFORE_TEXT if mark == '"' else _BEFORE_BRACKET
        if before not in allowed[self._open[-1] if self._open else ""] or len(self._open) > _MOST_LEVELS:
            raise ValueError("a value where none can be")
        if mark == '"':
            self._text, self._is_text = "", True
        else:
            self._open.append(mark)

    def _after_text(self, piece: str, at: int) -> int:
        """Where a text ends that has begun before; it may go on in the next piece, in the middle of an escape too."""
        rest = _REST_OF_TEXT.match(piece, at + self._is_escaped, at + _MATCHED_AT_ONCE)
        text, end = rest.groups() if rest else ("", "")
        self._text = (self._text + text)[:_KEPT]
        self._is_text, self._is_escaped = end != '"', end == "\\"
        return rest.end() if rest else len(piece)
