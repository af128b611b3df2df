"""Names of settings: former ones, which work still, and unknown ones, which are an error with the nearest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.settings.variables import VARIABLES

_logger = logger(__name__)


def refuse_unknown_names(names: Iterable[str], known: Iterable[str], *, where: str = "There") -> None:
    """Raises `ConfigError` for a name that is not known; ``where`` begins the message."""
    there = tuple(known)
    unknown = next(iter(sorted(set(names) - set(there))), None)
    if unknown is not None:
        near = get_close_matches(unknown, there, 1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise ConfigError(f"{where} is no setting {unknown!r}{meant} There are {', '.join(there)}.")


def renamed(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments under the names that their settings have now."""
    names = {variable.former[0]: variable.name for variable in VARIABLES if variable.former}
    for former in names.keys() & arguments.keys():
        say_renamed(former, names[former])
    return {names.get(name, name): value for name, value in arguments.items()}


@cache
def say_renamed(former: str, name: str) -> None:
    """Warn once that a name is a former one."""
    _logger.warning("The setting %s is now called %s. The former name still works.", former, name)
