"""The ports ``Sessions`` and ``Nonces``: who is signed in, and what serves only once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from centralbot.adapters.postgres.store import PostgresStore
from centralbot.adapters.system import SystemIds
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.challenges import Retention
from centralbot.ports.people import SignInRefused, UserTokens
from centralbot.ports.sessions import Session, Sessions
from tests.builders import AUTHOR, a_context
from tests.contracts.adapters import open_postgres
from tests.contracts.driver import UnderTest

DIGEST = sha256(b"a cookie").digest()
OTHER = sha256(b"another cookie").digest()
LIFE_S = 3600
CALLERS = 5


async def a_session(store: UnderTest, **fields: Any) -> Session:
    """Somebody signed in for an hour, with tokens that can be refreshed."""
    now = await store.store.health.now()
    session = Session(
        id=store.context.new_id(),
        user=AUTHOR,
        tokens=UserTokens(
            access_token="ghu_first",
            expires_at=now + timedelta(hours=8),
            refresh_token="ghr_first",
            refresh_expires_at=now + timedelta(days=180),
        ),
        created_at=now,
        expires_at=now + timedelta(seconds=LIFE_S),
    )
    return replace(session, **fields)


async def started(store: UnderTest, digest: bytes = DIGEST, **fields: Any) -> Session:
    session = await a_session(store, **fields)
    await store.store.sessions.start(session, digest)
    return session


class Refresher:
    """GitHub's refresh: an old token serves once, and the answer takes a moment."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, tokens: UserTokens) -> UserTokens | None:
        if tokens.access_token != "ghu_first":
            return None
        self.calls += 1
        await asyncio.sleep(0.02)
        return replace(tokens, access_token="ghu_second", refresh_token="ghr_second")


class TestSessions:
    """Port ``Sessions``."""

    async def test_a_session_comes_back_as_it_was_started(self, store: UnderTest) -> None:
        """By the digest of its cookie, tokens and times included."""
        session = await started(store)
        assert session == await store.store.sessions.find(DIGEST)

    async def test_tokens_that_never_expire_come_back_too(self, store: UnderTest) -> None:
        """An App without expiring tokens gets no refresh token."""
        session = await started(store, tokens=UserTokens(access_token="ghu_forever"))
        assert session == await store.store.sessions.find(DIGEST)

    async def test_an_unknown_cookie_is_nobody(self, store: UnderTest) -> None:
        """Also while others are signed in."""
        await started(store)
        assert None is await store.store.sessions.find(OTHER)

    async def test_the_newest_login_counts_for_all_sessions(self, store: UnderTest) -> None:
        """Accounts are renamed; the id stays."""
        await started(store)
        renamed = Actor(id=AUTHOR.id, login="renamed")
        await started(store, OTHER, user=renamed)
        found = await store.store.sessions.find(DIGEST)
        assert found is not None
        assert renamed == found.user
        assert {AUTHOR.id: "renamed"} == await store.store.reports.logins([AUTHOR.id])

    async def test_a_session_ends_by_itself(self, store: UnderTest) -> None:
        """Found, renewed and revoked no more."""
        session = await started(store)
        await store.advance(LIFE_S + 1)
        sessions = store.store.sessions
        assert None is await sessions.find(DIGEST)
        assert None is await sessions.renew(session.id, Refresher())
        assert None is await sessions.revoke(DIGEST)
        assert await sessions.revoke_all(AUTHOR.id) == 0

    async def test_a_revoked_session_is_gone_at_once(self, store: UnderTest) -> None:
        """The one who revoked it gets its tokens, to make GitHub forget them; the second gets nothing."""
        session = await started(store)
        assert session == await store.store.sessions.revoke(DIGEST)
        assert None is await store.store.sessions.find(DIGEST)
        assert None is await store.store.sessions.revoke(DIGEST)
        assert None is await store.store.sessions.renew(session.id, Refresher())

    async def test_every_session_of_one_person_can_be_revoked(self, store: UnderTest) -> None:
        """Nobody else's."""
        await started(store)
        await started(store, OTHER)
        theirs = sha256(b"somebody else's").digest()
        await started(store, theirs, user=Actor(id=77, login="else"))
        assert await store.store.sessions.revoke_all(AUTHOR.id) == 2
        assert [await store.store.sessions.find(digest) for digest in (DIGEST, OTHER)] == [None, None]
        assert await store.store.sessions.find(theirs) is not None

    async def test_five_callers_renew_once(self, store: UnderTest) -> None:
        """All of them go on with the new tokens."""
        session = await started(store)
        refresher = Refresher()
        renewed = await asyncio.gather(*(store.store.sessions.renew(session.id, refresher) for _ in range(CALLERS)))
        assert refresher.calls == 1
        assert [one.tokens.access_token for one in renewed if one is not None] == ["ghu_second"] * CALLERS
        assert renewed[0] == await store.store.sessions.find(DIGEST)

    async def test_a_refused_renewal_changes_nothing(self, store: UnderTest) -> None:
        """What GitHub said goes through."""
        session = await started(store)

        async def refused(tokens: UserTokens) -> UserTokens | None:
            raise SignInRefused(f"no more {tokens.access_token[:4]}")

        with pytest.raises(SignInRefused):
            await store.store.sessions.renew(session.id, refused)
        assert session == await store.store.sessions.find(DIGEST)

    async def test_what_expired_is_forgotten(self, store: UnderTest) -> None:
        """In bounded batches, with the single uses that no longer matter."""
        now = await store.store.health.now()
        for i in range(3):
            await started(store, sha256(bytes([i])).digest())
            await store.store.nonces.use("state", bytes([i]), expires_at=now + timedelta(seconds=600))
        await store.advance(LIFE_S + 1)
        long_ago = now - timedelta(days=9999)
        retention = Retention(deliveries_before=long_ago, actions_before=long_ago, audit_before=long_ago)
        assert [await store.store.upkeep.prune(retention, limit=2) for _ in range(3)] == [4, 2, 0]


