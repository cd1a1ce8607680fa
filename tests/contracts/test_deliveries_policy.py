"""Port ``Deliveries``: whom the repository's rules let in, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from centralbot.domain import verdicts
from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.effects import Effects
from centralbot.domain.events import Actor, AuthorAssociation, IngestStatus, PullRequestEvent, UserType
from centralbot.domain.gating import Reason
from centralbot.domain.rules import ASSOCIATION, BOT, GHOST, WHITELISTED
from tests.builders import (
    AUTHOR,
    INSTALLATION,
    MAINTAINER,
    REPO,
    a_config,
    a_pull_request_event,
    comment_of,
)
from tests.contracts.driver import COMMENT, UnderTest

ACCEPTED, DUPLICATE, IGNORED = IngestStatus.ACCEPTED, IngestStatus.DUPLICATE, IngestStatus.IGNORED


class TestDrafts:
    """Where drafts are gated they are like any other; where they are not, they wait."""

    async def test_a_gated_draft_is_challenged(self, store: UnderTest) -> None:
        """The default."""
        await store.connect()
        assert (await store.opened(is_draft=True)).reason == Reason.CHALLENGED

    async def test_an_ungated_draft_is_ignored_until_it_is_ready(self, store: UnderTest) -> None:
        """Then it gets its challenge."""
        await store.connect(config=a_config(draft_prs_gated=False))
        assert (await store.opened(is_draft=True)).reason == Reason.DRAFT_NOT_GATED
        ready = await store.take(a_pull_request_event("ready_for_review", seconds=5))
        assert ready.reason == Reason.CHALLENGED

    async def test_turning_into_an_ungated_draft_cancels(self, store: UnderTest) -> None:
        """And what was queued with it."""
        await store.connect(config=a_config(draft_prs_gated=False))
        challenge = await store.challenged()
        outcome = await store.take(a_pull_request_event("converted_to_draft", seconds=5, is_draft=True))
        after = await store.store.challenges.get(challenge.id)
        assert (outcome.reason, after.status, after.reason) == (
            Reason.DRAFTED,
            ChallengeStatus.CANCELED,
            CancelReason.DRAFTED,
        )
        assert await store.claim() == []


class TestExemptions:
    """Who need not pass."""

    async def test_a_whitelisted_author_is_told(self, store: UnderTest) -> None:
        """By id, whatever the login is now."""
        await store.connect()
        await store.store.whitelist.add(REPO, Actor(id=AUTHOR.id, login="old-name"), actor="test")
        outcome = await store.opened()
        assert outcome.challenge_id is not None
        challenge = await store.store.challenges.get(outcome.challenge_id)
        assert (challenge.status, challenge.reason) == (ChallengeStatus.EXEMPT, WHITELISTED.code)
        assert [comment_of(action).reason for action in await store.claim()] == [ActionReason.EXEMPT]

    async def test_a_whitelist_counts_in_its_repository_only(self, store: UnderTest) -> None:
        """Elsewhere the author is nobody special."""
        await store.connect(REPO, 1000)
        await store.store.whitelist.add(1000, AUTHOR, actor="test")
        assert (await store.opened()).reason == Reason.CHALLENGED

    @pytest.mark.parametrize(
        ("event", "why"),
        [
            (a_pull_request_event(author=Actor(id=7, login="renovate[bot]")), BOT.code),
            (a_pull_request_event(author_type=UserType.BOT), BOT.code),
            (a_pull_request_event(author_association=AuthorAssociation.MEMBER), ASSOCIATION.code),
            (a_pull_request_event(author=Actor(id=10137, login="ghost")), GHOST.code),
        ],
    )
    async def test_bots_members_and_ghosts_pass_without_noise(
        self, store: UnderTest, event: PullRequestEvent, why: str
    ) -> None:
        """Fault 31: recorded, but nothing is said."""
        await store.connect()
        outcome = await store.take(event)
        assert outcome.challenge_id is not None
        challenge = await store.store.challenges.get(outcome.challenge_id)
        assert (challenge.status, challenge.reason, outcome.enqueued_actions) == (ChallengeStatus.EXEMPT, why, 0)

    async def test_an_exempt_pull_request_stays_exempt(self, store: UnderTest) -> None:
        """A push does not ask again."""
        await store.connect()
        first = await store.opened(author_type=UserType.BOT)
        again = await store.take(a_pull_request_event("synchronize", seconds=5))
        assert (again.reason, again.challenge_id) == (Reason.ALREADY_EXEMPT, first.challenge_id)


class TestLabel:
    """A maintainer's word by the repository's own label."""

    async def test_the_label_of_the_configuration_counts(self, store: UnderTest) -> None:
        """At the opening; another repository's label is nothing here."""
        await store.connect(config=a_config(exempt_label="let-in"))
        assert (await store.opened(1, labels=("LET-in",))).reason == Reason.EXEMPT
        assert (await store.opened(2, labels=("centralbot:exempt",))).reason == Reason.CHALLENGED

    async def test_no_label_exempts_where_there_is_none(self, store: UnderTest) -> None:
        """The empty name is nobody's."""
        await store.connect(config=a_config(exempt_label=""))
        assert (await store.opened(1, labels=("centralbot:exempt",))).reason == Reason.CHALLENGED
        labeled = await store.take(a_pull_request_event("labeled", number=1, seconds=5, label="centralbot:exempt"))
        assert labeled.reason == Reason.IRRELEVANT_ACTION

    async def test_labeling_rewrites_the_comment_and_names_who(self, store: UnderTest) -> None:
        """Nothing comes due any more."""
        await store.connect()
        challenge = await store.noticed()
        await store.take(labeled(seconds=5))
        (comment,) = await store.claim()
        assert (comment_of(comment).marker, comment_of(comment).comment_id) == (
            f"centralbot:gate:{challenge.id}",
            COMMENT,
        )
        event = (await store.store.challenges.history(challenge.id))[-1]
        assert (event.event, event.actor, event.detail["why"]) == ("challenge.exempted", "github:3003", "EXEMPT_LABEL")
        await store.advance(challenge.window_s + 1)
        assert await store.sweep() == (0, 0)

    async def test_labeling_stops_a_close_that_waits(self, store: UnderTest) -> None:
        """The challenge stays as it is, so its author can still pass; nothing has to be reopened then."""
        await store.connect()
        challenge = await store.timed_out()
        outcome = await store.take(labeled(seconds=4000))
        assert (outcome.reason, outcome.challenge_id) == (Reason.ALREADY_TIMED_OUT, challenge.id)
        assert await store.claim() == []
        assert (await store.verify(challenge)).status is ChallengeStatus.VERIFIED
        assert [action.action_type for action in await store.run_all()] == [ActionType.UPSERT_PR_COMMENT]

    async def test_labeling_after_the_close_makes_nothing_new(self, store: UnderTest) -> None:
        """A late pass still reopens."""
        await store.connect()
        challenge = await store.timed_out()
        await store.run_all()
        await store.take(labeled(seconds=4000))
        assert [c.id for c in await store.store.challenges.search()] == [challenge.id]
        await store.verify(challenge)
        assert [action.action_type for action in await store.run_all()] == [
            ActionType.REOPEN_PR_WITH_COMMENT,
            ActionType.UPSERT_PR_COMMENT,
        ]


