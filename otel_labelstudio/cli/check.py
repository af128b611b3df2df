"""Do the settings fit the server? Says what it found, and how to correct what does not fit.

Asks for the server, the API key, the project and its labeling configuration, and looks at the outbox's file and at the
names of attributes; changes nothing. Exit status 0 or 1. With --config, what a receiver would do by that file: its own
settings, and the project of each route.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from otel_labelstudio.cli.checks.attributes import attribute_findings
from otel_labelstudio.cli.checks.finding import Finding, Verdict, fail, note, ok
from otel_labelstudio.cli.checks.outbox import outbox_findings
from otel_labelstudio.cli.checks.project import project_findings
from otel_labelstudio.cli.serve import DEFAULTS as RECEIVER_DEFAULTS
from otel_labelstudio.cli.settings import PROJECT, SERVER, add_setting_arguments, settings_from
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import ConfigError, DeliveryError
from otel_labelstudio.printable import printable
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.routing import Route
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings, is_named_to_the_sdk, is_personal_access_token, setting

_SET_MODE = f'Nearly all traffic is chat: set mode="chat" or {setting("mode").environment}=chat.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="TOML file of a receiver, see otel-labelstudio serve")
    parser.add_argument("--json", action="store_true", help="print one JSON document: ok, and the findings")
    add_setting_arguments(parser, (*PROJECT, *SERVER, "call_filter", "outbox"))


def run(options: argparse.Namespace) -> int:
    findings = []
    for finding in _findings(options):
        findings.append(finding)
        if not options.json:
            print(printable(str(finding)), flush=True)
    is_ok = all(finding.verdict is not Verdict.FAIL for finding in findings)
    if options.json:
        listed = [{"verdict": finding.verdict.value.lower(), "text": finding.text} for finding in findings]
        print(json.dumps({"ok": is_ok, "findings": listed}))
    return 0 if is_ok else 1


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    try:
        file = ConfigFile.read(options.config)
        settings = settings_from(options, fallbacks=_fallbacks(options.config, file))
        routes = file.resolved_routes(settings)
        yield from _receiver_findings(options.config, file)
        yield from _settings_findings(settings)
        yield from _filter_findings(settings, routes)
        yield from attribute_findings(settings, routes)
        yield from outbox_findings(settings.outbox, is_made_with_its_folder=options.config is not None)
        yield from _server_findings(settings, routes)
    except (ConfigError, DeliveryError) as error:
        yield fail(str(error))


def _fallbacks(path: str | None, file: ConfigFile) -> dict[str, object]:
    """What holds where nothing is set: a receiver has defaults of its own."""
    return {**(RECEIVER_DEFAULTS if path else {}), **file.labelstudio}


def _receiver_findings(path: str | None, file: ConfigFile) -> Iterator[Finding]:
    if path is None:
        return
    receiver = ReceiverSettings.resolve({}, file.receiver)
    credentials = receiver.credentials()
    who = f"senders with {credentials.scheme.value} authentication" if credentials else "every sender"
    yield ok(f"receiver: grpc {receiver.grpc or 'off'}, http {receiver.http or 'off'}, for {who}")


def _settings_findings(settings: Settings) -> Iterator[Finding]:
    yield ok(f"settings: {settings.url}, mode {settings.mode.value}")
    if settings.layout is not None:
        yield ok(f"layout of new projects: {settings.layout.value}")
    elif not settings.is_mode_given:
        yield note(f'mode is not set: "{settings.mode.value}" is assumed. {_SET_MODE}')
    if is_named_to_the_sdk() and not entry_points(group="opentelemetry_configurator"):
        yield note("opentelemetry-instrument sets nothing up: pip install 'otel-labelstudio[zero-code]'")


def _filter_findings(settings: Settings, routes: Sequence[Route]) -> Iterator[Finding]:
    """Which routes have what they take stored as it comes, though other calls are filtered."""
    for route in routes:
        if settings.call_filter is not None and route.settings.call_filter is None:
            yield note("call_filter is off: its calls are stored unfiltered").of_route(route.name)


def _server_findings(settings: Settings, routes: Sequence[Route]) -> Iterator[Finding]:
    server = server_of(settings)
    try:
        yield ok(f"server: Label Studio {server.version()}")
        kind = "personal access token" if is_personal_access_token(settings.api_key) else "legacy token"
        yield ok(f"API key: {kind} of {server.user()}")
        yield from project_findings(settings, server)
        for route in routes:
            yield from _route_findings(route, server)
    finally:
        server.close()


def _route_findings(route: Route, server: LabelStudioServer) -> Iterator[Finding]:
    """Of a route; one that fails does not keep the next from being looked at."""
    try:
        for finding in project_findings(route.settings, server):
            yield finding.of_route(route.name)
    except DeliveryError as error:
        yield fail(str(error)).of_route(route.name)
