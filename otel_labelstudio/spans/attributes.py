"""Reading attribute values as they really arrive: what all dialects share, and nothing that only one of them knows.

Telemetry writes a number as text, JSON inside JSON, a Python repr where JSON was meant, and a list as numbered flat
keys. An attribute limit cuts a value in the middle and says so nowhere. Every function here takes any attribute value,
raises on none, and works in time and memory proportional to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from otel_labelstudio.bounds import MAX_INT, MIN_INT, bounded_float, bounded_int
from otel_labelstudio.spans.damaged_json import parsed_prefix, without_lone_surrogates

# What OpenInference writes in place of content that its configuration hides
REDACTED = "__REDACTED__"

# Deeper than any message, and shallow enough for every recursive function that works on the value later
MAX_DEPTH = 64
# `a.0.b.1.c`: more levels than any convention has
_MAX_KEY_LEVELS = 24
_TOO_DEEP = "(nested too deeply)"


# Attributes by the beginning of their names, which they are without: see `grouped`
Groups: TypeAlias = Mapping[str, Mapping[str, Any]]


class Decoded(NamedTuple):
    """A JSON value, and whether its end is missing because the text that held it was cut."""

    value: Any
    is_cut: bool = False


def decoded(value: Any) -> Decoded:
    """The JSON value that an attribute holds, be it structured, JSON text, a Python repr, or either of these cut short.

    Text that is none of these comes back as it is; so does None. Texts inside the value are not decoded further.
    """
    if not isinstance(value, str):
        return _NOTHING if value is None else Decoded(bounded(value))
    start = value.lstrip()[:1]
    if start not in _JSON_STARTS or not start:
        return Decoded(value)
    try:
        loaded = _loaded(value)
    except (ValueError, RecursionError):
        prefix = parsed_prefix(value, MAX_DEPTH) if start in "[{(" else None
        return Decoded(value) if prefix is None else Decoded(*prefix)
    if len(value) > 2 * MAX_DEPTH and value.count("[") + value.count("{") > MAX_DEPTH and _is_deeper(loaded, MAX_DEPTH):
        loaded = bounded(loaded)
    # JSON may write half of a surrogate pair, which no encoder takes afterwards
    may_hold_halves = "\\" in value and ("\\ud" in value or "\\uD" in value)
    return Decoded(without_lone_surrogates(loaded) if may_hold_halves else loaded)


def decoded_object(value: Any) -> dict[str, Any] | None:
    """The object that a value is or that its text holds; None where it is none. An object comes back as it is."""
    held = value if isinstance(value, dict) else decoded(value).value
    return held if isinstance(held, dict) else None


def bounded(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The value with everything below `depth` levels as text, and its numbers in their ranges (see `bounds`)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return bounded_int(value)
    if isinstance(value, float):
        return bounded_float(value)
    if isinstance(value, (list, tuple)):
        return [bounded(item, depth - 1) for item in value] if depth > 0 else _as_text(value)
    if isinstance(value, (dict, Mapping)):
        if depth <= 0:
            return _as_text(value)
        return {str(key): bounded(item, depth - 1) for key, item in value.items()}
    return value


def text(value: Any) -> str | None:
    """The value where it is text that says something: not empty, and not `REDACTED`."""
    return value if isinstance(value, str) and value and value != REDACTED else None


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts, however it is written: a list, JSON or a repr of one, or a single text."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else decoded(value).value
    if isinstance(items, (str, int, float)):
        items = [items]
    if not isinstance(items, list):
        return ()
    return tuple([str(item) for item in items if isinstance(item, (str, int, float)) and item != ""])


def integer(value: Any) -> int | None:
    """A whole number of 64 bits, also one written as text or as a float."""
    if value is None:
        return None
    found = value if type(value) is int else number(value)
    if found is None or not MIN_INT <= found <= MAX_INT:
        return None
    return found if type(found) is int else int(found) if found == int(found) else None


def number(value: Any) -> float | int | None:
    """A finite number, also one written as text; True and False are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) <= 64:
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def first(attributes: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """The value of the first key that has one; None and empty text are no values."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return value
    return None


def below(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The attributes whose keys start with the prefix, without it."""
    start = len(prefix)
    return {key[start:]: value for key, value in attributes.items() if key.startswith(prefix)}


def grouped(attributes: Mapping[str, Any], prefixes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The attributes below each of the prefixes that has any, without it, in one pass. None begins with another."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(prefixes):
            for prefix in prefixes:
                if key.startswith(prefix):
                    found.setdefault(prefix, {})[key[len(prefix) :]] = value
    return found


def has_any_below(attributes: Mapping[str, Any], *prefixes: str) -> bool:
    """Whether any key starts with one of the prefixes. Nearly free where none does, which is what most are asked."""
    names = "\n".join(attributes)
    for prefix in prefixes:
        if prefix in names:
            return any(key.startswith(prefixes) for key in attributes)
    return False


class Fields:
    """Which attribute keys tell of which field, of each field the preferred key first. A key tells of one field."""

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self._field_of = {key: field for field, its_keys in keys.items() for key in its_keys}
        self._rank_of = {key: rank for rank, key in enumerate(self._field_of)}

    def values(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """For each field that has any, the value of the first of its keys that has one; as in `first`.

        The cost is that of the keys that are there, of which there are few, not of all that might be.
        """
        found: dict[str, Any] = {}
        known = attributes.keys() & self._rank_of.keys()
        for key in sorted(known, key=self._rank_of.__getitem__) if len(known) > 1 else known:
            field, value = self._field_of[key], attributes[key]
            if field not in found and value is not None and value != "":
                found[field] = value
        return found


def nested(attributes: Mapping[str, Any], prefix: str = "") -> Any:
    """Flat keys, or those below a prefix, which ends in a dot, as the value that they spell out; None without any.

    ``0.role``, ``0.content``, ``1.role`` give a list of two dicts. Lists are in numerical order and renumbered from
    their lowest index with the gaps closed: a limit on the number of attributes takes the first ones or the last. A key
    that has both a value and keys below it keeps the value under ``""``.
    """
    tree = _Node()
    nodes = {"": tree}
    start = len(prefix)
    for key, value in attributes.items():
        if key.startswith(prefix):
            path, last = _parent_and_name(key[start:])
            if path not in nodes:
                nodes[path] = _node_at(tree, path)
            node = nodes[path]
            held = value if isinstance(value, str) else bounded(value)
            if isinstance(node.get(last), _Node):
                node[last][""] = held
            else:
                node[last] = held
    return _listed(tree) if tree else None


def numbered(keys: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Flat keys that begin with a number, as those below each number, in numerical order.

    ``0.role``, ``0.content``, ``1.role`` give two dicts, the first with ``role`` and ``content``.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, value in keys.items():
        number, _, name = key.partition(".")
        if number in found:
            found[number][name] = value
        elif name and _is_number(number):
            found[number] = {name: value}
    return {number: found[number] for number in sorted(found, key=int)}


class _Node(dict[str, Any]):
    """A dict that flat keys spell out, as against a dict that is an attribute's value."""


def _parent_and_name(path: str) -> tuple[str, str]:
    """``1.tool_calls.0.`` and ``name``; the first has its last dot, and is empty where there is none."""
    if path.count(".") > _MAX_KEY_LEVELS:
        name = path.split(".", _MAX_KEY_LEVELS)[-1]
        return path[: len(path) - len(name)], name
    start = path.rfind(".") + 1
    return path[:start], path[start:]


def _node_at(tree: _Node, path: str) -> _Node:
    node = tree
    for name in path.split(".")[:-1]:
        child = node.get(name)
        if not isinstance(child, _Node):
            child = node[name] = _Node() if child is None else _Node({"": child})
        node = child
    return node


def _listed(node: dict[str, Any]) -> Any:
    values = {name: _listed(item) if isinstance(item, _Node) else item for name, item in node.items()}
    for name in values:
        if not _is_number(name):
            return values
    return [values[name] for name in sorted(values, key=int)]


def _is_number(name: str) -> bool:
    return name.isdecimal() and len(name) < 10


def _loaded(source: str) -> Any:
    """What the text holds as JSON; a JSON decoder's errors where it holds none."""
    if source[0] in _JSON_SPACE:
        return _JSON.decode(source)
    value, end = _JSON.raw_decode(source)
    if end != len(source) and source[end:].strip(_JSON_SPACE):
        raise ValueError("more than one JSON value")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether there are containers in more than this many levels of containers."""
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for container in level
            for inner in (container.values() if type(container) is dict else container)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _as_text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return _TOO_DEEP


def _finite(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


_NOTHING = Decoded(None)
_JSON_SPACE = " \t\n\r"
_JSON_STARTS = '[{("-0123456789tfn'
_JSON = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=str)
