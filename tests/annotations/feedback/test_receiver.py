"""Feedback that comes by our own receiver, as it does where one Collector has both pipelines."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions
from otel_labelstudio.annotations.feedback.otlp import open_sink
from otel_labelstudio.annotations.records import Act
from otel_labelstudio.recordings import read_calls
from tests.annotations.feedback.back_end import BackEndServer
from tests.annotations.feedback.judged import RULES, answer, call, choices, comment, judged, judgement, rating, send
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post


@pytest.mark.parametrize("form", ["events", "spans"])
def test_no_form_of_feedback_becomes_a_task(form: str, tmp_path: Path, state: FeedbackState) -> None:
    """Neither about a call that the receiver has, to which it adds nothing, nor about one that it has not: scores,
    labels, comments, corrected texts."""
    request = traces("Where?")
    (span_id,) = ids(request)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    known = call(trace_id=span.trace_id.hex(), span_id=span_id)
    edited = answer(Act.EDITED, "Paris, France.", 0.75)
    said = rating(4), choices("good", "kind"), comment("Short.")
    first, second = (judgement(*said, answers=(edited,), annotation_id=number) for number in (7, 8))
    with Receiver(tmp_path / "outbox.db") as receiver:
        assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        (before,) = receiver.delivered({span_id})
        with closing(open_sink(SinkOptions(endpoint=receiver.http, form=form))) as sink:
            tasks = [judged(first, of=known), judged(second, of=call(), task_id=12)]
            summary = send(tasks, sink, state, replace(RULES, has_corrections=True))
        assert summary.counts == {"sent": 8}
        assert receiver.flush()
        assert receiver.sink.calls == [before]


@pytest.mark.parametrize(("form", "name"), [("events", "logs.pb"), ("spans", "traces.pb")])
def test_no_form_of_feedback_is_read_from_a_file_as_a_call(
    form: str, name: str, tmp_path: Path, state: FeedbackState
) -> None:
    """As a Collector's file exporter may write it beside the calls."""
    edited = answer(Act.EDITED, "Paris, France.", 0.75)
    with BackEndServer() as server, closing(open_sink(SinkOptions(endpoint=server.url, form=form))) as sink:
        send([judged(judgement(rating(4), answers=(edited,)))], sink, state, replace(RULES, has_corrections=True))
    (tmp_path / name).write_bytes(server.asked[0].body)
    assert read_calls([tmp_path / name]) == []
