"""Port ``Deliveries``: installation events, duplicated, late and out of order."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.dedup import DUPLICATE_INSTALLATION, SignatureUse
from centralbot.domain.events import AccountType, IngestStatus, RepositoryRef
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import ActionStatus
from centralbot.ports.admin import RepositoryRecord
from centralbot.ports.deliveries import SignatureReplayed
from tests.builders import INSTALLATION, an_installation_event
from tests.contracts.driver import UnderTest

ACCEPTED, DUPLICATE, IGNORED = IngestStatus.ACCEPTED, IngestStatus.DUPLICATE, IngestStatus.IGNORED
ACTIVE, SUSPENDED, DELETED = InstallationStatus.ACTIVE, InstallationStatus.SUSPENDED, InstallationStatus.DELETED


async def connected(store: UnderTest, installation_id: int = INSTALLATION) -> set[int]:
    """The repositories that are in an installation now."""
    records = await store.store.repositories.list()
    return {record.repo_id for record in records if record.connected and record.installation_id == installation_id}


async def record(store: UnderTest, repo_id: int) -> RepositoryRecord:
    found = await store.store.repositories.get(repo_id)
    assert found is not None
    return found


async def test_created_brings_its_repositories(store: UnderTest) -> None:
    """With the account it is on."""
    outcome = await store.install(
        an_installation_event("created", 1, 2, account_type=AccountType.ORGANIZATION, account_id=9)
    )
    assert (outcome.status, outcome.installation_id, outcome.updated_repositories) == (ACCEPTED, INSTALLATION, 2)
    one = await record(store, 1)
    assert (one.full_name, one.installation_status, one.account_login, one.account_type, one.connected) == (
        "org/repo-1",
        ACTIVE,
        "org",
        "Organization",
        True,
    )


async def test_added_and_removed_change_the_selection(store: UnderTest) -> None:
    """One at a time."""
    await store.install(an_installation_event("created", 1, 2))
    added = await store.install(an_installation_event("added", added=(3,), seconds=1))
    removed = await store.install(an_installation_event("removed", removed=(1,), seconds=2))
    assert [added.updated_repositories, removed.updated_repositories] == [1, 1]
    assert await connected(store) == {2, 3}


async def test_suspended_and_unsuspended_keep_the_repositories(store: UnderTest) -> None:
    """The selection outlives the suspension."""
    await store.install(an_installation_event("created", 1))
    await store.install(an_installation_event("suspend", seconds=1))
    assert (await record(store, 1)).installation_status == SUSPENDED
    await store.install(an_installation_event("unsuspend", seconds=2))
    assert await connected(store) == {1}


async def test_deleted_takes_everything_along(store: UnderTest) -> None:
    """Pending challenges and queued actions are canceled, and say why."""
    await store.connect(1, 2)
    challenges = [await store.challenged(repo_id=repo_id) for repo_id in (1, 2)]
    outcome = await store.install(an_installation_event("deleted", seconds=1))
    assert (outcome.status, outcome.updated_repositories) == (ACCEPTED, 2)
    after = [await store.store.challenges.get(challenge.id) for challenge in challenges]
    assert {(c.status, c.reason) for c in after} == {(ChallengeStatus.CANCELED, CancelReason.UNINSTALLED)}
    assert {status for _, status in await store.statuses()} == {ActionStatus.CANCELED}
    assert await connected(store) == set()


async def test_a_deleted_installation_is_not_revived(store: UnderTest) -> None:
    """Fault 12: a late created or added changes nothing, even a newer one."""
    await store.install(an_installation_event("deleted", seconds=5))
    late = [
        an_installation_event("created", 1, seconds=0),
        an_installation_event("added", added=(1,), seconds=9),
        an_installation_event("unsuspend", seconds=9),
    ]
    assert [(await store.install(event)).status for event in late] == [IGNORED] * 3
    assert await connected(store) == set()


async def test_removing_a_repository_drops_its_work(store: UnderTest) -> None:
    """Only its own."""
    await store.connect(1, 2)
    gone, kept = await store.challenged(repo_id=1), await store.challenged(repo_id=2)
    await store.install(an_installation_event("removed", removed=(1,), seconds=1))
    after = [await store.store.challenges.get(challenge.id) for challenge in (gone, kept)]
    assert [(c.status, c.reason) for c in after] == [
        (ChallengeStatus.CANCELED, CancelReason.REPOSITORY_REMOVED),
        (ChallengeStatus.PENDING, None),
    ]
    assert [action.repo_id for action in await store.claim()] == [2]


async def test_a_complete_list_drops_what_it_does_not_name(store: UnderTest) -> None:
    """Fault 48: all repositories became selected ones, and GitHub's removed list was empty."""
    await store.connect(1, 2, 3)
    dropped = await store.challenged(repo_id=3)
    await store.install(an_installation_event("added", 1, 2, seconds=1, complete=True))
    assert await connected(store) == {1, 2}
    assert (await store.store.challenges.get(dropped.id)).status == ChallengeStatus.CANCELED


async def test_a_complete_list_from_before_does_not_drop_what_came_since(store: UnderTest) -> None:
    """Each repository remembers when it was last heard of."""
    await store.connect(1)
    await store.install(an_installation_event("added", added=(2,), seconds=5))
    await store.install(an_installation_event("added", 1, seconds=1, complete=True))
    assert await connected(store) == {1, 2}


