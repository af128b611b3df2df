"""The range of every number and id that telemetry brings, and what becomes of one beyond it.

Senders write what they like, and clocks are wrong. Behind the doors a number is added to, stored in SQLite, which has
64-bit integers, and formatted as a date. So what is out of range is put right here, before anything else sees it:

============  ===================================================  ==========================
times         nanoseconds from 0 (unknown) to the end of 2261      the nearest bound
counts        those of an unsigned 32-bit integer, as in OTLP      the nearest bound
status codes  those that OTLP has, 0 to 2                          0, unset
integers      those of a signed 64-bit integer, as in OTLP         their digits, as text
floats        finite ones, as in JSON                              OTLP JSON's text: ``NaN``
ids           64 hexadecimal digits at the most                    the SHA-256 of their digits
============  ===================================================  ==========================

A time or a count at its bound is plainly wrong to whoever sees it. An integer that is too large may be somebody's id,
and keeps its digits. An id of up to 32 bytes stays as it is, valid or not: that is how its sender knows it.
"""

from __future__ import annotations

import hashlib
import math

# 2262-01-01; the 101 days from there to 2^63 are for slack that is added to a time
MAX_TIME_UNIX_NANO = 9_214_646_400 * 10**9
MAX_COUNT = 2**32 - 1
MIN_INT, MAX_INT = -(2**63), 2**63 - 1
MAX_ID_LENGTH = 64
_STATUS_CODES = (0, 1, 2)
# As many as Python writes in decimal, however it is set (sys.set_int_max_str_digits)
_MAX_DECIMAL_BITS = 2048


def bounded_time(unix_nano: float) -> int:
    """A time in nanoseconds since 1970."""
    return _between(unix_nano, MAX_TIME_UNIX_NANO)


def bounded_count(count: float) -> int:
    """How many there are, or were dropped, of something."""
    return _between(count, MAX_COUNT)


def bounded_status_code(code: int) -> int:
    """A code of OTLP's ``Status``."""
    return code if code in _STATUS_CODES else 0


def bounded_int(value: int) -> int | str:
    """An integer, or the text of one that is too large: decimal up to some 600 digits, hexadecimal above."""
    if MIN_INT <= value <= MAX_INT:
        return value
    return str(value) if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)


def bounded_float(value: float) -> float | str:
    """A finite number, or what OTLP JSON writes in place of any other."""
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def bounded_id(digits: str) -> str:
    """A trace or span id, in hexadecimal."""
    return digits if len(digits) <= MAX_ID_LENGTH else hashlib.sha256(digits.encode()).hexdigest()


def _between(value: float, maximum: int) -> int:
    """In this order, NaN becomes 0."""
    return int(min(max(0, value), maximum))
