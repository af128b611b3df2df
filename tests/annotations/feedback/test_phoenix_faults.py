"""What a real Phoenix does not do on demand: another server's answers, and a run that ends between two requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions, evaluations_of
from otel_labelstudio.annotations.feedback.phoenix import PhoenixSink, open_sink
from otel_labelstudio.errors import PausedDeliveryError
from tests.annotations.feedback.back_end import Asked, BackEndServer, Said
from tests.annotations.feedback.judged import RULES, SERVER, call, judged, judgement, rated, rating, send


@contextmanager
def opened(server: BackEndServer) -> Iterator[PhoenixSink]:
    with closing(open_sink(SinkOptions(endpoint=server.url))) as sink:
        yield sink


def page(*projects: Any, **more: Any) -> Said:
    return Said(body=json.dumps({"data": projects, **more}).encode())


@pytest.mark.parametrize(
    "answer",
    [
        *(Said(404, page().body), Said(400), Said(body=b"[]"), Said(body=b"{}"), page(1), page({}), page("x")),
        Said(body=b"[" * 100_000),
    ],
)
def test_where_projects_are_not_listed_nothing_is_said_to_be_deleted(state: FeedbackState, answer: Said) -> None:
    """The run ends, and the next one deletes."""
    one = call()
    with BackEndServer(Said(), answer) as server, opened(server) as sink:
        send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        with pytest.raises(PausedDeliveryError, match="list of projects"):
            send([judged(of=one)], sink, state, RULES)
        assert state.task_ids(sink.target, f"{SERVER} 5") == {11}


def test_projects_are_listed_to_the_end(state: FeedbackState) -> None:
    """Page by page; a list without an end is an error and no deletion."""
    one = call()
    pages = [page({"id": "a"}, next_cursor="2"), page({"id": "b"}, next_cursor=None)]
    with BackEndServer(Said(), *pages) as server, opened(server) as sink:
        send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        assert send([judged(of=one)], sink, state, RULES).counts == {"deleted": 1}
        deleted = [asked.path for asked in server.asked if asked.method == "DELETE"]
    assert [path.split("/")[3] for path in deleted] == ["a", "b"]


def test_a_list_of_projects_without_an_end(state: FeedbackState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is an error: what was not looked for everywhere is not said to be deleted."""
    monkeypatch.setattr("otel_labelstudio.annotations.feedback.phoenix._MAX_PROJECT_PAGES", 3)
    one = call()
    with BackEndServer(Said(), otherwise=page({"id": "a"}, next_cursor="a")) as server, opened(server) as sink:
        send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        with pytest.raises(PausedDeliveryError, match="without an end"):
            send([judged(of=one)], sink, state, RULES)
        assert state.task_ids(sink.target, f"{SERVER} 5") == {11}


def test_results_of_a_request_are_there_before_the_next() -> None:
    """Also where Phoenix names spans that it does not have, and the others go again: a run that is killed in between
    has noted them."""
    calls = [call() for _ in range(3)]
    items = [item for one in rated(calls) for item in evaluations_of(one, RULES)]

    def lacks(*missing: int) -> Said:
        return Said(404, ", ".join(calls[number].span_id for number in missing).encode())

    def spans(asked: Asked) -> list[str]:
        return [annotation["span_id"] for annotation in json.loads(asked.body)["data"]]

    with BackEndServer(lacks(0), lacks(1), Said()) as server, opened(server) as sink:
        requests = [
            (len(server.asked), [result.refused is None for result in results])
            for results in sink.send(items)
            if results
        ]
        assert [spans(asked) for asked in server.asked] == [[one.span_id for one in calls[n:]] for n in range(3)]
    assert requests == [(1, [False]), (2, [False]), (3, [True])]
