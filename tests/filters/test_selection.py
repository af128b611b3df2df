"""The stage before the outbox: whose filter holds for a call, and what becomes of one on which the stage fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import Span
from otel_labelstudio.telemetry import Telemetry

CALL = LLMCall(
    trace_id="1" * 32,
    span_id="2" * 16,
    start_time_unix_nano=1,
    end_time_unix_nano=2,
    dialect="genai",
    operation="chat",
)


def span(service: str) -> Span:
    return Span(trace_id="1" * 32, span_id="2" * 16, resource={"service.name": service})


def without_user(call: LLMCall) -> LLMCall:
    return replace(call, user_id=None)


def nothing(call: LLMCall) -> None:
    """Leaves every call out."""


def test_a_route_has_a_filter_of_its_own(tmp_path: Path) -> None:
    """It is asked in the place of the settings', which holds where a route has none or "", and where no route
    matches."""
    route = "[[route]]\nname = '{0}'\nmatch = {{ 'service.name' = '{0}' }}\n{1}\n"
    file = tmp_path / "receiver.toml"
    text = route.format("own", f"call_filter = '{__name__}:without_user'") + route.format("settings", "")
    text += route.format("empty", "call_filter = ''")
    file.write_text(f"[labelstudio]\ncall_filter = '{__name__}:nothing'\n{text}", encoding="utf-8")
    config = ConfigFile.read(str(file))
    settings = Settings.resolve({}, needs_server=False, fallbacks=config.labelstudio)
    telemetry = Telemetry()
    selection = Selection(settings, Router(settings, config.resolved_routes(settings)), telemetry, print)
    call = replace(CALL, user_id="ann")
    routed = [selection.routed([call], 0.0, span(name)) for name in ("own", "settings", "empty", "else")]
    assert [[one.call.user_id for one in of_span] for of_span in routed] == [[None], [], [], []]
    assert telemetry.counts()["calls.dropped[filtered]"] == 3


def test_a_title_has_the_attributes_of_a_resource_without_a_span() -> None:
    """Of a call out of a file its resource is known: `send` delivers it to the project to which it goes live."""
    settings = Settings.resolve({"project_name": "{service.name} {tenant.id} calls"}, needs_server=False)
    selection = Selection(settings, Router(settings), Telemetry(), print)
    (live,) = selection.routed([CALL], 0.0, span("shop"))
    (recorded,) = selection.routed([CALL], 0.0, resource_attributes={"service.name": "shop"})
    assert live.destination == recorded.destination == '{"title": "shop unknown calls"}'


def test_a_route_that_cannot_be_found_lets_nothing_through(tmp_path: Path) -> None:
    """Whose filter holds is not known then: each call is dropped and counted, and it is said once."""

    class Broken(Router):
        def settings_for(self, span: Span | None) -> Settings:
            raise RuntimeError("CANARY")

    settings, telemetry = Settings.resolve({}, needs_server=False), Telemetry()
    said: list[str] = []
    selection = Selection(settings, Broken(settings), telemetry, said.append)
    assert selection.routed(iter([CALL, CALL]), 0.0, span("shop")) == []
    assert telemetry.counts()["calls.dropped[fault]"] == 2
    assert "CANARY" not in "".join(said)
