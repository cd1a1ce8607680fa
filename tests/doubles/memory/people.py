"""People on GitHub and their sessions, in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID
from weakref import WeakValueDictionary

from tests.doubles.memory.state import State

from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.people import RepoRole, RepositoryAccess, SignInRefused, UserTokens
from centralbot.ports.sessions import Session

CODE_S, ACCESS_S, REFRESH_S = 600, 28_800, 15_897_600
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")


@dataclass(slots=True, kw_only=True)
class PeopleRepository:
    """A repository as people meet it; ``installation_id`` None: the App is not on it."""

    repo_id: int
    full_name: str
    installation_id: int | None
    private: bool
    roles: dict[int, RepoRole] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Code:
    actor: Actor
    challenge: str
    redirect_uri: str
    until: datetime


@dataclass(slots=True, kw_only=True)
class _Token:
    actor: Actor
    until: datetime
    refresh_token: str
    refresh_until: datetime


class MemoryPeople:
    """Both ports, and what people do on GitHub: sign up, give roles, consent, take it back."""

    def __init__(self, now: Callable[[], datetime], *, web_url: str = "https://github.example") -> None:
        self._now = now
        self._web_url = web_url
        self._serial = itertools.count(1)
        self._failures: list[Unavailable] = []
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}
        self.users: dict[str, Actor] = {}
        self.repos: dict[int, PeopleRepository] = {}

    def add_user(self, login: str, id: int | None = None) -> Actor:
        """The account of that login, made where there is none."""
        made = Actor(id=next(self._serial) + 70_000_000 if id is None else id, login=login)
        return self.users.setdefault(login.lower(), made)

    def add_repository(
        self, repo_id: int, full_name: str, *, installation_id: int | None, private: bool = False
    ) -> PeopleRepository:
        self.repos[repo_id] = PeopleRepository(
            repo_id=repo_id, full_name=full_name, installation_id=installation_id, private=private
        )
        return self.repos[repo_id]

    def set_role(self, repo_id: int, login: str, role: RepoRole) -> None:
        """Make somebody a collaborator."""
        self.repos[repo_id].roles[self.add_user(login).id] = role

    def fail_next(self, error: Unavailable) -> None:
        """The next call raises this."""
        self._failures.append(error)

    def consent(self, authorize_url: str, login: str) -> str:
        """What the person does on GitHub's page. Returns the code."""
        query = dict(parse_qsl(urlsplit(authorize_url).query))
        code = f"code-{next(self._serial)}"
        self._codes[code] = _Code(
            actor=self.users[login.lower()],
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            until=self._now() + timedelta(seconds=CODE_S),
        )
        return code

    def issue(self, login: str) -> UserTokens:
        """Tokens as the flow would end with."""
        return self._issue(self.add_user(login))

    def withdraw(self, login: str) -> None:
        """The person takes the authorization back: every token of theirs dies."""
        self._tokens = {value: one for value, one in self._tokens.items() if one.actor.login.lower() != login.lower()}

    def authorize_url(self, *, state: str, code_challenge: str, redirect_uri: str, select_account: bool = False) -> str:
        query = {"state": state, "code_challenge": code_challenge, "redirect_uri": redirect_uri}
        if select_account:
            query["prompt"] = "select_account"
        return f"{self._web_url}/login/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, code_verifier: str, redirect_uri: str) -> UserTokens:
        self._fail()
        found = self._codes.pop(code, None)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if found is None or found.until <= self._now() or (found.challenge, found.redirect_uri) != (
            challenge, redirect_uri,
        ):  # fmt: skip
            raise SignInRefused("GitHub refuses the sign-in (bad_verification_code): sign in again")
        return self._issue(found.actor)

    async def refresh(self, refresh_token: str) -> UserTokens:
        self._fail()
        for value, token in self._tokens.items():
            if token.refresh_token == refresh_token and token.refresh_until > self._now():
                del self._tokens[value]
                return self._issue(token.actor)
        raise SignInRefused("GitHub refuses the sign-in (bad_refresh_token): sign in again")

    async def revoke(self, access_token: str) -> None:
        self._fail()
        self._tokens.pop(access_token, None)

    async def who(self, access_token: str) -> Actor:
        return self._actor(access_token)

    async def role(self, access_token: str, repo_id: int, *, full_name: str | None) -> RepoRole:
        actor, repo = self._actor(access_token), self.repos.get(repo_id)
        if repo is None:
            return RepoRole.NONE
        return repo.roles.get(actor.id, RepoRole.NONE if repo.private else RepoRole.READ)

    async def repositories(self, access_token: str) -> Sequence[RepositoryAccess]:
        actor = self._actor(access_token)
        found = [
            RepositoryAccess(
                repo_id=one.repo_id,
                full_name=one.full_name,
                installation_id=one.installation_id,
                role=one.roles[actor.id],
            )
            for one in self.repos.values()
            if one.installation_id is not None and actor.id in one.roles
        ]
        return sorted(found, key=lambda one: (one.full_name.lower(), one.repo_id))

    async def account(self, access_token: str, login: str) -> Actor | None:
        self._actor(access_token)
        return self.users.get(login.lower()) if _LOGIN.fullmatch(login) else None

    def _issue(self, actor: Actor) -> UserTokens:
        access_token, refresh_token = f"ghu_{next(self._serial)}", f"ghr_{next(self._serial)}"
        until, refresh_until = (self._now() + timedelta(seconds=lifetime_s) for lifetime_s in (ACCESS_S, REFRESH_S))
        self._tokens[access_token] = _Token(
            actor=actor, until=until, refresh_token=refresh_token, refresh_until=refresh_until
        )
        return UserTokens(
            access_token=access_token, expires_at=until, refresh_token=refresh_token, refresh_expires_at=refresh_until
        )

    def _actor(self, access_token: str) -> Actor:
        self._fail()
        found = self._tokens.get(access_token)
        if found is None or found.until <= self._now():
            raise SignInRefused("GitHub does not accept this sign-in any more; sign in again")
        return found.actor

    def _fail(self) -> None:
        if self._failures:
            raise self._failures.pop(0)


class MemorySessions:
    """See :class:`~centralbot.ports.sessions.Sessions`. Encrypts nothing: nothing of it is at rest."""

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


class MemoryNonces:
    """See :class:`~centralbot.ports.sessions.Nonces`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        if (kind, digest) in self._state.single_uses:
            return False
        self._state.single_uses[kind, digest] = expires_at
        return True
