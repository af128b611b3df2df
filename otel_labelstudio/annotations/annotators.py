"""How a person is named where datasets and feedback go.

A person is a number in Label Studio, and a plain hash of a small number is reversed in a second. So the hash has a key,
which is drawn once and kept with the state, where it is not published. It is a pseudonym, not anonymity: whoever has
the key, or knows what somebody labeled, can tell who it was.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from otel_labelstudio.annotations.records import User
from otel_labelstudio.errors import ConfigError

# A person and the address of their Label Studio server -> the name
NameOf: TypeAlias = Callable[[User, str], str | None]

_HASH_LENGTH = 16
_KEY_BYTES = 32


class AnnotatorForm(str, Enum):
    """How annotators are named."""

    HASH = "hash"
    EMAIL = "email"
    NONE = "none"


def new_annotator_key() -> bytes:
    """A key for the hash, to be kept where only its owner can read it."""
    return secrets.token_bytes(_KEY_BYTES)


def kept_annotator_key(file: Path) -> bytes:
    """The key in a file, which is made, for its owner alone, if it is not there; for one process at a time.

    It is written aside and renamed, so that a process that is killed leaves no empty key, whose hashes anybody could
    reverse. Raises `ConfigError` where the file holds anything else than a key.
    """
    if not file.exists():
        aside = file.with_name(f"{file.name}.new")
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(new_annotator_key())
            opened.flush()
            os.fsync(opened.fileno())
        aside.replace(file)
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{file} is damaged; remove it, and annotators get other names from now on")
    return key


def annotator_naming(form: AnnotatorForm, key: bytes) -> NameOf:
    """How annotators are named in this form; ``key`` is that of the hash."""
    return {AnnotatorForm.HASH: _hashed_with(key), AnnotatorForm.EMAIL: _email, AnnotatorForm.NONE: _nobody}[form]


def _hashed_with(key: bytes) -> NameOf:
    def hashed(user: User, url: str) -> str:
        return hmac.new(key, f"{url} {user.id}".encode(), hashlib.sha256).hexdigest()[:_HASH_LENGTH]

    return hashed


def _email(user: User, _: str) -> str:
    """Where the address is not at hand, the person's number, which says no more of them."""
    return user.email or str(user.id)


def _nobody(_: User, __: str) -> None:
    return None
