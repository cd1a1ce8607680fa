"""Open pull requests that no webhook told of: GitHub is asked for them, and the gate decides as if it had been told.

Nobody is asked who was there before the gate was: only pull requests from after their repository came to its active
installation and got the configuration that it has now are decided, and none where it is not known since when that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from centralbot.domain.config import Mode
from centralbot.domain.events import GHOST_USER_ID, Actor, PullRequestEvent, RepositoryRef
from centralbot.domain.gating import Reason
from centralbot.ports.admin import RepositoryRecord
from centralbot.ports.github import (
    GitHubError,
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    OpenPullRequest,
    OpenPullRequests,
    RepositoryName,
)
from centralbot.ports.use_cases.gather import gather_all
from centralbot.ports.use_cases.ingest import Ingest
from centralbot.ports.use_cases.sync_report import SyncProgress, SyncReport

CONCURRENCY = 4
STRIKES = 3
"""After so many failures in one installation the rest of it waits for the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gated:
    """A repository to look into: the mode that it has, and since when its gate is as it is."""

    ref: RepositoryRef
    mode: Mode
    since: datetime


class OpenPullRequestSync:
    """Finds and decides them, one repository of an installation after the other."""

    def __init__(self, *, github: OpenPullRequests, ingest: Ingest, default_mode: Mode) -> None:
        self._github = github
        self._ingest = ingest
        self._default_mode = default_mode

    async def run(
        self, records: Sequence[RepositoryRecord], *, since: datetime, report: SyncReport, progress: SyncProgress
    ) -> None:
        """Look into these repositories, at what was created at ``since`` or later. Raises Unavailable (the store)."""
        gated = self._gated(records, report)
        slots, done, total = asyncio.Semaphore(CONCURRENCY), 0, sum(map(len, gated.values()))
        progress("pull requests of repositories", 0, total)

        async def look(installation_id: int, among: Sequence[_Gated]) -> None:
            nonlocal done
            strikes = 0
            async with slots:
                for position, one in enumerate(among, 1):
                    try:
                        await self._repository(installation_id, one, since, report)
                    except GitHubError as exc:
                        report.failures.append(f"pull requests of {one.ref.full_name}: {exc.message}")
                        strikes += _strikes(exc)
                    done += 1
                    progress("pull requests of repositories", done, total)
                    if strikes >= STRIKES and position < len(among):
                        left = len(among) - position
                        report.failures.append(
                            f"pull requests of installation {installation_id}: {left} more repositories not asked for"
                        )
                        break

        await gather_all([look(*one) for one in gated.items()])

    def _gated(self, records: Sequence[RepositoryRecord], report: SyncReport) -> dict[int, list[_Gated]]:
        """The repositories to look into, by installation. Where the gate is off GitHub is not asked."""
        gated: dict[int, list[_Gated]] = {}
        for record in records:
            mode = self._default_mode if record.config is None else record.config.mode
            if not record.connected or record.installation_id is None or mode is Mode.OFF:
                continue
            if record.gated_since is None:
                report.repositories_left_alone += 1
                continue
            ref = RepositoryRef(id=record.repo_id, full_name=record.full_name or "")
            one = _Gated(ref=ref, mode=mode, since=record.gated_since)
            gated.setdefault(record.installation_id, []).append(one)
        return gated

    async def _repository(self, installation_id: int, one: _Gated, since: datetime, report: SyncReport) -> None:
        first = max(since, one.since)
        name = RepositoryName(id=one.ref.id, full_name=one.ref.full_name)
        for pull in await self._github.list_open(installation_id, name, since=first):
            if pull.created_at < first:
                report.pull_requests_left_alone += 1
                continue
            outcome = await self._ingest.found(found_event(installation_id, one.ref, pull), mode=one.mode)
            report.pull_requests += 1
            if outcome.reason == Reason.CHALLENGED:
                report.pull_requests_gated.append(f"{one.ref.full_name}#{pull.number}")
            elif outcome.reason == Reason.EXEMPT:
                report.pull_requests_exempt += 1


def _strikes(error: GitHubError) -> int:
    """A limit, or an installation that rests, ends it at once; a repository that refuses has no part in others."""
    if isinstance(error, GitHubRateLimited | GitHubInstallationUnavailable):
        return STRIKES
    return 0 if isinstance(error, GitHubRefused) else 1


def found_event(installation_id: int, repository: RepositoryRef, pull: OpenPullRequest) -> PullRequestEvent:
    """What GitHub's webhook would have told. The delivery id is the same until the pull request changes."""
    return PullRequestEvent(
        delivery_id=f"sync:{repository.id}:{pull.number}:{int(pull.updated_at.timestamp())}",
        event_time=pull.updated_at,
        installation_id=installation_id,
        action="opened",
        repository=repository,
        number=pull.number,
        pull_request_id=pull.id,
        html_url=pull.html_url,
        is_draft=pull.draft,
        author=pull.author or Actor(id=GHOST_USER_ID, login="ghost"),
        head_sha=pull.head_sha,
        author_type=pull.author_type,
        author_association=pull.author_association,
        merged=None,
        updated_at=pull.updated_at,
        sender=None,
        labels=pull.labels,
        label=None,
    )
