"""Content that is there, and that no dialect reads: it must not be told to be missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from otel_labelstudio.spans.attributes import REDACTED, decoded
from otel_labelstudio.spans.model import Span

# How names end under which people write what was asked and answered
_NAME = re.compile(
    r"(?:^|[._:])(?:prompts?|completions?|inputs?|outputs?|messages|question|answer"
    r"|(?:input|output|request|response)[._](?:messages?|text|content|body))$",
    re.IGNORECASE,
)
_LISTED = 3
# Properties that say what something is, and nothing of what is in it
_LABELS = frozenset(
    (
        *("role", "type", "kind", "id", "name", "model", "index", "status", "finish_reason", "tool_call_id"),
        *("media_type", "mime_type", "modality", "format", "detail"),
    )
)


def unread_content(span: Span) -> str:
    """The names of attributes that seem to hold the call's content, for people; empty where none does."""
    return ", ".join(list(_names(span))[:_LISTED])


def _names(span: Span) -> Iterator[str]:
    for name, value in span.attributes.items():
        if _NAME.search(name) and _holds_something(value):
            yield name


def _holds_something(value: Any) -> bool:
    held = decoded(value).value
    return isinstance(held, (str, list, dict)) and held not in ("", REDACTED, [], {}) and not _is_bare(held)


def _is_bare(held: Any) -> bool:
    """Whether there is no text in it but for what names and numbers things, as privacy switches leave it."""
    if isinstance(held, dict):
        return all(name in _LABELS or _is_bare(value) for name, value in held.items())
    if isinstance(held, list):
        return all(map(_is_bare, held))
    return not isinstance(held, str) or held in ("", REDACTED)
