"""The settings, and the only place that reads the environment.

An argument beats the environment, the environment beats the default. Everything that can be found wrong without a
server is found here, as a `ConfigError` that says how to mend it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MethodType
from typing import Any
from urllib.parse import urlsplit

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config
from otel_labelstudio.tasks.label_config import LabelConfigError
from otel_labelstudio.tasks.layouts import Layout
from otel_labelstudio.titles import TITLE_MAX_LENGTH, TITLE_MIN_LENGTH, title

_logger = logger(__name__)

DEFAULT_URL = "http://localhost:8080"
DEFAULT_PROJECT_NAME = "LangChain-%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its parameter, its environment variable, what it means, and how its text is read."""

    name: str
    environment: str
    help: str
    read: Callable[[Any], Any]
    default: Any = None
    # What parameter and environment variable were called before
    former: tuple[str, str] | None = None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - one exception type for all readers
    return value


def _api_key(value: Any) -> str | None:
    """What an HTTP header can carry; white space around it is of copying."""
    key = _text(value).strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError
    return key or None


def _positive_int(value: Any) -> int:
    if isinstance(value, bool | float) or int(value) <= 0:
        raise ValueError
    return int(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= float(value) < float("inf"):
        raise ValueError
    return float(value)


def _timeout_s(value: Any) -> float:
    if _seconds(value) == 0:
        raise ValueError
    return float(value)


def _url(value: Any) -> str:
    url = _text(value).strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    # A login in the address would replace the API key, which travels in the same header. The port is checked when read
    if parts.username is not None or parts.port == 0:
        raise ValueError
    return url.rstrip("/")


def _mode(value: Any) -> Mode:
    return Mode(_text(value).strip().lower())


def _layout(value: Any) -> Layout:
    return Layout(_text(value).strip().lower())


def _label_config(value: Any) -> str:
    """The XML itself, or the path of a file that holds it."""
    text = _text(value).strip()
    if not text.startswith("<"):
        text = Path(os.path.expanduser(text)).read_text(encoding="utf-8-sig").strip()
    return text


def _function(value: Any) -> Any:
    """A function, or where to import it: ``package.module:function``."""
    if callable(value):
        return value
    module, _, name = _text(value).partition(":")
    try:
        found: Any = import_module(module)
    except ImportError:
        raise
    except Exception as error:  # it is a user's, and may do anything while it is imported
        raise ImportError(f"{module} cannot be imported ({type(error).__name__})") from None
    for attribute in name.split("."):
        found = getattr(found, attribute)
    if not callable(found):
        raise TypeError
    return found


def _flag(value: Any) -> bool:
    """As in the OpenTelemetry specification, but that anything else than the two words is an error."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[_text(value).strip().lower()]


def _path(value: Any) -> str:
    return os.path.abspath(os.path.expanduser(_text(os.fspath(value))))


VARIABLES: tuple[Variable, ...] = (
    Variable("api_key", "LABEL_STUDIO_API_KEY", "personal access token or legacy token", _api_key),
    Variable("url", "LABEL_STUDIO_URL", "where Label Studio is", _url, DEFAULT_URL),
    Variable("project_id", "LABEL_STUDIO_PROJECT_ID", "an existing project", _positive_int),
    Variable(
        "project_name",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME",
        "title of the project, found or created; strftime directives and {service.name} are filled in",
        _text,
        DEFAULT_PROJECT_NAME,
    ),
    Variable(
        "project_config",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_CONFIG",
        "labeling configuration of a new project: XML or a file's path",
        _label_config,
    ),
    Variable(
        "answer_tag",
        "OTEL_EXPORTER_LABELSTUDIO_ANSWER_TAG",
        "name of the TextArea for the answers; by default the first that can hold one",
        _text,
    ),
    Variable(
        "require_prediction",
        "OTEL_EXPORTER_LABELSTUDIO_REQUIRE_PREDICTION",
        "true or false: calls wait where a project has no TextArea for the answers; false for projects that only rate",
        _flag,
        True,
    ),
    Variable("mode", "OTEL_EXPORTER_LABELSTUDIO_MODE", "prompt, chat or auto", _mode, Mode.PROMPT),
    Variable(
        "layout",
        "OTEL_EXPORTER_LABELSTUDIO_LAYOUT",
        "page of a new project instead of the mode's own: review, compare or agent; with it, the default mode is auto",
        _layout,
    ),
    Variable(
        "model_version",
        "OTEL_EXPORTER_LABELSTUDIO_MODEL_VERSION",
        "model_version of the predictions: a constant, or with {model} and {provider} filled in",
        _text,
        "{model}",
    ),
    Variable(
        "batch_size", "OTEL_EXPORTER_LABELSTUDIO_BATCH_SIZE", "tasks of one import at the most", _positive_int, 200
    ),
    Variable(
        "call_filter",
        "OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER",
        "function from a call to a call or None, to redact, select or sample; in the environment as module:function",
        _function,
    ),
    Variable(
        "media_max_bytes",
        "OTEL_EXPORTER_LABELSTUDIO_MEDIA_MAX_BYTES",
        "bytes of an inline image, sound or file that stay in a call; of a larger one, type and size stay",
        _positive_int,
        2**20,
    ),
    Variable(
        "failed_calls",
        "OTEL_EXPORTER_LABELSTUDIO_FAILED_CALLS",
        "true or false: make tasks of calls that failed before any answer too, with the error's type and no prediction",
        _flag,
        False,
    ),
    Variable(
        "settle_s",
        "OTEL_EXPORTER_LABELSTUDIO_SETTLE_S",
        "seconds that a call waits for other spans and log records of the same call before it is delivered",
        _seconds,
        6.0,
    ),
    Variable(
        "timeout_s",
        "OTEL_EXPORTER_LABELSTUDIO_TIMEOUT_S",
        "seconds that Label Studio may take for an answer",
        _timeout_s,
        60.0,
    ),
    Variable(
        "import_timeout_s",
        "OTEL_EXPORTER_LABELSTUDIO_IMPORT_TIMEOUT_S",
        "seconds that Label Studio may take for an import, which it may carry out long after the connection is gone",
        _timeout_s,
        600.0,
    ),
    Variable(
        "resend_wait_s",
        "OTEL_EXPORTER_LABELSTUDIO_RESEND_WAIT_S",
        "seconds to wait before re-sending a call whose import timed out and was not found",
        _seconds,
        30.0,
        former=("doubt_wait_s", "OTEL_EXPORTER_LABELSTUDIO_DOUBT_WAIT_S"),
    ),
    Variable(
        "recheck_wait_s",
        "OTEL_EXPORTER_LABELSTUDIO_RECHECK_WAIT_S",
        "seconds after which a delivered call whose outcome was unknown is looked up again, for duplicates",
        _seconds,
        3600.0,
        former=("audit_wait_s", "OTEL_EXPORTER_LABELSTUDIO_AUDIT_WAIT_S"),
    ),
    Variable(
        "delete_duplicates",
        "OTEL_EXPORTER_LABELSTUDIO_DELETE_DUPLICATES",
        "true or false: delete a second task of a call that this exporter stored and that nobody has touched",
        _flag,
        True,
    ),
    Variable(
        "max_new_projects",
        "OTEL_EXPORTER_LABELSTUDIO_MAX_NEW_PROJECTS",
        "projects that may be created in twelve hours, unless more were in use the day before; further calls wait",
        _positive_int,
        100,
    ),
    Variable(
        "outbox",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX",
        "file that keeps what is accepted until it is delivered, across restarts; in memory where none is named",
        _path,
    ),
    Variable(
        "outbox_max_calls",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_CALLS",
        "calls that may wait for delivery; one more is dropped and counted",
        _positive_int,
        10_000,
    ),
    Variable(
        "outbox_max_bytes",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_BYTES",
        "bytes of calls that may wait for delivery",
        _positive_int,
        256 * 2**20,
    ),
)

_MENDS = {
    "api_key": "copy it from Label Studio, Account & Settings",
    "url": "give an address such as http://localhost:8080, without a login in it",
    "project_id": "give the number that stands in the project's address, /projects/NUMBER",
    "project_config": "give the labeling configuration's XML, or the path of a readable file that holds it",
    "mode": "choose prompt, chat or auto",
    "layout": "choose review, compare or agent",
    "call_filter": "give a function, or where to import it: package.module:function",
}


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """Valid settings. Made by `resolve`; the API key stands in no repr. Equal ones share a pipeline."""

    api_key: str = field(repr=False)
    url: str
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
        arguments, fallbacks = _renamed(arguments or {}), _renamed(fallbacks or {})
        unknown = sorted((arguments.keys() | fallbacks.keys()) - {v.name for v in VARIABLES})
        if unknown:
            raise ConfigError(f"There is no setting {unknown[0]!r}; there are {', '.join(v.name for v in VARIABLES)}.")
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
        settings._check()
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
        known = {variable.name: variable for variable in VARIABLES}
        values = {name: _read_value(known[name], name, value) for name, value in _renamed(arguments).items()}
        if "layout" in values or "project_config" in values:  # one takes the other's place
            values = {"layout": None, "project_config": None, **values}
        is_mode_given = self.is_mode_given or "mode" in values
        if not is_mode_given:
            values["mode"] = _default_mode(values.get("layout", self.layout))
        settings = replace(self, **values, is_mode_given=is_mode_given)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.project_id is None:
            today = datetime.now()
            try:  # of each day of a year: the names of months and weekdays differ in length
                titles = [self.project_title(today + timedelta(days=days)) for days in range(366)]
            except ValueError:  # a NUL, a lone surrogate, or a directive that this platform does not have
                raise ConfigError(
                    f"project_name ({_environment('project_name')}) cannot be formatted with strftime: "
                    f"{self.project_name!r}."
                ) from None
            wrong = next((t for t in titles if not TITLE_MIN_LENGTH <= len(t) <= TITLE_MAX_LENGTH), None)
            if wrong is not None:
                raise ConfigError(
                    f"The project title {wrong!r} (project_name {self.project_name!r}) has {len(wrong)} characters; "
                    f"Label Studio takes {TITLE_MIN_LENGTH} to {TITLE_MAX_LENGTH}. Change project_name or "
                    f"{_environment('project_name')}."
                )
        if self.project_config is not None and self.layout is not None:
            raise ConfigError(
                f"project_config ({_environment('project_config')}) and layout ({_environment('layout')}) both say "
                "what the page of a new project is: give one of them."
            )
        if self.project_config is not None:
            try:
                binding_from_label_config(
                    self.project_config, self.answer_tag, require_prediction=self.require_prediction
                )
            except LabelConfigError as error:
                raise ConfigError(f"project_config ({_environment('project_config')}): {error}") from None
        try:
            self.model_version.format(model="", provider="")
        except (LookupError, ValueError, AttributeError):
            raise ConfigError(
                f"model_version {self.model_version!r} ({_environment('model_version')}): only {{model}} and "
                "{provider} can be filled in."
            ) from None


def is_named_to_the_sdk() -> bool:
    """Whether the environment has the SDK set itself up with our exporter, as ``opentelemetry-instrument`` does it."""
    exporters = os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")
    return bool(os.environ.get("OTEL_CONFIG_FILE")) or "labelstudio" in map(str.strip, exporters)


def read_setting(variable: Variable, argument: Any, fallback: Any = None) -> Any:
    """What an argument says, else the variable's environment, else the fallback; None where nothing does.

    Raises `ConfigError` for a value that the setting cannot have.
    """
    sources = (
        (variable.name, argument),
        (variable.environment, os.environ.get(variable.environment)),
        *_former_environment(variable),
        (variable.name, fallback),
    )
    name, value = next(((name, value) for name, value in sources if not _is_empty(value)), ("", None))
    return None if value is None else _read_value(variable, name, value)


def _default_mode(layout: Layout | None) -> Mode:
    """Every layout shows calls of either kind."""
    return Mode.PROMPT if layout is None else Mode.AUTO


def _renamed(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments under the names that their settings have now."""
    names = {variable.former[0]: variable.name for variable in VARIABLES if variable.former}
    for former in names.keys() & arguments.keys():
        _say_renamed(former, names[former])
    return {names.get(name, name): value for name, value in arguments.items()}


def _former_environment(variable: Variable) -> Iterator[tuple[str, str]]:
    value = os.environ.get(variable.former[1]) if variable.former else None
    if variable.former and value:
        _say_renamed(variable.former[1], variable.environment)
        yield variable.former[1], value


@cache
def _say_renamed(former: str, name: str) -> None:
    _logger.warning("%s is called %s now. The former name works still.", former, name)


def _is_empty(value: Any) -> bool:
    """Whether nothing is given; a function of somebody's own is not asked whether it equals a text."""
    return value is None or (isinstance(value, str) and value == "")


def _read_value(variable: Variable, name: str, value: Any) -> Any:
    try:
        return variable.read(value)
    except OSError as error:
        why = error.strerror or "cannot be read"
    except (ValueError, TypeError, KeyError, ImportError, AttributeError) as error:
        why = str(error) if isinstance(error, ImportError | AttributeError) else "not a valid value"
    is_secret = variable.name == "api_key" or (variable.name == "url" and "@" in str(value))
    shown = "" if is_secret else f" {str(value)[:100]!r}"
    mend = _MENDS.get(variable.name, f"it means: {variable.help}")
    raise ConfigError(f"{name}{shown}: {why}; {mend}.")


def _environment(name: str) -> str:
    return next(v.environment for v in VARIABLES if v.name == name)


assert [f.name for f in fields(Settings)][:-1] == [v.name for v in VARIABLES]  # noqa: S101 - one table, one record
