"""The title of the project of a call: strftime directives, and attributes of its span, as in
``{service.name} %Y-%m-%d``.

Label Studio takes titles of 3 to 50 characters. What an attribute says is cut where the title would be longer, and ends
then in a sign of its own, so that two long names do not share a project. A title holds no control character, no line
break and nothing that turns the direction of writing: U+FFFD stands in place of each, since PostgreSQL refuses NUL, and
people read titles in logs and terminals.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

# Label Studio: projects/models.py, Project.title
TITLE_MIN_LENGTH, TITLE_MAX_LENGTH = 3, 50

# An attribute's name has a dot in it; for other braces, see `wrong_braces`
_PLACEHOLDER = re.compile(r"\{([\w-]+(?:\.[\w-]+)+)\}")
_BRACES = re.compile(r"\{([^{}]*)\}")
# What stands in a title in place of it is another each time: strftime's directives, and attributes
_VARYING = re.compile(r"%[-#]?[A-Za-z]|\{[\w-]+(?:\.[\w-]+)+\}")
# Unicode's control characters, surrogates, line and paragraph separators, and directional embeddings and isolates
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SIGN_LENGTH = 5
_UNKNOWN = "unknown"


@lru_cache
def attributes_of_title(template: str) -> tuple[str, ...]:
    """The names of the attributes that a title asks for."""
    return tuple(_PLACEHOLDER.findall(template))


def wrong_braces(template: str) -> str | None:
    """Why braces of a title would stand in it as they are; None where each pair has an attribute's name."""
    rest = _PLACEHOLDER.sub("", template)
    if named := _BRACES.search(rest):
        return f"{named[0]} is not an attribute: attribute names contain a dot, as in {{service.name}}"
    if "{" in rest:
        return "a brace is not closed"
    return "a closing brace has no opening brace" if "}" in rest else None


def title_pattern(template: str) -> re.Pattern[str] | None:
    """What the titles of a template look like, whenever and of whatever they are; None where all are the same."""
    pieces = _VARYING.split(template.strip().replace("%%", "\x00"))
    if len(pieces) == 1:
        return None
    return re.compile(".+".join(re.escape(piece.replace("\x00", "%")) for piece in pieces))


def title(template: str, at: datetime, attributes: Mapping[str, Any]) -> str:
    """The title of the project of a call accepted ``at`` (local time); stripped, as Label Studio strips it.

    Of a template with attributes it has the length that Label Studio takes.
    """
    pieces = _formatted(template, at)
    if len(pieces) == 1:
        return _fit(pieces[0].strip())
    values = [attribute_text(attributes.get(name)) or _UNKNOWN for name in pieces[1::2]]
    pieces[1::2] = _cut(values, TITLE_MAX_LENGTH - sum(map(len, pieces[::2])))
    filled = _fit("".join(pieces).strip())
    return filled if len(filled) >= TITLE_MIN_LENGTH else f"{filled} calls"


def attribute_text(value: Any) -> str:
    """What an attribute's value says in a title, before it is cut; empty where it says nothing."""
    return _fit(" ".join(str(value or "").split()))


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _formatted(template: str, at: datetime) -> list[str]:
    """Texts and the names of attributes in turn, the texts as strftime writes them."""
    pieces = _PLACEHOLDER.split(template)
    pieces[::2] = [at.strftime(text) for text in pieces[::2]]
    return pieces


def _cut(values: list[str], room: int) -> list[str]:
    """The values, the longest ones shortened until all of them have room."""
    lengths = [min(len(value), TITLE_MAX_LENGTH) for value in values]
    while sum(lengths) > room and max(lengths) > 1:
        lengths[lengths.index(max(lengths))] -= 1
    return [_shortened(value, length) for value, length in zip(values, lengths, strict=True)]


def _shortened(value: str, length: int) -> str:
    if len(value) <= length or length <= _SIGN_LENGTH:
        return value[:length]
    sign = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[: _SIGN_LENGTH - 1]
    return f"{value[: length - _SIGN_LENGTH]}~{sign}"
