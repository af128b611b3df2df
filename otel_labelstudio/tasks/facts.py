"""What a person sorts and filters tasks by in the Data Manager."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render

# Between the readings of a call: one that is out of a log record was written when the call was over
_SAME_TIME_S = 0.1


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


def may_tell_of(data: Mapping[str, Any], call: LLMCall) -> bool:
    """Whether the time of a task's call, if it says one, is that of this call: ids may be those of several calls, and
    another reading of the call may have begun somewhat earlier or later."""
    try:
        began_s = datetime.fromisoformat(data["started_at"]).timestamp()
        ended_s = began_s + float(data["latency_ms"]) / 1e3
    except (LookupError, TypeError, ValueError):
        return True
    call_began_s, call_ended_s = call.start_time_unix_nano / 1e9, call.end_time_unix_nano / 1e9
    return max(began_s, call_began_s) - min(ended_s, call_ended_s) <= _SAME_TIME_S


def _iso(unix_nano: int) -> str | None:
    if not 0 < unix_nano < 253402300800 * 10**9:  # the year 10000
        return None
    return datetime.fromtimestamp(unix_nano / 1e9, timezone.utc).isoformat(timespec="milliseconds")
