"""The JSON of rows, which is JSON: infinities and NaN, which Python writes and no other parser reads, are refused."""

from __future__ import annotations

import json
from typing import Any

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError


def json_text(value: Any) -> str:
    """JSON on one line, that any reader of UTF-8 takes: half a character becomes its replacement.

    Raises `RowLeftOutError` where it has a number that JSON has not: tool calls have them, as people or models wrote.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError as error:
        raise RowLeftOutError(LeftOut.TOOL_ARGUMENTS) from error
    return text.encode("utf-8", "replace").decode("utf-8")
