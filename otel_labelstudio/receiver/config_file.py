"""One TOML file for the receiver, for Label Studio, and for the routes::

[receiver]
http = "0.0.0.0:4318"
bearer_tokens = "/etc/otel-labelstudio/tokens"

[labelstudio]
url = "https://labeling.example.com"
mode = "auto"
project_name = "{service.name} %Y-%m"

[[route]]
name = "support"
match = { "service.name" = ["support-*", "helpdesk"], "deployment.environment.name" = "production" }
project_name = "Support chats"
mode = "chat"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES
from otel_labelstudio.routing import Route
from otel_labelstudio.settings import VARIABLES, Settings, refuse_unknown_names

ROUTE_SETTINGS = (
    "project_id",
    "project_name",
    "project_config",
    "answer_tag",
    "require_prediction",
    "mode",
    "layout",
    "model_version",
    "call_filter",
)
_FORMER_NAMES = tuple(variable.former[0] for variable in VARIABLES if variable.former)
# What may stand in each of the two tables
_NAMES = {
    "receiver": tuple(variable.name for variable in RECEIVER_VARIABLES),
    "labelstudio": (*(variable.name for variable in VARIABLES), *_FORMER_NAMES),
}


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file says, table by table, unread."""

    receiver: Mapping[str, Any] = field(default_factory=dict)
    labelstudio: Mapping[str, Any] = field(default_factory=dict, repr=False)
    routes: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, path: str | None) -> ConfigFile:
        """The file at ``path``; None: an empty one. Raises `ConfigError`."""
        if path is None:
            return cls()
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None
        except ValueError as error:  # tomllib.TOMLDecodeError and UnicodeDecodeError are ones
            raise ConfigError(f"{path}: not TOML ({error})") from None
        unknown = sorted(tables.keys() - {"receiver", "labelstudio", "route"})
        if unknown:
            raise ConfigError(f"{path}: there is no table {unknown[0]!r}; there are receiver, labelstudio and route.")
        routes = tables.get("route", [])
        if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
            raise ConfigError(f"{path}: a route is written as [[route]].")
        for name, known in _NAMES.items():
            if not isinstance(tables.get(name, {}), dict):
                raise ConfigError(f"{path}: {name} is written as [{name}].")
            refuse_unknown_names(tables.get(name, {}), known, where=f"{path}: in [{name}] there")
        return cls(tables.get("receiver", {}), tables.get("labelstudio", {}), tuple(routes))

    def resolved_routes(self, settings: Settings) -> tuple[Route, ...]:
        """The routes in their order, with the settings where they have none of their own. Raises `ConfigError`."""
        routes = tuple(_route(table, settings) for table in self.routes)
        names = [route.name for route in routes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"Two routes are called {twice!r}.")
        return routes


def _route(table: Mapping[str, Any], settings: Settings) -> Route:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError("A route needs a name: what waits for delivery remembers it.")
    refuse_unknown_names(table, ("name", "match", *ROUTE_SETTINGS), where=f"Route {name!r}: there")
    # As elsewhere, "" means that it is not given
    own = {key: table[key] for key in ROUTE_SETTINGS if table.get(key, "") != ""}
    try:
        if "project_name" in own and "project_id" not in own and settings.project_id is not None:
            return Route(name, _match(table.get("match")), settings.without_project_id().replaced(own))
        return Route(name, _match(table.get("match")), settings.replaced(own))
    except ConfigError as error:
        raise ConfigError(f"Route {name!r}: {error}") from None


def _match(table: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict) or not table:
        raise ConfigError('match says which calls it is for: match = { "service.name" = "checkout-*" }')
    return {name: _patterns(name, value) for name, value in table.items()}


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        raise ConfigError(f'match: attribute names with dots need quotes: "{name}...."')
    if not values or not all(isinstance(item, str | int | float) for item in values):
        raise ConfigError(f"match: {name} takes a text with * and ?, or a list of such.")
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)
