"""The items of a JSON array of any size, one by one; one that cannot be parsed takes no other with it.

Parsers that stream (ijson on YAJL) end at the first number that their types do not hold, and cannot go on after it. So
each item is parsed by itself, by Python's own parser, out of a window that moves over the file. Only where that fails,
most often since the window ends in the middle of an item, are its brackets counted: they tell where it ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, TextIO

from otel_labelstudio.annotations.collecting.unparsable import Outline

# As large as the largest answer of a server that is read
LONGEST_ITEM = 32 * 2**20
_CHUNK = 2**18
# Of a number or a text, which is no task: as many digits as are parsed, and more
_LONGEST_SCALAR = 2**13
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
# Too many digits, too many levels, or no JSON
UNPARSABLE = (ValueError, RecursionError)


def array_items(file: TextIO) -> Iterator[Any]:
    """The items of the file's only array, parsed, or as `UnparsableItem`. Raises `ValueError` where what is around the
    items is no array, and where it cannot be told where an item ends."""
    window = _Window(file)
    window.take("[")
    if window.next_character() != "]":
        yield window.item()
        while window.next_character() != "]":
            window.take(",")
            yield window.item()
    window.take("]")
    window.expect_end()


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
        self._at += 1

    def expect_end(self) -> None:
        """Raises `ValueError` where anything follows."""
        if self.next_character():
            raise ValueError("more than an array")

    def item(self) -> Any:
        """The next one, parsed if it can be."""
        if self.next_character() not in ("{", "["):
            return self._scalar()
        try:
            return self._parsed()
        except UNPARSABLE:
            return self._outlined()

    def _scalar(self) -> Any:
        """Read as a whole, since the window might end within a number."""
        while len(self._text) - self._at < _LONGEST_SCALAR and self._read_on():
            pass
        return self._parsed()

    def _parsed(self) -> Any:
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _outlined(self) -> Any:
        """An object or an array whose end its brackets tell; parsed if that was all that was missing."""
        outline, kept = Outline(), StringIO()
        while (end := outline.end(self._text, self._at)) is None:
            self._keep(kept, len(self._text))
            if not self._read_on():
                raise ValueError("an item without an end")
        self._keep(kept, end)
        try:
            return outline.item() if kept.tell() > LONGEST_ITEM else json.loads(kept.getvalue())
        except UNPARSABLE:
            return outline.item()

    def _keep(self, kept: StringIO, end: int) -> None:
        """Of an item that is too long, a little more than may be."""
        if kept.tell() <= LONGEST_ITEM:
            kept.write(self._text[self._at : end])
        self._at = end

    def _read_on(self) -> bool:
        more = self._file.read(_CHUNK)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)
