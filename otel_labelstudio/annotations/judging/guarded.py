"""Judging as the commands do it: a task on which it fails costs itself alone."""

from __future__ import annotations

from otel_labelstudio.annotations.judging.judgements import judge
from otel_labelstudio.annotations.records import JUDGING_FAILED, AnnotatedTask, JudgedCall, NotJudged
from otel_labelstudio.printable import logger

_logger = logger(__name__)


def judged_or_left_out(task: AnnotatedTask, *, keep_bulk: bool = False) -> JudgedCall | NotJudged:
    """As `judge`; where that fails, a warning names the task and the kind of the error, whose text may hold content."""
    try:
        return judge(task, keep_bulk=keep_bulk)
    except Exception as error:
        _logger.warning("Cannot judge task %d (%s).", task.id, type(error).__name__)
        return NotJudged(task, JUDGING_FAILED)
