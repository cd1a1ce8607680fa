"""Port ``Deliveries``: pull request events, each with one effect."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent, Effects
from centralbot.domain.events import IngestStatus, PullRequestActivity, PullRequestEvent
from centralbot.domain.gating import Decision, GateFacts, Reason
from centralbot.domain.outbox import ActionStatus
from centralbot.domain.rules import MAINTAINER_REOPENED
from centralbot.ports.deliveries import SignatureReplayed
from tests.builders import (
    AUTHOR,
    MAINTAINER,
    REPO,
    a_config,
    a_pull_request_event,
    an_installation_event,
    comment_of,
)
from tests.contracts.driver import UnderTest

ACCEPTED, DUPLICATE, IGNORED = IngestStatus.ACCEPTED, IngestStatus.DUPLICATE, IngestStatus.IGNORED
USE = SignatureUse(signed_at=1_771_243_200, digest=b"d" * 32)


async def test_an_opened_pull_request_gets_a_challenge_and_a_comment(store: UnderTest) -> None:
    """The main path: one challenge, one queued comment that names it."""
    await store.connect()
    outcome = await store.opened()
    assert (outcome.status, outcome.reason, outcome.enqueued_actions) == (ACCEPTED, Reason.CHALLENGED, 1)
    assert outcome.challenge_id is not None
    challenge = await store.store.challenges.get(outcome.challenge_id)
    assert (challenge.status, challenge.deadline_at) == (ChallengeStatus.PENDING, None)
    (action,) = await store.claim()
    assert (action.action_type, action.challenge_id, comment_of(action).marker, comment_of(action).reason) == (
        ActionType.UPSERT_PR_COMMENT,
        challenge.id,
        f"centralbot:gate:{challenge.id}",
        ActionReason.VERIFICATION_REQUIRED,
    )


async def test_the_same_delivery_again_is_a_duplicate_with_its_challenge(store: UnderTest) -> None:
    """Nothing changes, and the caller learns what the first time produced."""
    await store.connect()
    event = a_pull_request_event()
    first = await store.take(event)
    again = await store.take(event)
    assert (again.status, again.challenge_id, again.enqueued_actions) == (DUPLICATE, first.challenge_id, 0)
    assert len(await store.store.actions.search()) == 1


async def test_an_ignored_delivery_again_is_a_duplicate_too(store: UnderTest) -> None:
    """Taken is taken, whatever came of it."""
    event = a_pull_request_event()
    assert [(await store.take(event)).status for _ in range(2)] == [IGNORED, DUPLICATE]


async def test_fifty_copies_at_once_have_one_effect(store: UnderTest) -> None:
    """Fault 6."""
    await store.connect()
    event = a_pull_request_event()
    outcomes = await asyncio.gather(*(store.take(event) for _ in range(50)))
    assert Counter(outcome.status for outcome in outcomes) == {ACCEPTED: 1, DUPLICATE: 49}
    assert len({outcome.challenge_id for outcome in outcomes}) == 1
    assert len(await store.store.actions.search()) == 1


async def test_different_deliveries_of_one_pull_request_at_once_make_one_challenge(store: UnderTest) -> None:
    """Invariant 2 under concurrency."""
    await store.connect()
    events = [a_pull_request_event(action) for action in ("opened", "synchronize", "ready_for_review") * 5]
    outcomes = await asyncio.gather(*(store.take(event) for event in events))
    assert Counter(outcome.reason for outcome in outcomes) == {Reason.CHALLENGED: 1, Reason.ALREADY_PENDING: 14}


async def test_the_same_body_under_a_new_delivery_id_changes_nothing(store: UnderTest) -> None:
    """Fault 7: no second challenge, no second comment."""
    await store.connect()
    first, again = await store.opened(), await store.opened()
    assert (again.status, again.reason, again.challenge_id) == (
        ACCEPTED,
        Reason.ALREADY_PENDING,
        first.challenge_id,
    )
    assert len(await store.store.actions.search()) == 1


async def test_a_decision_that_raises_takes_nothing(store: UnderTest) -> None:
    """Fault row 3 of the contract: the same delivery sent again, with the same signature, is processed."""
    await store.connect()
    event = a_pull_request_event()

    def broken(facts: GateFacts) -> Decision:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.store.deliveries.take_pull_request(event, broken, use=USE)
    assert (await store.take(event, use=USE)).status == ACCEPTED


async def test_a_replayed_signature_is_refused_before_anything(store: UnderTest) -> None:
    """Fault 22: even a new delivery under an old signature changes nothing."""
    await store.connect()
    await store.take(a_pull_request_event(), use=USE)
    other = a_pull_request_event(number=43)
    with pytest.raises(SignatureReplayed):
        await store.take(other, use=USE)
    assert (await store.take(other)).status == ACCEPTED


async def test_a_signature_lets_a_batch_in_once(store: UnderTest) -> None:
    """It is recorded by itself, and counts for every delivery after it."""
    await store.connect()
    await store.store.deliveries.admit(USE)
    with pytest.raises(SignatureReplayed):
        await store.store.deliveries.admit(USE)
    with pytest.raises(SignatureReplayed):
        await store.take(a_pull_request_event(), use=USE)
    assert (await store.opened()).status == ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Waved(PullRequestActivity):
    """Something else that happens on a pull request."""

    event_name: str = field(default="waved", init=False)


async def test_whatever_happens_on_a_pull_request_is_taken_once(store: UnderTest) -> None:
    """Its handler has the facts of the pull request; what it writes is there once, and a delivery has its name."""
    await store.connect()
    opened = a_pull_request_event()
    challenge_id = (await store.take(opened)).challenge_id
    event = Waved(
        delivery_id=opened.delivery_id,
        event_time=opened.event_time,
        action="closed",  # of another event: the pull request is as open as it was
        installation_id=opened.installation_id,
        repository=opened.repository,
        number=opened.number,
        author=opened.author,
        sender=opened.sender,
    )

    def decide(facts: GateFacts) -> Decision:
        assert facts.challenge is not None
        row = AuditEvent(
            id=uuid4(),
            at=facts.now,
            event="waved",
            actor="github:1",
            repo_id=REPO,
            challenge_id=challenge_id,
            detail={},
        )
        return Decision(status=ACCEPTED, reason="WAVED", challenge_id=facts.challenge.id, effects=Effects(audit=(row,)))

    first, second = [await store.store.deliveries.take_pull_request(event, decide) for _ in range(2)]
    assert (first.status, first.challenge_id, first.enqueued_actions) == (ACCEPTED, challenge_id, 0)
    assert (second.status, second.challenge_id, second.enqueued_actions) == (DUPLICATE, challenge_id, 0)
    assert [row.event for row in await store.store.reports.audit(REPO)].count("waved") == 1
    again = await store.take(a_pull_request_event("synchronize", seconds=-10))
    assert (again.status, again.reason) == (ACCEPTED, Reason.ALREADY_PENDING)


async def test_one_delivery_id_serves_a_pull_request_and_an_installation_event(store: UnderTest) -> None:
    """The key of a delivery is its id with the event's name."""
    await store.connect()
    await store.opened(delivery_id="shared")
    outcome = await store.install(an_installation_event("unsuspend", delivery_id="shared"))
    assert outcome.status == ACCEPTED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (a_pull_request_event("labeled"), Reason.IRRELEVANT_ACTION),
        (a_pull_request_event(installation_id=555), Reason.INSTALLATION_NOT_ACTIVE),
        (a_pull_request_event(repo_id=1), Reason.REPOSITORY_NOT_ACTIVE),
        (a_pull_request_event(repo_id=2), Reason.MODE_OFF),
        (a_pull_request_event(repo_id=3), Reason.MODE_OFF),
        (a_pull_request_event("closed"), Reason.NOTHING_PENDING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_none_of_our_business_is_ignored(
    store: UnderTest, event: PullRequestEvent, reason: Reason
) -> None:
    """Each reason of the contract; repository 2 has no configuration, repository 3 is off."""
    await store.connect(REPO)
    await store.install(an_installation_event("added", added=(2, 3), seconds=-900))
    await store.store.repositories.configure(3, a_config(Mode.OFF), actor="test")
    outcome = await store.take(event)
    assert (outcome.status, outcome.reason, outcome.challenge_id) == (IGNORED, reason, None)


@pytest.mark.parametrize(("action", "reason"), [("suspend", "SUSPENDED"), ("deleted", "DELETED")])
async def test_an_inactive_installation_is_ignored(store: UnderTest, action: str, reason: str) -> None:
    """Suspended or deleted: nothing is decided."""
    await store.connect()
    await store.install(an_installation_event(action, seconds=-900))
    assert (await store.opened()).reason == Reason.INSTALLATION_NOT_ACTIVE


async def test_a_repository_that_moved_to_another_installation_is_gated_there_only(store: UnderTest) -> None:
    """The event's installation is the one that counts."""
    await store.connect()
    await store.install(an_installation_event("created", REPO, installation_id=124, seconds=-900))
    assert (await store.opened()).reason == Reason.REPOSITORY_NOT_ACTIVE
    assert (await store.opened(installation_id=124)).reason == Reason.CHALLENGED


async def test_closing_cancels_the_challenge_and_its_comment(store: UnderTest) -> None:
    """What was queued and not begun is not done."""
    await store.connect()
    challenge = await store.challenged()
    outcome = await store.take(a_pull_request_event("closed", seconds=1))
    after = await store.store.challenges.get(challenge.id)
    assert (outcome.status, outcome.challenge_id, after.status) == (ACCEPTED, challenge.id, ChallengeStatus.CANCELED)
    assert after.reason == CancelReason.PR_CLOSED
    assert await store.claim() == []


async def test_a_merge_says_so(store: UnderTest) -> None:
    """A merge is a close with another reason."""
    await store.connect()
    challenge = await store.challenged()
    await store.take(a_pull_request_event("closed", seconds=1, merged=True))
    assert (await store.store.challenges.get(challenge.id)).reason == CancelReason.PR_MERGED


async def test_a_close_after_the_time_out_cancels_the_bots_own(store: UnderTest) -> None:
    """Fault 34: a human was first, so nothing is left to close."""
    await store.connect()
    await store.timed_out()
    await store.take(a_pull_request_event("closed", seconds=5000))
    assert (await store.statuses())[-1] == (ActionType.CLOSE_PR_WITH_COMMENT, ActionStatus.CANCELED)


@pytest.mark.parametrize("relevant", ["opened", "synchronize", "ready_for_review"])
async def test_an_event_from_before_the_close_is_stale(store: UnderTest, relevant: str) -> None:
    """Fault 13: closed arrives before opened, and is remembered though it was ignored."""
    await store.connect()
    assert (await store.take(a_pull_request_event("closed", seconds=10))).status == IGNORED
    outcome = await store.take(a_pull_request_event(relevant, seconds=0))
    assert (outcome.status, outcome.reason) == (IGNORED, Reason.STALE)


async def test_a_close_from_before_the_challenge_does_not_cancel_it(store: UnderTest) -> None:
    """A late close is not the newest word."""
    await store.connect()
    challenge = await store.challenged(seconds=100)
    outcome = await store.take(a_pull_request_event("closed", seconds=50))
    assert (outcome.status, outcome.reason) == (IGNORED, Reason.STALE)
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.PENDING


async def test_a_reopen_by_the_author_starts_anew(store: UnderTest) -> None:
    """After a close the same pull request gets a second challenge."""
    await store.connect()
    first = await store.challenged()
    await store.take(a_pull_request_event("closed", seconds=10))
    outcome = await store.take(a_pull_request_event("reopened", seconds=20, sender=AUTHOR))
    assert outcome.reason == Reason.CHALLENGED
    assert outcome.challenge_id != first.id


async def test_a_reopen_by_a_maintainer_exempts(store: UnderTest) -> None:
    """Fault 35: the bot does not close again what a maintainer reopened."""
    await store.connect()
    await store.timed_out()
    outcome = await store.take(a_pull_request_event("reopened", seconds=5000, sender=MAINTAINER))
    assert outcome.challenge_id is not None
    challenge = await store.store.challenges.get(outcome.challenge_id)
    assert (challenge.status, challenge.reason) == (ChallengeStatus.EXEMPT, MAINTAINER_REOPENED.code)


async def test_an_active_challenge_counts_though_a_canceled_one_is_newer(store: UnderTest) -> None:
    """A late pass makes the first challenge count again; a further event must not add another beside it."""
    await store.connect()
    first = await store.timed_out()
    await store.take(a_pull_request_event("reopened", seconds=4000, sender=AUTHOR))
    await store.take(a_pull_request_event("closed", seconds=4010))
    assert (await store.verify(first)).status == ChallengeStatus.VERIFIED
    outcome = await store.take(a_pull_request_event("reopened", seconds=4020, sender=AUTHOR))
    assert (outcome.reason, outcome.challenge_id) == (Reason.ALREADY_VERIFIED, first.id)


async def test_a_push_moves_the_head_of_a_pending_challenge(store: UnderTest) -> None:
    """The challenge stays, its head follows."""
    await store.connect()
    challenge = await store.challenged()
    await store.take(a_pull_request_event("synchronize", seconds=5, head_sha="b" * 40))
    assert (await store.store.challenges.get(challenge.id)).head_sha == "b" * 40
