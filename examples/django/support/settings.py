"""As little as a site needs."""

from __future__ import annotations

SECRET_KEY = "for this example only"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "support.urls"
