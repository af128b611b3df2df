"""Do the settings fit the server? Says what it found, and how to mend what does not fit.

Asks for the server, the API key, the project and its labeling configuration; changes nothing. Exit status 0 or 1.
With --config, what a receiver would do by that file: its own settings, and the project of each route.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from otel_labelstudio.cli.settings import PROJECT, SERVER, add_setting_arguments, settings_from
from otel_labelstudio.config import Settings
from otel_labelstudio.delivery.label_studio.records import Project
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import ConfigError, DeliveryError
from otel_labelstudio.printable import printable
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.routing import Route
from otel_labelstudio.tasks.binding import (
    Binding,
    Mode,
    binding_from_label_config,
    default_label_config,
    is_same_label_config,
    refusal,
    remarks,
)
from otel_labelstudio.titles import attributes_of_title


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: ``ok``, ``note`` or ``FAIL``."""

    verdict: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="TOML file of a receiver, see otel-labelstudio serve")
    add_setting_arguments(parser, (*PROJECT, *SERVER))


def run(options: argparse.Namespace) -> int:
    failed = False
    for finding in _findings(options):
        print(printable(f"{finding.verdict:<4}  {finding.text}"), flush=True)
        failed |= finding.verdict == "FAIL"
    return 1 if failed else 0


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    try:
        file = ConfigFile.read(options.config)
        settings = settings_from(options, fallbacks=file.labelstudio)
        routes = file.resolved_routes(settings)
        yield from _receiver_findings(options.config, file)
        yield Finding("ok", f"settings: {settings.url}, mode {settings.mode.value}")
        server = LabelStudioServer(settings.url, settings.api_key, settings.timeout_s, settings.import_timeout_s)
        try:
            yield Finding("ok", f"server: Label Studio {server.version()}")
            yield Finding("ok", f"API key: {_kind_of_key(settings.api_key)} of {server.user()}")
            yield from _project_findings(settings, server)
            for route in routes:
                yield from _route_findings(route, server)
        finally:
            server.close()
    except (ConfigError, DeliveryError) as error:
        yield Finding("FAIL", str(error))


def _receiver_findings(path: str | None, file: ConfigFile) -> Iterator[Finding]:
    if path is None:
        return
    receiver = ReceiverSettings.resolve({}, file.receiver)
    credentials = receiver.credentials()
    who = f"senders with {credentials.scheme.value} authentication" if credentials else "every sender"
    yield Finding("ok", f"receiver: grpc {receiver.grpc or 'off'}, http {receiver.http or 'off'}, for {who}")


def _route_findings(route: Route, server: LabelStudioServer) -> Iterator[Finding]:
    """Of a route; one that fails does not keep the next from being looked at."""
    try:
        for finding in _project_findings(route.settings, server):
            yield Finding(finding.verdict, f"route {route.name}: {finding.text}")
    except DeliveryError as error:
        yield Finding("FAIL", f"route {route.name}: {error}")


def _project_findings(settings: Settings, server: LabelStudioServer) -> Iterator[Finding]:
    project: Project | None
    asked = attributes_of_title(settings.project_name)
    title = settings.project_title(attributes={name: f"{{{name}}}" for name in asked})
    if asked and settings.project_id is None:
        project = None
    elif settings.project_id is not None:
        project = server.project(settings.project_id)
    else:
        ids = server.project_ids(title)
        if len(ids) > 1:
            yield Finding("note", f'projects {ids} are all called "{title}"; the lowest id is used')
        project = server.project(ids[0]) if ids else None
    if project is None:
        config = settings.project_config or default_label_config(settings.mode)
        made = (
            "is found or made with the first call" if asked else "does not exist and will be made with the first call"
        )
        yield Finding("ok", f'project: "{title}" {made}')
    else:
        config = project.label_config
        yield Finding("ok", f'project: "{project.title}", {server.url}/projects/{project.id}')
        if settings.project_config and not is_same_label_config(settings.project_config, config):
            yield Finding("note", "the project has another labeling configuration than project_config; its own is used")
        if project.model_version not in ("", settings.model_version) and "{" not in settings.model_version:
            yield Finding(
                "note",
                f'the labeling stream pre-fills answers with model_version "{project.model_version}" only; yours will '
                f'have "{settings.model_version}" (project Settings > Predictions)',
            )
    binding = binding_from_label_config(config)
    for remark in remarks(config):
        yield Finding("note", remark)
    yield from _binding_findings(binding, settings.mode, project.title if project else title)


def _binding_findings(binding: Binding, mode: Mode, project: str) -> Iterator[Finding]:
    yield Finding(
        "ok",
        f"labeling configuration: the prompt goes to ${binding.data_key} (<{binding.object_tag}>), the answers to the "
        f'TextArea "{binding.from_name}"',
    )
    refuse: Callable[[bool], str | None] = lambda is_chat: refusal(binding, is_chat=is_chat, mode=mode, project=project)  # noqa: E731
    chats, completions = refuse(True), refuse(False)
    if chats and completions:
        yield Finding("FAIL", chats)
    elif chats:
        yield Finding("note", f"chat calls will be refused. {chats}")
    elif completions:
        yield Finding("note", f"completion calls will be refused. {completions}")
    else:
        yield Finding("ok", f"mode {mode.value}: chats and completions fit")


def _kind_of_key(api_key: str) -> str:
    """A personal access token is a JSON Web Token, a legacy token is not."""
    try:
        payload = api_key.split(".")[1]
        json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return "legacy token"
    return "personal access token"
