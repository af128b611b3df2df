"""How to have prompts and answers captured: each producer that leaves them out has a switch of its own."""

from __future__ import annotations

from collections.abc import Mapping

from otel_labelstudio.spans.model import Span

APPLICATION = "in the traced application"
_CAPTURE = f"let the instrumentation {APPLICATION} capture prompts and answers"

# opentelemetry-util-genai 1.0, upload hook: where the answer was stored instead
_UPLOADED = "gen_ai.output.messages_ref"
# aws-opentelemetry-distro 0.21, which moves content from spans into log records for CloudWatch: its name, or the end of
# the version of its auto-instrumentation
_DISTRO, _VERSION, _ADOT = "telemetry.distro.name", "telemetry.auto.version", "aws"
_MOVED = (
    "AWS' distribution moved the content into log records: export the logs here too, or set"
    f" AGENT_OBSERVABILITY_ENABLED=false {APPLICATION}"
)
_DROPPED = (
    "the SDK drops the oldest attributes beyond its limit, and the content with them:"
    f" set OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000 {APPLICATION}"
)


class CaptureHints:
    """The hints that the dialects declare, by the beginning of the scope's name, the longest beginning first."""

    def __init__(self, declared: Mapping[str, Mapping[str, str]]) -> None:
        """``declared`` has a dialect's hints under its name; their ``""`` is for its spans of any other scope."""
        self._of_dialect = {name: hints.get("", "") for name, hints in declared.items()}
        by_scope = {scope: hint for hints in declared.values() for scope, hint in hints.items() if scope}
        self._by_scope = sorted(by_scope.items(), key=lambda item: -len(item[0]))

    def of(self, span: Span, dialect: str) -> str:
        """What would make the producer of this span, which is of this dialect, capture its content."""
        if span.dropped_attributes_count > 0:
            return _DROPPED
        if str(span.resource.get(_DISTRO)).startswith(_ADOT) or str(span.resource.get(_VERSION)).endswith(_ADOT):
            return _MOVED
        hint = self._of_scope(span.scope.name) or self._of_dialect.get(dialect) or _CAPTURE
        return f"the content was uploaded elsewhere: {hint}" if _UPLOADED in span.attributes else hint

    def _of_scope(self, name: str) -> str:
        return next((hint for beginning, hint in self._by_scope if name.startswith(beginning)), "")
