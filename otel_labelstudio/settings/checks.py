"""What must hold of several settings together; each check raises `ConfigError` with how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.settings.api_keys import is_personal_access_token
from otel_labelstudio.settings.variables import setting
from otel_labelstudio.tasks.binding import binding_from_label_config
from otel_labelstudio.tasks.label_config import LabelConfigError
from otel_labelstudio.titles import TITLE_MAX_LENGTH, TITLE_MIN_LENGTH, wrong_braces

if TYPE_CHECKING:
    from otel_labelstudio.settings.record import Settings


def check(settings: Settings) -> None:
    """All of them."""
    for one in _CHECKS:
        one(settings)


def _project_name(settings: Settings) -> None:
    if settings.project_id is not None:
        return
    subject = f"project_name ({_environment('project_name')})"
    why = wrong_braces(settings.project_name)
    if why is not None:
        raise ConfigError(f"{subject} {settings.project_name!r}: {why}.")
    today = datetime.now()
    try:  # of each day of a year: the names of months and weekdays differ in length
        titles = [settings.project_title(today + timedelta(days=days)) for days in range(366)]
    except ValueError:  # a NUL, a lone surrogate, or a directive that this platform does not have
        raise ConfigError(f"{subject} cannot be formatted with strftime: {settings.project_name!r}.") from None
    wrong = next((t for t in titles if not TITLE_MIN_LENGTH <= len(t) <= TITLE_MAX_LENGTH), None)
    if wrong is not None:
        raise ConfigError(
            f"The project title {wrong!r} (project_name {settings.project_name!r}) has {len(wrong)} characters; "
            f"Label Studio takes {TITLE_MIN_LENGTH} to {TITLE_MAX_LENGTH}. Change project_name or "
            f"{_environment('project_name')}."
        )


def _one_page(settings: Settings) -> None:
    if settings.project_config is not None and settings.layout is not None:
        raise ConfigError(
            f"project_config ({_environment('project_config')}) and layout ({_environment('layout')}) both say "
            "what the page of a new project is: give one of them."
        )


def _project_config(settings: Settings) -> None:
    if settings.project_config is None:
        return
    try:
        binding_from_label_config(
            settings.project_config, settings.answer_tag, require_prediction=settings.require_prediction
        )
    except LabelConfigError as error:
        raise ConfigError(f"project_config ({_environment('project_config')}): {error}") from None


def _model_version(settings: Settings) -> None:
    try:
        settings.model_version.format(model="", provider="")
    except (LookupError, ValueError, AttributeError):
        raise ConfigError(
            f"model_version {settings.model_version!r} ({_environment('model_version')}): only {{model}} and "
            "{provider} can be filled in."
        ) from None


def _key_beside_a_login(settings: Settings) -> None:
    """Where another login has Authorization, the key travels as X-API-Key, which Label Studio (1.23.2) takes for a
    legacy token."""
    has_login = any(name.lower() == "authorization" for name, _ in settings.headers)
    if has_login and is_personal_access_token(settings.api_key):
        raise ConfigError(
            f"headers ({_environment('headers')}) has Authorization, where a personal access token must travel; beside "
            "another login Label Studio takes a legacy token as api_key. Or give that login in another header: "
            "Google's IAP takes Proxy-Authorization."
        )


_CHECKS: tuple[Callable[[Settings], None], ...] = (
    _project_name,
    _one_page,
    _project_config,
    _model_version,
    _key_beside_a_login,
)


def _environment(name: str) -> str:
    return setting(name).environment
