"""A run of feedback over what was collected: what it takes back, and what it leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otel_labelstudio.annotations.collecting import Batch, TaskIds
from otel_labelstudio.annotations.feedback import FeedbackState, FeedbackSummary, send_feedback
from otel_labelstudio.annotations.feedback.langfuse import LangfuseSink
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import AnnotatedTask
from tests.annotations.annotated import annotation, answered, box, said, task
from tests.annotations.feedback.back_end import BackEndServer
from tests.annotations.feedback.judged import RULES
from tests.annotations.feedback.test_langfuse import Contract, opened

RATED = task(answered("Paris."), annotation(box("Paris."), said("rating", "rating", 4)))


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture
def sink(contract: Contract) -> Iterator[LangfuseSink]:
    with BackEndServer(otherwise=contract) as server, opened(server.url) as made:
        yield made


def run(sink: LangfuseSink, state: FeedbackState, *tasks: AnnotatedTask) -> FeedbackSummary:
    """A whole project with just these tasks."""
    batch = Batch(project=RATED.project, tasks=tasks, all_ids=TaskIds(one.id for one in tasks))
    return send_feedback([batch], sink, state, RULES, stop=threading.Event())


def test_a_task_that_cannot_be_read_keeps_its_scores(
    contract: Contract, sink: LangfuseSink, state: FeedbackState
) -> None:
    """What the server cannot tell this time is no word of anybody's: only an annotation that is gone is taken back."""
    assert run(sink, state, RATED).counts["sent"] == 1
    unreadable = replace(RATED, call=None, why_no_call="unreadable_task", annotations=())
    assert run(sink, state, unreadable).counts == {"tasks read": 1, "tasks left out: unreadable_task": 1}
    assert contract.told() == {"rating": ("NUMERIC", 4.0)}
    assert run(sink, state, replace(RATED, annotations=())).counts["deleted"] == 1


def test_a_task_on_which_judging_fails_keeps_its_scores(
    contract: Contract, sink: LangfuseSink, state: FeedbackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, and keeps no other from being sent."""
    run(sink, state, RATED)

    def judged(one: AnnotatedTask, *, keep_bulk: bool) -> object:
        if one.id == RATED.id:
            raise ValueError("odd")
        return judge(one, keep_bulk=keep_bulk)

    monkeypatch.setattr("otel_labelstudio.annotations.judging.guarded.judge", judged)
    other = replace(RATED, id=2, annotations=(annotation(box("Paris."), said("rating", "rating", 1)),))
    assert run(sink, state, RATED, other).counts == {"tasks read": 2, "tasks left out: fault": 1, "sent": 1}
    assert len(contract.scores) == 2
