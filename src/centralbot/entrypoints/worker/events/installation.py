"""``installation`` and ``installation_repositories``."""

from __future__ import annotations

from msgspec import Struct

from centralbot.domain.events import AccountType, InstallationEvent, RepositoryRef, RepositorySelection
from centralbot.entrypoints.worker.events.payloads import (
    Account,
    GitHubId,
    Normalizer,
    Received,
    Repository,
    Time,
    Word,
    ref,
    time,
    word,
)


class Installation(Struct, gc=False):
    id: GitHubId
    account: Account | None = None
    target_type: str | None = None
    repository_selection: str | None = None
    updated_at: Time | None = None


class InstallationPayload(Struct, gc=False):
    action: Word
    installation: Installation
    repository_selection: str | None = None
    repositories: list[Repository] | None = None
    repositories_added: list[Repository] | None = None
    repositories_removed: list[Repository] | None = None


def _event(payload: InstallationPayload, received: Received) -> InstallationEvent:
    about = payload.installation
    account = about.account
    selection = about.repository_selection or payload.repository_selection
    return InstallationEvent(
        delivery_id=received.delivery_id,
        event_time=time(about.updated_at, "installation.updated_at") or received.at,
        event_name=received.event,
        action=payload.action,
        installation_id=received.installation_id,
        account_login=None if account is None else account.login or account.slug,
        account_type=word(AccountType, (account.type if account is not None else None) or about.target_type),
        account_id=None if account is None else account.id,
        repository_selection=word(RepositorySelection, selection),
        added=_refs(payload.repositories_added),
        removed=_refs(payload.repositories_removed),
        repositories=_refs(payload.repositories),
    )


def _refs(repositories: list[Repository] | None) -> tuple[RepositoryRef, ...]:
    return tuple(ref(repository) for repository in repositories or ())


INSTALLATION = Normalizer(payload=InstallationPayload, event=_event)
