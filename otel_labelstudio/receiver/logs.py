"""The process's log, as text or as JSON lines. No message of this package holds what was sent, nor a secret."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from enum import Enum

_QUIET = ("uvicorn", "grpc", "asyncio", "filelock")
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(str, Enum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """One object a line: time, severity, logger, message, and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _RECORD_FIELDS}
        if record.exc_info and record.exc_info[0] is not None:
            entry["error"] = record.exc_info[0].__name__  # its text may hold what was sent
        return json.dumps(entry, default=str)


class TextFormatter(logging.Formatter):
    """Time, severity and message; of an error its type alone."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).isoformat(sep=" ", timespec="milliseconds")
        error = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] else ""
        return f"{at} {record.levelname} {record.getMessage()}{error}"


def write_log(log_format: LogFormat, *, is_verbose: bool = False) -> None:
    """Send the log of this process to standard error; of the servers' libraries only errors, unless it is verbose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if is_verbose else logging.WARNING)
    logging.getLogger("otel_labelstudio").setLevel(logging.INFO)
    for name in () if is_verbose else _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
