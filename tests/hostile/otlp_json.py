"""OTLP JSON: requests, spans, log records and their values. A valid call has its marker in its question and answer."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from tests.hostile.oddities import NOW_NS

_NO_NUMBERS = {math.inf: "Infinity", -math.inf: "-Infinity"}
SCOPE = "opentelemetry.instrumentation.hostile"


def traces(*spans: dict[str, Any], service: Any = "shop") -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": key_values({"service.name": service})},
                "scopeSpans": [{"scope": {"name": SCOPE, "version": "1"}, "spans": list(spans)}],
            }
        ]
    }


def logs(*records: dict[str, Any], service: Any = "shop") -> dict[str, Any]:
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": key_values({"service.name": service})},
                "scopeLogs": [{"scope": {"name": SCOPE, "version": "1"}, "logRecords": list(records)}],
            }
        ]
    }


def chat(marker: str, attributes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A span of a chat, with further ``attributes`` and with ``fields`` in place of its own."""
    number = number_of(marker)
    said = {**chat_attributes(marker), **(attributes or {})}
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(NOW_NS + number),
        "endTimeUnixNano": str(NOW_NS + number + 10**9),
        "attributes": key_values(said),
        **fields,
    }


def chat_attributes(marker: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": messages("user", f"{marker}?"),
        "gen_ai.output.messages": messages("assistant", marker),
    }


def whole_call(marker: str, attributes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A log record that tells of a whole call (gen_ai.client.inference.operation.details)."""
    event = "gen_ai.client.inference.operation.details"
    return record(marker, event, {**chat_attributes(marker), **(attributes or {})}, **fields)


def record(marker: str, event: str, attributes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    number = number_of(marker)
    return {
        "timeUnixNano": str(NOW_NS + number),
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "eventName": event,
        "attributes": key_values(attributes or {}),
        **fields,
    }


def messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def number_of(marker: str) -> int:
    return int(marker.rsplit("-", 1)[-1])


def key_values(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def any_value(value: Any) -> Any:
    """A value as OTLP JSON has it; `Raw` stays as it is."""
    if isinstance(value, Raw):
        return value.value
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": _NO_NUMBERS.get(value, "NaN") if not math.isfinite(value) else value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return {"kvlistValue": {"values": key_values(value)}}


class Raw:
    """JSON in the place of a value, as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value
