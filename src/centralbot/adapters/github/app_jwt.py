"""The App's own credential: a short-lived JWT signed with its private key.

Source: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/
generating-a-json-web-token-jwt-for-a-github-app (RS256; ``iat`` a minute back; ``exp`` at most ten minutes ahead).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from centralbot.domain.errors import ValidationError

BACKDATED_S: Final = 60
LIFETIME_S: Final = 540
"""Ahead of now; a minute below GitHub's ten, for clocks that differ."""


def load_private_key(pem: str) -> RSAPrivateKey:
    """Read the key that GitHub gave for the App. ``\\n`` written as two characters, as in ``.env`` files, is fine."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").strip().encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValidationError(_NO_KEY) from error
    if not isinstance(key, RSAPrivateKey):
        raise ValidationError(_NO_KEY)
    return key


def app_jwt(app_id: str, key: RSAPrivateKey, now: datetime) -> str:
    """The JWT of the App ``app_id`` (its id or client id) at GitHub's time ``now``."""
    now_s = int(now.timestamp())
    claims = {"iat": now_s - BACKDATED_S, "exp": now_s + LIFETIME_S, "iss": str(app_id)}
    return jwt.encode(claims, key, algorithm="RS256")


_NO_KEY: Final = (
    "CENTRALBOT_GITHUB_APP_PRIVATE_KEY: not an unencrypted RSA key in PEM form; "
    "generate one on the App's settings page at GitHub and give the whole file"
)
