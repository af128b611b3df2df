"""HTML that is put together from escaped text alone.

`Html` is a type of its own, so that the type checker refuses text that nobody has escaped: it is made of `text` and
`element`, and of nothing that a user or a model wrote.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import NewType

Html = NewType("Html", str)

# Every class that an element may have: what the layouts' styles know
CLASSES = frozenset(
    {
        "osl-args",
        "osl-assistant",
        "osl-call",
        "osl-center",
        "osl-dialogue",
        "osl-dim",
        "osl-fold",
        "osl-image",
        "osl-md",
        "osl-plain",
        "osl-right",
        "osl-role",
        "osl-tool",
        "osl-turn",
        "osl-user",
    }
)


def text(value: str) -> Html:
    """The text itself, whatever markup stands in it."""
    return Html(html.escape(value))


def element(name: str, *children: Html, css: str = "") -> Html:
    """An element with these children, and the class or classes of ``css``."""
    start = f'<{name} class="{css}">' if css else f"<{name}>"
    return Html(f"{start}{''.join(children)}</{name}>")


def joined(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def fold(title: Html, *children: Html, css: str = "osl-fold") -> Html:
    """What a click on its title opens."""
    return element("details", element("summary", title), *children, css=css)
