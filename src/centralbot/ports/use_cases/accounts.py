"""Who is signed in, and what GitHub lets them do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from centralbot.domain.errors import Forbidden, NotFound, Unauthenticated
from centralbot.domain.events import Actor
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.people import PeopleOnGitHub, RepoRole, SignIn, SignInRefused, UserTokens
from centralbot.ports.sessions import Nonces, Session, Sessions

SIGN_IN_S = 600
"""Seconds to come back from GitHub."""
SESSION_S = 14 * 86_400
RENEW_EARLY_S = 300
BEARER_CACHE_S = 60.0
MAX_CACHED = 10_000
MAX_RETURN_TO = 1_000


class SignInOff(NotFound):
    """The operator has not set the App's client id and secret."""


class SignInFailed(Unauthenticated):
    """This sign-in cannot be finished: forged, replayed, out of time, or begun in another browser."""


class Seal(Protocol):
    """Makes small values that only this backend can make and read."""

    def encrypt(self, value: bytes) -> bytes: ...

    def decrypt(self, value: bytes) -> bytes:
        """Raises any exception for what it did not make."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and the GitHub token that acts for them. ``session_id`` is None for a bearer token.

    ``token_until`` is when a session's token runs out, None where it does not or nobody knows.
    """

    user: Actor
    access_token: str = field(repr=False)
    session_id: UUID | None = None
    token_until: datetime | None = None

    @property
    def actor(self) -> str:
        """As the audit names them."""
        return f"github:{self.user.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in on its way to GitHub: go to ``url``, keep ``sealed`` in the browser under a name made of ``state``."""

    url: str
    state: str
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session: its cookie's value, its person, and where they wanted to go."""

    cookie: str = field(repr=False)
    user: Actor
    return_to: str
    max_age_s: int


def safe_return_to(value: str | None) -> str:
    """A path of ours, or ``/``: never another site, by whatever spelling a browser would understand."""
    if not value or len(value) > MAX_RETURN_TO or not value.startswith("/") or value.startswith(("//", "/\\")):
        return "/"
    if "\\" in value or any(ord(char) < 0x21 or ord(char) == 0x7F for char in value):
        return "/"
    try:
        parts = urlsplit(value)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or not value.isascii() else value