def labeled(*, seconds: float) -> PullRequestEvent:
    return a_pull_request_event("labeled", seconds=seconds, label="centralbot:exempt", sender=MAINTAINER)


async def test_shadow_records_and_says_nothing(store: UnderTest) -> None:
    """The clock of what would have happened starts at once."""
    await store.connect(config=a_config(Mode.SHADOW))
    outcome = await store.opened()
    assert outcome.challenge_id is not None
    challenge = await store.store.challenges.get(outcome.challenge_id)
    assert (outcome.enqueued_actions, challenge.deadline_at is None) == (0, False)
    await store.advance(challenge.window_s + 1)
    assert await store.sweep() == (1, 0)
    assert await store.store.actions.search() == []


@pytest.mark.parametrize("verdict", [verdicts.on_verified, verdicts.on_exempted, verdicts.on_canceled])
async def test_shadow_says_nothing_of_verdicts_either(store: UnderTest, verdict: Callable[..., Effects]) -> None:
    """Whoever decides."""
    await store.connect(config=a_config(Mode.SHADOW))
    challenge = await store.challenged()
    await store.store.challenges.decide(challenge.id, lambda facts: verdict(store.context, facts, actor="github:3003"))
    assert await store.store.actions.search() == []


async def test_a_verified_pull_request_is_left_alone(store: UnderTest) -> None:
    """Later pushes do not ask again."""
    await store.connect()
    challenge = await store.noticed()
    await store.verify(challenge)
    again = await store.take(a_pull_request_event("synchronize", seconds=5))
    assert (again.reason, again.challenge_id) == (Reason.ALREADY_VERIFIED, challenge.id)


async def test_a_new_configuration_reaches_new_challenges_only(store: UnderTest) -> None:
    """A pending challenge keeps the window that its author was told."""
    await store.connect()
    old = await store.challenged()
    await store.store.repositories.configure(REPO, a_config(window_s=60), actor="test")
    new = await store.challenged(43)
    assert [(await store.store.challenges.get(c.id)).window_s for c in (old, new)] == [1800, 60]


async def test_what_a_delivery_did_is_on_record(store: UnderTest) -> None:
    """Who, what and by which delivery."""
    await store.connect()
    outcome = await store.opened(delivery_id="guid-1", sender=AUTHOR)
    assert outcome.challenge_id is not None
    (entry,) = await store.store.challenges.history(outcome.challenge_id)
    assert (entry.event, entry.actor, entry.installation_id, entry.detail["delivery_id"]) == (
        "challenge.created",
        f"github:{AUTHOR.id}",
        INSTALLATION,
        "guid-1",
    )


async def test_a_posted_comment_is_known_to_the_next_one(store: UnderTest) -> None:
    """The rewrite was queued while the first was on its way, and still finds the comment by its id."""
    await store.connect()
    challenge = await store.challenged()
    (first,) = await store.claim()
    await store.verify(challenge)
    await store.settle(first, comment_id=COMMENT)
    (second,) = await store.claim()
    assert (comment_of(second).marker, comment_of(second).comment_id) == (comment_of(first).marker, COMMENT)
