"""The items of a JSON array of any size, one by one; one that cannot be parsed takes no other with it.

Parsers that stream (ijson on YAJL) end at the first number that their types do not hold, and cannot go on after it. So
each item is parsed by itself, by Python's own parser, out of a window that moves over the file. Only where that fails,
most often since the window ends in the middle of an item, are its brackets counted: they tell where it ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TextIO

# As large as the largest answer of a server that is read
LONGEST_ITEM = 32 * 2**20
_CHUNK = 2**18
_BLANK = re.compile(r"[ \t\r\n]*")
_MARK = re.compile(r'["\[\]{}]')
_REST_OF_TEXT = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)', re.DOTALL)
# For each escape the match holds some hundred bytes
_MATCHED_AT_ONCE = 2**16
# No more digits than an id has
_NAMED_NUMBER = re.compile(r'"(\w+)"[ \t\r\n]*:[ \t\r\n]*([0-9]{1,18})[ \t\r\n]*[,}]', re.ASCII)
_DECODER = json.JSONDecoder()
# Too many digits, too many levels, or no JSON
_UNPARSABLE = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class UnparsableItem:
    """An item that cannot be parsed; ``text`` is the whole of it, or the beginning where it is too long."""

    text: str = field(repr=False)

    def whole_numbers(self) -> dict[str, int]:
        """Those in the item itself, not in what it holds, by their names."""
        brackets, found = _Brackets(), dict[str, int]()
        for mark in brackets.marks(self.text):
            number = _NAMED_NUMBER.match(self.text, mark.start()) if brackets.depth == 1 else None
            if number:
                found[number[1]] = int(number[2])
        return found


def parsed_item(text: str) -> Any:
    """What the text of an item says, or an `UnparsableItem`."""
    try:
        return UnparsableItem(text) if len(text) > LONGEST_ITEM else json.loads(text)
    except _UNPARSABLE:
        return UnparsableItem(text)


def array_items(file: TextIO) -> Iterator[Any]:
    """The items of the file's only array, parsed, or as `UnparsableItem`. Raises `ValueError` where what is around the
    items is no array."""
    window = _Window(file)
    window.take("[")
    if window.next_character() != "]":
        yield window.item()
        while window.next_character() != "]":
            window.take(",")
            yield window.item()
    window.take("]")
    window.take("")


class _Window:
    """What was read of a file, and how far it was taken."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0

    def next_character(self) -> str:
        """The next one that is no white space, which stays; none at the end of the file."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text) or not self._read_on():
                return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Raises `ValueError` where another one comes."""
        if self.next_character() != character:
            raise ValueError("no array")
        self._at += len(character)

    def item(self) -> Any:
        """The next one, parsed if it can be."""
        if self.next_character() not in ("{", "["):
            self._read_on()  # else the window might end within a number
            return self._parsed()
        try:
            return self._parsed()
        except _UNPARSABLE:
            return parsed_item(self._until_it_ends())

    def _parsed(self) -> Any:
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _until_it_ends(self) -> str:
        """The text of an object or an array; of one that is too long, a little more than may be."""
        brackets, kept = _Brackets(), StringIO()
        while (end := brackets.end(self._text, self._at)) is None:
            self._keep(kept, len(self._text))
            if not self._read_on():
                raise ValueError("an item without an end")
        self._keep(kept, end)
        return kept.getvalue()

    def _keep(self, kept: StringIO, end: int) -> None:
        if kept.tell() <= LONGEST_ITEM:
            kept.write(self._text[self._at : end])
        self._at = end

    def _read_on(self) -> bool:
        more = self._file.read(_CHUNK)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)


class _Brackets:
    """Those of a JSON value whose text comes in pieces. ``depth`` is how many are open."""

    def __init__(self) -> None:
        self.depth, self._is_text, self._is_escaped = 0, False, False

    def end(self, piece: str, start: int) -> int | None:
        """Where the value ends in this piece; None if it does not."""
        return next((mark.end() for mark in self.marks(piece, start) if not self.depth), None)

    def marks(self, piece: str, start: int = 0) -> Iterator[re.Match[str]]:
        """The brackets, each when it is counted, and the quotes at which texts begin."""
        at = self._after_text(piece, start) if self._is_text else start
        while mark := _MARK.search(piece, at):
            at = mark.end()
            if mark[0] != '"':
                self.depth += 1 if mark[0] in "[{" else -1
            yield mark
            if mark[0] == '"':
                at = self._after_text(piece, at)

    def _after_text(self, piece: str, at: int) -> int:
        """Where a text ends that has begun before; it may go on in the next piece, in the middle of an escape too."""
        self._is_text = True
        while self._is_text and at < len(piece):
            rest = _REST_OF_TEXT.match(piece, at + self._is_escaped, at + _MATCHED_AT_ONCE)
            end = rest[1] if rest else ""
            self._is_text, self._is_escaped = end != '"', end == "\\"
            at = rest.end() if rest else len(piece)
        return at
