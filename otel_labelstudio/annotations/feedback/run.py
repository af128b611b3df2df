"""One run of feedback, from judged calls to what the back end confirmed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from otel_labelstudio.annotations.feedback.events import EvaluationRules, evaluations_of
from otel_labelstudio.annotations.feedback.sink import FeedbackSink
from otel_labelstudio.annotations.feedback.state import FeedbackState
from otel_labelstudio.annotations.feedback.writing import FeedbackWriter
from otel_labelstudio.annotations.records import AnnotatedProject, JudgedCall


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """What came of a run: how many evaluations were sent, deleted, unchanged; how many were refused, by reason."""

    counts: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)


def source_of(project: AnnotatedProject) -> str:
    """By which the state tells projects apart."""
    return f"{project.url} {project.id}"


def send_feedback(
    judged_calls: Iterable[JudgedCall],
    sink: FeedbackSink,
    state: FeedbackState,
    rules: EvaluationRules,
    *,
    stop: threading.Event | None = None,
    retries_refused: bool = False,
) -> FeedbackSummary:
    """Write what people said of these calls, as far as it is not at the back end already.

    A call without judgements takes back what was said of it before. ``stop`` ends the run after the request under way.

    Raises:
        RetryableDeliveryError: the back end does not answer; run again.
        PausedDeliveryError: the address or the credentials are wrong.
        StoppedError: ``stop`` was set.
    """
    writer = FeedbackWriter(sink, state, stop=stop or threading.Event(), retries_refused=retries_refused)
    newest: dict[str, datetime] = {}
    for judged in judged_calls:
        source, updated_at = source_of(judged.task.project), judged.task.updated_at
        writer.write(source, judged.task.id, evaluations_of(judged, rules))
        if updated_at is not None:
            newest[source] = max(updated_at, newest.get(source, updated_at))
    writer.flush()
    for source, updated_at in newest.items():
        state.advance(sink.target, source, updated_at)
    return FeedbackSummary(dict(writer.counts), dict(writer.refusals))
