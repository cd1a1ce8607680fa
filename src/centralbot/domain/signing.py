"""Signatures: GitHub's webhook HMAC and the internal HMAC of the bot, both compared as bytes in constant time.

Source for the webhook: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

PREFIX = "sha256="
NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


def webhook_signature(secret: str, body: bytes) -> str:
    """The ``X-Hub-Signature-256`` of ``body``."""
    return PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def webhook_matches(signature: bytes | None, body: bytes, secrets: Iterable[str]) -> bool:
    """Whether ``signature`` is that of ``body`` under any of ``secrets`` (two while rotating). Any bytes are safe."""
    ok = False
    for secret in secrets:
        ok |= hmac.compare_digest(signature or b"", webhook_signature(secret, body).encode())
    return ok


def signing_key(secret_text: str) -> bytes:
    """The 32-byte HMAC key of a service key's secret text."""
    return hashlib.sha256(secret_text.encode()).digest()


def signed_text(*, timestamp: str, message: str, nonce: str | None = None, body: bytes = b"") -> bytes:
    """What the internal HMAC covers: with a nonce the body is bound too."""
    if nonce is None:
        return f"{timestamp}.{message}".encode()
    return f"{timestamp}.{nonce}.{message}.{hashlib.sha256(body).hexdigest()}".encode()


def internal_digest(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def internal_signature(key: bytes, text: bytes) -> str:
    """The value of ``x-sitg-signature``."""
    return PREFIX + internal_digest(key, text).hex()


def pull_request_message(delivery_id: str) -> str:
    return f"github-event:pull_request:{delivery_id}"


def installation_message(delivery_id: str) -> str:
    return f"github-event:installation-sync:{delivery_id}"


def events_message(count: int) -> str:
    return f"github-events:{count}"


def claim_message(worker_id: str) -> str:
    return f"bot-actions-claim:{worker_id}"


def result_message(action_id: str, worker_id: str, outcome: str) -> str:
    return f"bot-action-result:{action_id}:{worker_id}:{outcome}"


@lru_cache(maxsize=4)
def _gate_hmac(key: bytes) -> hmac.HMAC:
    return hmac.new(key, b"gate:", hashlib.sha256)


def _gate_mac(key: bytes, challenge_id: UUID) -> bytes:
    mac = _gate_hmac(key).copy()  # the key is taken in once: a sweep makes thousands
    mac.update(challenge_id.bytes)
    return mac.digest()[:16]


def gate_token(key: bytes, challenge_id: UUID) -> str:
    """An unguessable (128 bits) token for one challenge: its id and a MAC, base64url without padding."""
    return base64.urlsafe_b64encode(challenge_id.bytes + _gate_mac(key, challenge_id)).rstrip(b"=").decode()


def gate_challenge_id(key: bytes, token: str) -> UUID | None:
    """The challenge that ``token`` belongs to, or None for anything that this key did not make."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != 32:
        return None
    challenge_id = UUID(bytes=raw[:16])
    return challenge_id if hmac.compare_digest(raw[16:], _gate_mac(key, challenge_id)) else None
