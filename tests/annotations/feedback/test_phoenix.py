"""Feedback at a real Phoenix server of the newest release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions
from otel_labelstudio.annotations.feedback.phoenix import PhoenixSink, open_sink
from otel_labelstudio.annotations.records import Act
from otel_labelstudio.errors import PausedDeliveryError
from tests.annotations.feedback.judged import (
    RULES,
    SERVER,
    answer,
    call,
    choices,
    comment,
    judged,
    judgement,
    rated,
    rating,
    send,
)
from tests.annotations.feedback.phoenix import Phoenix


@pytest.fixture
def sink(phoenix: Phoenix) -> Iterator[PhoenixSink]:
    with closing(open_sink(SinkOptions(endpoint=phoenix.url))) as made:
        yield made


def test_what_people_said_stands_on_the_span(phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState) -> None:
    """A rating, choices and a correction of one person are annotations of the span, with the comment and the facts."""
    one = call()
    phoenix.trace([one])
    edited = answer(Act.EDITED, "Paris, France.", 0.75)
    said = judged(judgement(rating(4), choices("good"), comment("Short."), answers=(edited,)), of=one)
    summary = send([said], sink, state, replace(RULES, has_corrections=True))
    found = {annotation["name"]: annotation for annotation in phoenix.annotations([one])}
    results = {name: annotation["result"] for name, annotation in found.items()}
    assert summary.counts == {"sent": 3}
    assert results == {
        "rating": {"score": 4.0, "label": None, "explanation": "Short."},
        "verdict": {"score": None, "label": "good", "explanation": "Short."},
        "correction": {"score": 0.25, "label": "edited", "explanation": "Short."},
    }
    assert {annotation["annotator_kind"] for annotation in found.values()} == {"HUMAN"}
    assert found["correction"]["metadata"]["labelstudio.correction"] == "Paris, France."
    assert found["rating"]["metadata"]["labelstudio.url"] == f"{SERVER}/projects/5/data?task=11"
    assert found["rating"]["metadata"]["labelstudio.rating.max"] == 5


def test_twice_is_once_and_the_latest_word_counts(phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState) -> None:
    """The same feedback with another state, as after a lost one, adds nothing; a changed rating replaces the old."""
    one = call()
    phoenix.trace([one])
    send([judged(judgement(rating(2)), of=one)], sink, state, RULES)
    with closing(FeedbackState(None)) as another:
        send([judged(judgement(rating(2)), of=one)], sink, another, RULES)
    assert [annotation["result"]["score"] for annotation in phoenix.annotations([one])] == [2.0]
    again = send([judged(judgement(rating(5)), of=one)], sink, state, RULES)
    assert again.counts == {"sent": 1}
    assert [annotation["result"]["score"] for annotation in phoenix.annotations([one])] == [5.0]


def test_two_people_stay_two(phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState) -> None:
    """Each person's rating is an annotation of its own."""
    one = call()
    phoenix.trace([one])
    people = judgement(rating(2)), judgement(rating(5), annotation_id=8, user_id=4)
    send([judged(*people, of=one)], sink, state, RULES)
    found = phoenix.annotations([one])
    assert sorted(annotation["result"]["score"] for annotation in found) == [2.0, 5.0]
    assert len({annotation["metadata"]["labelstudio.annotator"] for annotation in found}) == 2


def test_a_span_that_phoenix_does_not_have_takes_no_other_with_it(
    phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState
) -> None:
    """Of a batch in which some spans are unknown, all others arrive; the unknown ones are noted as refused, with the
    reason, and come again when they are asked for and the span is there."""
    calls = [call() for _ in range(20)]
    unknown = calls[3::8]
    phoenix.trace([one for one in calls if one not in unknown])
    summary = send(rated(calls), sink, state, RULES)
    assert summary.counts == {"sent": 17}
    assert summary.refusals == {"Phoenix does not have the span": 3}
    assert len(phoenix.annotations(calls)) == 17
    phoenix.trace(unknown)
    assert send(rated(calls), sink, state, RULES).counts == {"unchanged": 20}
    again = send(rated(calls), sink, state, RULES, retries_refused=True)
    assert again.counts == {"sent": 3, "unchanged": 17}
    assert len(phoenix.annotations(calls)) == 20


def test_what_was_taken_back_is_deleted_and_nothing_else(
    phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState
) -> None:
    """A deleted annotation is gone at Phoenix, in whatever project its span is; other annotations of the same name
    stay, a person's own at Phoenix among them."""
    project = f"feedback-{os.urandom(4).hex()}"
    gone, other = call(), call()
    phoenix.trace([gone, other], project)
    tasks = rated([gone, other])
    send(tasks, sink, state, RULES)
    assert len(phoenix.annotations([gone, other], project)) == 2
    summary = send([replace(tasks[0], judgements=())], sink, state, RULES)
    assert summary.counts == {"deleted": 1}
    assert [annotation["span_id"] for annotation in phoenix.annotations([gone, other], project)] == [other.span_id]


def test_the_reserved_name_is_refused_by_itself(phoenix: Phoenix, sink: PhoenixSink, state: FeedbackState) -> None:
    """Phoenix refuses a whole batch with the name "note" in it: that item is refused, with what helps."""
    one = call()
    phoenix.trace([one])
    said = judged(judgement(rating(4), choices("odd", name="note")), of=one)
    summary = send([said], sink, state, RULES)
    assert [annotation["name"] for annotation in phoenix.annotations([one])] == ["rating"]
    assert [*summary.refusals] == ['Phoenix reserves the name "note"; rename it with --names note=...']
    renamed = replace(RULES, names={"note": "remark"})
    send([said], sink, state, renamed)
    assert [annotation["name"] for annotation in phoenix.annotations([one])] == ["rating", "remark"]


def test_another_server_is_no_phoenix(phoenix: Phoenix, state: FeedbackState) -> None:
    """Where there is no such address, nothing is refused for good: the run ends and says what to check."""
    elsewhere = SinkOptions(endpoint=f"{phoenix.url}/elsewhere")
    with closing(open_sink(elsewhere)) as sink, pytest.raises(PausedDeliveryError, match="check --endpoint"):
        send([judged(judgement(rating(4)))], sink, state, RULES)
    assert state.task_ids(sink.target, f"{SERVER} 5") == set()
