"""The settings as flags: one for each row of `settings.VARIABLES`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from otel_labelstudio.settings import VARIABLES, Settings, Variable
from otel_labelstudio.tasks.binding import Mode
from otel_labelstudio.tasks.layouts import Layout

PROJECT = (
    *("project_id", "project_name", "project_config", "answer_tag", "require_prediction", "mode", "layout"),
    "model_version",
)
SERVER = ("url", "timeout_s")
# Which calls are read, and what is done to each before it is stored or written
CALLS = ("call_filter", "media_max_bytes", "failed_calls")
IMPORTS = ("batch_size", "import_timeout_s", "resend_wait_s", "delete_duplicates", "max_new_projects")
# Command lines can be seen by other users
WITHOUT_FLAG = tuple(variable.name for variable in VARIABLES if variable.is_secret)

# What a value looks like, by the unit at the end of a setting's name, or by the name
_UNITS = {"_s": "SECONDS", "_bytes": "BYTES", "_calls": "NUMBER", "_connections": "NUMBER"}
_METAVARS = {
    "url": "URL",
    "project_id": "NUMBER",
    "project_name": "TITLE",
    "project_config": "XML|FILE",
    "answer_tag": "NAME",
    "model_version": "TEXT",
    "batch_size": "NUMBER",
    "call_filter": "MODULE:FUNCTION|off",
    "max_new_projects": "NUMBER",
    "grpc": "HOST:PORT",
    "http": "HOST:PORT",
    "cors_origins": "ORIGIN,...",
    "allowed_hosts": "HOST,...",
    "mode": "|".join(mode.value for mode in Mode),
    "layout": "|".join(layout.value for layout in Layout),
    "log_format": "text|json",
}
_FILES = ("project_config", "outbox", "bearer_tokens", "basic_auth", "tls_cert", "tls_key", "tls_client_ca")


def add_setting_arguments(
    parser: argparse.ArgumentParser, names: Iterable[str], defaults: Mapping[str, Any] | None = None
) -> None:
    """A flag for each of the settings, but for those that have none (`WITHOUT_FLAG`). ``defaults`` are the command's
    own, for the help."""
    wanted = set(names).difference(WITHOUT_FLAG)
    add_flags(parser, "settings", (variable for variable in VARIABLES if variable.name in wanted), defaults)


def add_flags(
    parser: argparse.ArgumentParser,
    title: str,
    variables: Iterable[Variable],
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """A flag for each of the variables, in a group of the help."""
    group = parser.add_argument_group(title, "a flag beats its environment variable")
    for variable in variables:
        _add(group, variable, (defaults or {}).get(variable.name, variable.default))


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"


def _add(group: argparse._ArgumentGroup, variable: Variable, default: Any) -> None:
    if variable.default is False:
        help_text = f"{variable.meaning} ({variable.environment})"
        group.add_argument(flag_of(variable.name), action="store_true", default=None, help=help_text)
        return
    help_text = f"{variable.help} ({variable.environment}{_said(default)})".replace("%", "%%")
    group.add_argument(flag_of(variable.name), metavar=_metavar(variable), help=help_text)


def _said(default: Any) -> str:
    if default in (None, ()):
        return ""
    text = default.value if isinstance(default, Enum) else str(default).lower() if default is True else default
    return f", default {text}"


def _metavar(variable: Variable) -> str:
    if variable.default is True:
        return "true|false"
    unit = next((metavar for unit, metavar in _UNITS.items() if variable.name.endswith(unit)), None)
    named = _METAVARS.get(variable.name, "FILE" if variable.name in _FILES else "VALUE")
    return unit or named


def settings_from(
    options: argparse.Namespace, *, needs_server: bool = True, fallbacks: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of the flags, the environment and ``fallbacks``; raises `ConfigError`."""
    given = {v.name: getattr(options, v.name, None) for v in VARIABLES}
    settings = Settings.resolve(given, needs_server=needs_server, fallbacks=fallbacks)
    if given["project_name"] is not None and settings.project_id is not None:
        options.usage_error(f"--project-name does not apply: project_id names project {settings.project_id}")
    return settings
