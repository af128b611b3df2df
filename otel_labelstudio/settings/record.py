"""The record of valid settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from types import MethodType
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.settings.checks import check
from otel_labelstudio.settings.environment import read_setting
from otel_labelstudio.settings.names import refuse_unknown_names, renamed
from otel_labelstudio.settings.variables import DEFAULT_URL, VARIABLES, setting
from otel_labelstudio.tasks.binding import Mode
from otel_labelstudio.tasks.layouts import Layout
from otel_labelstudio.titles import title

_logger = logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """Valid settings. Made by `resolve`; API key and headers stand in no repr. Equal ones share a pipeline."""

    api_key: str = field(repr=False)
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    project_id: int | None
    project_name: str
    project_config: str | None
    answer_tag: str | None
    require_prediction: bool
    mode: Mode
    layout: Layout | None
    model_version: str
    batch_size: int
    call_filter: Callable[..., LLMCall | None] | None
    media_max_bytes: int
    failed_calls: bool
    settle_s: float
    timeout_s: float
    import_timeout_s: float
    resend_wait_s: float
    recheck_wait_s: float
    delete_duplicates: bool
    max_new_projects: int
    outbox: str | None
    outbox_max_calls: int
    outbox_max_bytes: int
    # Whether somebody chose the mode, or it is the default, which a layout changes
    is_mode_given: bool = True

    @classmethod
    def resolve(
        cls,
        arguments: Mapping[str, Any] | None = None,
        *,
        needs_server: bool = True,
        fallbacks: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Settings of ``arguments`` (parameter name to value; None and "" mean not given) and the environment.

        ``fallbacks`` hold where neither says anything. With ``needs_server=False`` neither an API key nor an address is
        asked for. Raises `ConfigError`.
        """
        arguments, fallbacks = renamed(arguments or {}), renamed(fallbacks or {})
        refuse_unknown_names((*arguments, *fallbacks), (v.name for v in VARIABLES))
        given = {v.name: read_setting(v, arguments.get(v.name), fallbacks.get(v.name)) for v in VARIABLES}
        if needs_server and given["api_key"] is None:
            raise ConfigError(
                "No Label Studio API key. Copy one from Label Studio, Account & Settings > Personal Access Token "
                "(or Legacy Token), and give it as api_key or in LABEL_STUDIO_API_KEY."
            )
        if needs_server and given["url"] is None:
            _logger.warning("No Label Studio address given (url or LABEL_STUDIO_URL): %s is assumed.", DEFAULT_URL)
        values = {v.name: v.default if given[v.name] is None else given[v.name] for v in VARIABLES}
        values["api_key"] = values["api_key"] or ""
        values["mode"] = given["mode"] or _default_mode(given["layout"])
        settings = cls(**values, is_mode_given=given["mode"] is not None)
        check(settings)
        return settings

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[Any, ...]:
        """Of the filter only which one it is: a callable object may not be hashable, or be equal to another one."""
        others = (v.name for v in VARIABLES if v.name != "call_filter")
        call_filter = self.call_filter
        which: tuple[int, ...] = (id(call_filter),)
        if isinstance(call_filter, MethodType):  # another object each time that somebody writes `object.method`
            which = id(call_filter.__self__), id(call_filter.__func__)
        return (which, *(getattr(self, name) for name in others))

    def project_title(self, at: datetime | None = None, attributes: Mapping[str, Any] | None = None) -> str:
        """The title that the project of a call accepted ``at`` (local time, default now) has, of a span with these
        attributes."""
        return title(self.project_name, at or datetime.now(), attributes or {})

    def without_project_id(self) -> Settings:
        """These settings, with the project's title in its place."""
        return replace(self, project_id=None)

    def replaced(self, arguments: Mapping[str, Any]) -> Settings:
        """These settings with others, by parameter name, in the place of some; raises `ConfigError`."""
        values = {name: setting(name).value(name, value) for name, value in renamed(arguments).items()}
        if "layout" in values or "project_config" in values:  # one takes the other's place
            values = {"layout": None, "project_config": None, **values}
        is_mode_given = self.is_mode_given or "mode" in values
        if not is_mode_given:
            values["mode"] = _default_mode(values.get("layout", self.layout))
        settings = replace(self, **values, is_mode_given=is_mode_given)
        check(settings)
        return settings


def _default_mode(layout: Layout | None) -> Mode:
    """Every layout shows calls of either kind."""
    return Mode.PROMPT if layout is None else Mode.AUTO


assert [f.name for f in fields(Settings)][:-1] == [v.name for v in VARIABLES]  # noqa: S101 - one table, one record
