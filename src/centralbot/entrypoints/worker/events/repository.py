"""``repository``: renamed or transferred."""

from __future__ import annotations

from centralbot.domain.events import AccountType, InstallationEvent
from centralbot.entrypoints.worker.events.payloads import Account, Normalizer, Payload, Received, Repository, ref, word


class OwnedRepository(Repository, gc=False):
    owner: Account | None = None


class RepositoryPayload(Payload, kw_only=True, gc=False):
    repository: OwnedRepository


def _event(payload: RepositoryPayload, received: Received) -> InstallationEvent:
    """The payload has no time of the change, so it is the time of receipt."""
    owner = payload.repository.owner
    return InstallationEvent(
        delivery_id=received.delivery_id,
        event_time=received.at,
        event_name=received.event,
        action=payload.action,
        installation_id=received.installation_id,
        account_login=None if owner is None else owner.login,
        account_type=None if owner is None else word(AccountType, owner.type),
        account_id=None if owner is None else owner.id,
        repositories=(ref(payload.repository),),
    )


REPOSITORY = Normalizer(payload=RepositoryPayload, event=_event)
