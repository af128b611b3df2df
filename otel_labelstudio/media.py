"""How large the media of a call's part are, whether they are there or were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_labelstudio.calls import BlobPart, GenericPart, Part, UriPart

# The property of a part that says how many bytes were left out
OMITTED_BYTES = "omitted_bytes"


def media_bytes(part: Part) -> int:
    """Bytes of the media that a part carries, or carried before they were left out; 0 for one without any."""
    if isinstance(part, GenericPart | BlobPart | UriPart) and isinstance(part.extra.get(OMITTED_BYTES), int):
        return int(part.extra[OMITTED_BYTES])
    if isinstance(part, BlobPart):
        return len(part.content) * 3 // 4
    if isinstance(part, UriPart):
        return len(part.uri) * 3 // 4 if part.uri.startswith("data:") else 0
    return _largest_text(part.extra) if isinstance(part, GenericPart) else 0


def _largest_text(value: Any) -> int:
    """The length of the longest text in what a part of an unknown type holds."""
    longest, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            longest = max(longest, len(item))
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
    return longest
