"""Faults 1, 2, 7 and 36 at a late pass: whatever became of the close, a verified pull request is open in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from centralbot.domain import verdicts
from centralbot.domain.actions import ALREADY_CLOSED, ActionType
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.effects import NOTHING, Effects
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.events import Actor
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from centralbot.domain.verdicts import ChallengeFacts, CloseState
from centralbot.ports.challenges import Retention
from tests.builders import INSTALLATION, MAINTAINER, REPO, a_pull_request_event, an_installation_event
from tests.contracts.driver import RULES, UnderTest
from tests.faults.elsewhere import elsewhere

CLOSE, REOPEN, UPSERT = (
    ActionType.CLOSE_PR_WITH_COMMENT,
    ActionType.REOPEN_PR_WITH_COMMENT,
    ActionType.UPSERT_PR_COMMENT,
)
THE_BOT = Actor(id=77, login="centralbot[bot]")


async def types(store: UnderTest) -> list[ActionType]:
    return [action.action_type for action in await store.run_all()]


async def test_a_close_is_not_handed_out_while_a_pass_is_decided(postgres: UnderTest, database: str) -> None:
    """Either the pass takes the close away, or it knows that a worker has it and queues the reopen."""
    await postgres.connect()
    challenge = await postgres.timed_out()
    handed_out: list[Action] = []

    def decide(facts: ChallengeFacts) -> Effects:
        handed_out.extend(elsewhere(database, lambda other: other.claim("worker-elsewhere")))
        return verdicts.on_verified(postgres.context, facts, actor="github:2002")

    await postgres.store.challenges.decide(challenge.id, decide)
    assert [action.action_type for action in handed_out] == []
    assert await types(postgres) == [UPSERT]


async def test_looking_at_a_challenge_waits_for_nobody_and_holds_nobody_up(postgres: UnderTest, database: str) -> None:
    """Or an author could keep the close of their own pull request from being handed out by looking all the time."""
    await postgres.connect()
    challenge = await postgres.timed_out()
    seen: list[ChallengeFacts] = []

    def decide(facts: ChallengeFacts) -> Effects:
        seen.append(elsewhere(database, lambda other: other.store.challenges.facts(challenge.id)))
        seen.append(facts)
        return NOTHING

    await postgres.store.challenges.decide(challenge.id, decide)
    assert [facts.close for facts in seen] == [CloseState.QUEUED, CloseState.QUEUED]


async def lost(store: UnderTest, challenge: Challenge, how: str) -> None:
    """A worker took the close, and nobody heard what became of it."""
    (close,) = await store.claim()
    if how == "answered 502":
        await store.settle(close, Outcome.RETRYABLE_FAILURE)
        return
    if how == "killed, and GitHub told of the close":
        await store.take(a_pull_request_event("closed", seconds=9000, sender=THE_BOT))
    await store.advance(RULES.lease_s + 1)
    if how != "killed":
        await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)


@pytest.mark.parametrize("how", ["killed", "killed and swept", "killed, and GitHub told of the close", "answered 502"])
async def test_a_close_of_unknown_outcome_is_followed_by_a_reopen(store: UnderTest, how: str) -> None:
    """The worker may have closed it before it was lost, so the world is asked again: the reopen looks first."""
    await store.connect()
    challenge = await store.timed_out()
    await lost(store, challenge, how)
    await store.verify(challenge)
    await store.advance(3600)
    assert await types(store) == [REOPEN, UPSERT]


async def test_our_own_close_told_by_github_leaves_its_action_to_find_out(store: UnderTest) -> None:
    """The worker died before its result; the next one finds the comment and reports that the bot closed it."""
    await store.connect()
    challenge = await store.timed_out()
    await lost(store, challenge, "killed, and GitHub told of the close")
    assert await types(store) == [CLOSE]
    await store.verify(challenge)
    assert await types(store) == [REOPEN, UPSERT]


async def test_a_close_by_a_human_ends_ours_and_is_not_undone(store: UnderTest) -> None:
    """Fault 34: what a human closed the bot does not reopen, though its own close was being tried."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, Outcome.RETRYABLE_FAILURE)
    await store.take(a_pull_request_event("closed", seconds=9000, sender=MAINTAINER))
    await store.verify(challenge)
    await store.advance(3600)
    assert await types(store) == [UPSERT]


