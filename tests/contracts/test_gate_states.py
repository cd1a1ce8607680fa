"""What one and the same event means for a pull request whose challenge is here or there already."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from centralbot.domain import gating
from centralbot.domain.actions import ActionReason
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.events import Actor, IngestStatus
from centralbot.domain.gating import Reason
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from tests.builders import AUTHOR, MAINTAINER, REPO, a_config, a_pull_request_event, an_installation_event, comment_of
from tests.contracts.driver import UnderTest

LABEL = "centralbot:exempt"
BOT = Actor(id=4004, login="centralbot[bot]")


def reasons(actions: Sequence[Action]) -> list[str]:
    return [comment_of(action).reason for action in actions]


async def now(store: UnderTest, challenge: Challenge) -> ChallengeStatus:
    return (await store.store.challenges.get(challenge.id)).status


@pytest.mark.parametrize("action", ["assigned", "edited", "unlabeled", "auto_merge_enabled"])
async def test_what_does_not_matter_is_ignored(store: UnderTest, action: str) -> None:
    """Whatever GitHub adds."""
    await store.connect()
    outcome = await store.take(a_pull_request_event(action))
    assert (outcome.status, outcome.reason) == (IngestStatus.IGNORED, Reason.IRRELEVANT_ACTION)


async def test_one_that_was_found_where_nothing_is_configured_is_left_alone(store: UnderTest) -> None:
    """Somebody took the configuration's place meanwhile."""
    await store.install(an_installation_event("created", REPO))
    event = a_pull_request_event()
    outcome = await store.store.deliveries.take_pull_request(
        event, lambda facts: gating.decide_found(store.context, event, facts, mode=Mode.ENFORCE)
    )
    assert (outcome.status, outcome.reason) == (IngestStatus.IGNORED, Reason.MODE_CHANGED)


@pytest.mark.parametrize("action", ["opened", "synchronize", "ready_for_review"])
async def test_after_the_time_only_a_reopen_starts_anew(store: UnderTest, action: str) -> None:
    """Anything else is late, or about to meet the close."""
    await store.connect()
    challenge = await store.timed_out()
    outcome = await store.take(a_pull_request_event(action, seconds=5000))
    assert (outcome.reason, outcome.challenge_id) == (Reason.ALREADY_TIMED_OUT, challenge.id)
    assert reasons(await store.claim()) == [ActionReason.CHALLENGE_TIMED_OUT]


async def test_the_clock_of_a_shadow_challenge_has_the_whole_window(store: UnderTest) -> None:
    """From its making on, as nobody is told."""
    await store.connect(config=a_config(Mode.SHADOW))
    challenge = await store.challenged()
    assert challenge.deadline_at is not None
    assert (challenge.deadline_at - challenge.created_at).total_seconds() == challenge.window_s


@pytest.mark.parametrize(("mode", "said"), [(Mode.ENFORCE, [ActionReason.EXEMPT]), (Mode.SHADOW, [])])
async def test_the_label_exempts_what_is_pending(store: UnderTest, mode: Mode, said: list[ActionReason]) -> None:
    """The comment that waits is not written any more, another one says why."""
    await store.connect(config=a_config(mode))
    challenge = await store.challenged()
    outcome = await store.take(a_pull_request_event("labeled", seconds=5, label=LABEL, sender=MAINTAINER))
    assert (outcome.reason, outcome.challenge_id) == (Reason.EXEMPT, challenge.id)
    assert await now(store, challenge) is ChallengeStatus.EXEMPT
    assert reasons(await store.run_all()) == said


async def test_where_exemptions_are_not_commented_on_nobody_is_told(store: UnderTest) -> None:
    """Not even who is on the whitelist."""
    await store.connect(config=a_config(comment_on_exempt=False))
    await store.store.whitelist.add(REPO, AUTHOR, actor="test")
    outcome = await store.opened()
    assert (outcome.reason, outcome.enqueued_actions) == (Reason.EXEMPT, 0)


