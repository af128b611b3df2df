"""The settings as flags: one for each row of `settings.VARIABLES`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from otel_labelstudio.settings import VARIABLES, Settings, Variable

PROJECT = (
    *("project_id", "project_name", "project_config", "answer_tag", "require_prediction", "mode", "layout"),
    "model_version",
)
SERVER = ("url", "timeout_s")
# Which calls are read, and what is done to each before it is stored or written
CALLS = ("call_filter", "media_max_bytes", "failed_calls")


def add_setting_arguments(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """A flag for each of the settings. The API key has none: command lines can be seen by other users."""
    group = parser.add_argument_group("settings", "a flag beats its environment variable")
    wanted = set(names)
    for variable in VARIABLES:
        if variable.name in wanted:
            _add(group, variable)


def _add(group: argparse._ArgumentGroup, variable: Variable) -> None:
    flag = f"--{variable.name.replace('_', '-')}"
    if variable.default is False:
        help_text = f"{variable.help.removeprefix('true or false: ')} ({variable.environment})"
        group.add_argument(flag, action="store_true", default=None, help=help_text)
        return
    default = variable.default.value if isinstance(variable.default, Enum) else variable.default
    said = "" if default is None else f", default {default}"
    group.add_argument(
        flag,
        metavar=variable.name.rsplit("_", 1)[-1].upper(),
        help=f"{variable.help} ({variable.environment}{said})".replace("%", "%%"),
    )


def settings_from(
    options: argparse.Namespace, *, needs_server: bool = True, fallbacks: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of the flags, the environment and ``fallbacks``; raises `ConfigError`."""
    return Settings.resolve(
        {v.name: getattr(options, v.name, None) for v in VARIABLES},
        needs_server=needs_server,
        fallbacks=fallbacks,
    )
