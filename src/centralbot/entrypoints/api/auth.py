"""Internal auth: the bot's HMAC over what a request means (contract section 2).

Every failure is the same 403, so that nobody can probe which part failed. An unknown key is refused no earlier than
a wrong signature: else a malformed body would tell which keys exist.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from centralbot.domain.dedup import SignatureUse, is_fresh
from centralbot.domain.errors import Forbidden
from centralbot.domain.signing import NONCE, PREFIX, internal_digest, signed_text
from centralbot.entrypoints.http import Scope
from centralbot.ports.admin import ServiceKey, ServiceKeys
from centralbot.ports.clock import Clock

_NAMES = {
    b"x-sitg-key-id": "key_id",
    b"x-sitg-timestamp": "timestamp",
    b"x-sitg-signature": "signature",
    b"x-sitg-nonce": "nonce",
}
HEADERS = (
    ("x-sitg-key-id", True, "id of an active service key"),
    ("x-sitg-timestamp", True, "unix seconds"),
    ("x-sitg-signature", True, "sha256= and the hex HMAC-SHA256"),
    ("x-sitg-nonce", False, "16 to 64 characters, fresh per request"),
)
"""For OpenAPI: name, whether it is required, meaning."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request claims: checked for form and time, not yet for its signature.

    ``key`` is None where no active key of that id takes this form of signature.
    """

    key: ServiceKey | None
    timestamp: str
    nonce: str | None
    digest: bytes


def refused() -> Forbidden:
    return Forbidden("internal authentication failed")


async def credentials(scope: Scope, keys: ServiceKeys, clock: Clock) -> Credentials:
    """The request's credentials. Raises Forbidden for missing, malformed or stale ones."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        field = _NAMES.get(name)
        if field is not None:
            if field in found or not value.isascii():
                raise refused()
            found[field] = value.decode("ascii")
    timestamp, signature, nonce = found.get("timestamp", ""), found.get("signature", ""), found.get("nonce")
    if not (timestamp.isdigit() and len(timestamp) <= 12 and len(signature) == 71 and signature.startswith(PREFIX)):
        raise refused()
    if signature != signature.lower() or not is_fresh(int(timestamp), now=clock.now()):
        raise refused()
    try:
        digest = bytes.fromhex(signature[len(PREFIX) :])
    except ValueError:
        raise refused() from None
    key_id = found.get("key_id", "")
    if not key_id or "\0" in key_id or len(digest) != 32 or (nonce is not None and not NONCE.fullmatch(nonce)):
        raise refused()
    key = await keys.find_active(key_id)
    if key is not None and nonce is None and not key.allow_unbound:
        key = None
    return Credentials(key, timestamp, nonce, digest)


def verify(given: Credentials, message: str, body: bytes) -> SignatureUse:
    """Check the signature over ``message`` (and ``body``, in the bound form). Raises Forbidden."""
    text = signed_text(timestamp=given.timestamp, message=message, nonce=given.nonce, body=body)
    signing_key = bytes(32) if given.key is None else given.key.signing_key
    if not hmac.compare_digest(internal_digest(signing_key, text), given.digest) or given.key is None:
        raise refused()
    return SignatureUse(signed_at=int(given.timestamp), digest=given.digest)
