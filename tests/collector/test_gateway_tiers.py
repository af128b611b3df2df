"""Several gateways behind balancers: each trace whole in one of them, and what the death of one costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector.backend import Backend
from tests.collector.capturing import captured_by, spans_at, wait_until
from tests.collector.collector import Collector
from tests.collector.tenants import event_of, request_of, send, shared_id, span_of, unshared_id
from tests.ports import steady_port

# On top of a balancer's configuration: a busy machine's gateway that is slow to answer is not sent the same again
PATIENT = "yaml:exporters::load_balancing::protocol::otlp::timeout: 240s"


class Tiers:
    """Two balancers before two gateways, each of which has a back-end of its own. A context manager."""

    def __init__(self, otelcol: Path, directory: Path, variables: Mapping[str, str]) -> None:
        self.backends = [Backend(), Backend()]
        addresses = [f"127.0.0.1:{steady_port()}" for _ in self.backends]
        self.gateways = [
            Collector(
                otelcol,
                directory / f"gateway-{number}",
                ["gateway.yaml", captured_by(backend)],
                {"GATEWAY_BALANCED_ENDPOINT": address, **variables},
            )
            for number, (backend, address) in enumerate(zip(self.backends, addresses, strict=True))
        ]
        environment = {"GATEWAYS": f"[{', '.join(addresses)}]"}
        self.balancers = [
            Collector(otelcol, directory / f"balancer-{number}", ["gateway-balancer.yaml", PATIENT], environment)
            for number in range(2)
        ]
        self._entered = ExitStack()

    def __enter__(self) -> Tiers:
        for backend in self.backends:
            self._entered.enter_context(backend)
        for collector in (*self.gateways, *self.balancers):
            self._entered.enter_context(collector)
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def kept(self) -> list[list[Span]]:
        """What each gateway has kept."""
        return [spans_at(backend) for backend in self.backends]


@pytest.fixture
def tiers(otelcol: Path, tmp_path: Path) -> Iterator[Callable[..., Tiers]]:
    with ExitStack() as entered:
        yield lambda **variables: entered.enter_context(Tiers(otelcol, tmp_path, variables))


def test_traces_are_whole(tiers: Callable[..., Tiers]) -> None:
    """Spans of a trace that come to different balancers meet in one gateway: an error in one of them keeps all of them,
    with the tenant that the balancer knew. Both have work. Log events pass where their trace is in the share."""
    made = tiers(GATEWAY_DECISION_WAIT="3600s", GATEWAY_SHARE_PERCENT="1")
    failed = [(span_of(trace), span_of(trace, error__type="x")) for trace in (unshared_id() for _ in range(40))]
    dropped = [(span_of(trace), span_of(trace)) for trace in (unshared_id() for _ in range(40))]
    shared = [(span_of(trace), span_of(trace)) for trace in (shared_id() for _ in range(40))]
    for number, balancer in enumerate(made.balancers):
        send(balancer, request_of(pair[number] for pair in (*failed, *dropped, *shared)), X_Tenant="acme")
        send(balancer, *(event_of(pair[number]) for pair in (*dropped[:10], *shared[:10])))
    for balancer in made.balancers:
        balancer.wait_until_idle()
    for gateway in made.gateways:
        gateway.stop()  # decides on all that waits
    one, other = made.kept()
    wanted = {span.span_id for pair in (*failed, *shared) for span in pair}
    assert {span.span_id for span in (*one, *other)} == wanted
    assert len(one) + len(other) == len(wanted)
    assert not {span.trace_id for span in one} & {span.trace_id for span in other}
    assert min(len(one), len(other)) > 20
    records: list[bytes] = []
    for backend in made.backends:
        assert str(backend.traces).count('"acme"') == len(backend.traces.resource_spans)
        records += [rl.scope_logs[0].log_records[0].span_id for rl in backend.logs.resource_logs]
    assert sorted(records) == sorted(span.span_id for pair in shared[:10] for span in pair)


def test_a_gateway_dies(tiers: Callable[..., Tiers]) -> None:
    """What waited in it for its decision is gone, and nothing else is: the balancer keeps what it cannot send on, also
    when it is killed itself, and the other gateway works on."""
    made = tiers(GATEWAY_DECISION_WAIT="3600s", GATEWAY_SHARE_PERCENT="100")
    before = [span_of(shared_id()) for _ in range(40)]
    send(made.balancers[0], request_of(before))
    made.balancers[0].wait_until_idle()
    made.gateways[0].kill()
    during = [span_of(shared_id()) for _ in range(40)]
    send(made.balancers[0], request_of(during))
    made.balancers[0].kill()
    made.balancers[0].start()
    wait_until(lambda: made.gateways[1].metric("otelcol_receiver_accepted_spans") > 0, "a span")
    made.gateways[0].start()
    made.balancers[0].wait_until_idle()
    for gateway in made.gateways:
        gateway.stop()
    died, lived = ({span.span_id for span in spans} for spans in made.kept())
    assert {span.span_id for span in during} <= died | lived
    assert died
    assert not died & {span.span_id for span in before}
    assert lived & {span.span_id for span in before}
