"""What a person sorts and filters tasks by in the Data Manager."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render


def facts(call: LLMCall) -> dict[str, Any]:
    """In the order of the Data Manager's columns; facts that the telemetry lacks are left out."""
    found = {
        "preview": render.preview(call),
        "model": call.model,
        "provider": call.provider,
        "operation": call.operation,
        "service": call.service_name,
        "started_at": _iso(call.start_time_unix_nano),
        "latency_ms": round((call.end_time_unix_nano - call.start_time_unix_nano) / 1e6, 1),
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "finish_reason": ", ".join(dict.fromkeys(call.finish_reasons)) or None,
        "conversation_id": call.conversation_id,
        "incomplete": "; ".join(call.incomplete) or None,
        "error_type": call.error_type,
        "run_id": call.run_id or f"{call.trace_id}-{call.span_id}",
        "trace_id": call.trace_id,
        "span_id": call.span_id,
    }
    return {name: fact for name, fact in found.items() if fact is not None}


def _iso(unix_nano: int) -> str | None:
    if not 0 < unix_nano < 253402300800 * 10**9:  # the year 10000
        return None
    return datetime.fromtimestamp(unix_nano / 1e9, timezone.utc).isoformat(timespec="milliseconds")
