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
    """What happens to each reading before it is written down. Raises nothing: one on which it fails is dropped."""

    def __init__(self, settings: Settings, router: Router, telemetry: Telemetry, warn: Callable[[str], None]) -> None:
        self._settings, self._router, self._telemetry, self._warn = settings, router, telemetry, warn

    def addressed(self, calls: Iterable[LLMCall], accepted_at: float, span: Span | None = None) -> list[Addressed]:
        """The calls of a span, or of none that is known, that go on, and where; ``accepted_at`` is in seconds since
        1970."""
        addressed = []
        for call in filtered(calls, self._settings.call_filter, self._telemetry, self._warn):
            try:
                addressed.append((self._without_large_media(call), self._destination(span, accepted_at)))
            except Exception as error:  # noqa: PERF203
                self._warn(f"A call could not be addressed ({type(error).__name__}). Further ones are only counted.")
                self._telemetry.count("calls.dropped", reason="fault")
        return addressed

    def _without_large_media(self, call: LLMCall) -> LLMCall:
        return without_large_media(call, self._settings.media_max_bytes)

    def _destination(self, span: Span | None, accepted_at: float) -> str:
        return self._router.destination(span, datetime.fromtimestamp(accepted_at)).dumps()
