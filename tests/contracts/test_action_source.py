"""Ports ``ActionSource`` and ``EventSink``: the backend as a worker sees it, in memory and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from centralbot.adapters.backend_http.client import BackendClient
from centralbot.adapters.system import SystemClock
from centralbot.domain.actions import ActionType
from centralbot.domain.errors import ActionNotHeld, NotFound
from centralbot.domain.events import IngestStatus
from centralbot.domain.outbox import ActionStatus, Outcome, Settlement
from centralbot.ports.backend import EventSink
from centralbot.ports.outbox import ActionSource, ClaimedAction, ClaimRequest
from tests.builders import (
    INSTALLATION,
    REPO,
    a_config,
    a_context,
    a_pull_request_event,
    an_installation_event,
    comment_of,
)
from tests.contracts.adapters import a_memory_store
from tests.contracts.driver import EVERY_TYPE
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.worker_side import MemoryActionSource, MemoryEventSink
from tests.entrypoints.api.caller import KEY_ID, SECRET
from tests.entrypoints.api.serving import serving


@dataclass(frozen=True)
class WorkerSide:
    """What a worker talks to, and a way to let time pass at the backend."""

    events: EventSink
    actions: ActionSource
    advance: Callable[[float], Awaitable[None]]

    async def opened(self, number: int = 42) -> None:
        outcome = await self.events.send(a_pull_request_event(number=number))
        assert (outcome.status, outcome.enqueued_actions) == (IngestStatus.ACCEPTED, 1)

    async def claim(self, worker_id: str = "w-1", *, wait_s: float = 0.0) -> list[ClaimedAction]:
        request = ClaimRequest(worker_id=worker_id, action_types=EVERY_TYPE)
        actions = await self.actions.claim(request, wait_s=wait_s)
        readable = [action for action in actions if isinstance(action, ClaimedAction)]
        assert len(readable) == len(actions)
        return readable

    async def settle(
        self, action: ClaimedAction, outcome: Outcome = Outcome.SUCCEEDED, worker_id: str = "w-1"
    ) -> ActionStatus:
        settlement = Settlement(
            action_id=action.id, worker_id=worker_id, outcome=outcome, claim_token=action.claim_token
        )
        return await self.actions.settle(settlement)


@pytest.fixture(params=["memory", "http"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[WorkerSide]:
    """A backend with the App installed on repository 999, which enforces."""
    if request.param == "memory":
        clock, ids = ManualClock(), SequentialIds()
        under = a_memory_store(clock, ids, a_context(a_config(), new_id=ids.new_id))
        events = MemoryEventSink(under.store.deliveries, under.context)
        await events.send(an_installation_event("created", REPO))
        yield WorkerSide(events, MemoryActionSource(under.store.outbox, clock), under.advance)
        return
    async with serving(request.getfixturevalue("database")) as api:
        client = BackendClient(url=api.bot.url, key_id=KEY_ID, secret=SECRET, clock=SystemClock())
        async with client:
            await client.send(an_installation_event("created", REPO))
            yield WorkerSide(client, client, api.advance)


async def test_a_delivery_is_taken_once(backend: WorkerSide) -> None:
    """The second answer names what the first one made."""
    event = a_pull_request_event()
    first, second = await backend.events.send(event), await backend.events.send(event)
    assert (first.status, first.enqueued_actions) == (IngestStatus.ACCEPTED, 1)
    assert (second.status, second.enqueued_actions) == (IngestStatus.DUPLICATE, 0)
    assert second.challenge_id == first.challenge_id is not None


async def test_an_installation_event_is_taken(backend: WorkerSide) -> None:
    """Repositories are counted; a repeated one is a duplicate."""
    event = an_installation_event("added", added=(1, 2), seconds=10)
    first, second = await backend.events.send(event), await backend.events.send(event)
    assert (first.status, first.installation_id, first.updated_repositories) == (IngestStatus.ACCEPTED, INSTALLATION, 2)
    assert (second.status, second.installation_id, second.updated_repositories) == (IngestStatus.DUPLICATE, None, 0)


async def test_a_claimed_action_is_whole(backend: WorkerSide) -> None:
    """``attempts`` counts earlier claims; the lease ends after now by the backend's clock."""
    await backend.opened()
    (action,) = await backend.claim()
    assert (action.action_type, action.installation_id, action.repo_id, action.pr_number, action.attempts) == (
        ActionType.UPSERT_PR_COMMENT,
        INSTALLATION,
        REPO,
        42,
        0,
    )
    assert comment_of(action).marker == f"centralbot:gate:{action.challenge_id}"
    assert (action.claim_token is not None, bool(comment_of(action).markdown), comment_of(action).reason) == (
        True,
        True,
        "VERIFICATION_REQUIRED",
    )
    assert action.lease_expires_at is not None
    assert action.lease_expires_at > backend.actions.backend_now()


async def test_a_result_counts_from_the_claim_that_holds_the_action(backend: WorkerSide) -> None:
    """Repeated it is answered as before; from anybody else it raises."""
    await backend.opened()
    (action,) = await backend.claim()
    with pytest.raises(ActionNotHeld):
        await backend.settle(action, worker_id="w-2")
    with pytest.raises(ActionNotHeld):
        await backend.settle(replace(action, claim_token=uuid4()))
    assert [await backend.settle(action), await backend.settle(action)] == [ActionStatus.DONE, ActionStatus.DONE]
    with pytest.raises(ActionNotHeld):
        await backend.settle(action, Outcome.FAILED)
    with pytest.raises(NotFound):
        await backend.settle(replace(action, id=uuid4()))


async def test_an_expired_lease_is_handed_out_again(backend: WorkerSide) -> None:
    """The first holder's result is stale then."""
    await backend.opened()
    (first,) = await backend.claim()
    await backend.advance(61)
    (second,) = await backend.claim("w-2")
    assert (second.id, second.attempts) == (first.id, 1)
    with pytest.raises(ActionNotHeld):
        await backend.settle(first)
    assert await backend.settle(second, worker_id="w-2") is ActionStatus.DONE


async def test_released_is_free_at_once(backend: WorkerSide) -> None:
    """And not counted."""
    await backend.opened()
    (action,) = await backend.claim()
    assert await backend.settle(action, Outcome.RELEASED) is ActionStatus.PENDING
    assert [again.attempts for again in await backend.claim()] == [0]


async def test_a_waiting_claim_wakes(backend: WorkerSide) -> None:
    """When there is something; without, it ends empty."""
    assert await backend.claim(wait_s=0.1) == []
    waiting = asyncio.create_task(backend.claim(wait_s=30))
    await asyncio.sleep(0.05)
    await backend.opened()
    assert len(await asyncio.wait_for(waiting, 10)) == 1
