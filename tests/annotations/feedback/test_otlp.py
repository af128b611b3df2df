"""Feedback by OTLP: what goes over the wire, and what the answers do to the state."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions, evaluations_of
from otel_labelstudio.annotations.feedback import open_sink as feedback_sink
from otel_labelstudio.annotations.feedback.otlp import OtlpSink, open_sink
from otel_labelstudio.annotations.feedback.writing import FeedbackWriter
from otel_labelstudio.annotations.records import Act, JudgedCall, Verdict
from otel_labelstudio.errors import ConfigError, PausedDeliveryError, RetryableDeliveryError
from tests.annotations.feedback.back_end import Asked, BackEndServer, Said
from tests.annotations.feedback.judged import (
    AT,
    RULES,
    SERVER,
    answer,
    call,
    comment,
    judged,
    judgement,
    rated,
    rating,
    send,
)
from tests.delivery.label_studio.socks_proxy import SocksProxy

SOURCE = f"{SERVER} 5"


@contextmanager
def opened(server: BackEndServer, **options: object) -> Iterator[OtlpSink]:
    with closing(open_sink(SinkOptions(endpoint=server.url, **options))) as sink:  # type: ignore[arg-type]
        yield sink


def values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    """By name; each of them has a value."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}


def records(asked: Asked) -> list[LogRecord]:
    request = ExportLogsServiceRequest.FromString(asked.body)
    return [r for rl in request.resource_logs for sl in rl.scope_logs for r in sl.log_records]


def without_waiting(sink: OtlpSink, state: FeedbackState) -> tuple[FeedbackWriter, list[float]]:
    """A writer, and the waits that it would have made."""
    waits: list[float] = []
    return FeedbackWriter(sink, state, stop=threading.Event(), wait=waits.append), waits


def write(writer: FeedbackWriter, *tasks: JudgedCall) -> None:
    for judged_call in tasks:
        writer.write(SOURCE, judged_call.task.id, evaluations_of(judged_call, RULES))
    writer.flush()


def test_an_event_is_what_the_convention_says(state: FeedbackState) -> None:
    """One request with protobuf: name, score, explanation and response id under the conventions' names, the trace and
    span id of the call, the time of the annotation, the call's service, and our facts beside them."""
    one = call()
    with (
        BackEndServer() as server,
        opened(server, credentials={"OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=a%20b"}) as sink,
    ):
        send([judged(judgement(rating(4), comment("Short.")), of=one)], sink, state, RULES)
    (asked,) = server.asked
    assert (asked.path, asked.headers["content-type"], asked.headers["x-api-key"]) == (
        "/v1/logs",
        "application/x-protobuf",
        "a b",
    )
    (record,) = records(asked)
    told = values(record.attributes)
    assert record.event_name == "gen_ai.evaluation.result"
    assert (record.trace_id.hex(), record.span_id.hex()) == (one.trace_id, one.span_id)
    assert record.time_unix_nano == int(AT.timestamp()) * 10**9 + 123_456_000
    assert {name: value for name, value in told.items() if name.startswith("gen_ai.")} == {
        "gen_ai.evaluation.name": "rating",
        "gen_ai.evaluation.score.value": 4.0,
        "gen_ai.evaluation.explanation": "Short.",
        "gen_ai.response.id": "chatcmpl-1",
    }
    assert told["labelstudio.annotation.id"] == 7
    assert told["labelstudio.rating.max"] == 5
    assert "person3" not in str(told["labelstudio.annotator"])
    (resource_logs,) = ExportLogsServiceRequest.FromString(asked.body).resource_logs
    assert values(resource_logs.resource.attributes) == {"service.name": "shop"}


def test_a_corrected_text_leaves_only_when_it_is_asked_for(state: FeedbackState) -> None:
    """Then it is the event's body."""
    edited = judged(judgement(answers=(answer(Act.EDITED, "Paris, France.", 0.75),)))
    with BackEndServer() as server, opened(server) as sink:
        send([edited], sink, state, RULES)
        send([edited], sink, state, replace(RULES, has_corrections=True))
    (without,), (with_text,) = map(records, server.asked)
    assert b"France" not in server.asked[0].body
    assert values(without.attributes)["gen_ai.evaluation.score.label"] == "edited"
    assert with_text.body.string_value == "Paris, France."


