"""Annotators by a keyed hash: the same person has the same name in a dataset, and nobody who reads it learns whose it
is.

A plain hash of a small number is reversed in seconds; the key stays in the state, which is not published. That is a
pseudonym and no more: who has the key, or knows what somebody labeled, can tell who it was.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from otel_labelstudio.annotations.records import User

_LENGTH = 16
Naming = Callable[[User | None], str | None]


def naming(how: str, state: Path) -> Naming:
    """How users are named: ``hash`` by the key in ``state``, which is made on demand, ``email`` or ``none``."""
    if how == "none":
        return lambda _: None
    if how == "email":
        return lambda user: (user.email or str(user.id)) if user else None
    key = _key(state / "annotators.key")
    return lambda user: hmac.new(key, str(user.id).encode(), hashlib.sha256).hexdigest()[:_LENGTH] if user else None


def _key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(32)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(key)
        return key
