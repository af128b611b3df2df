"""Log records that hold a call's content without an event's name of the conventions: which they are.

Where the readers of such records are, their fields are explained: `adot`, `spring_ai`.
"""

from __future__ import annotations

from otel_labelstudio.spans.model import LogRecord

# Spring AI's ChatModelPromptContentObservationHandler and ChatModelCompletionObservationHandler
PROMPT_LINE, ANSWER_LINE = "Chat Model Prompt Content:\n", "Chat Model Completion:\n"


def is_moved_content(record: LogRecord) -> bool:
    """Whether AWS' distribution moved a span's content here: the record is named like its own scope."""
    name = record.event_name or record.attributes.get("event.name")
    if not name or name != record.scope.name or not isinstance(record.body, dict):
        return False
    return any(isinstance(record.body.get(side), dict) for side in ("input", "output"))


def is_logged_content(record: LogRecord) -> bool:
    """Whether it is a line in which Spring AI logged what was asked or answered."""
    return isinstance(record.body, str) and record.body.startswith((PROMPT_LINE, ANSWER_LINE))