def test_a_span_of_feedback_has_one_link_and_ids_of_what_it_says(state: FeedbackState) -> None:
    """OpenInference's carrier: an EVALUATOR with one link to the call and one annotation by a human; sent again, it is
    the same span, and changed, another."""
    one = call()
    said = judged(judgement(rating(4)), of=one)
    with BackEndServer() as server, opened(server, form="spans", is_timed_now=True) as sink:
        send([said], sink, state, RULES)
        with closing(FeedbackState(None)) as lost:
            send([said], sink, lost, RULES)
        send([judged(judgement(rating(5)), of=one)], sink, state, RULES)
    requests = [ExportTraceServiceRequest.FromString(asked.body) for asked in server.asked]
    first, again, changed = (request.resource_spans[0].scope_spans[0].spans[0] for request in requests)
    told = values(first.attributes)
    assert {asked.path for asked in server.asked} == {"/v1/traces"}
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in first.links] == [(one.trace_id, one.span_id)]
    assert (told["openinference.span.kind"], told["annotations.0.annotation.score"]) == ("EVALUATOR", 4.0)
    assert told["annotations.0.annotation.annotator_kind"] == "HUMAN"
    assert first.trace_id.hex() != one.trace_id
    assert (first.trace_id, first.span_id) == (again.trace_id, again.span_id) != (changed.trace_id, changed.span_id)
    assert first.start_time_unix_nano > AT.timestamp() * 1e9


def test_nothing_is_sent_twice(state: FeedbackState) -> None:
    """A second run sends nothing; a changed rating is another event with the same evaluation id, since OTLP cannot
    overwrite; what was deleted cannot be taken back, and is counted once."""
    one = call()
    with BackEndServer() as server, opened(server) as sink:
        send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        again = send([judged(judgement(rating(4)), of=one)], sink, state, RULES)
        later = datetime(2026, 11, 27, tzinfo=timezone.utc)
        changed = judged(judgement(rating(2), updated_at=later), of=one, updated_at=later)
        send([changed], sink, state, RULES)
        gone = [send([judged(of=one)], sink, state, RULES).counts for _ in range(2)]
    assert (again.counts, len(server.asked)) == ({"unchanged": 1}, 2)
    assert gone == [{"cannot be deleted": 1}, {}]
    ids = {
        values(record.attributes)["labelstudio.evaluation.id"] for asked in server.asked for record in records(asked)
    }
    assert len(ids) == 1


