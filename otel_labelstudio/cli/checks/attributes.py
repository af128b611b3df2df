"""Names of attributes in titles and routes: one that no convention has, and that is near to one that some has, is taken
for a slip. Others may be the application's own."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import ModuleType

from otel_labelstudio.cli.checks.finding import Finding, note
from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.routing import Route
from otel_labelstudio.settings import Settings
from otel_labelstudio.titles import attributes_of_title

# How alike two names must be, from 0 to 1: "service.nam" and "service.name" are 0.96
_ALIKE = 0.85


def attribute_findings(settings: Settings, routes: Iterable[Route]) -> Iterator[Finding]:
    """Notes on names in the project's title and in the routes."""
    yield from _in_title(settings)
    for route in routes:
        for name in route.match:
            yield from (finding.of_route(route.name) for finding in _misspelt(name, "match"))
        if route.settings.project_name != settings.project_name:
            yield from (finding.of_route(route.name) for finding in _in_title(route.settings))


def _in_title(settings: Settings) -> Iterator[Finding]:
    if settings.project_id is None:
        for name in attributes_of_title(settings.project_name):
            yield from _misspelt(name, "project_name")


def _misspelt(name: str, where: str) -> Iterator[Finding]:
    known = _known_names()
    if name in known or name.startswith(NAME_PREFIXES):
        return
    for near in get_close_matches(name, known, 1, _ALIKE):
        yield note(f'{where}: no convention has the attribute "{name}"; did you mean "{near}"?')


@cache
def _known_names() -> frozenset[str]:
    """Of all attributes of OpenTelemetry's semantic conventions, as its package has them. Imported where it is needed:
    every command would pay for it."""
    from opentelemetry.semconv import attributes as stable
    from opentelemetry.semconv._incubating import attributes as incubating

    modules = (*_modules(stable), *_modules(incubating))
    constants = (value for module in modules for value in vars(module).values())
    return frozenset(value for value in constants if isinstance(value, str) and "." in value and " " not in value)


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield import_module(module.name)
