"""Images that a task's data may carry: of four types, checked by their first bytes, and never from an address.

Label Studio takes the source of an ``<img>`` away, even where it is inline, but leaves ``<object>`` alone. An object
could hold a page or an SVG with a script; so its type is one of these four, its content is base64 and nothing else, and
begins as a file of that type does.
"""

from __future__ import annotations

import base64
import re

from otel_labelstudio.calls import BlobPart, Part, UriPart
from otel_labelstudio.tasks.markup import Html, text

_BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
TYPES = frozenset(_BEGINNINGS)
_DATA_URI = re.compile(r"data:(image/[a-z]+);base64,([A-Za-z0-9+/]+={0,2})")
# Base64 characters that hold more bytes than any of the beginnings
_HEAD = 32


def is_inline_image(uri: str) -> bool:
    """Whether this is a ``data:`` URI that holds an image of one of the four types."""
    return _type_of(uri) is not None


def image(part: Part, label: str) -> Html | None:
    """The image of a part with its label in the place of one that cannot be shown; None where it holds none."""
    return image_of_uri(uri_of(part), label)


def image_of_uri(uri: str, label: str) -> Html | None:
    """The image that the URI holds; None where it is none of the four types."""
    mime_type = _type_of(uri)
    if mime_type is None:
        return None
    return Html(f'<object class="osl-image" type="{mime_type}" data="{text(uri)}">{text(label)}</object>')


def uri_of(part: Part) -> str:
    """The address of a part's media, or the ``data:`` URI of what it carries; empty for one that has neither."""
    if isinstance(part, UriPart):
        return part.uri
    if not isinstance(part, BlobPart):
        return ""
    content = "".join(part.content.split())  # base64 may be broken into lines
    return f"data:{part.mime_type};base64,{content}"


def _type_of(uri: str) -> str | None:
    found = _DATA_URI.fullmatch(uri)
    if found is None or len(found[2]) % 4 != 0:
        return None
    mime_type, head = found[1], base64.b64decode(found[2][:_HEAD])
    if mime_type == "image/webp" and head[8:12] != b"WEBP":
        return None
    return mime_type if head.startswith(_BEGINNINGS.get(mime_type, ())) else None
