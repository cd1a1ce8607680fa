"""Who is signed in, and what serves only once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from centralbot.domain.events import Actor
from centralbot.ports.people import UserTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody signed in, in one browser, until ``expires_at``."""

    id: UUID
    user: Actor
    tokens: UserTokens
    created_at: datetime
    expires_at: datetime


class Sessions(Protocol):
    """Sessions by the SHA-256 of their cookie: the cookie itself is stored nowhere. GitHub's tokens are encrypted.

    Expiry is judged by the store's clock. All methods raise Unavailable.
    """

    async def start(self, session: Session, token_digest: bytes) -> None:
        """Store a new session; the user's login is brought up to date."""
        ...

    async def remember(self, user: Actor) -> None:
        """Bring the login of somebody who calls without a session up to date, so that the audit can name them."""
        ...

    async def find(self, token_digest: bytes) -> Session | None:
        """The session, unless it is unknown, expired or revoked."""
        ...

    async def renew(
        self, session_id: UUID, renew: Callable[[UserTokens], Awaitable[UserTokens | None]]
    ) -> Session | None:
        """Replace the tokens under the session's lock, so that of many callers one renews at a time.

        ``renew`` gets the tokens as they are then: it returns new ones, or None to leave them. What it raises goes
        through, with nothing changed. None when the session is not active any more.
        """
        ...

    async def revoke(self, token_digest: bytes) -> Session | None:
        """End a session at once; returns it as it was (its tokens are forgotten), None when there was none."""
        ...

    async def revoke_all(self, user_id: int) -> int:
        """End every session of a person; returns how many there were."""
        ...


class Nonces(Protocol):
    """Things that serve once: sign-in states, proof-of-work solutions."""

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        """True the first time for this ``kind`` and ``digest``, False ever after; forgotten after ``expires_at``."""
        ...
