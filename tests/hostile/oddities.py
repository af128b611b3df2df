"""Odd values: at the ends of their ranges, beyond them, of other types, cut, deep."""

from __future__ import annotations

from random import Random
from typing import Any

# When it is in these tests, nanoseconds since 1970: on a day of 2027
NOW_NS = 1_800_000_000 * 10**9
YEAR_NS = 365 * 86_400 * 10**9

TIMES = (0, 1, NOW_NS, NOW_NS + 73 * YEAR_NS, 2**63 - 1, 2**63, 2**64 - 1)
# What only JSON and the SDK can carry
MORE_TIMES = (-1, -(2**63), 2**64, 10**30)
INTEGERS = (0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
MORE_INTEGERS = (2**63, 2**64, -(2**63) - 1, 10**400)
DOUBLES = (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7e308)
IDS = ("", "00", "0" * 16, "0" * 32, "ff", "ab" * 7, "AB" * 16, "cd" * 32, "ef" * 33, "01" * 30_000)
CONTROLS = "".join(map(chr, (*range(32), *range(0x7F, 0xA0)))) + "\u2028\u202e\ufeff"
TEXTS = (
    "",
    " ",
    "\x00",
    CONTROLS,
    "\x1b[2J\x1b]0;owned\x07",
    "\U0001f600" * 100,
    "a\u0301" * 500,
    "null",
    "NaN",
    "[]",
    "{}",
    '""',
    "[" * 3000,
    '{"a":' * 2000,
    "[" * 300 + "]" * 300,
    '{"role": "user", "parts": [{"type": "text", "con',
    "[{'role': 'user', 'content': None}]",
    '[{"role":"user","parts":[{"type":"text","content":"' * 50,
    '"\\ud83d',
    '["\\u0000", "\\ud800"]',
    "1e999",
    "-" + "9" * 400,
    "9" * 5000,
    "__REDACTED__",
    "data:image/png;base64,QUJD",
    "x" * 50_000,
)
ODD_ENCODINGS = ("", "gzip", "GZIP", " gzip ", "identity", "deflate", "\xa0" * 200 + "gzip", "gzip\u2003")


def deep(levels: int, leaf: Any = "deep") -> Any:
    """Lists and objects within each other."""
    value = leaf
    for level in range(levels):
        value = [value] if level % 2 else {"content": value}
    return value


def odd_value(chance: Random, depth: int = 0) -> Any:
    """A JSON value that OTLP can carry, of any kind."""
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice(INTEGERS)
    if kind == 2:
        return chance.choice(DOUBLES)
    if kind in (3, 4):
        return chance.choice(TEXTS)
    if kind == 5:
        return [odd_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 6:
        names = ("role", "content", "parts", "type", "text", "message", "tool_calls", "function", "name", "", "\x00")
        return {name: odd_value(chance, depth + 1) for name in chance.sample(names, chance.randrange(4))}
    return deep(chance.randint(1, 14))