async def dead_close(store: UnderTest) -> tuple[Challenge, Action]:
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, Outcome.FAILED)
    return challenge, replace(close, status=ActionStatus.FAILED)


async def test_a_dead_close_is_not_brought_back_after_the_pass(store: UnderTest) -> None:
    """Invariant 7, fault 44: an operator's retry must not close a verified pull request."""
    challenge, close = await dead_close(store)
    await store.verify(challenge)
    with pytest.raises(ChallengeNotPending):
        await store.store.actions.retry(close.id, context=store.context, actor="ops")
    assert await types(store) == [UPSERT]
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.VERIFIED


async def test_a_dead_close_is_not_brought_back_after_a_maintainer_let_it_in(store: UnderTest) -> None:
    """Fault 35: the newer decision counts."""
    _, close = await dead_close(store)
    await store.take(a_pull_request_event("reopened", seconds=9000, sender=MAINTAINER))
    with pytest.raises(ChallengeNotPending):
        await store.store.actions.retry(close.id, context=store.context, actor="ops")
    assert CLOSE not in await types(store)


async def test_a_dead_close_comes_back_while_its_time_out_stands(store: UnderTest) -> None:
    """Fault 44: what was in the way is gone, and the operator says so."""
    _, close = await dead_close(store)
    assert await store.claim() == []
    await store.store.actions.retry(close.id, context=store.context, actor="ops")
    assert [action.id for action in await store.run_all()] == [close.id]


async def test_a_late_pass_reopens_through_the_installation_that_is_there_by_now(store: UnderTest) -> None:
    """The App was removed and installed again: GitHub gave it a new id, and answers the old one no more."""
    await store.connect()
    challenge = await store.timed_out()
    assert await types(store) == [CLOSE]
    await store.install(an_installation_event("deleted", seconds=1))
    await store.install(an_installation_event("created", REPO, installation_id=INSTALLATION + 1, seconds=2))
    await store.verify(challenge)
    assert await store.store.upkeep.cancel_orphaned(limit=10) == 0
    done = [(action.action_type, action.installation_id) for action in await store.run_all()]
    assert done == [(REOPEN, INSTALLATION + 1), (UPSERT, INSTALLATION + 1)]
    verified = await store.store.challenges.get(challenge.id)
    assert (verified.status, verified.installation_id) == (ChallengeStatus.VERIFIED, INSTALLATION + 1)


@pytest.mark.parametrize(
    ("how", "follows"), [("closed", [REOPEN, UPSERT]), ("lost", [REOPEN, UPSERT]), ("already closed", [UPSERT])]
)
async def test_a_pass_months_late_still_knows_of_the_close(
    store: UnderTest, how: str, follows: list[ActionType]
) -> None:
    """Retention has forgotten the action by then; what the bot closed is reopened all the same, and only that."""
    await store.connect()
    challenge = await store.timed_out()
    if how == "lost":
        for _ in range(RULES.max_attempts):
            await store.claim()
            await store.advance(RULES.lease_s + 1)
        await store.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=10)
    else:
        await store.run_all(failure_code=ALREADY_CLOSED if how == "already closed" else None)
    before = await store.store.health.now() + timedelta(hours=1)
    retention = Retention(deliveries_before=before, actions_before=before, audit_before=before)
    await store.store.upkeep.prune(retention, limit=100)
    assert await store.store.actions.search() == []
    await store.verify(challenge)
    assert await types(store) == follows


async def test_a_late_pass_where_the_app_is_gone_is_kept(store: UnderTest) -> None:
    """Nothing can be said or done on GitHub, but what its author has shown stands."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.install(an_installation_event("deleted", seconds=1))
    assert (await store.verify(challenge)).status == ChallengeStatus.VERIFIED
    assert await types(store) == []
