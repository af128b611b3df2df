"""Which project a call goes to, and by which rules: the settings' own, or those of the first route that matches.

Decided when a call is accepted. The project is written down then; the rules are looked up by the route's name when the
call is delivered, so that a mended label config or mode counts for what waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from otel_labelstudio.delivery.label_studio.projects import ProjectRules
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.printable import logger
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import Span
from otel_labelstudio.titles import TITLE_MAX_LENGTH, attribute_text, attributes_of_title

_logger = logger(__name__)

# So many titles are kept, and only of attributes that are no longer than this together
_RENDERED, _RENDERED_LENGTH = 256, 1000


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls go whose spans have these attributes, in the span or its resource.

    ``match`` has for each attribute the patterns of which one must fit, with ``*`` and ``?`` as in file names.
    ``settings`` are the receiver's with the route's own in their place.
    """

    name: str
    match: Mapping[str, Sequence[str]] = field(hash=False)
    settings: Settings

    def matches(self, span: Span) -> bool:
        """Whether a call of this span goes here."""
        return all(_fits(_attribute(span, name), patterns) for name, patterns in self.match.items())


class Router:
    """Destinations by the settings and, before them, the routes in their order."""

    def __init__(self, settings: Settings, routes: Sequence[Route] = ()) -> None:
        self._settings, self._routes = settings, tuple(routes)
        self._has_said_cut = False
        # Most calls of one second go to the same few projects
        self._rendered = lru_cache(_RENDERED)(self._render)

    @property
    def rules(self) -> dict[str, ProjectRules]:
        """The rules of each route, by its name."""
        return {route.name: rules_of(route.settings) for route in self._routes}

    def settings_for(self, span: Span | None) -> Settings:
        """Those of the route that a call of this span, or of none that is known, goes; without one, the general."""
        route = self._route(span)
        return route.settings if route else self._settings

    def destination(
        self, span: Span | None, at: datetime, resource_attributes: Mapping[str, Any] | None = None
    ) -> Destination:
        """Where a call of this span, or of none that is known, goes when it is accepted ``at`` (local time).

        ``resource_attributes`` are what is known of a call without its span: a title may ask for them.
        """
        route = self._route(span)
        settings = route.settings if route else self._settings
        names = attributes_of_title(settings.project_name)
        resource = resource_attributes or {}
        asked = tuple((n, attribute_text(_attribute(span, n) if span else resource.get(n))) for n in names)
        is_short = sum(len(value) for _, value in asked) <= _RENDERED_LENGTH
        return (self._rendered if is_short else self._render)(route, at.replace(microsecond=0), asked)

    def _route(self, span: Span | None) -> Route | None:
        return next((route for route in self._routes if span is not None and route.matches(span)), None)

    def _render(self, route: Route | None, at: datetime, asked: tuple[tuple[str, str], ...]) -> Destination:
        settings, name = (route.settings, route.name) if route else (self._settings, None)
        if settings.project_id is not None:
            return Destination(project_id=settings.project_id, route=name)
        title = settings.project_title(at, dict(asked))
        if any(value not in title for _, value in asked):
            self._say_cut(title)
        return Destination(title=title, route=name)

    def _say_cut(self, title: str) -> None:
        if not self._has_said_cut:
            self._has_said_cut = True
            _logger.warning(
                'Project titles have %d characters at the most: "%s" is cut. Other long titles are cut too.',
                TITLE_MAX_LENGTH,
                title,
            )


def rules_of(settings: Settings) -> ProjectRules:
    """What the settings say of projects and their tasks."""
    return ProjectRules(
        settings.mode,
        settings.project_config,
        settings.model_version,
        settings.answer_tag,
        settings.require_prediction,
        settings.layout,
    )


def _attribute(span: Span, name: str) -> Any:
    value = span.attributes.get(name)
    return span.resource.get(name) if value is None else value


def _fits(value: Any, patterns: Sequence[str]) -> bool:
    if value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return any(fnmatchcase(text, pattern) for pattern in patterns)
