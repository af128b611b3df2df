"""The second wall: what leaves `safe_html` passes an allow-list, whatever mistake was made before it.

Label Studio's own sanitizer is no wall: 1.23.2 lets an ``<iframe srcdoc>`` with a video's address, ``<meta>``, forms
and remote images through (tests/browser/test_hostile_text.py). nh3 parses as a browser does, and writes anew what is
listed here: no links, no addresses, no styles, no ids, and of classes our own.
"""

from __future__ import annotations

from otel_labelstudio.tasks.inline_images import TYPES, is_inline_image
from otel_labelstudio.tasks.markup import CLASSES, Html

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "summary"}
_BLOCKS = {"blockquote", "details", "div", "hr", "li", "ol", "p", "pre", "ul"}
_INLINE = {"br", "code", "em", "object", "s", "span", "strong"}
_TABLES = {"table", "tbody", "td", "th", "thead", "tr"}
_TAGS = _HEADINGS | _BLOCKS | _INLINE | _TABLES
_ATTRIBUTES = {"*": {"class"}, "object": {"type", "data"}, "ol": {"start"}}


def sanitize(html: Html) -> str:
    """The HTML with nothing but what is listed."""
    import nh3

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"data"},
        link_rel=None,
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """What stays of an attribute's value; None: the attribute goes."""
    if attribute == "class":
        return " ".join(name for name in value.split() if name in CLASSES) or None
    if attribute == "data":
        return value if is_inline_image(value) else None
    if attribute == "type":
        return value if tag == "object" and value in TYPES else None
    return value if value.isascii() and value.isdigit() else None
