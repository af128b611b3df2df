"""Whose certificates are trusted: the authorities that the environment names, else those that httpx brings along."""

from __future__ import annotations

import os
import ssl
from typing import Literal

from otel_labelstudio.delivery.label_studio.access import Access
from otel_labelstudio.delivery.label_studio.answers import NotReachedError


def verification(url: str, access: Access) -> ssl.SSLContext | Literal[True]:
    """What httpx calls ``verify``, of a server or a proxy. Raises `NotReachedError` where the authorities are needed
    and cannot be read."""
    if access.authorities is None or not url.startswith("https://"):
        return True
    variable, path = access.authorities
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        why = "which holds no certificate in PEM form"
    except OSError as error:
        why = f"which cannot be read ({error.strerror})"
    cure = "name a PEM file with the server's CA certificate, or unset it"
    raise NotReachedError(f"{variable} names {path}, {why}; {cure}", is_lasting=True)
