"""The lifecycle of an installation and of the repositories in it, for events that come late and out of order.

Every fact carries the time of the event that said so (``changed_at``); an older event never undoes a newer one. A
deleted installation is final: GitHub never uses its id again, so a late ``created`` or ``added`` does not revive it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from centralbot.domain.challenge import CancelReason
from centralbot.domain.events import (
    AccountType,
    IngestStatus,
    InstallationEvent,
    InstallationOutcome,
    RepositoryRef,
    RepositorySelection,
)
from centralbot.domain.machine import Table


class InstallationStatus(StrEnum):
    """Where an installation is; see ``TRANSITIONS``."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


class LifecycleEvent(StrEnum):
    CREATE = "created"
    SUSPEND = "suspend"
    UNSUSPEND = "unsuspend"
    DELETE = "deleted"


S, E = InstallationStatus, LifecycleEvent

TRANSITIONS: Table[InstallationStatus, LifecycleEvent] = {
    S.ACTIVE: {E.CREATE: S.ACTIVE, E.SUSPEND: S.SUSPENDED, E.UNSUSPEND: S.ACTIVE, E.DELETE: S.DELETED},
    S.SUSPENDED: {E.CREATE: S.ACTIVE, E.SUSPEND: S.SUSPENDED, E.UNSUSPEND: S.ACTIVE, E.DELETE: S.DELETED},
    S.DELETED: {},
}

RELEVANT: Mapping[str, frozenset[str]] = {
    "installation": frozenset(E),
    "installation_repositories": frozenset({"added", "removed"}),
    "repository": frozenset({"renamed", "transferred"}),
}


UNSAID = datetime(1970, 1, 1, tzinfo=UTC)
"""``changed_at`` of an installation whose status no event has said yet: any that does is newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installation of the App on an account. ``changed_at``: when its status was last said."""

    id: int
    status: InstallationStatus
    changed_at: datetime
    account_login: str | None = None
    account_type: AccountType | None = None
    account_id: int | None = None
    repository_selection: RepositorySelection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationRepository:
    """Whether a repository is in an installation, and when that was last said.

    ``active_since``: since when it is in it, never too early; None where it is not, or where nobody knows.
    """

    installation_id: int
    repo_id: int
    full_name: str
    active: bool
    changed_at: datetime
    active_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationFacts:
    """What the store knows under lock: the installation, its repositories, and the named ones elsewhere.

    ``elsewhere`` holds the repositories of the event that are active in another installation.
    """

    installation: Installation | None
    repositories: Mapping[int, InstallationRepository]
    elsewhere: Mapping[int, InstallationRepository]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationEffects:
    """Rows to write. ``dropped`` names repositories (of any installation) whose challenges and actions are canceled.

    ``uninstalled``: so are all of this installation. ``resumed``: what it was paused for is over.
    """

    outcome: InstallationOutcome
    installation: Installation | None = None
    repositories: tuple[InstallationRepository, ...] = ()
    uninstalled: bool = False
    resumed: bool = False
    dropped: tuple[tuple[int, int], ...] = ()

    @property
    def removal(self) -> CancelReason:
        """Why what it drops is canceled."""
        return CancelReason.UNINSTALLED if self.uninstalled else CancelReason.REPOSITORY_REMOVED


def decide(event: InstallationEvent, facts: InstallationFacts) -> InstallationEffects:
    """Decide one installation event (contract section 3.2)."""
    if event.action not in RELEVANT.get(event.event_name, frozenset()):
        return InstallationEffects(outcome=_outcome(IngestStatus.IGNORED, "IRRELEVANT_ACTION"))
    known = facts.installation
    if known is not None and known.status is S.DELETED:
        return InstallationEffects(outcome=_outcome(IngestStatus.IGNORED, "INSTALLATION_DELETED"))
    installation = _installation(event, known)
    if installation.status is S.DELETED:
        gone = tuple(
            replace(row, active=False, active_since=None, changed_at=max(row.changed_at, event.event_time))
            for row in facts.repositories.values()
            if row.active
        )
        return _accepted(event, known, installation, gone, uninstalled=True)
    return _accepted(event, known, installation, tuple(_repositories(event, facts)))


