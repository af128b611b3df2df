"""One run of feedback, from what was collected to what the back end confirmed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.annotations.collecting import Batch
from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.events import EvaluationRules, evaluations_of
from otel_labelstudio.annotations.feedback.sink import FeedbackSink
from otel_labelstudio.annotations.feedback.state import FeedbackState
from otel_labelstudio.annotations.feedback.writing import (
    DELETED,
    NOT_DELETED,
    SENT,
    UNCHANGED,
    WITHOUT_IDS,
    FeedbackWriter,
)
from otel_labelstudio.annotations.judging import judged_or_left_out
from otel_labelstudio.annotations.records import JUDGING_FAILED, AnnotatedTask, NotJudged
from otel_labelstudio.printable import logger

_logger = logger(__name__)

TASKS_READ = "tasks read"
_TASKS_LEFT_OUT = "tasks left out: "


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """What came of a run: how many evaluations were sent, deleted, unchanged, and how many tasks were read; how many
    evaluations were refused, by reason."""

    counts: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_news(self) -> bool:
        """Whether anything was sent, deleted, refused or left out."""
        return bool(self.refusals or self.counts.keys() - {TASKS_READ, UNCHANGED})

    @property
    def tasks_left_out(self) -> dict[str, int]:
        """Of how many tasks nothing can be said, by reason."""
        reasons = ((name.partition(_TASKS_LEFT_OUT)[2], count) for name, count in self.counts.items())
        return {reason: count for reason, count in reasons if reason}

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with what there is none of."""
        return {
            "tasks_read": self.counts.get(TASKS_READ, 0),
            **{name: self.counts.get(name, 0) for name in (SENT, DELETED, UNCHANGED)},
            "not_deleted": self.counts.get(NOT_DELETED, 0),
            "without_valid_ids": self.counts.get(WITHOUT_IDS, 0),
            "tasks_left_out": self.tasks_left_out,
            "refused": dict(self.refusals),
        }


def send_feedback(
    batches: Iterable[Batch],
    sink: FeedbackSink,
    state: FeedbackState,
    rules: EvaluationRules,
    *,
    stop: threading.Event | None = None,
    retries_refused: bool = False,
) -> FeedbackSummary:
    """Write what people said, as far as it is not at the back end already; ``stop`` ends it after the request under
    way::

        with closing(open_sink(name, options)) as sink:
            batches = collect(source, since=partial(state.read_until, sink.target))
            summary = send_feedback(batches, sink, state, EvaluationRules(annotator_naming(form, state.annotator_key)))

    Raises:
        RetryableDeliveryError: the back end, or Label Studio, does not answer; run again.
        PausedDeliveryError: an address or credentials are wrong.
        StoppedError: ``stop`` was set.
    """
    writer = FeedbackWriter(sink, state, stop=stop or threading.Event(), retries_refused=retries_refused)
    for batch in batches:
        writer.end_where_told_to()
        source = batch.project.key
        for task in batch.tasks:
            _write(writer, source, task, rules)
        for task_id in batch.without_annotations:
            writer.write(source, task_id, ())
        if batch.all_ids is not None:
            writer.keep_only(source, batch.all_ids)
        writer.flush()
        if batch.watermark is not None:
            state.advance(sink.target, batch.project, batch.watermark)
    return FeedbackSummary(dict(writer.counts), dict(writer.refusals))


def _write(writer: FeedbackWriter, source: str, task: AnnotatedTask, rules: EvaluationRules) -> None:
    """A task that cannot be read, or on which judging fails, costs itself alone; what was said of it before stays."""
    writer.counts[TASKS_READ] += 1
    judged = _evaluated(task, rules)
    if isinstance(judged, NotJudged):
        writer.counts[f"{_TASKS_LEFT_OUT}{judged.why}"] += 1
        if not judged.is_unknown:
            writer.write(source, task.id, ())
    else:
        writer.write(source, task.id, judged)


def _evaluated(task: AnnotatedTask, rules: EvaluationRules) -> Sequence[Evaluation] | NotJudged:
    judged = judged_or_left_out(task)
    if isinstance(judged, NotJudged):
        return judged
    try:
        return evaluations_of(judged, rules)
    except Exception as error:
        _logger.warning("Cannot tell what people said of task %d (%s).", task.id, type(error).__name__)
        return NotJudged(task, JUDGING_FAILED)
