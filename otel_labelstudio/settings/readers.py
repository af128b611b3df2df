"""From a value, as an argument, a variable or a file has it, to what a setting holds.

Each reader raises `ValueError` with what is wrong of the value, in words that follow it: ``'1MB': not a whole number``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

_E = TypeVar("_E", bound=Enum)

# SQLite's largest number
_LARGEST = 2**63 - 1
# What stands in documentation where the reader's own key belongs, its letters alone
_PLACEHOLDERS = frozenset(
    {"apikey", "yourapikey", "yourkey", "yourtoken", "youraccesstoken", "yourlabelstudioapikey", "changeme", "changeit"}
    | {"replaceme", "todo", "token", "secret", "placeholder"}
)
# As in xxxxxxxx and ****
_FILLED = re.compile(r"[xX]{3,}|\*+|\.{3,}")
_BYTE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_TIME_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_WITH_UNIT = re.compile(r"\s*([0-9.]+)\s*([a-zA-Z]+)\s*\Z")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - one exception type for all readers
    return value


def api_key(value: Any) -> str | None:
    """What an HTTP header can carry; white space around it is of copying."""
    key = text(value).strip()
    if re.sub(r"[^a-z]", "", key.lower()) in _PLACEHOLDERS or _FILLED.fullmatch(key):
        raise ValueError("this is the placeholder of an example, not a key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("has characters that no key has")
    return key or None


def count(value: Any) -> int:
    """A whole number above 0."""
    return _whole_number(value, {})


def byte_count(value: Any) -> int:
    """A whole number of bytes above 0."""
    return _whole_number(value, _BYTE_UNITS)


def _whole_number(value: Any, units: Mapping[str, float]) -> int:
    try:
        number = 0 if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        number = 0
    if number <= 0:
        raise ValueError(f"not a whole number above 0{_written_out(value, units, is_whole=True)}")
    if number > _LARGEST:
        raise ValueError("is too large")
    return number


def seconds(value: Any) -> float:
    """A number from 0 up."""
    return _seconds(value, is_zero_possible=True)


def timeout_s(value: Any) -> float:
    """A number above 0."""
    return _seconds(value, is_zero_possible=False)


def _seconds(value: Any, *, is_zero_possible: bool) -> float:
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not 0 <= number < float("inf") or (number == 0 and not is_zero_possible):
        least = "from 0 up" if is_zero_possible else "above 0"
        raise ValueError(f"not a number {least}{_written_out(value, _TIME_UNITS, is_whole=False)}")
    return number


def _written_out(value: Any, units: Mapping[str, float], *, is_whole: bool) -> str:
    """What a number with a unit or an exponent is as a plain number; empty where it is none, or not a whole one."""
    with_unit = _WITH_UNIT.match(str(value))
    factor = units.get(with_unit[2].lower()) if with_unit else 1
    try:
        number = float(with_unit[1] if with_unit else value) * (factor or 0)
    except (TypeError, ValueError, OverflowError):
        return ""
    if not 0 < number < 2**53 or isinstance(value, bool | float) or (is_whole and not number.is_integer()):
        return ""
    return f"; {'without its unit' if with_unit else 'written out'} it is {number:.15g}"


def flag(value: Any) -> bool:
    """As in the OpenTelemetry specification, but that anything else than the two words is an error."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise ValueError("neither true nor false")
    return known


def is_off(value: Any) -> bool:
    """Whether it is the word ``off``."""
    return isinstance(value, str) and value.strip().lower() == "off"


def choice(value: Any, choices: type[_E]) -> _E:
    """One of an enumeration's values, in whatever case."""
    wanted = text(value).strip().lower()
    found = next((item for item in choices if item.value == wanted), None)
    if found is None:
        raise ValueError("not a valid value")
    return found


def url(value: Any) -> str:
    address = text(value).strip()
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:  # of a port, or of brackets that are no IPv6 address
        raise ValueError(f"not an address ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address that starts with http:// or https://")
    if parts.query or parts.fragment or port == 0:
        raise ValueError("has a query, a fragment or port 0")
    # It would replace the API key, which travels in the same header
    if parts.username is not None:
        raise ValueError("contains a login")
    return address.rstrip("/")


def label_config(value: Any) -> str:
    """The XML itself, or the path of a file that holds it."""
    config = text(value).strip()
    if not config.startswith("<"):
        config = Path(os.path.expanduser(config)).read_text(encoding="utf-8-sig").strip()
    return config


def path(value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("not the path of a file")  # noqa: TRY004
    return os.path.abspath(os.path.expanduser(text(os.fspath(value))))
