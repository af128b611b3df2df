"""What tests install once and keep in the user's cache directory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from otel_labelstudio.demo.environment import cache_directory
from otel_labelstudio.demo.locking import locked


def cached(name: str, content: bytes, install: Callable[[Path], None]) -> Path:
    """A directory below the user's cache that ``install`` has filled once for this content; other processes wait."""
    directory = cache_directory() / f"test-{name}-{hashlib.sha256(content).hexdigest()[:8]}"
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_name(directory.name + ".lock"), lambda: None):
        if not (directory / "installed").exists():
            install(directory)
            (directory / "installed").touch()
    return directory
