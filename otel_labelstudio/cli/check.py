"""Do the settings fit the server? Says what it found, and how to mend what does not fit.

Asks for the server, the API key, the project and its labeling configuration; changes nothing. Exit status 0 or 1.
With --config, what a receiver would do by that file: its own settings, and the project of each route.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points

from otel_labelstudio.cli.settings import PROJECT, SERVER, add_setting_arguments, settings_from
from otel_labelstudio.delivery.label_studio.records import Project
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import ConfigError, DeliveryError
from otel_labelstudio.printable import printable
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.routing import Route, rules_of
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import VARIABLES, Settings, is_named_to_the_sdk, is_personal_access_token
from otel_labelstudio.tasks.binding import Binding, Mode
from otel_labelstudio.tasks.label_config import is_same_label_config
from otel_labelstudio.tasks.label_config_warnings import label_config_warnings
from otel_labelstudio.titles import attributes_of_title

(_MODE,) = (variable for variable in VARIABLES if variable.name == "mode")
_SET_MODE = f'Nearly all traffic is chat: set mode="chat" or {_MODE.environment}=chat.'


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
        if settings.layout is not None:
            yield Finding("ok", f"layout of new projects: {settings.layout.value}")
        elif not settings.is_mode_given:
            yield Finding("note", f'mode is not set: "{settings.mode.value}" is assumed. {_SET_MODE}')
        if is_named_to_the_sdk() and not entry_points(group="opentelemetry_configurator"):
            yield Finding("note", "opentelemetry-instrument sets nothing up: pip install 'otel-labelstudio[zero-code]'")
        server = server_of(settings)
        try:
            yield Finding("ok", f"server: Label Studio {server.version()}")
            yield Finding("ok", f"API key: {_kind_of(settings.api_key)} of {server.user()}")
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
    rules = rules_of(settings)
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
        config = rules.label_config
        made = "is found or made" if asked else "does not exist and will be made"
        yield Finding("ok", f'project: "{title}" {made} with the first call that fits it')
    else:
        config = project.label_config
        yield Finding("ok", f'project: "{project.title}", {server.url}/projects/{project.id}')
        chosen = rules.chosen_config
        if chosen and not is_same_label_config(chosen, config):
            another = f"the project has another labeling configuration than {rules.choice}"
            yield Finding("note", f"{another}; its own is used")
        if project.model_version not in ("", settings.model_version) and "{" not in settings.model_version:
            yield Finding(
                "note",
                f'the labeling stream pre-fills answers with model_version "{project.model_version}" only; yours will '
                f'have "{settings.model_version}" (project Settings > Predictions)',
            )
    binding = rules.binding(config)
    for warning in label_config_warnings(config, binding, rules.answer_tag):
        yield Finding("note", warning)
    refuse = partial(rules.refusal, binding, project=project.title if project else title, is_made=project is not None)
    yield from _binding_findings(binding, rules.mode, refuse(is_chat=True), refuse(is_chat=False))


def _binding_findings(
    binding: Binding, mode: Mode, why_no_chats: str | None, why_no_completions: str | None
) -> Iterator[Finding]:
    answers = f'the answers to the TextArea "{binding.from_name}"' if binding.from_name else "there are no predictions"
    yield Finding(
        "ok", f"labeling configuration: the prompt goes to ${binding.data_key} (<{binding.object_tag}>), {answers}"
    )
    if why_no_chats and why_no_completions:
        yield Finding("FAIL", why_no_chats)
    elif why_no_chats:
        yield Finding("note", f"chat calls will be refused. {why_no_chats}")
    elif why_no_completions:
        yield Finding("note", f"completion calls will be refused. {why_no_completions}")
    else:
        yield Finding("ok", f"mode {mode.value}: chats and completions fit")


def _kind_of(api_key: str) -> str:
    return "personal access token" if is_personal_access_token(api_key) else "legacy token"