async def test_a_draft_is_told_that_it_need_not_pass_yet_and_asked_when_it_is_ready(store: UnderTest) -> None:
    """The older comment is still said, beside the new challenge's."""
    await store.connect(config=a_config(draft_prs_gated=False))
    challenge = await store.noticed()
    await store.take(a_pull_request_event("converted_to_draft", seconds=5, is_draft=True))
    ready = await store.take(a_pull_request_event("ready_for_review", seconds=9))
    assert (ready.reason, await now(store, challenge)) == (Reason.CHALLENGED, ChallengeStatus.CANCELED)
    assert reasons(await store.run_all()) == [ActionReason.CANCELED, ActionReason.VERIFICATION_REQUIRED]


@pytest.mark.parametrize(
    ("sender", "status"),
    [(BOT, ActionStatus.PENDING), (MAINTAINER, ActionStatus.CANCELED), (None, ActionStatus.CANCELED)],
)
async def test_a_close_that_somebody_else_did_is_not_tried_again(
    store: UnderTest, sender: Actor | None, status: ActionStatus
) -> None:
    """Our own close may be what the event tells of: then its action goes on, to find out and to say so."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    outcome = await store.take(a_pull_request_event("closed", seconds=5000, sender=sender))
    assert (outcome.reason, outcome.challenge_id) == (Reason.CLOSED, challenge.id)
    assert await store.settle(close, Outcome.RETRYABLE_FAILURE) == status
    assert await now(store, challenge) is ChallengeStatus.TIMED_OUT_CLOSED


class TestOrder:
    """Staleness is judged by the pull request's own clock, which counts in whole seconds."""

    async def test_a_reopen_in_the_same_second_follows_the_close(self, store: UnderTest) -> None:
        """Nothing else does."""
        await store.connect()
        await store.take(a_pull_request_event("closed", seconds=10))
        pushed = await store.take(a_pull_request_event("synchronize", seconds=10))
        reopened = await store.take(a_pull_request_event("reopened", seconds=10))
        assert [pushed.reason, reopened.reason] == [Reason.STALE, Reason.CHALLENGED]

    async def test_a_reopen_from_before_the_close_is_stale(self, store: UnderTest) -> None:
        """It was closed again since."""
        await store.connect()
        await store.take(a_pull_request_event("closed", seconds=10))
        assert (await store.take(a_pull_request_event("reopened", seconds=9))).reason == Reason.STALE

    async def test_without_that_clock_the_events_own_time_counts(self, store: UnderTest) -> None:
        """It is coarse, so what comes in the same second is believed to follow."""
        await store.connect()
        await store.take(a_pull_request_event("closed", seconds=10))
        older, same = (a_pull_request_event("opened", seconds=at, updated_at=None) for at in (9, 10))
        assert [(await store.take(event)).reason for event in (older, same)] == [Reason.STALE, Reason.CHALLENGED]

    @pytest.mark.parametrize(("seconds", "head"), [(5, "b" * 40), (-5, "a" * 40)])
    async def test_a_late_push_does_not_move_the_head_back(self, store: UnderTest, seconds: int, head: str) -> None:
        """The challenge is for the newest commit that is known."""
        await store.connect()
        challenge = await store.challenged(head_sha="a" * 40)
        outcome = await store.take(a_pull_request_event("synchronize", seconds=seconds, head_sha="b" * 40))
        assert (outcome.reason, outcome.challenge_id) == (Reason.ALREADY_PENDING, challenge.id)
        assert (await store.store.challenges.get(challenge.id)).head_sha == head

    async def test_a_close_of_the_challenges_own_second_cancels_it(self, store: UnderTest) -> None:
        """Opened and closed at once."""
        await store.connect()
        challenge = await store.challenged(seconds=5)
        await store.take(a_pull_request_event("closed", seconds=5))
        after = await store.store.challenges.get(challenge.id)
        assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.PR_CLOSED)
