"""The App's status of a repository in every state of its installation's life, told by synced events alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from centralbot.domain.events import AccountType, InstallationEvent, RepositoryRef
from centralbot.ports.use_cases.owner import AppStatus
from tests.builders import INSTALLATION, REPO, a_config, an_installation_event
from tests.contracts.driver import UnderTest

OTHER = 456
NONE = AppStatus()


def said(action: str, *repos: int, by: int = INSTALLATION, **fields: Any) -> InstallationEvent:
    """An event of an installation on the organization ``org``, or on ``newcomer`` where it is the other one."""
    account, kind = ("org", AccountType.ORGANIZATION) if by == INSTALLATION else ("newcomer", AccountType.USER)
    event = an_installation_event(action, *repos, **fields)
    return replace(event, installation_id=by, account_login=account, account_type=kind)


def status(by: int = INSTALLATION, *, connected: bool = True, login: str | None = None) -> AppStatus:
    account, kind = ("org", "Organization") if by == INSTALLATION else ("newcomer", "User")
    return AppStatus(
        installed=True,
        installation_id=by,
        account_login=login or account,
        account_type=kind,
        repo_connected=connected,
    )


def moved(by: int, seconds: float) -> InstallationEvent:
    """``repository.transferred``, which goes to the new owner's installation alone."""
    event = said("transferred", by=by, seconds=seconds, event_name="repository")
    return replace(event, repositories=(RepositoryRef(id=REPO, full_name="newcomer/repo"),))


CREATED = said("created", REPO, seconds=-900)
STATES: dict[str, tuple[list[InstallationEvent], AppStatus]] = {
    "never installed": ([], NONE),
    "installed elsewhere on the account": ([said("created", REPO + 1)], NONE),
    "installed": ([CREATED], status()),
    "repository added later": ([said("created"), said("added", added=(REPO,), seconds=-800)], status()),
    "repository removed": ([CREATED, said("removed", removed=(REPO,), seconds=-800)], status(connected=False)),
    "removed and added again": (
        [CREATED, said("removed", removed=(REPO,), seconds=-800), said("added", added=(REPO,), seconds=-700)],
        status(),
    ),
    "the removal comes late": (
        [CREATED, said("added", added=(REPO,), seconds=-700), said("removed", removed=(REPO,), seconds=-800)],
        status(),
    ),
    "suspended": ([CREATED, said("suspend", seconds=-800)], NONE),
    "suspended without the repository": (
        [CREATED, said("removed", removed=(REPO,), seconds=-800), said("suspend", seconds=-700)],
        NONE,
    ),
    "unsuspended": ([CREATED, said("suspend", seconds=-800), said("unsuspend", seconds=-700)], status()),
    "deleted": ([CREATED, said("deleted", seconds=-800)], NONE),
    "deleted before it was created": ([said("deleted", seconds=-800), CREATED], NONE),
    "reinstalled": (
        [CREATED, said("deleted", seconds=-800), said("created", REPO, by=OTHER, seconds=-700)],
        status(OTHER),
    ),
    "reinstalled, and the deletion comes late": (
        [CREATED, said("created", REPO, by=OTHER, seconds=-700), said("deleted", seconds=-800)],
        status(OTHER),
    ),
    "reinstalled without the repository": (
        [CREATED, said("deleted", seconds=-800), said("created", REPO + 1, by=OTHER, seconds=-700)],
        NONE,
    ),
    "reinstalled, then removed": (
        [
            CREATED,
            said("deleted", seconds=-800),
            said("created", REPO, by=OTHER, seconds=-700),
            said("removed", by=OTHER, removed=(REPO,), seconds=-600),
        ],
        status(OTHER, connected=False),
    ),
    "reinstalled and removed before the deletion comes": (
        [
            CREATED,
            said("created", REPO, by=OTHER, seconds=-700),
            said("removed", by=OTHER, removed=(REPO,), seconds=-600),
            said("deleted", seconds=-500),
        ],
        status(OTHER, connected=False),
    ),
    "the account is renamed": (
        [CREATED, replace(said("added", added=(REPO + 1,), seconds=-800), account_login="org-new")],
        status(login="org-new"),
    ),
    "the repository is renamed": (
        [CREATED, replace(said("renamed", REPO, seconds=-800, event_name="repository"))],
        status(),
    ),
    "transferred to an account with the App": (
        [CREATED, said("created", REPO + 1, by=OTHER, seconds=-850), moved(OTHER, -800)],
        status(OTHER),
    ),
    "transferred, and the old owner's removal comes after": (
        [
            CREATED,
            said("created", REPO + 1, by=OTHER, seconds=-850),
            moved(OTHER, -800),
            said("removed", removed=(REPO,), seconds=-700),
        ],
        status(OTHER),
    ),
    "transferred to an account without the App": (
        [CREATED, said("removed", removed=(REPO,), seconds=-800)],
        status(connected=False),
    ),
    "transferred, and uninstalled there": (
        [
            CREATED,
            said("created", REPO + 1, by=OTHER, seconds=-850),
            moved(OTHER, -800),
            said("deleted", by=OTHER, seconds=-700),
        ],
        NONE,
    ),
    "the installation's account is not the repository's owner": (
        [
            replace(
                CREATED, account_login="enterprise-parent", repositories=(RepositoryRef(id=REPO, full_name="org/x"),)
            )
        ],
        status(login="enterprise-parent"),
    ),
}


@pytest.mark.parametrize("state", STATES)
async def test_the_status_is_what_the_events_said(store: UnderTest, state: str) -> None:
    """In whatever order they came; a configuration changes nothing about it."""
    events, expected = STATES[state]
    for event in events:
        await store.install(event)
    assert AppStatus.of(await store.store.repositories.get(REPO)) == expected
    await store.store.repositories.configure(REPO, a_config(), actor="test")
    assert AppStatus.of(await store.store.repositories.get(REPO)) == expected
