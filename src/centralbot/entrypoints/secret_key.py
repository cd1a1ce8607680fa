"""Whether CENTRALBOT_SECRET_KEY is the one that the store was written under: the service keys in it tell."""

from __future__ import annotations

from centralbot.domain.errors import Unavailable
from centralbot.ports.admin import ServiceKeys


async def check_secret_key(keys: ServiceKeys) -> str:
    """A line that says so. Raises Unavailable where service keys are active and none can be read.

    Under another key the links of pending checks are unknown, and those written with it are dead for everybody else.
    """
    active = [key for key in await keys.list() if key.revoked_at is None]
    if not active:
        return "no service keys yet"
    if not any(key.readable for key in active):
        raise Unavailable(
            "CENTRALBOT_SECRET_KEY is not the one that this store was written under: set the one that serve-api had; "
            "if it was changed on purpose, revoke the old service keys ('centralbot keys list', 'centralbot keys "
            "revoke') and make new ones"
        )
    return "opens the service keys"
