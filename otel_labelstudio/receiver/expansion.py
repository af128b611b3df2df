"""Bodies that are small on the wire and cost much afterwards: millions of empty messages or values.

Two bytes can be a whole message, which takes up to a hundred times as much once it is parsed, and longer than thousands
of bytes of text. So what a body may hold is bounded before it is parsed, by what of it looks like a small item. That is
counted with compiled code only, a piece at a time, and is never less than what is there, however it is written. It may
be more: a string is a field too, and text may look like one. Ordinary requests are far from the limits, so that this
does not matter to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from otel_labelstudio.receiver.status import JSON, Outcome, RefusedError

MAX_FIELDS = 2_000_000
MAX_OBJECTS = 1_000_000
# What JSON holds beside objects is cheaper, and what stands in texts counts too
_MAX_BRACKETS, _MANY_BRACKETS = 2_000_000, 500_000
_MAX_COMMAS, _MANY_COMMAS = 8_000_000, 1_000_000
# The interpreter is held while one is looked through
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Items:
    """What costs in one format, at two bytes or more. ``marks`` are bytes of which each has one: they are counted
    first, which is five times as fast, and as a rule there are too few. ``many`` take some tens of milliseconds."""

    name: str
    marks: bytes
    pattern: re.Pattern[bytes]
    most: int
    many: int

    def are_more_than(self, most: int, body: bytes) -> bool:
        """Whether there may be more in a body."""
        if (
            len(body) < 2 * most
            or sum(len(piece) - len(piece.translate(None, self.marks)) for piece in _pieces(body)) <= most
        ):
            return False
        found = 0
        for piece in _pieces(body):
            found += len(self.pattern.findall(piece)) + 1  # one may lie across its end
            if found > most:
                return True
        return False


# The tags of opentelemetry-proto's fields that hold messages, and of those that hold strings and are numbered alike,
# with a length below 32. Both are one byte, or more where the number is written longer than it is. And any length,
# where the message begins with another one: values may hold values
_SMALL_FIELD = re.compile(
    rb"[\x0a\x12\x1a*2JZjz\x8a\x92\x9a\xaa\xb2\xca\xda\xea\xfa]"
    rb"(?:[\x00-\x1f]|[\x80-\x9f]\x80{0,9}\x00|[\x20-\x7f]\x0a|[\x80-\xff][\x01-\x7f]\x0a)"
)
_FIELDS = _Items("short fields", bytes(range(0x20)), _SMALL_FIELD, MAX_FIELDS, 200_000)
# Quotation marks in texts have a backslash before them. NUL, for JSON in UTF-16
_OBJECTS = _Items("objects", b"{", re.compile(rb'\{[\s\x00]*["}]'), MAX_OBJECTS, 30_000)


def check_expansion(content_type: str, body: bytes) -> None:
    """Raises `RefusedError` for a body that may hold more than `MAX_FIELDS` or `MAX_OBJECTS`."""
    items = _items(content_type)
    if items.are_more_than(items.most, body) or (
        content_type == JSON and _has_more_values(body, _MAX_BRACKETS, _MAX_COMMAS)
    ):
        raise RefusedError(
            Outcome.TOO_LARGE, f"the request has more than {items.most} {items.name} or values; send less at once"
        )


def takes_long(content_type: str, body: bytes) -> bool:
    """Whether a body may hold so much that looking at it takes longer than some tens of milliseconds."""
    items = _items(content_type)
    return items.are_more_than(items.many, body) or (
        content_type == JSON and _has_more_values(body, _MANY_BRACKETS, _MANY_COMMAS)
    )


def _items(content_type: str) -> _Items:
    return _OBJECTS if content_type == JSON else _FIELDS


def _has_more_values(body: bytes, brackets: int, commas: int) -> bool:
    return body.count(b"{") + body.count(b"[") > brackets or body.count(b",") > commas


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
