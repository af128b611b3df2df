"""Which readings are kept, in which form, and where they go: the filter, the bound on inline media, the routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.filters.call_filter import filtered
from otel_labelstudio.filters.large_media import without_large_media
from otel_labelstudio.identity import resource_digest, with_valid_ids
from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import Span
from otel_labelstudio.telemetry import Telemetry

WITHOUT_VALID_IDS = (
    "Calls come without valid trace and span ids (16 and 8 bytes, not all of them zero). They are known by digests of "
    "what they say and when, in the place of these ids. Further ones are only counted (calls.without_valid_ids)."
)


@dataclass(frozen=True, slots=True)
class RoutedCall:
    """A call and, as texts, where it goes and a digest of the resource that it comes from, empty where that is not
    known. ``keys`` are those of all its readings where they were folded before, first that by which it is known."""

    call: LLMCall
    destination: str
    resource: str = ""
    keys: tuple[str, ...] = ()


class Selection:
    """What happens to each reading before it is written down. Raises nothing: one on which it fails is dropped."""

    def __init__(self, settings: Settings, router: Router, telemetry: Telemetry, warn: Callable[[str], None]) -> None:
        self._settings, self._router, self._telemetry, self._warn = settings, router, telemetry, warn

    def routed(
        self,
        calls: Iterable[LLMCall],
        accepted_at: float,
        span: Span | None = None,
        resource_attributes: Mapping[str, Any] | None = None,
    ) -> list[RoutedCall]:
        """The calls of a span, or of none that is known, that go on, and where; ``accepted_at`` is in seconds since
        1970. ``resource_attributes`` are of calls without their span, where they are known."""
        routed = []
        resource = resource_digest(span.resource) if span else ""
        for call in self._filtered(calls, span, span.resource if span else resource_attributes):
            try:
                known = self._identified(call)
                destination = self._destination(span, accepted_at, resource_attributes)
                routed.append(RoutedCall(self._without_large_media(known), destination, resource))
            except Exception as error:  # noqa: PERF203
                self._count_fault(error)
        return routed

    def _filtered(
        self, calls: Iterable[LLMCall], span: Span | None, resource_attributes: Mapping[str, Any] | None
    ) -> list[LLMCall]:
        """By the filter of the route that the span goes, which is the settings' where the route has none of its own."""
        try:
            call_filter = self._router.settings_for(span).call_filter
        except Exception as error:  # without its filter, nothing of it may go on
            self._count_fault(error, len(list(calls)))
            return []
        return filtered(calls, call_filter, self._telemetry, self._warn, resource_attributes)

    def _count_fault(self, error: Exception, count: int = 1) -> None:
        self._warn(f"A call could not be routed ({type(error).__name__}). Further ones are only counted.")
        self._telemetry.count("calls.dropped", count, reason="fault")

    def _identified(self, call: LLMCall) -> LLMCall:
        """After the filter, which may have blanked the ids."""
        known = with_valid_ids(call)
        if known is not call:
            self._telemetry.count("calls.without_valid_ids")
            self._warn(WITHOUT_VALID_IDS)
        return known

    def _without_large_media(self, call: LLMCall) -> LLMCall:
        return without_large_media(call, self._settings.media_max_bytes)

    def _destination(self, span: Span | None, accepted_at: float, resource_attributes: Mapping[str, Any] | None) -> str:
        return self._router.destination(span, datetime.fromtimestamp(accepted_at), resource_attributes).dumps()
