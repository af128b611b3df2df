"""Feedback at Langfuse, by a contract that is recorded here: no real Langfuse is run.

The contract is Langfuse's own API definition (fern/apis/server/definition/scores.yml and legacy/score-v1.yml of 2026):
``POST /api/public/scores`` with Basic authentication, an ``id`` by which a score is overwritten, ``value`` a number for
NUMERIC and a text for CATEGORICAL, CORRECTION and TEXT (1 to 500 characters); ``DELETE /api/public/scores/{scoreId}``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions
from otel_labelstudio.annotations.feedback.langfuse import LangfuseSink, open_sink
from otel_labelstudio.annotations.records import Act
from otel_labelstudio.errors import ConfigError, PausedDeliveryError
from tests.annotations.feedback.back_end import Asked, BackEndServer, Said
from tests.annotations.feedback.judged import (
    RULES,
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

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-2"}
VALUES: dict[str, type[float] | type[str]] = {"NUMERIC": float, "CATEGORICAL": str, "CORRECTION": str, "TEXT": str}


class Contract:
    """What the definition says of scores; keeps them as Langfuse would."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, Any]] = {}

    def __call__(self, asked: Asked) -> Said:
        assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"pk-lf-1:sk-lf-2"
        if asked.method == "DELETE":
            score_id = asked.path.removeprefix("/api/public/scores/")
            return Said(200 if self.scores.pop(score_id, None) else 404)
        assert (asked.method, asked.path) == ("POST", "/api/public/scores")
        score = json.loads(asked.body)
        assert score.keys() <= {"id", "traceId", "observationId", "name", "value", "dataType", "comment", "metadata"}
        assert isinstance(score["value"], VALUES[score["dataType"]])
        assert score["dataType"] != "TEXT" or 1 <= len(str(score["value"])) <= 500
        self.scores[score["id"]] = score
        return Said(body=json.dumps({"id": score["id"]}).encode())

    def told(self) -> dict[str, tuple[str, Any]]:
        return {score["name"]: (score["dataType"], score["value"]) for score in self.scores.values()}


@contextmanager
def opened(url: str) -> Iterator[LangfuseSink]:
    with closing(open_sink(SinkOptions(endpoint=url, credentials=KEYS))) as sink:
        yield sink


def test_what_people_said_are_scores_of_the_observation(state: FeedbackState) -> None:
    """A rating is a number, a choice a category, a corrected text a CORRECTION, a comment explains them."""
    one, contract = call(), Contract()
    edited = answer(Act.EDITED, "Paris, France.", 0.75)
    said = judged(judgement(rating(4), choices("good"), comment("Short."), answers=(edited,)), of=one)
    with BackEndServer(otherwise=contract) as server, opened(server.url) as sink:
        send([said], sink, state, replace(RULES, has_corrections=True))
    assert contract.told() == {
        "rating": ("NUMERIC", 4.0),
        "verdict": ("CATEGORICAL", "good"),
        "correction": ("CATEGORICAL", "edited"),
        "output": ("CORRECTION", "Paris, France."),
    }
    assert {(s["traceId"], s["observationId"]) for s in contract.scores.values()} == {(one.trace_id, one.span_id)}
    assert {score["comment"] for score in contract.scores.values()} == {"Short."}


def test_a_comment_alone_is_a_text(state: FeedbackState) -> None:
    """Of a long one the beginning is the value, and all of it the comment."""
    contract = Contract()
    with BackEndServer(otherwise=contract) as server, opened(server.url) as sink:
        send([judged(judgement(comment("x" * 900)))], sink, state, RULES)
    (score,) = contract.scores.values()
    assert (score["dataType"], len(score["value"]), len(score["comment"])) == ("TEXT", 500, 900)


def test_twice_is_once_and_what_is_gone_is_deleted(state: FeedbackState) -> None:
    """A lost state adds nothing; a correction that was taken back takes its text with it, a deleted annotation all."""
    one, contract = call(), Contract()
    edited = judged(judgement(answers=(answer(Act.EDITED, "Paris, France.", 0.75),)), of=one)
    accepted = judged(judgement(answers=(answer(Act.ACCEPTED),)), of=one)
    rules = replace(RULES, has_corrections=True)
    with BackEndServer(otherwise=contract) as server, opened(server.url) as sink:
        send([edited], sink, state, rules)
        with closing(FeedbackState(None)) as lost:
            send([edited], sink, lost, rules)
        assert len(contract.scores) == 2
        summary = send([accepted], sink, state, rules)
        assert (summary.counts, contract.told()) == (
            {"sent": 1, "deleted": 1},
            {"correction": ("CATEGORICAL", "accepted")},
        )
        send([judged(of=one)], sink, state, rules)
        assert contract.scores == {}


def test_a_score_that_is_refused_takes_no_other_with_it(state: FeedbackState) -> None:
    """400 for one of three: the others are there, the reason is noted."""
    contract = Contract()
    with BackEndServer(contract, Said(400, b"secret text"), otherwise=contract) as server, opened(server.url) as sink:
        summary = send(rated([call() for _ in range(3)]), sink, state, RULES)
    assert (len(contract.scores), summary.refusals) == (2, {"HTTP status 400": 1})


def test_a_score_whose_change_was_refused_is_deleted_with_its_annotation(state: FeedbackState) -> None:
    """The back end still has the earlier one: a refusal changes nothing there."""
    one, contract = call(), Contract()
    with BackEndServer(contract, Said(400), otherwise=contract) as server, opened(server.url) as sink:
        send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        assert send([judged(judgement(rating(1)), of=one)], sink, state, RULES).refusals == {"HTTP status 400": 1}
        assert contract.told() == {"rating": ("NUMERIC", 4.0)}
        send([judged(of=one)], sink, state, RULES)
    assert contract.scores == {}


def test_credentials_that_are_missing_or_wrong(state: FeedbackState) -> None:
    """Both say which variables are meant; no key stands in any message."""
    with pytest.raises(ConfigError, match="LANGFUSE_SECRET_KEY"):
        open_sink(SinkOptions(endpoint="http://127.0.0.1:9", credentials={"LANGFUSE_PUBLIC_KEY": "pk-lf-1"}))
    with pytest.raises(ConfigError, match="LANGFUSE_BASE_URL"):
        open_sink(SinkOptions(credentials=KEYS))
    with BackEndServer(otherwise=Said(401)) as server, opened(server.url) as sink:
        with pytest.raises(PausedDeliveryError, match="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY") as raised:
            send(rated([call()]), sink, state, RULES)
        assert "sk-lf" not in str(raised.value)
