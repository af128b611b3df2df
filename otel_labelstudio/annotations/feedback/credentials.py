"""What a back end asks for before it takes feedback: from the environment or a file, never from a command line, which
other users can see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.settings import variables_of_others


def credentials_from(names: Iterable[str], path: str | None) -> dict[str, str]:
    """By name, what is set. ``path`` is a file of lines ``NAME=VALUE``, which beats the environment. Raises
    `ConfigError`."""
    wanted = tuple(names)
    found = variables_of_others(wanted)
    if path is not None:
        found.update((name, value) for name, value in _lines_of(path) if name in wanted)
    return found


def _lines_of(path: str) -> list[tuple[str, str]]:
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--credentials {path}: it cannot be read ({type(error).__name__})") from None
    pairs = [line.removeprefix("export ").partition("=") for line in lines if line.strip() and line.strip()[0] != "#"]
    return [(name.strip(), value.strip().strip("\"'")) for name, _, value in pairs]
