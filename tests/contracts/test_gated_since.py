"""Since when a repository is gated as it is now: never too early, over every store."""

from __future__ import annotations

from datetime import datetime

import pytest

from centralbot.domain.config import Mode
from tests.builders import INSTALLATION, REPO, a_config, an_installation_event, at
from tests.contracts.driver import UnderTest


async def gated_since(store: UnderTest) -> datetime | None:
    """What both ways to read it say."""
    one = await store.store.repositories.get(REPO)
    (listed,) = [record for record in await store.store.repositories.list() if record.repo_id == REPO]
    assert one == listed
    return listed.gated_since


async def configured_long_ago(store: UnderTest) -> None:
    """A configuration that is older than anything that the tests' events say."""
    await store.store.repositories.configure(REPO, a_config(), actor="test")
    await store.advance(10 * 365 * 86_400)


async def test_it_is_when_the_repository_joined(store: UnderTest) -> None:
    """Hearing once more that it is there changes nothing, nor does its new name."""
    await configured_long_ago(store)
    await store.install(an_installation_event("created", REPO, seconds=10))
    first = await gated_since(store)
    later = an_installation_event("added", REPO, event_name="installation_repositories", seconds=500, complete=True)
    await store.install(later)
    await store.install(an_installation_event("renamed", REPO, event_name="repository", seconds=600))
    assert (first, await gated_since(store)) == (at(10), at(10))


async def test_it_begins_anew_where_the_repository_came_back(store: UnderTest) -> None:
    """Or moved: in between it was not gated."""
    await store.connect()
    await store.advance(60)
    before = await gated_since(store)
    now = await store.store.health.now()
    away, back = (now - at(0)).total_seconds() + 10, (now - at(0)).total_seconds() + 20
    await store.install(an_installation_event("removed", seconds=away, removed=(REPO,)))
    gone = await gated_since(store)
    await store.install(an_installation_event("added", seconds=back, added=(REPO,)))
    again = await gated_since(store)
    await store.install(an_installation_event("created", REPO, seconds=back + 10, installation_id=INSTALLATION + 1))
    assert (before is not None, gone, again) == (True, None, at(back))
    assert await gated_since(store) == at(back + 10)


async def test_a_late_word_that_it_was_out_counts(store: UnderTest) -> None:
    """The news came in the wrong order: it is in, but not since it first came."""
    await configured_long_ago(store)
    await store.install(an_installation_event("created", REPO, seconds=10))
    await store.install(an_installation_event("added", seconds=30, added=(REPO,)))
    await store.install(an_installation_event("removed", seconds=20, removed=(REPO,)))
    record = await store.store.repositories.get(REPO)
    assert record is not None
    assert (record.connected, record.gated_since) == (True, at(30))


async def test_it_begins_anew_with_every_change_of_the_configuration(store: UnderTest) -> None:
    """But not with the same one once more."""
    await store.connect()
    first = await gated_since(store)
    await store.store.repositories.configure(REPO, a_config(), actor="test")
    same = await gated_since(store)
    await store.advance(60)
    later = await gated_since(store)
    now = await store.store.health.now()
    await store.store.repositories.configure(REPO, a_config(mode=Mode.SHADOW), actor="test")
    changed = await gated_since(store)
    assert None not in (first, later, changed)
    assert (same == first, changed is not None and changed >= now) == (True, True)


async def test_it_begins_anew_after_a_suspension(store: UnderTest) -> None:
    """While it lasts there is none."""
    await store.connect()
    start = (await store.store.health.now() - at(0)).total_seconds()
    await store.install(an_installation_event("suspend", seconds=start + 10))
    during = await gated_since(store)
    await store.install(an_installation_event("unsuspend", seconds=start + 20))
    assert (during, await gated_since(store)) == (None, at(start + 20))


async def test_without_a_configuration_nobody_knows(store: UnderTest) -> None:
    """The default mode is not the store's to know, nor since when it is so."""
    await store.install(an_installation_event("created", REPO))
    assert await gated_since(store) is None


@pytest.mark.parametrize("known", [True, False])
async def test_an_operators_word_counts_from_when_it_is_given(store: UnderTest, known: bool) -> None:
    """Unless the repository was known to be there."""
    await configured_long_ago(store)
    if known:
        await store.install(an_installation_event("created", REPO))
    before, spoken_at = await gated_since(store) if known else None, await store.store.health.now()
    await store.store.repositories.connect(REPO, installation_id=INSTALLATION, full_name="org/repo")
    after = await gated_since(store)
    assert after == before if known else after is not None and after >= spoken_at