@pytest.mark.parametrize("newest_first", [False, True])
async def test_the_newest_word_counts_in_any_order(store: UnderTest, newest_first: bool) -> None:
    """Added then removed, told in either order."""
    await store.install(an_installation_event("created", 1))
    events = [
        an_installation_event("added", added=(2,), seconds=1),
        an_installation_event("removed", removed=(2,), seconds=2),
    ]
    for event in reversed(events) if newest_first else events:
        await store.install(event)
    assert await connected(store) == {1}


async def test_a_late_suspend_does_not_undo_a_newer_unsuspend(store: UnderTest) -> None:
    """Older events never undo newer ones."""
    await store.install(an_installation_event("created", 1))
    await store.install(an_installation_event("unsuspend", seconds=9))
    await store.install(an_installation_event("suspend", seconds=8))
    assert (await record(store, 1)).installation_status == ACTIVE


async def test_a_suspend_counts_though_a_newer_repository_event_came_first(store: UnderTest) -> None:
    """What says nothing about the status does not make older words about it stale."""
    await store.install(an_installation_event("added", added=(1,), seconds=9))
    await store.install(an_installation_event("suspend", seconds=8))
    assert (await record(store, 1)).installation_status == SUSPENDED


async def test_a_duplicate_changes_nothing(store: UnderTest) -> None:
    """And says so, with null and 0."""
    created = an_installation_event("created", 1)
    await store.install(created)
    await store.install(an_installation_event("removed", removed=(1,), seconds=1))
    assert await store.install(created) == DUPLICATE_INSTALLATION
    assert await connected(store) == set()


async def test_copies_at_once_count_once(store: UnderTest) -> None:
    """Concurrency of one delivery."""
    event = an_installation_event("created", 1)
    outcomes = await asyncio.gather(*(store.install(event) for _ in range(20)))
    assert Counter(outcome.status for outcome in outcomes) == {ACCEPTED: 1, DUPLICATE: 19}


async def test_unknown_actions_are_ignored(store: UnderTest) -> None:
    """Fault 30: GitHub adds new ones."""
    events = [
        an_installation_event("new_permissions_accepted"),
        an_installation_event("archived", event_name="repository"),
        an_installation_event("created", event_name="installation_target"),
    ]
    assert [(await store.install(event)).status for event in events] == [IGNORED] * 3


async def test_a_replayed_signature_is_refused(store: UnderTest) -> None:
    """As for pull requests."""
    use = SignatureUse(signed_at=1_771_243_200, digest=b"i" * 32)
    await store.install(an_installation_event("created", 1), use=use)
    with pytest.raises(SignatureReplayed):
        await store.install(an_installation_event("deleted", seconds=1), use=use)
    assert await connected(store) == {1}


async def test_a_renamed_repository_keeps_its_work_under_the_new_name(store: UnderTest) -> None:
    """Fault 32: work goes on by id, names are refreshed."""
    await store.connect(1)
    await store.challenged(repo_id=1)
    renamed = an_installation_event(
        "renamed", event_name="repository", seconds=1, repositories=(RepositoryRef(id=1, full_name="org/new"),)
    )
    await store.install(renamed)
    assert (await record(store, 1)).full_name == "org/new"
    assert [action.repo_full_name for action in await store.claim()] == ["org/new"]


async def test_a_transferred_repository_belongs_to_its_new_installation(store: UnderTest) -> None:
    """The old one's pending work is canceled."""
    await store.connect(1)
    challenge = await store.challenged(repo_id=1)
    await store.install(an_installation_event("created", installation_id=124))
    moved = an_installation_event("transferred", 1, event_name="repository", installation_id=124, seconds=1)
    await store.install(moved)
    assert [await connected(store), await connected(store, 124)] == [set(), {1}]
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.CANCELED


async def test_a_late_event_of_the_old_installation_does_not_take_the_repository_back(store: UnderTest) -> None:
    """It has moved on since."""
    await store.install(an_installation_event("created", 1, installation_id=124, seconds=5))
    await store.install(an_installation_event("created", 1, seconds=0))
    assert [await connected(store), await connected(store, 124)] == [set(), {1}]


async def test_many_installations_at_once_do_not_meet(store: UnderTest) -> None:
    """Each has its own lock and its own rows."""
    events = [an_installation_event("created", 1000 + i, installation_id=2000 + i) for i in range(20)]
    await asyncio.gather(*(store.install(event) for event in events))
    assert [await connected(store, 2000 + i) for i in range(20)] == [{1000 + i} for i in range(20)]


async def test_every_installation_ever_heard_of_is_listed(store: UnderTest) -> None:
    """By id, deleted ones included, with the account."""
    await store.install(an_installation_event("created", 1, installation_id=8, account_type=AccountType.ORGANIZATION))
    await store.install(an_installation_event("suspend", installation_id=7))
    await store.install(an_installation_event("deleted", installation_id=9))
    listed = await store.store.repositories.installations()
    assert [(one.id, one.status) for one in listed] == [(7, SUSPENDED), (8, ACTIVE), (9, DELETED)]
    assert listed[1].account_type is AccountType.ORGANIZATION