def _installation(event: InstallationEvent, known: Installation | None) -> Installation:
    """The installation after the event: names are refreshed, the status moves unless a newer event set it."""
    lifecycle = LifecycleEvent(event.action) if event.event_name == "installation" else None
    if known is None:
        known = Installation(id=event.installation_id, status=S.ACTIVE, changed_at=UNSAID)
        if lifecycle is not None:
            status = TRANSITIONS[S.ACTIVE][lifecycle]
            known = replace(known, status=status, changed_at=event.event_time)
    elif lifecycle is E.DELETE or (lifecycle is not None and event.event_time >= known.changed_at):
        known = replace(
            known, status=TRANSITIONS[known.status][lifecycle], changed_at=max(known.changed_at, event.event_time)
        )
    return replace(
        known,
        account_login=event.account_login or known.account_login,
        account_type=event.account_type or known.account_type,
        account_id=event.account_id or known.account_id,
        repository_selection=event.repository_selection or known.repository_selection,
    )


def _repositories(event: InstallationEvent, facts: InstallationFacts) -> Iterable[InstallationRepository]:
    present: dict[int, RepositoryRef] = {}
    if event.event_name != "installation" or event.action in (E.CREATE, E.UNSUSPEND, E.SUSPEND):
        present = {repo.id: repo for repo in (*event.repositories, *event.added)}
    absent: dict[int, str] = {repo.id: repo.full_name for repo in event.removed}
    if event.complete:
        absent |= {i: row.full_name for i, row in facts.repositories.items() if row.active and i not in present}
    for repo_id, name in absent.items():
        present.pop(repo_id, None)
        yield from _set(event, facts, repo_id, name, active=False)
    for repo in present.values():
        there = facts.elsewhere.get(repo.id)
        if there is not None and there.changed_at > event.event_time:
            yield from _set(event, facts, repo.id, repo.full_name, active=False)  # it has moved on since
            continue
        if there is not None:
            yield replace(there, active=False, active_since=None, changed_at=event.event_time)
        yield from _set(event, facts, repo.id, repo.full_name, active=True)


def _set(
    event: InstallationEvent, facts: InstallationFacts, repo_id: int, full_name: str, *, active: bool
) -> Iterable[InstallationRepository]:
    known = facts.repositories.get(repo_id)
    if known is not None and known.changed_at > event.event_time:
        if not active and known.active_since is not None and known.active_since <= event.event_time:
            yield replace(known, active_since=known.changed_at)  # it was out in between, and came back by then
        return
    since: datetime | None = None
    if active:
        since = known.active_since if known is not None and known.active else event.event_time
    after = InstallationRepository(
        installation_id=event.installation_id,
        repo_id=repo_id,
        full_name=full_name,
        active=active,
        changed_at=event.event_time,
        active_since=since,
    )
    if known != after:
        yield after


def _accepted(
    event: InstallationEvent,
    known: Installation | None,
    installation: Installation,
    rows: tuple[InstallationRepository, ...],
    *,
    uninstalled: bool = False,
) -> InstallationEffects:
    ours = sum(row.installation_id == event.installation_id for row in rows)
    return InstallationEffects(
        outcome=_outcome(IngestStatus.ACCEPTED, event.action, event.installation_id, ours),
        installation=installation,
        repositories=rows,
        uninstalled=uninstalled,
        resumed=known is not None and known.status is not installation.status is S.ACTIVE,
        dropped=tuple((row.installation_id, row.repo_id) for row in rows if not row.active),
    )


def _outcome(
    status: IngestStatus, reason: str, installation_id: int | None = None, updated: int = 0
) -> InstallationOutcome:
    return InstallationOutcome(
        status=status, installation_id=installation_id, updated_repositories=updated, reason=reason
    )


def hands_out(status: InstallationStatus, paused_until: datetime | None, *, now: datetime) -> bool:
    """Whether actions of an installation in this state are handed out: it is active, and not paused."""
    return status is S.ACTIVE and (paused_until is None or paused_until <= now)


def paused_until(known: datetime | None, pause_s: float, *, now: datetime) -> datetime:
    """Until when an installation pauses once a worker asked for ``pause_s`` seconds: never shorter than before."""
    until = now + timedelta(seconds=pause_s)
    return until if known is None else max(known, until)


def gated_since(
    repository: InstallationRepository | None, installation: Installation | None, configured_at: datetime | None
) -> datetime | None:
    """Since when a repository is in an active installation with its configuration as it is now, never too early.

    ``configured_at`` is when its own configuration became what it is, None where it has none. None where it is not in
    an active installation, or where nobody knows since when.
    """
    if repository is None or not repository.active or repository.active_since is None or configured_at is None:
        return None
    if installation is None or installation.status is not S.ACTIVE:
        return None
    return max(repository.active_since, installation.changed_at, configured_at)
