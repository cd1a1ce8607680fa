"""Ports ``ServiceKeys`` and ``Health``."""

from __future__ import annotations

import pytest

from centralbot.domain.errors import ValidationError
from tests.contracts.driver import UnderTest


class TestServiceKeys:
    """Port ``ServiceKeys``."""

    async def test_a_key_is_found_until_it_is_revoked(self, store: UnderTest) -> None:
        """At once."""
        made = await store.store.keys.create("key-1", b"k" * 32, allow_unbound=True)
        found = await store.store.keys.find_active("key-1")
        assert found is not None
        assert (found.key_id, found.signing_key, found.allow_unbound) == ("key-1", b"k" * 32, True)
        assert made.revoked_at is None
        assert [await store.store.keys.revoke("key-1") for _ in range(2)] == [True, False]
        assert await store.store.keys.find_active("key-1") is None

    async def test_two_keys_serve_while_rotating(self, store: UnderTest) -> None:
        """Fault 46."""
        for key_id in ("old", "new"):
            await store.store.keys.create(key_id, key_id.encode() * 8, allow_unbound=False)
        assert [k.key_id for k in await store.store.keys.list()] == ["old", "new"]
        await store.store.keys.revoke("old")
        assert [(k.revoked_at is None, k.readable) for k in await store.store.keys.list()] == [
            (False, True),
            (True, True),
        ]

    async def test_a_taken_id_is_refused(self, store: UnderTest) -> None:
        """Revoked ones too."""
        await store.store.keys.create("key-1", b"k" * 32, allow_unbound=False)
        await store.store.keys.revoke("key-1")
        with pytest.raises(ValidationError):
            await store.store.keys.create("key-1", b"l" * 32, allow_unbound=False)

    async def test_an_unknown_key_is_none(self, store: UnderTest) -> None:
        """Asked for or revoked."""
        assert (await store.store.keys.find_active("nope"), await store.store.keys.revoke("nope")) == (None, False)

    async def test_a_key_does_not_print_its_secret(self, store: UnderTest) -> None:
        """Logs see its id."""
        key = await store.store.keys.create("key-1", b"k" * 32, allow_unbound=False)
        assert repr(key) == "ServiceKey(key_id='key-1')"


class TestHealth:
    """Port ``Health``."""

    async def test_a_store_that_serves_says_what_it_is(self, store: UnderTest) -> None:
        """One line."""
        line = await store.store.health.check()
        assert (line != "", "\n" in line) == (True, False)

    async def test_an_idle_backlog_is_empty(self, store: UnderTest) -> None:
        """Nothing waits, so nothing has an age."""
        backlog = await store.store.health.backlog()
        assert (sum(backlog.by_status.values()), backlog.oldest_pending_s, backlog.oldest_claimed_s) == (0, None, None)
        assert backlog.due_challenges == 0

    async def test_the_backlog_counts_what_waits(self, store: UnderTest) -> None:
        """By status, with the age of the oldest."""
        await store.connect()
        await store.noticed(1)
        for number in (2, 3, 4):
            await store.opened(number)
        await store.claim(limit=1)
        await store.advance(1801)
        backlog = await store.store.health.backlog()
        assert {status: n for status, n in backlog.by_status.items() if n} == {"PENDING": 2, "CLAIMED": 1}
        assert backlog.due_challenges == 1
        assert backlog.oldest_pending_s is not None
        assert backlog.oldest_pending_s >= 1801
        assert backlog.oldest_claimed_s is not None
