"""Indexes as Label Studio writes them: digits of ASCII."""

from __future__ import annotations

# More digits than any index has; `int` takes ever longer for them, and refuses more than 4,300
_MOST_DIGITS = 9


def index_in(text: object) -> int | None:
    """The index that the text is; None where it is none."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    return None
