"""What a back end is told about who said something.

A person is a number in Label Studio, and a plain hash of a small number is reversed in a second. So the hash has a key,
which is drawn once and kept with the state. It is a pseudonym, not anonymity: whoever has the key can compute it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from otel_labelstudio.annotations.records import User

# A person and the address of their Label Studio server -> what a back end is told
NameOf: TypeAlias = Callable[[User, str], str | None]

_HASH_LENGTH = 16


class AnnotatorForm(str, Enum):
    """How annotators are named."""

    HASH = "hash"
    EMAIL = "email"
    NONE = "none"


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
