"""One setting: what it is called, what it means, and how its value is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_labelstudio.errors import ConfigError

_LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting: its parameter, its environment variable, what it means, and how its value is read.

    ``read`` raises `ValueError` with what is wrong of a value. ``mend`` says what to give instead; where there is none,
    the meaning does. The value of a secret is never shown. ``former`` is what parameter and environment variable were
    called before.
    """

    name: str
    environment: str
    help: str
    read: Callable[[Any], Any]
    default: Any = None
    former: tuple[str, str] | None = None
    mend: str | None = None
    is_secret: bool = False

    @property
    def meaning(self) -> str:
        """The help, without the values of a flag."""
        return self.help.removeprefix("true or false: ")

    def value(self, source: str, value: Any) -> Any:
        """What the setting holds where ``source`` says this; raises `ConfigError`."""
        try:
            return self.read(value)
        except OSError as error:
            why = error.strerror or "cannot be read"
        except ValueError as error:
            why = str(error)
        raise ConfigError(f"{source}{self._shown(value)}: {why}; {self.mend or f'it means: {self.meaning}'}.")

    def _shown(self, value: Any) -> str:
        """The value for an error, unless it is a secret or, as an address may, has one in it."""
        is_secret = self.is_secret or (self.name == "url" and "@" in str(value))
        return "" if is_secret else f" {str(value)[:_LONGEST_SHOWN]!r}"
