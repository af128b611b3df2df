"""Gateway and receiver together, as they ship: services and tenants to their own projects, or to their own servers."""

from __future__ import annotations

import re
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.receiver.config_file import ConfigFile
from tests.collector.capturing import settled, wait_until
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.tenants import event_of, request_of, send, shared_id, span_of, unshared_id
from tests.delivery.labeling import Labeling
from tests.receiver.serving import Receiver, serve_command

ROUTES = CONFIGURATIONS / "gateway-routes.toml"
GATEWAY = {"GATEWAY_DECISION_WAIT": "1s", "GATEWAY_BALANCED_ENDPOINT": "127.0.0.1:0"}


def test_the_routes_are_valid(
    label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`otel-labelstudio check` finds nothing that does not fit."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    assert main(["check", "--config", str(ROUTES)]) == 0
    assert "acme support" in capsys.readouterr().out


def test_log_events_wait_for_their_spans() -> None:
    """As long as the gateway holds spans back, and longer."""
    default = re.search(r"GATEWAY_DECISION_WAIT:-(\d+)s", (CONFIGURATIONS / "gateway.yaml").read_text(encoding="utf-8"))
    assert default
    assert ConfigFile.read(str(ROUTES)).labelstudio["settle_s"] > int(default.group(1)) + 10


def test_each_tenant_has_its_projects(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio, labeling: Labeling
) -> None:
    """In a real Label Studio: a tenant's services apart, a route for some of them, nothing of a tenant where another
    says that it is this one, and of the traces outside of the share only those that are kept whole."""
    service = f"shop{time.time_ns() % 10**6}"
    month = f"{datetime.now():%Y-%m}"
    sent = {
        f"acme {service} {month}": ({"X_Tenant": "acme"}, {"service__name": service}),
        "acme support chats": ({"X_Tenant": "acme"}, {"service__name": f"support-{service}"}),
        f"globex {service} {month}": ({"X_Tenant": "globex"}, {"service__name": service, "tenant__id": "acme"}),
        f"globex support-{service} {month}": ({"X_Tenant": "globex"}, {"service__name": f"support-{service}"}),
        f"unknown {service} {month}": ({}, {"service__name": service, "tenant__id": "acme"}),
    }
    wanted: dict[str, list[str]] = {}
    with (
        serve_command(
            f"--config={ROUTES}",
            f"--outbox={tmp_path / 'outbox.db'}",
            LABEL_STUDIO_URL=label_studio.url,
            LABEL_STUDIO_API_KEY=label_studio.api_key,
            OTEL_EXPORTER_LABELSTUDIO_SETTLE_S="1",
        ) as serve,
        Collector(
            otelcol, tmp_path, ["gateway.yaml"], {**GATEWAY, "OTEL_LABELSTUDIO_ENDPOINT": serve.http}
        ) as collector,
    ):
        for title, (headers, resource) in sent.items():
            failed = unshared_id()
            kept = [span_of(shared_id()), span_of(failed)]
            spans = [*kept, span_of(failed, has_content=False, error__type="x"), span_of(unshared_id())]
            send(collector, request_of(spans, **resource), **headers)
            wanted[title] = sorted(span.span_id.hex() for span in kept)
        for title, span_ids in wanted.items():
            wait_until(partial(is_delivered, labeling, title, span_ids), title)
        assert {title: delivered(labeling, title) for title in wanted} == wanted


def is_delivered(labeling: Labeling, title: str, span_ids: list[str]) -> bool:
    return set(span_ids) <= set(delivered(labeling, title))


def delivered(labeling: Labeling, title: str) -> list[str]:
    """The span ids of a project's tasks that have their prediction."""
    return sorted(task["data"]["span_id"] for task in labeling.tasks(title) if task["predictions"])


def test_a_server_for_each_tenant(otelcol: Path, tmp_path: Path) -> None:
    """Spans and log events of one tenant go to its own `serve`, and to no other; all others to the shared one."""
    with (
        Receiver(tmp_path / "acme.db", pipeline={"settle_s": 3600}) as acme,
        Receiver(tmp_path / "shared.db", pipeline={"settle_s": 3600}) as shared,
        Collector(
            otelcol,
            tmp_path,
            ["gateway.yaml", "gateway-split.yaml"],
            {**GATEWAY, "OTEL_LABELSTUDIO_ENDPOINT": shared.http, "OTEL_LABELSTUDIO_ACME_ENDPOINT": acme.http},
        ) as collector,
    ):
        spans = {tenant: span_of(shared_id()) for tenant in ("acme", "globex", "")}
        for tenant, span in spans.items():
            send(collector, request_of([span]), event_of(span), **({"X_Tenant": tenant} if tenant else {}))
        of_acme = settled(acme, spans=1, log_records=1)
        of_others = settled(shared, spans=2, log_records=2)
    assert {call.span_id for call in of_acme} == {spans["acme"].span_id.hex()}
    assert {call.span_id for call in of_others} == {spans[tenant].span_id.hex() for tenant in ("globex", "")}
