"""HTTP headers in a setting: for what asks for a login of its own in front of Label Studio. Their values are secrets.

In the format of ``OTEL_EXPORTER_OTLP_HEADERS``. OpenTelemetry's own reader of it is not used: it logs what it cannot
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from otel_labelstudio.settings.readers import text

# Header names as RFC 9110, 5.6.2 has them
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Each request says these for itself
_OWN_HEADERS = frozenset({"accept-encoding", "connection", "content-length", "content-type", "transfer-encoding"})


def headers(value: Any) -> tuple[tuple[str, str], ...]:
    """Names and values of HTTP headers: ``name=value,name=value`` with the values URL-encoded, a mapping, or, as
    OpenTelemetry's declarative configuration has them, a list of items with ``name`` and ``value``.

    What is wrong is said without a value.
    """
    found = _checked(_pairs(value))
    for name, _ in found:
        if name.lower() == "x-api-key":
            raise ValueError(f"{name} carries Label Studio's key: give it as api_key")
    return found


def listed_headers(listed: str) -> tuple[tuple[str, str], ...]:
    """The same of a text, for a server that is not Label Studio."""
    return _checked(_listed(listed))


def _checked(pairs: Iterable[tuple[Any, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((_header_name(name), _header_value(name, said)) for name, said in pairs)


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, list | tuple):
        return [_pair(item) for item in value]
    return _listed(text(value))


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping) and item.keys() == {"name", "value"}:
        return item["name"], item["value"]
    if isinstance(item, tuple) and len(item) == 2:
        return item[0], item[1]
    raise ValueError("an item of the list has no name and value")


def _listed(listed: str) -> list[tuple[str, str]]:
    pairs = []
    for position, pair in enumerate((pair for pair in listed.split(",") if pair.strip()), 1):
        name, equals, said = pair.partition("=")
        if not equals:
            raise ValueError(f"part {position} of it is not name=value; a comma in a value is written %2C")
        pairs.append((unquote(name.strip()), unquote(said.strip())))
    return pairs


def _header_name(name: Any) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.match(name):
        raise ValueError("the name of a header is not valid")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name} cannot be set: each request has its own")
    return name


def _header_value(name: str, said: Any) -> str:
    if not isinstance(said, str) or not said.isascii() or not said.isprintable():
        raise ValueError(f"the value of {name} has characters that no header can carry")
    return said.strip()
