"""Where a call goes: routes, titles with attributes in them, the file and what may stand in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_labelstudio.acceptance import Position
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.requests import Signal, decoded
from otel_labelstudio.receiver.status import PROTOBUF
from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import Span
from otel_labelstudio.tasks.binding import Mode
from otel_labelstudio.tasks.layouts import Layout
from otel_labelstudio.testing import RecordingSink
from otel_labelstudio.titles import TITLE_MAX_LENGTH, TITLE_MIN_LENGTH, title
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post

AT = datetime(2026, 11, 22, 12, 30)
FILE = """
[receiver]
http = "127.0.0.1:0"

[labelstudio]
mode = "auto"
project_name = "{service.name} %Y-%m"

[[route]]
name = "helpdesk"
match = { "service.name" = ["support-*", "helpdesk"], "deployment.environment.name" = "production" }
project_name = "Support %Y"
mode = "chat"

[[route]]
name = "seven"
match = { "tenant.id" = 7, "is.paying" = true }
project_id = 7
model_version = "production"
"""


def span(attributes: dict[str, Any] | None = None, **resource: Any) -> Span:
    named = {name.replace("_", "."): value for name, value in resource.items()}
    return Span(trace_id="1" * 32, span_id="2" * 16, attributes=attributes or {}, resource=named)


def resolved(tmp_path: Path, text: str = FILE, **arguments: Any) -> tuple[Settings, Router]:
    path = tmp_path / "receiver.toml"
    path.write_text(text, encoding="utf-8")
    file = ConfigFile.read(str(path))
    settings = Settings.resolve(
        {"api_key": "key", "url": "http://localhost:8080", **arguments}, fallbacks=file.labelstudio
    )
    return settings, Router(settings, file.resolved_routes(settings))


SUPPORT = Destination(title="Support 2026", route="helpdesk")
PRODUCTION: Any = {"deployment_environment_name": "production"}
STAGING: Any = {"deployment_environment_name": "staging"}


@pytest.mark.parametrize(
    ("found", "destination"),
    [
        (span(service_name="support-eu", **PRODUCTION), SUPPORT),
        (span(service_name="helpdesk", **PRODUCTION), SUPPORT),
        (span(service_name="support-eu", **STAGING), Destination(title="support-eu 2026-11")),
        (span(service_name="support-eu"), Destination(title="support-eu 2026-11")),
        (span({"tenant.id": 7, "is.paying": True}, service_name="shop"), Destination(project_id=7, route="seven")),
        (span({"tenant.id": 7, "is.paying": False}, service_name="shop"), Destination(title="shop 2026-11")),
        (span({"service.name": "span's own"}, service_name="shop"), Destination(title="span's own 2026-11")),
        (span(), Destination(title="unknown 2026-11")),
        (None, Destination(title="unknown 2026-11")),
    ],
)
def test_the_first_route_that_matches(tmp_path: Path, found: Span | None, destination: Destination) -> None:
    """All of its attributes must match, in the span or its resource; without a route, the settings' own project."""
    assert resolved(tmp_path)[1].destination(found, AT) == destination


def test_a_route_has_its_own_rules(tmp_path: Path) -> None:
    """And the settings' where it says nothing."""
    rules = resolved(tmp_path, model_version="ours")[1].rules
    assert (rules["helpdesk"].mode, rules["helpdesk"].model_version) == (Mode.CHAT, "ours")
    assert (rules["seven"].mode, rules["seven"].model_version) == (Mode.AUTO, "production")


def test_a_route_has_a_layout_of_its_own(tmp_path: Path) -> None:
    """With it, its default mode is auto; the other routes keep the settings' mode."""
    route = "[[route]]\nname = '{}'\nmatch = {{ 'a' = 'b' }}\n{}\n"
    text = route.format("shown", "layout = 'review'") + route.format("chats", "layout = 'compare'\nmode = 'chat'")
    rules = resolved(tmp_path, text + route.format("plain", ""))[1].rules
    assert (rules["shown"].layout, rules["shown"].mode) == (Layout.REVIEW, Mode.AUTO)
    assert (rules["chats"].layout, rules["chats"].mode) == (Layout.COMPARE, Mode.CHAT)
    assert (rules["plain"].layout, rules["plain"].mode) == (None, Mode.PROMPT)


