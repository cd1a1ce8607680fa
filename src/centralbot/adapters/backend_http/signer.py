"""Signs requests to the backend in the bound form: a fresh nonce each time, the body included (contract section 2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from centralbot.domain import signing


class Signer:
    """Makes the ``x-sitg-*`` headers of one service key. Its repr shows no secret.

    ``now`` is the backend's time as far as it is known, so that a wrong clock of ours does no harm.
    """

    def __init__(self, *, key_id: str, secret: str, now: Callable[[], datetime]) -> None:
        self._key_id = key_id
        self._key = signing.signing_key(secret)
        self._now = now

    def __repr__(self) -> str:
        return f"Signer(key_id={self._key_id!r})"

    def headers(self, message: str, body: bytes) -> dict[str, str]:
        """Headers for one attempt to send ``body``; they serve once."""
        timestamp = str(int(self._now().timestamp()))
        nonce = os.urandom(16).hex()
        text = signing.signed_text(timestamp=timestamp, message=message, nonce=nonce, body=body)
        return {
            "x-sitg-key-id": self._key_id,
            "x-sitg-timestamp": timestamp,
            "x-sitg-nonce": nonce,
            "x-sitg-signature": signing.internal_signature(self._key, text),
            "content-type": "application/json",
        }
