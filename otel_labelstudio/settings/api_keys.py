"""The two kinds of Label Studio's API keys."""

from __future__ import annotations

import base64
import json


def is_personal_access_token(api_key: str) -> bool:
    """A personal access token is a JSON Web Token, a legacy token is not."""
    try:
        payload = api_key.split(".")[1]
        json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return False
    return True
