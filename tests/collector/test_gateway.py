"""What the gateway keeps of many applications' traces, whose it says they are, and where they go."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.dialects.shared.records_without_span import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.recordings import read_calls
from tests.collector.backend import Backend
from tests.collector.capturing import WAIT_S, captured_by, settled, spans_at, wait_until
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.recorded import scenarios, signal_of
from tests.collector.tenants import event_of, request_of, send, shared_id, span_of, unshared_id
from tests.ports import steady_port
from tests.receiver.serving import Receiver, post


def test_what_files_share_is_the_same_in_each() -> None:
    """The balancer knows tenants as the gateway does, and the gateway LLM calls as the sidecar does."""
    sidecar, gateway, balancer = (
        yaml.safe_load((CONFIGURATIONS / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("sidecar", "gateway", "gateway-balancer")
    )
    assert balancer["processors"].items() <= gateway["processors"].items()
    assert balancer["receivers"].items() <= gateway["receivers"].items()
    processors, same = sidecar["processors"], ("transform/llm", "filter/llm")
    assert {name: processors[name] for name in same} == {name: gateway["processors"][name] for name in same}
    exporter = "otlp_http/labelstudio"
    assert sidecar["exporters"][exporter] == gateway["exporters"][exporter]


@pytest.fixture
def gateway(otelcol: Path, tmp_path: Path, backend: Backend) -> Callable[..., Collector]:
    """A gateway before the back-end, with further variables; to be entered."""

    def made(**variables: str) -> Collector:
        environment = {"GATEWAY_DECISION_WAIT": "1s", "GATEWAY_BALANCED_ENDPOINT": "127.0.0.1:0", **variables}
        return Collector(otelcol, tmp_path, ["gateway.yaml", captured_by(backend)], environment)

    return made


def arrived(backend: Backend, spans: Iterable[Span]) -> bool:
    return {span.span_id for span in spans} <= {span.span_id for span in spans_at(backend)}


def test_errors_and_cut_off_answers_are_kept(
    corpus: Path, tmp_path: Path, gateway: Callable[..., Collector], backend: Backend
) -> None:
    """Of all recorded telemetry, with a share of nothing: the traces with an error in a span that tells of a model, and
    those with an answer that was cut off, whichever dialect says so and wherever; no others, and no log events."""
    recorded = list(scenarios(corpus, tmp_path / "recorded"))
    wanted: set[str] = set()
    for scenario in recorded:
        cut_off = [call for call in read_calls(scenario.files) if {"length", "content_filter"} & {*call.finish_reasons}]
        wanted |= {call.trace_id for call in cut_off}
        for span in scenario.recording.spans:
            names = (*span.attributes, *(event.name for event in span.events))
            is_error = span.status_code == Status.STATUS_CODE_ERROR or "error.type" in span.attributes
            if is_error and any(name.startswith(NAME_PREFIXES) for name in names):
                wanted.add(span.trace_id)
    # Files of a trace come one after the other, on a busy machine with seconds between them
    with gateway(GATEWAY_SHARE_PERCENT="0", GATEWAY_DECISION_WAIT="3600s") as collector:
        for file in (file for scenario in recorded for file in scenario.files):
            assert post(f"{collector.http}/v1/{signal_of(file)}", file.read_bytes())[0] == 200
        collector.stop()  # decides on all that waits
    assert len(wanted) > 80
    assert {span.trace_id.hex() for span in spans_at(backend)} == wanted
    assert not backend.logs.resource_logs


def test_low_scores_are_kept(gateway: Callable[..., Collector], backend: Backend) -> None:
    """Whether the score is an event of the span or in a span of its own; and the whole trace with it."""
    with_event, with_span, high, other = (unshared_id() for _ in range(4))
    low = span_of(with_event)
    low.events.add(name="gen_ai.evaluation.result").attributes.add(
        key="gen_ai.evaluation.score.value"
    ).value.double_value = 0.2
    spans = [
        *(low, span_of(with_event)),
        *(span_of(with_span), span_of(with_span, has_content=False, gen_ai__evaluation__score__value=0.49)),
        span_of(high, gen_ai__evaluation__score__value=0.9),
        span_of(other),
    ]
    with gateway(GATEWAY_SHARE_PERCENT="0") as collector:
        send(collector, request_of(spans))
        collector.stop()
    assert {span.span_id for span in spans_at(backend)} == {span.span_id for span in spans[:4]}


@pytest.mark.parametrize(("percent", "below"), [("0", 0), ("2.5", 107374183), ("30", 1288490190), ("100", 2**32)])
def test_a_share_is_one_of_traces(
    gateway: Callable[..., Collector], backend: Backend, percent: str, below: int
) -> None:
    """Which trace belongs to it follows from the last 32 bits of its id alone, so that all instances agree, and spans
    with log events. Events without a trace are of none."""
    ids = [os.urandom(16) for _ in range(1000)] + [
        os.urandom(12) + below.to_bytes(4, "big") for _ in range(below < 2**32)
    ]
    ids += [os.urandom(12) + (below - 1).to_bytes(4, "big") for _ in range(below > 0)]
    wanted = {trace_id for trace_id in ids if int.from_bytes(trace_id[12:], "big") < below}
    spans = [span_of(trace_id) for trace_id in ids]
    logs = ExportLogsServiceRequest()
    for span in (*spans, Span()):
        logs.MergeFrom(event_of(span))
    with gateway(GATEWAY_SHARE_PERCENT=percent) as collector:
        send(collector, request_of(spans), logs)
        collector.stop()
    assert {span.trace_id for span in spans_at(backend)} == wanted
    records = [record for rl in backend.logs.resource_logs for sl in rl.scope_logs for record in sl.log_records]
    assert {record.trace_id for record in records} == wanted


def test_late_spans_go_the_way_of_their_trace(gateway: Callable[..., Collector], backend: Backend) -> None:
    """After the decision, and after so many other traces that it has been forgotten but for its cache: spans of a kept
    trace are kept, an error in a dropped one comes too late."""
    errors, dropped = unshared_id(), unshared_id()
    first = [span_of(errors, error__type="TimeoutError"), span_of(dropped)]
    others = [span_of(shared_id()) for _ in range(10)]
    late = [span_of(errors), span_of(dropped, error__type="TimeoutError"), span_of(shared_id())]
    with gateway(GATEWAY_SHARE_PERCENT="1", GATEWAY_TRACES="10") as collector:
        send(collector, request_of(first))
        wait_until(lambda: arrived(backend, first[:1]), "the trace with an error")
        send(collector, request_of(others))
        wait_until(lambda: arrived(backend, others), "other traces")
        send(collector, request_of(late))
        wait_until(lambda: arrived(backend, [late[0], late[2]]), "its late span, and a trace that came with it")
        collector.stop()
    assert dropped not in {span.trace_id for span in spans_at(backend)}


@contextmanager
def receiver(outbox: Path, call_filter: str | None = None) -> Iterator[Receiver]:
    """It settles when the test says so: spans that a gateway holds back come long after their log events."""
    with Receiver(outbox, pipeline={"settle_s": 3600, "call_filter": call_filter}) as made:
        yield made


def to_receiver(otelcol: Path, directory: Path, made: Receiver, *configs: str, **variables: str) -> Collector:
    environment = {
        "GATEWAY_DECISION_WAIT": "1s",
        "GATEWAY_BALANCED_ENDPOINT": "127.0.0.1:0",
        "OTEL_LABELSTUDIO_ENDPOINT": made.http,
        **variables,
    }
    return Collector(otelcol, directory, ["gateway.yaml", *configs], environment)


CUT_OFF: dict[str, Any] = {"has_content": False, "gen_ai__response__finish_reasons": ["length"]}


def test_content_in_log_events(otelcol: Path, tmp_path: Path) -> None:
    """Of the share, content in log events finds its span. Of traces that are dropped nothing arrives; of what is kept
    outside of the share the span does, which without its content is no task."""
    spans = [span_of(shared_id(), has_content=False) for _ in range(3)]
    others = [span_of(unshared_id(), has_content=False), span_of(unshared_id(), **CUT_OFF)]
    with receiver(tmp_path / "outbox.db") as made, to_receiver(otelcol, tmp_path, made) as collector:
        send(collector, *(event_of(span) for span in (*spans, *others)), request_of((*spans, *others)))
        calls = settled(made, spans=4, log_records=3)
    assert {call.span_id for call in calls} == {span.span_id.hex() for span in spans}
    assert {call.request_model for call in calls} == {"gpt-4o-mini"}
    assert {call.incomplete for call in calls} == {()}


def test_all_log_events(otelcol: Path, tmp_path: Path) -> None:
    """As the README has it, without filter/share and with the filter for calls without a span: what is kept outside of
    the share has its content too, and what arrives of dropped traces is no task. Without the filter it would be one."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    (all_events,) = re.findall(r'--config gateway.yaml --config "(yaml:[^"]+)"', readme)
    cut_off, dropped = span_of(unshared_id(), **CUT_OFF), span_of(unshared_id())
    found: list[list[LLMCall]] = []
    for name, call_filter in (("with", "otel_labelstudio.filters:with_span"), ("without", None)):
        (tmp_path / name).mkdir()
        with (
            receiver(tmp_path / name / "outbox.db", call_filter) as made,
            to_receiver(otelcol, tmp_path / name, made, all_events) as collector,
        ):
            send(collector, event_of(cut_off), event_of(dropped), request_of([cut_off, dropped]))
            found.append(settled(made, spans=1, log_records=2))
    (call,), (_, _) = found
    assert call.span_id == cut_off.span_id.hex()
    assert call.input_messages
    assert call.incomplete == ()
    assert [call.span_id for call in found[1] if INCOMPLETE_WITHOUT_SPAN in call.incomplete] == [dropped.span_id.hex()]


def tenants_of(backend: Backend) -> dict[bytes, list[str]]:
    """What is said of each span's tenant by its resource and by itself."""
    found: dict[bytes, list[str]] = {}
    for resource_spans in backend.traces.resource_spans:
        for span in (span for ss in resource_spans.scope_spans for span in ss.spans):
            held = (*resource_spans.resource.attributes, *span.attributes)
            found[span.span_id] = [item.value.string_value for item in held if item.key == "tenant.id"]
    return found


# As sent, and what is left of it: a header that could pass for another tenant's in a project's title is none
HEADERS: list[tuple[dict[str, str], list[str]]] = [
    ({"X_Tenant": "acme"}, ["acme"]),
    ({"x_tenant": "Globex_2-eu"}, ["Globex_2-eu"]),
    ({}, []),
    ({"X_Tenant": "acme shop"}, []),
    ({"X_Tenant": "a" * 21}, []),
    ({"X_Tenant": "acme;globex"}, []),
    ({"X_Tenant": ""}, []),
]


def test_the_tenant_is_the_headers(module_gateway: tuple[Collector, Backend]) -> None:
    """And nobody else's: what an application says itself, of its resource or its spans, is taken away."""
    collector, backend = module_gateway
    wanted = {}
    for headers, tenant in HEADERS:
        span = span_of(shared_id(), tenant__id="globex")
        send(collector, request_of([span], tenant__id="globex"), **headers)
        wanted[span.span_id] = tenant
    wait_until(lambda: wanted.keys() <= tenants_of(backend).keys(), "spans of all tenants")
    found = tenants_of(backend)
    assert {span_id: found[span_id] for span_id in wanted} == wanted


def test_the_tenant_over_grpc(module_gateway: tuple[Collector, Backend]) -> None:
    """Metadata are headers; said twice, they are nobody's."""
    collector, backend = module_gateway
    once, twice = span_of(shared_id()), span_of(shared_id())
    with grpc.insecure_channel(collector.grpc) as channel:
        stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
        stub.Export(request_of([once]), metadata=[("x-tenant", "acme")])
        stub.Export(request_of([twice]), metadata=[("x-tenant", "acme"), ("x-tenant", "globex")])
    wait_until(lambda: arrived(backend, [once, twice]), "both spans")
    assert tenants_of(backend)[once.span_id] == ["acme"]
    assert tenants_of(backend)[twice.span_id] == []


def test_log_events_have_their_tenant(module_gateway: tuple[Collector, Backend]) -> None:
    """As spans have, and lose what they say themselves."""
    collector, backend = module_gateway
    request = event_of(span_of(shared_id()))
    request.resource_logs[0].resource.attributes.add(key="tenant.id").value.string_value = "globex"
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.add(key="tenant.id").value.string_value = "globex"
    send(collector, request, X_Tenant="acme")
    wait_until(lambda: bool(backend.logs.resource_logs), "the log event")
    arrived = str(backend.logs)
    assert arrived.count("tenant.id") == arrived.count('"acme"') == 1


@pytest.fixture(scope="module")
def module_gateway(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collector, Backend]]:
    """One for many small questions."""
    with Backend() as backend:
        environment = {"GATEWAY_DECISION_WAIT": "1s", "GATEWAY_BALANCED_ENDPOINT": "127.0.0.1:0"}
        configs = ["gateway.yaml", captured_by(backend)]
        with Collector(otelcol, tmp_path_factory.mktemp("gateway"), configs, environment) as made:
            yield made, backend


def test_what_a_death_costs(gateway: Callable[..., Collector], backend: Backend) -> None:
    """Traces that wait for their decision: SIGTERM has them decided on as they are, SIGKILL loses them."""
    waiting, lost, marker = (span_of(shared_id()) for _ in range(3))
    collector = gateway(GATEWAY_DECISION_WAIT="3600s")
    with collector:
        send(collector, request_of([waiting]))
        collector.stop()
        assert [span.span_id for span in spans_at(backend)] == [waiting.span_id]
        collector.start()
        send(collector, request_of([lost]))
        collector.kill()
        collector.start()
        send(collector, request_of([marker]))
        collector.stop()
    assert [span.span_id for span in spans_at(backend)] == [waiting.span_id, marker.span_id]


def test_what_was_decided_is_on_the_disk(otelcol: Path, tmp_path: Path) -> None:
    """A trace that was kept survives SIGKILL, while `serve` is away."""
    span = span_of(shared_id())
    address = f"127.0.0.1:{steady_port()}"
    variables = {"GATEWAY_DECISION_WAIT": "1s", "GATEWAY_BALANCED_ENDPOINT": "127.0.0.1:0"}
    environment = {**variables, "OTEL_LABELSTUDIO_ENDPOINT": f"http://{address}"}
    collector = Collector(otelcol, tmp_path, ["gateway.yaml"], environment)
    with collector:
        send(collector, request_of([span]))
        wait_until(lambda: collector.metric("otelcol_exporter_queue_size") > 0, "its decision")
        collector.kill()
        collector.start()
        with Receiver(tmp_path / "outbox.db", http=address) as made:
            made.delivered([span.span_id.hex()], timeout_s=WAIT_S)
