"""Which readings are kept, in which form, and where they go: the filter, the bound on inline media, the routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.config import Settings
from otel_labelstudio.filters import filtered
from otel_labelstudio.media import without_large_media
from otel_labelstudio.routing import Router
from otel_labelstudio.spans.model import Span
from otel_labelstudio.telemetry import Telemetry

# A call and, as text, its destination
Addressed: TypeAlias = tuple[LLMCall, str]


class Selection:
    """What happens to each reading before it is written down. Raises nothing: a filter that fails costs its call."""

    def __init__(self, settings: Settings, router: Router, telemetry: Telemetry, warn: Callable[[str], None]) -> None:
        self._settings, self._router, self._telemetry, self._warn = settings, router, telemetry, warn

    def addressed(self, calls: Iterable[LLMCall], accepted_at: float, span: Span | None = None) -> list[Addressed]:
        """The calls of a span, or of none that is known, that go on, and where; ``accepted_at`` is in seconds since
        1970."""
        kept = filtered(calls, self._settings.call_filter, self._telemetry, self._warn)
        if not kept:
            return []
        destination = self._router.destination(span, datetime.fromtimestamp(accepted_at)).dumps()
        return [(without_large_media(call, self._settings.media_max_bytes), destination) for call in kept]