class Accounts:
    """Sign-in, sign-out and callers. All raise Unavailable when the store or GitHub cannot answer.

    ``sign_in`` None means that the operator set no client credentials: bearer tokens still serve.
    ``random_token`` returns fresh URL-safe text of at least 256 bits.
    """

    def __init__(
        self,
        *,
        sign_in: SignIn | None,
        people: PeopleOnGitHub,
        sessions: Sessions,
        nonces: Nonces,
        seal: Seal,
        redirect_uri: str,
        clock: Clock,
        ids: Ids,
        random_token: Callable[[], str],
    ) -> None:
        self._sign_in = sign_in
        self._people = people
        self._sessions = sessions
        self._nonces = nonces
        self._seal = seal
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._ids = ids
        self._random_token = random_token
        self._bearers: dict[bytes, tuple[float, Actor]] = {}

    @property
    def can_sign_in(self) -> bool:
        return self._sign_in is not None

    def begin(self, return_to: str | None, *, select_account: bool = False) -> Begun:
        """Start a sign-in; ``select_account`` lets the person take another account. Raises SignInOff."""
        if self._sign_in is None:
            raise SignInOff(
                "sign-in is off: CENTRALBOT_GITHUB_CLIENT_ID and CENTRALBOT_GITHUB_CLIENT_SECRET are not set"
            )
        state, verifier = self._random_token(), self._random_token()
        kept = {
            "state": state,
            "verifier": verifier,
            "return_to": safe_return_to(return_to),
            "until": (self._clock.now() + timedelta(seconds=SIGN_IN_S)).timestamp(),
        }
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        url = self._sign_in.authorize_url(
            state=state, code_challenge=challenge, redirect_uri=self._redirect_uri, select_account=select_account
        )
        return Begun(url=url, state=state, sealed=self._seal.encrypt(json.dumps(kept).encode()).decode())

    def wanted(self, sealed: str | None) -> str:
        """Where somebody wanted to go who broke the sign-in off."""
        kept = self._unseal(sealed)
        return safe_return_to(None if kept is None else str(kept.get("return_to")))

    async def finish(self, sealed: str | None, *, state: str, code: str) -> SignedIn:
        """Take GitHub's callback. Raises SignInFailed, SignInRefused, SignInOff."""
        if self._sign_in is None:
            raise SignInOff("sign-in is off")
        kept = self._unseal(sealed)
        if kept is None or not hmac.compare_digest(str(kept["state"]).encode(), state.encode("utf-8", "replace")):
            raise SignInFailed("this sign-in was not begun in this browser, or its time is over; please start again")
        until = datetime.fromtimestamp(float(str(kept["until"])), tz=self._clock.now().tzinfo)
        if until <= self._clock.now():
            raise SignInFailed("this sign-in took too long; please start again")
        if not await self._nonces.use("sign-in", _digest(state), expires_at=until):
            raise SignInFailed("this sign-in was finished before; please start again")
        tokens = await self._sign_in.exchange(
            code, code_verifier=str(kept["verifier"]), redirect_uri=self._redirect_uri
        )
        user = await self._people.who(tokens.access_token)
        cookie, now = self._random_token(), self._clock.now()
        session = Session(
            id=self._ids.new_id(),
            user=user,
            tokens=tokens,
            created_at=now,
            expires_at=now + timedelta(seconds=SESSION_S),
        )
        await self._sessions.start(session, _digest(cookie))
        return SignedIn(cookie=cookie, user=user, return_to=safe_return_to(str(kept["return_to"])), max_age_s=SESSION_S)

    async def sign_out(self, cookie: str) -> None:
        """End the session here and its token at GitHub; GitHub being away does not keep anybody signed in."""
        session = await self._sessions.revoke(_digest(cookie))
        if session is not None and self._sign_in is not None:
            with suppress(Exception):  # the session is over already; the token expires by itself
                await self._sign_in.revoke(session.tokens.access_token)

    async def of_cookie(self, cookie: str) -> Caller | None:
        """Who is signed in by that cookie; asks GitHub nothing, so the token may be past its time (see ``fresh``)."""
        if not cookie or len(cookie) > 200:
            return None
        session = await self._sessions.find(_digest(cookie))
        if session is None:
            return None
        return _caller(session)

    async def of_bearer(self, token: str) -> Caller:
        """Whose token this is, by GitHub's word, kept for ``BEARER_CACHE_S``. Raises Unauthenticated."""
        digest, now_s = _digest(token), self._clock.monotonic_s()
        known = self._bearers.get(digest)
        if known is None or now_s - known[0] >= BEARER_CACHE_S:
            user = await self._people.who(token)
            await self._sessions.remember(user)
            if len(self._bearers) >= MAX_CACHED:
                self._bearers.clear()
            self._bearers[digest] = known = (now_s, user)
        return Caller(user=known[1], access_token=token)

    async def fresh(self, caller: Caller) -> Caller:
        """The caller with a token good for some minutes more, renewed at GitHub once under the session's lock.

        Raises Unauthenticated when the session is over or GitHub renews it no more.
        """
        if caller.session_id is None or self._sign_in is None:
            return caller
        sign_in, soon = self._sign_in, self._clock.now() + timedelta(seconds=RENEW_EARLY_S)
        if caller.token_until is not None and caller.token_until > soon:
            return caller  # without the lock, behind which others may wait for a GitHub that does not answer

        async def renew(tokens: UserTokens) -> UserTokens | None:
            if tokens.expires_at is None or tokens.expires_at > soon:
                return None
            if tokens.refresh_token is None:
                raise SignInRefused("the sign-in has run out; please sign in again")
            return await sign_in.refresh(tokens.refresh_token)

        session = await self._sessions.renew(caller.session_id, renew)
        if session is None:
            raise Unauthenticated("the session is over; please sign in again")
        return _caller(session)

    def _unseal(self, sealed: str | None) -> dict[str, object] | None:
        if not sealed or len(sealed) > 4_000:
            return None
        try:
            kept = json.loads(self._seal.decrypt(sealed.encode("ascii")))
        except Exception:
            return None
        return kept if isinstance(kept, dict) and {"state", "verifier", "return_to", "until"} <= kept.keys() else None


def _caller(session: Session) -> Caller:
    tokens = session.tokens
    return Caller(
        user=session.user, access_token=tokens.access_token, session_id=session.id, token_until=tokens.expires_at
    )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()


GRANTED_S = 60.0
REFUSED_S = 10.0
"""A refusal is kept for a shorter time: whoever was just given the right should not wait a minute."""
MAX_KEPT = 10_000

Key = tuple[bytes, int]


class Rights:
    """Roles by token and repository: a token that may less than its owner gets no more through the cache."""

    def __init__(self, accounts: Accounts, people: PeopleOnGitHub, clock: Clock) -> None:
        self._accounts = accounts
        self._people = people
        self._clock = clock
        self._kept: dict[Key, tuple[float, RepoRole]] = {}

    async def role(self, caller: Caller, repo_id: int, *, full_name: str | None) -> RepoRole:
        """The caller's role now. Raises Unauthenticated, Unavailable."""
        key = (hashlib.sha256(caller.access_token.encode()).digest(), repo_id)
        kept, now_s = self._kept.get(key), self._clock.monotonic_s()
        if kept is not None and now_s < kept[0]:
            return kept[1]
        fresh = await self._accounts.fresh(caller)
        role = await self._people.role(fresh.access_token, repo_id, full_name=full_name)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        key = (hashlib.sha256(fresh.access_token.encode()).digest(), repo_id)
        self._kept[key] = (now_s + (GRANTED_S if role.may_manage else REFUSED_S), role)
        return role

    async def require_manage(self, caller: Caller, repo_id: int, *, full_name: str | None) -> RepoRole:
        """Raises Forbidden unless the caller has write, maintain or admin, in the same words for every reason."""
        role = await self.role(caller, repo_id, full_name=full_name)
        if not role.may_manage:
            raise Forbidden("you need write, maintain or admin on this repository, as GitHub says it now")
        return role
