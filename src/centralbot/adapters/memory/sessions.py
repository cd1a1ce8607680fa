"""Sessions and what serves once, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

from centralbot.adapters.memory.state import State
from centralbot.domain.events import Actor
from centralbot.ports.driven.people import UserTokens
from centralbot.ports.driven.sessions import Session


class MemorySessions:
    """See :class:`~centralbot.ports.driven.sessions.Sessions`. Encrypts nothing: nothing of it is at rest."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def start(self, session: Session, token_digest: bytes) -> None:
        self._state.logins[session.user.id] = session.user.login
        self._state.sessions[token_digest] = session

    async def remember(self, user: Actor) -> None:
        self._state.logins[user.id] = user.login

    async def find(self, token_digest: bytes) -> Session | None:
        session = self._state.sessions.get(token_digest)
        if session is None or session.expires_at <= self._state.now():
            return None
        return replace(session, user=Actor(id=session.user.id, login=self._state.logins[session.user.id]))

    async def renew(
        self, session_id: UUID, renew: Callable[[UserTokens], Awaitable[UserTokens | None]]
    ) -> Session | None:
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            digest = next((key for key, known in self._state.sessions.items() if known.id == session_id), b"")
            session = await self.find(digest)
            if session is None:
                return None
            tokens = await renew(session.tokens)
            if digest not in self._state.sessions:  # it ended meanwhile
                return None
            if tokens is not None:
                session = self._state.sessions[digest] = replace(session, tokens=tokens)
            return session

    async def revoke(self, token_digest: bytes) -> Session | None:
        session = await self.find(token_digest)
        self._state.sessions.pop(token_digest, None)
        return session

    async def revoke_all(self, user_id: int) -> int:
        now = self._state.now()
        theirs = [key for key, it in self._state.sessions.items() if it.user.id == user_id and it.expires_at > now]
        for key in theirs:
            del self._state.sessions[key]
        return len(theirs)


class MemorySingleUse:
    """See :class:`~centralbot.ports.driven.sessions.SingleUse`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        if (kind, digest) in self._state.single_uses:
            return False
        self._state.single_uses[kind, digest] = expires_at
        return True