class TestNonces:
    """Port ``Nonces``."""

    async def test_one_of_twenty_concurrent_users_wins(self, store: UnderTest) -> None:
        """And nobody after."""
        expires_at = await store.store.health.now() + timedelta(seconds=600)
        use = store.store.nonces.use
        won = await asyncio.gather(*(use("proof-of-work", DIGEST, expires_at=expires_at) for _ in range(20)))
        assert sorted(won) == [False] * 19 + [True]
        assert await use("proof-of-work", DIGEST, expires_at=expires_at) is False

    async def test_kinds_are_apart(self, store: UnderTest) -> None:
        """A sign-in state uses up no proof."""
        expires_at = await store.store.health.now() + timedelta(seconds=600)
        used = [await store.store.nonces.use(kind, DIGEST, expires_at=expires_at) for kind in ("state", "proof")]
        assert used == [True, True]

    async def test_what_just_expired_is_not_forgotten_yet(self, store: UnderTest) -> None:
        """A process whose clock is behind may still take it for valid."""
        now = await store.store.health.now()
        await store.store.nonces.use("state", DIGEST, expires_at=now + timedelta(seconds=10))
        await store.advance(60)
        retention = Retention(deliveries_before=now, actions_before=now, audit_before=now)
        await store.store.upkeep.prune(retention, limit=10)
        assert await store.store.nonces.use("state", DIGEST, expires_at=now + timedelta(seconds=10)) is False


class TestAtRest:
    """What only a store on a disk can get wrong."""

    async def test_tokens_are_not_readable_in_the_database(self, database: str) -> None:
        """Neither the cookie nor any of GitHub's tokens is in a dump."""
        async with open_postgres(database) as store:
            await started(store)
        async with await psycopg.AsyncConnection.connect(database) as connection:
            row = await (await connection.execute("select s::text from user_sessions s")).fetchone()
        assert row is not None
        dump = row[0]
        for secret in (b"ghu_first", b"ghr_first", b"a cookie"):
            assert secret.hex() not in dump
            assert secret.decode() not in dump

    async def test_another_secret_key_means_signed_out(self, database: str) -> None:
        """No error: everybody signs in again."""
        async with open_postgres(database) as store:
            session = await started(store)
        async with PostgresStore.open(
            database, secret_key="another-secret-key", ids=SystemIds(), context=a_context()
        ) as changed:
            found = [
                await changed.sessions.find(DIGEST),
                await changed.sessions.renew(session.id, Refresher()),
                await changed.sessions.revoke(DIGEST),
            ]
        assert found == [None, None, None]

    async def test_two_processes_renew_once(self, database: str) -> None:
        """The row lock reaches further than a process."""
        refresher = Refresher()
        async with open_postgres(database) as one, open_postgres(database) as two:
            session = await started(one)
            processes: list[Sessions] = [one.store.sessions, two.store.sessions] * CALLERS
            renewed = await asyncio.gather(*(sessions.renew(session.id, refresher) for sessions in processes))
        assert refresher.calls == 1
        assert {"ghu_second"} == {None if it is None else it.tokens.access_token for it in renewed}

    async def test_a_github_that_hangs_is_given_up_on(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The lock is not held for ever, and the session stays as it was."""
        monkeypatch.setattr("centralbot.adapters.postgres.sessions.RENEW_TIMEOUT_S", 0.05)

        async def hangs(tokens: UserTokens) -> UserTokens | None:
            await asyncio.Event().wait()
            return tokens

        async with open_postgres(database) as store:
            session = await started(store)
            with pytest.raises(Unavailable):
                await store.store.sessions.renew(session.id, hangs)
            assert session == await store.store.sessions.find(DIGEST)


async def test_who_calls_without_a_session_is_known_by_name(store: UnderTest) -> None:
    """And by the newer one after a rename."""
    for login in ("before", "after"):
        await store.store.sessions.remember(Actor(id=AUTHOR.id, login=login))
    assert await store.store.reports.logins([AUTHOR.id]) == {AUTHOR.id: "after"}