def test_values_from_anywhere_end_no_run(state: FeedbackState) -> None:
    """Ids that are none, times before and after what OTLP can say, numbers beyond its integers, half a character: each
    is sent as far as it can be, and what a span's link cannot say without ids is left out."""
    odd = call(trace_id="not hex", span_id="0" * 16, service_name="a\ud800", response_id="r\ud800")
    times = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)
    huge = Verdict("length", "number", 7, max_value=10**30)
    tasks = [judged(judgement(huge, updated_at=at, annotation_id=n), of=odd, task_id=n) for n, at in enumerate(times)]
    for form, sent in (("events", 2), ("spans", 0)):
        with BackEndServer() as server, opened(server, form=form) as sink:
            summary = send(tasks, sink, state, RULES)
        assert (summary.counts.get("sent", 0), sum(summary.counts.values())) == (sent, 2)
        assert len(server.asked) == bool(sent)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("HTTPS_PROXY", "gopher://127.0.0.1:1", "HTTPS_PROXY"),
        ("REQUESTS_CA_BUNDLE", "/nowhere.pem", "REQUESTS_CA_BUNDLE names /nowhere.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=h\u00fcsh\u2603", "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_what_the_environment_cannot_mean_is_said(
    variable: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy, certificates or headers that cannot be used: which variable, before anything is sent, and no secret."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=why) as raised:
        feedback_sink("otlp", SinkOptions(endpoint="https://back-end.test"))
    assert "h\u00fcsh" not in str(raised.value) + caplog.text


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_proxy_that_does_not_speak_socks_is_named(
    says: bytes, state: FeedbackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again as a server that does not answer, and not an unexpected error; no login is shown."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SocksProxy(says=says) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://user:CANARY@{proxy.address}")
        error = error_of_writing("http://back-end.test", state)
    assert f"did not answer by way of the proxy socks5://{proxy.address} (ALL_PROXY)" in error
    assert "CANARY" not in error
    gc.collect()  # httpcore forgets that connection: its warning is to be here


def error_of_writing(url: str, state: FeedbackState) -> str:
    with closing(open_sink(SinkOptions(endpoint=url))) as sink:
        writer, waits = without_waiting(sink, state)
        with pytest.raises(RetryableDeliveryError) as raised:
            write(writer, *rated([call()]))
    assert waits
    return str(raised.value)


def test_server_errors_and_rate_limits_are_waited_out(state: FeedbackState) -> None:
    """500, 503 and 429 with Retry-After, and a connection that breaks: the same batch again, never sooner than asked,
    and noted once."""
    trouble = Said(500), Said(429, headers={"Retry-After": "7"}), Said(0), Said(503)
    with BackEndServer(*trouble) as server, opened(server) as sink:
        writer, waits = without_waiting(sink, state)
        write(writer, *rated([call()]))
    assert len(server.asked) == 5
    assert len({records(asked)[0].span_id for asked in server.asked}) == 1
    assert waits[1] >= 7
    assert writer.counts == {"sent": 1}


def test_who_never_answers_ends_the_run_and_the_state_stays(state: FeedbackState) -> None:
    """After six tries the run ends; what was confirmed before stays noted, the rest goes with the next run."""
    calls = [call() for _ in range(150)]
    with BackEndServer(Said(), otherwise=Said(503)) as server, opened(server) as sink:
        writer, _ = without_waiting(sink, state)
        with pytest.raises(RetryableDeliveryError, match="503"):
            write(writer, *rated(calls))
        assert (writer.counts, len(server.asked)) == ({"sent": 100}, 7)
        server._otherwise = Said()
        summary = send(rated(calls), sink, state, RULES)
    assert summary.counts == {"unchanged": 100, "sent": 50}


def test_a_timeout_is_no_answer(state: FeedbackState) -> None:
    """A back end that takes the request and says nothing in time is asked again."""
    told = threading.Event()

    def silent(_: Asked) -> Said:
        told.wait(240)
        return Said(0)

    with BackEndServer(silent) as server:
        try:
            with opened(server, timeout_s=5) as sink:
                writer, waits = without_waiting(sink, state)
                write(writer, *rated([call()]))
        finally:
            told.set()
    assert (writer.counts, len(waits)) == ({"sent": 1}, 1)


def test_a_partial_success_is_never_repeated(state: FeedbackState) -> None:
    """Nobody can tell which were refused: all of that request are noted as refused with the count, and what the server
    says, which may repeat a text, stands in no reason."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = 2
    response.partial_success.error_message = "secret text"
    tasks = rated([call() for _ in range(5)])
    with BackEndServer(Said(body=response.SerializeToString())) as server, opened(server) as sink:
        summary = send(tasks, sink, state, RULES)
        again = send(tasks, sink, state, RULES)
    assert summary.refusals == {"partial success: 2 of 5 refused": 5}
    assert (again.counts, len(server.asked)) == ({"unchanged": 5}, 1)


def test_an_item_that_gives_offence_takes_no_other_with_it(state: FeedbackState) -> None:
    """A batch that is refused with 400 or 413 is sent in halves until the one item is found."""
    calls = [call() for _ in range(32)]

    def picky(asked: Asked) -> Said:
        has_it = any(record.span_id.hex() == calls[13].span_id for record in records(asked))
        return Said(400 if has_it else 200)

    with BackEndServer(otherwise=picky) as server, opened(server) as sink:
        summary = send(rated(calls), sink, state, RULES)
    assert (summary.counts, summary.refusals) == ({"sent": 31}, {"HTTP status 400": 1})
    assert len(server.asked) <= 11


@pytest.mark.parametrize(("status", "hint"), [(401, "OTEL_EXPORTER_OTLP_HEADERS"), (404, "--as"), (302, "redirect")])
def test_what_only_a_person_can_mend_ends_the_run(state: FeedbackState, status: int, hint: str) -> None:
    """Credentials, an address that takes no log records, a login page: one request, nothing noted, what to do."""
    with (
        BackEndServer(otherwise=Said(status, headers={"Location": "http://127.0.0.1:9/"})) as server,
        opened(server, credentials={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hush"}) as sink,
    ):
        with pytest.raises(PausedDeliveryError, match=hint) as raised:
            send(rated([call()]), sink, state, RULES)
        assert "hush" not in str(raised.value) + repr(sink)
        assert state.of_task(sink.target, SOURCE, 200) == {}
    assert len(server.asked) == 1
