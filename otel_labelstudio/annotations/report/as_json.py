"""A report as JSON: the records by their names, numbers with as many digits as they are worth."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from otel_labelstudio.annotations.report.records import Difference, Report, Share

_DIGITS = 3


def to_json(report: Report) -> str:
    """The report as indented JSON, with a line's end at its end. Keys are the names of the records' fields; shares
    and differences have their ``value`` too, and times are ISO 8601."""
    return json.dumps(_values(report), indent=2, ensure_ascii=False).translate(_ESCAPED) + "\n"


# What is no character of its own: half of a surrogate pair, from damaged telemetry
_ESCAPED = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}


def _values(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        record = {field.name: _values(getattr(value, field.name)) for field in fields(value)}
        return {"value": _values(value.value), **record} if isinstance(value, Share | Difference) else record
    if isinstance(value, tuple):
        return [_values(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value, _DIGITS) if isinstance(value, float) else value
