"""The sync use case over every store, against a GitHub in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

import pytest

from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import NotFound, Unavailable, ValidationError
from centralbot.domain.events import Event, OutcomeT
from centralbot.domain.installation import InstallationStatus
from centralbot.ports.github import GitHubUnavailable, InstallationInfo, WebhookDelivery
from centralbot.ports.use_cases.ingest import Ingest
from centralbot.ports.use_cases.sync import GitHubSync, undelivered
from centralbot.ports.use_cases.sync_report import SyncReport
from tests.builders import INSTALLATION, an_installation_event, at
from tests.contracts.driver import UnderTest
from tests.doubles.memory.github import MemoryGitHub

ACTIVE, SUSPENDED, DELETED = InstallationStatus.ACTIVE, InstallationStatus.SUSPENDED, InstallationStatus.DELETED


def a_github(*installations: int) -> MemoryGitHub:
    """A GitHub where the App is on these, with one repository each."""
    github = MemoryGitHub(lambda: at(0))
    for installation_id in installations:
        github.add_repository(installation_id * 10, f"org/repo-{installation_id}", installation_id=installation_id)
    return github


async def synced(store: UnderTest, github: MemoryGitHub, run_id: str = "run", *, only: int | None = None) -> SyncReport:
    use_case = GitHubSync(
        github=github,
        repositories=store.store.repositories,
        health=store.store.health,
        ingest=Ingest(store.store.deliveries, store.context),
    )
    return await use_case.run(run_id, since=timedelta(hours=72), installation_id=only)


async def statuses(store: UnderTest) -> dict[int, InstallationStatus]:
    return {row.id: row.status for row in await store.store.repositories.installations()}


async def connected(store: UnderTest) -> list[int]:
    return sorted(record.repo_id for record in await store.store.repositories.list() if record.connected)


async def test_what_no_webhook_told_is_learned(store: UnderTest) -> None:
    """Active and suspended installations; only the active ones can be asked for their repositories."""
    github = a_github(1, 2)
    github.suspend(2)
    report = await synced(store, github)
    assert await statuses(store) == {1: ACTIVE, 2: SUSPENDED}
    assert (report.created, report.suspended, report.repositories, await connected(store)) == ([1], [2], 1, [10])


async def test_every_difference_is_repaired(store: UnderTest) -> None:
    """Suspended, unsuspended and uninstalled since."""
    github = a_github(1, 2, 3)
    github.suspend(2)
    await synced(store, github)
    github.suspend(1)
    github.suspend(2, suspended=False)
    github.uninstall(3)
    await store.advance(60)
    report = await synced(store, github, "again")
    assert await statuses(store) == {1: SUSPENDED, 2: ACTIVE, 3: DELETED}
    assert (report.suspended, report.unsuspended, report.deleted) == ([1], [2], [3])
    assert await connected(store) == [20]


async def test_an_installation_that_comes_meanwhile_is_left_alone(store: UnderTest) -> None:
    """Its webhook arrives after GitHub made the list; it must not pass for one that is gone."""

    class Busy(MemoryGitHub):
        async def list_installations(self) -> Sequence[InstallationInfo]:
            listed = await super().list_installations()
            await store.install(an_installation_event("created", 50, installation_id=5))
            return listed

    github = Busy(lambda: at(0))
    github.install(1)
    await synced(store, github)
    assert await statuses(store) == {1: ACTIVE, 5: ACTIVE}


async def test_one_that_fails_does_not_stop_the_others(store: UnderTest) -> None:
    """It is reported, and the run goes on."""
    github = a_github(1, 2)
    github.fail_next(GitHubUnavailable("HTTP 502"), call="list_repositories")
    github.fail_next(GitHubUnavailable("HTTP 503"), call="list_deliveries")
    report = await synced(store, github)
    assert (report.created, len(await connected(store))) == ([1, 2], 1)
    repositories, deliveries = report.failures
    assert repositories in {f"repositories of installation {number}: HTTP 502" for number in (1, 2)}  # asked at once
    assert deliveries == "webhook deliveries: HTTP 503"


async def test_a_deleted_installation_stays_deleted(store: UnderTest) -> None:
    """Though GitHub lists it: somebody has to look."""
    await store.install(an_installation_event("deleted", installation_id=1))
    report = await synced(store, a_github(1))
    assert (await statuses(store), len(report.failures)) == ({1: DELETED}, 1)


async def test_another_apps_list_deletes_nothing(store: UnderTest) -> None:
    """Unless each installation is named."""
    await store.connect()
    with pytest.raises(ValidationError, match="CENTRALBOT_GITHUB_APP_ID"):
        await synced(store, a_github(1))
    assert await statuses(store) == {INSTALLATION: ACTIVE}
    assert (await synced(store, a_github(1), only=INSTALLATION)).deleted == [INSTALLATION]
    with pytest.raises(NotFound):
        await synced(store, a_github(1), only=77)


async def test_a_store_that_cannot_answer_ends_the_run(store: UnderTest) -> None:
    """With its own error, not a group of them."""

    class Broken(Ingest):
        async def take(self, event: Event[OutcomeT], *, use: SignatureUse | None = None) -> NoReturn:
            raise Unavailable("the store cannot answer")

    use_case = GitHubSync(
        github=a_github(1),
        repositories=store.store.repositories,
        health=store.store.health,
        ingest=Broken(store.store.deliveries, store.context),
    )
    await synced(store, a_github(1))
    with pytest.raises(Unavailable):
        await use_case.run("broken", since=timedelta(hours=1))


def a_delivery(number: int, guid: str, *, ok: bool, event: str = "pull_request", of: int | None = 1) -> WebhookDelivery:
    return WebhookDelivery(
        id=number, guid=guid, event=event, action=None, delivered_at=at(number), ok=ok, installation_id=of
    )


@pytest.mark.parametrize(
    ("attempts", "only", "expected"),
    [
        ([], None, []),
        ([a_delivery(1, "a", ok=True)], None, []),
        ([a_delivery(1, "a", ok=False)], None, [1]),
        ([a_delivery(2, "a", ok=False), a_delivery(1, "a", ok=False)], None, [2]),
        ([a_delivery(2, "a", ok=True), a_delivery(1, "a", ok=False)], None, []),
        ([a_delivery(2, "b", ok=False), a_delivery(1, "a", ok=False)], None, [1, 2]),
        ([a_delivery(1, "a", ok=False, event="star")], None, []),
        ([a_delivery(1, "a", ok=False, event="repository")], None, [1]),
        ([a_delivery(1, "a", ok=False, of=2), a_delivery(2, "b", ok=False)], 1, [2]),
    ],
)
def test_the_newest_attempt_of_what_never_came_through_is_sent_again(
    attempts: list[WebhookDelivery], only: int | None, expected: list[int]
) -> None:
    """Oldest event first; what does not concern us, or the installation asked for, is left alone."""
    assert [delivery.id for delivery in undelivered(attempts, installation_id=only)] == expected
