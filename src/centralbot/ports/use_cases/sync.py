"""Asks GitHub and repairs what the webhooks did not tell.

Installations, their repositories, failed deliveries, and then the open pull requests that no delivery told of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from centralbot.domain.errors import NotFound, ValidationError
from centralbot.domain.events import AccountType, IngestStatus, InstallationEvent, RepositoryRef, RepositorySelection
from centralbot.domain.handlers import RELEVANT
from centralbot.domain.installation import Installation, InstallationStatus
from centralbot.ports.admin import Health, Repositories
from centralbot.ports.github import GitHubError, InstallationInfo, Installations, WebhookDelivery
from centralbot.ports.use_cases.forward import parts
from centralbot.ports.use_cases.gather import gather_all
from centralbot.ports.use_cases.ingest import Ingest
from centralbot.ports.use_cases.sync_pull_requests import OpenPullRequestSync
from centralbot.ports.use_cases.sync_report import SyncProgress, SyncReport

CONCURRENCY = 4
PULL_REQUESTS_SINCE = timedelta(days=7)


def lifecycle_action(known: Installation | None, listed: InstallationInfo) -> str | None:
    """The action of the event that brings what we know to what GitHub says; None where both agree."""
    if known is None:
        return "suspend" if listed.suspended else "created"
    match known.status:
        case InstallationStatus.ACTIVE:
            return "suspend" if listed.suspended else None
        case InstallationStatus.SUSPENDED:
            return None if listed.suspended else "unsuspend"
        case InstallationStatus.DELETED:
            return None


def undelivered(deliveries: Collection[WebhookDelivery], *, installation_id: int | None) -> Iterator[WebhookDelivery]:
    """The newest attempt of each event that concerns us and that no attempt brought; oldest event first."""
    by_guid: dict[str, list[WebhookDelivery]] = {}
    for delivery in deliveries:
        if delivery.event in RELEVANT and installation_id in (None, delivery.installation_id):
            by_guid.setdefault(delivery.guid, []).append(delivery)
    lost = [attempts for attempts in by_guid.values() if not any(attempt.ok for attempt in attempts)]
    newest = [max(attempts, key=lambda attempt: (attempt.delivered_at, attempt.id)) for attempts in lost]
    yield from sorted(newest, key=lambda attempt: (attempt.delivered_at, attempt.id))


class GitHubSync:
    """One repair run. What fails for one installation or delivery is reported, and the others go on."""

    def __init__(
        self,
        *,
        github: Installations,
        repositories: Repositories,
        health: Health,
        ingest: Ingest,
        pull_requests: OpenPullRequestSync | None = None,
        progress: SyncProgress | None = None,
    ) -> None:
        """``pull_requests`` looks for open ones without a check; None leaves them to their webhooks."""
        self._github = github
        self._repositories = repositories
        self._health = health
        self._ingest = ingest
        self._pull_requests = pull_requests
        self._progress = progress or _silent

    async def run(
        self,
        run_id: str,
        *,
        since: timedelta,
        pull_requests_since: timedelta = PULL_REQUESTS_SINCE,
        installation_id: int | None = None,
    ) -> SyncReport:
        """Repair everything, or one installation. ``run_id`` makes the delivery ids of this run its own.

        Deliveries are looked at from ``since`` ago on, pull requests opened ``pull_requests_since`` ago or later.

        Raises Unavailable, GitHubError (nothing can be asked), NotFound (nobody knows ``installation_id``), and
        ValidationError where GitHub's answer looks like another App's.
        """
        report = SyncReport()
        # Known first: an installation that comes while GitHub is asked must not pass for one that GitHub lacks.
        known = {row.id: row for row in await self._repositories.installations()}
        asked_at = await self._health.now()
        listed = {row.id: row for row in await self._github.list_installations()}
        if installation_id is not None:
            known = {i: row for i, row in known.items() if i == installation_id}
            listed = {i: row for i, row in listed.items() if i == installation_id}
            if not known and not listed:
                raise NotFound(f"neither GitHub nor the store knows installation {installation_id} of this App")
        else:
            _refuse_other_app(known, listed)
        report.installations = len(listed)
        await self._lifecycle(run_id, known, listed, asked_at, report)
        whole = await self._lists(run_id, [row for row in listed.values() if not row.suspended], report)
        await self._redeliver(asked_at - since, installation_id, report)
        if self._pull_requests is not None:
            records = [row for row in await self._repositories.list() if row.installation_id in whole]
            first = asked_at - pull_requests_since
            await self._pull_requests.run(records, since=first, report=report, progress=self._progress)
        return report

    async def _lifecycle(
        self,
        run_id: str,
        known: Mapping[int, Installation],
        listed: Mapping[int, InstallationInfo],
        asked_at: datetime,
        report: SyncReport,
    ) -> None:
        words = {"created": report.created, "suspend": report.suspended, "unsuspend": report.unsuspended}
        for row in listed.values():
            before = known.get(row.id)
            if before is not None and before.status is InstallationStatus.DELETED:
                report.failures.append(f"installation {row.id}: deleted here for good, but GitHub lists it; reinstall")
            elif action := lifecycle_action(before, row):
                outcome = await self._ingest.take(_event(run_id, row, "installation", action, asked_at))
                if outcome.status is IngestStatus.ACCEPTED:
                    words[action].append(row.id)
        for before in known.values():
            if before.id not in listed and before.status is not InstallationStatus.DELETED:
                gone = InstallationEvent(
                    delivery_id=f"sync:{run_id}:{before.id}",
                    event_time=asked_at,
                    event_name="installation",
                    action="deleted",
                    installation_id=before.id,
                )
                await self._ingest.take(gone)
                report.deleted.append(before.id)

    async def _lists(self, run_id: str, active: Sequence[InstallationInfo], report: SyncReport) -> set[int]:
        """Bring the repositories of these installations; returns those whose list could be brought."""
        whole: set[int] = set()
        slots, done = asyncio.Semaphore(CONCURRENCY), 0
        self._progress("repositories", 0, len(active))

        async def bring(row: InstallationInfo) -> None:
            nonlocal done
            async with slots:
                try:
                    await self._list(run_id, row, report)
                    whole.add(row.id)
                except GitHubError as exc:
                    report.failures.append(f"repositories of installation {row.id}: {exc.message}")
                done += 1
                self._progress("repositories", done, len(active))

        await gather_all([bring(row) for row in active])
        return whole

    async def _list(self, run_id: str, row: InstallationInfo, report: SyncReport) -> None:
        asked_at = await self._health.now()
        found = await self._github.list_repositories(row.id)
        report.repositories += len(found)
        refs = tuple(RepositoryRef(id=repo.id, full_name=repo.full_name) for repo in found)
        event = _event(run_id, row, "installation_repositories", "added", asked_at, refs)
        for part in parts(event):
            report.repositories_updated += (await self._ingest.take(part)).updated_repositories

    async def _redeliver(self, since: datetime, installation_id: int | None, report: SyncReport) -> None:
        try:
            deliveries = await self._github.list_deliveries(since=since)
        except GitHubError as exc:
            report.failures.append(f"webhook deliveries: {exc.message}")
            return
        report.deliveries = len(deliveries)
        lost = list(undelivered(deliveries, installation_id=installation_id))
        for done, delivery in enumerate(lost, 1):
            try:
                await self._github.redeliver(delivery.id)
                report.redelivered.append(delivery.guid)
            except GitHubError as exc:
                report.failures.append(f"redelivery of {delivery.guid}: {exc.message}")
            self._progress("redeliveries", done, len(lost))


def _silent(*_: object) -> None:
    """For callers that nobody watches."""


def _refuse_other_app(known: Mapping[int, Installation], listed: Mapping[int, InstallationInfo]) -> None:
    """Deletion is final, so a run under the wrong App's credentials must not delete all that we have."""
    alive = [row.id for row in known.values() if row.status is not InstallationStatus.DELETED]
    if alive and not any(i in listed for i in alive):
        raise ValidationError(
            f"GitHub lists none of the {len(alive)} installations known here: are CENTRALBOT_GITHUB_APP_ID and "
            f"CENTRALBOT_GITHUB_API_URL those of this App? If they are really gone, name each with --installation"
        )


def _event(
    run_id: str,
    row: InstallationInfo,
    event_name: str,
    action: str,
    at: datetime,
    repositories: tuple[RepositoryRef, ...] = (),
) -> InstallationEvent:
    account_type, selection = row.account_type, row.repository_selection
    return InstallationEvent(
        delivery_id=f"sync:{run_id}:{row.id}",
        event_time=at,
        event_name=event_name,
        action=action,
        installation_id=row.id,
        account_login=row.account_login,
        account_type=AccountType(account_type) if account_type in set(AccountType) else None,
        account_id=row.account_id,
        repository_selection=RepositorySelection(selection) if selection in set(RepositorySelection) else None,
        repositories=repositories,
        complete=event_name == "installation_repositories",
    )