def without_user(call: LLMCall) -> LLMCall:
    return replace(call, user_id=None)


UNFILTERED = f"""
[labelstudio]
mode = "auto"
call_filter = "{__name__}:without_user"

[[route]]
name = "unfiltered"
match = {{ "service.name" = "helpdesk" }}
call_filter = "off"
"""


def test_a_route_without_a_filter(outbox: Path, tmp_path: Path) -> None:
    """Its calls become tasks as they came, while those of no route go through the settings' filter."""
    attributes = {"user.id": "ann"}
    request = traces("Help?", service="helpdesk", attributes=attributes)
    request.MergeFrom(traces("Buy?", service="shop", attributes=attributes))
    (tmp_path / "receiver.toml").write_text(UNFILTERED, encoding="utf-8")
    file = ConfigFile.read(str(tmp_path / "receiver.toml"))
    with Receiver(outbox, routes=file.resolved_routes, pipeline=file.labelstudio) as receiver:
        post(f"{receiver.http}/v1/traces", request.SerializeToString())
        receiver.delivered(ids(request))
        found = {entry.call.service_name: entry.call.user_id for entry in receiver.sink.entries}
    assert found == {"helpdesk": "ann", "shop": None}


def test_a_title_of_a_route_beats_the_settings_id(tmp_path: Path) -> None:
    """Where the settings name a project by its id, a route may still name another by its title."""
    _, router = resolved(tmp_path, project_id=3)
    assert router.destination(span(service_name="shop"), AT) == Destination(project_id=3)
    assert router.destination(
        span(service_name="helpdesk", deployment_environment_name="production"), AT
    ) == Destination(title="Support 2026", route="helpdesk")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[receivr]", "receivr"),
        ("[receiver", "not TOML"),
        ("[labelstudio]\nurll = 'x'", "urll"),
        ("[labelstudio]\nmode = 'dialog'", "mode"),
        ("[[route]]\nmatch = {a = 'b'}", "name"),
        ("[[route]]\nname = 'a'", "match"),
        ("[[route]]\nname = 'a'\nmatch = {service.name = 'b'}", "quotes"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = []}", "text"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = 'c'}\nmod = 'chat'", "mod"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = 'c'}\nmode = 'dialog'", "Route 'a'.*mode"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = 'c'}\nproject_name = 'x'", "Route 'a'.*x"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = 'c'}\ncall_filter = 'of'", "Route 'a': call_filter 'of': .*, or off"),
        ("[[route]]\nname = 'a'\nmatch = {'b' = 'c'}\n[[route]]\nname = 'a'\nmatch = {'b' = 'c'}", "Two routes"),
        ("[route]\nname = 'a'", r"\[\[route\]\]"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, text: str, why: str) -> None:
    """Each mistake is found at the start, and named."""
    with pytest.raises(ConfigError, match=why):
        resolved(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Says so."""
    with pytest.raises(ConfigError, match="No such file"):
        ConfigFile.read(str(tmp_path / "none.toml"))


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an argument beats both."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_MODE", "prompt")
    assert resolved(tmp_path)[0].mode is Mode.PROMPT
    assert resolved(tmp_path, mode="chat")[0].mode is Mode.CHAT


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80)


@given(VALUES, VALUES)
def test_every_title_has_a_length_that_label_studio_takes(service: str, environment: str) -> None:
    """Whatever the attributes say; nothing of the text around them is cut."""
    attributes = {"service.name": service, "deployment.environment.name": environment}
    made = title("{service.name}/{deployment.environment.name} %Y-%m-%d", AT, attributes)
    assert TITLE_MIN_LENGTH <= len(made) <= TITLE_MAX_LENGTH
    assert made.endswith("2026-11-22")
    assert TITLE_MIN_LENGTH <= len(title("{service.name}", AT, attributes)) <= TITLE_MAX_LENGTH


def test_long_names_do_not_share_a_project() -> None:
    """Two names that differ at their end only give two titles."""
    made = {title("{service.name} %Y", AT, {"service.name": "x" * 60 + end}) for end in "ab"}
    assert len(made) == 2


def test_percent_signs_of_attributes_are_no_directives() -> None:
    """Only the template is strftime's."""
    assert title("{service.name} %Y", AT, {"service.name": "100%Y"}) == "100%Y 2026"


def test_other_braces_stand_for_themselves() -> None:
    """A title as it was before there were attributes in it."""
    assert title("{a} {} {b %Y}", AT, {}) == "{a} {} {b 2026}"


def test_calls_of_one_request_go_to_several_projects(outbox: Path, tmp_path: Path) -> None:
    """The destination is fixed when the call is accepted, with the route's name."""
    request = traces("Help?", service="helpdesk", attributes={"deployment.environment.name": "production"})
    request.MergeFrom(traces("Buy?", service="shop"))
    (tmp_path / "receiver.toml").write_text(FILE, encoding="utf-8")
    file = ConfigFile.read(str(tmp_path / "receiver.toml"))
    with Receiver(outbox, routes=file.resolved_routes, pipeline=file.labelstudio) as receiver:
        post(f"{receiver.http}/v1/traces", request.SerializeToString())
        receiver.delivered(ids(request))
        found = {entry.call.service_name: json.loads(entry.destination) for entry in receiver.sink.entries}
    assert found["helpdesk"] == {"title": f"Support {datetime.now():%Y}", "route": "helpdesk"}
    assert found["shop"] == {"title": f"shop {datetime.now():%Y-%m}"}


def test_the_title_is_of_when_a_request_was_received(tmp_path: Path) -> None:
    """A request that waits to be read past midnight goes to the project of the day on which it was answered."""
    settings = Settings.resolve(
        {"outbox": str(tmp_path / "outbox.db"), "mode": "auto", "project_name": "%Y-%m-%d", "settle_s": 0},
        needs_server=False,
    )
    sink = RecordingSink()
    pipeline = Pipeline(settings, sink=sink, is_all_or_nothing=True)
    received_at = datetime(2020, 2, 29, 23, 59, 59).timestamp()
    telemetry = decoded(Signal.TRACES, PROTOBUF, traces("When?").SerializeToString())
    pipeline.accept_spans(telemetry.spans, position=Position("inbox", 1, received_at))
    assert pipeline.close(240)
    (entry,) = sink.entries
    assert Destination.loads(entry.destination) == Destination(title="2020-02-29")


FAILURES = """
[labelstudio]
mode = "auto"
project_name = "Calls"
settle_s = 0
failed_calls = true

[[route]]
name = "failures"
match = { "error.type" = "*" }
project_name = "Failed calls"
"""


def test_failed_calls_go_to_a_project_of_their_own(tmp_path: Path) -> None:
    """The file asks for them, and a route takes them by the attribute that names their error."""
    asked = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]),
    }
    path = tmp_path / "receiver.toml"
    path.write_text(FAILURES, encoding="utf-8")
    file = ConfigFile.read(str(path))
    settings = Settings.resolve({}, fallbacks=file.labelstudio, needs_server=False)
    sink = RecordingSink()
    pipeline = Pipeline(settings, sink=sink, routes=file.resolved_routes(settings), is_all_or_nothing=True)
    pipeline.accept_spans([span({**asked, "error.type": "TimeoutError"})])
    assert pipeline.close(240)
    (entry,) = sink.entries
    assert entry.call.is_unanswered
    assert Destination.loads(entry.destination) == Destination(title="Failed calls", route="failures")
