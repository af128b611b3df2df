"""The one reader of the way back's times: those that Label Studio writes and those that people type."""

from __future__ import annotations

from datetime import datetime, timezone


def utc(text: str) -> datetime:
    """A date or a time in ISO 8601, in UTC unless it says otherwise; raises `ValueError`."""
    at = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    try:
        return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
    except OverflowError:  # the first or last hours that there are, in another zone
        raise ValueError(f"{text!r} is not a time in UTC") from None
