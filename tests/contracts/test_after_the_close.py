"""What is known of a close when its author passes late: however it ended, and long after it was forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from centralbot.domain.actions import ALREADY_CLOSED, ActionType
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import ChallengeNotPending
from centralbot.domain.events import RepositoryRef
from centralbot.domain.facts import Facts, Permission
from centralbot.domain.outbox import ActionStatus, Outcome
from centralbot.domain.verdicts import CloseState
from centralbot.ports.challenges import Retention
from tests.builders import INSTALLATION, MAINTAINER, REPO, a_pull_request_event, an_installation_event
from tests.contracts.driver import RULES, UnderTest

CLOSE, REOPEN, UPSERT = (
    ActionType.CLOSE_PR_WITH_COMMENT,
    ActionType.REOPEN_PR_WITH_COMMENT,
    ActionType.UPSERT_PR_COMMENT,
)


async def forget_actions(store: UnderTest) -> None:
    """As the sweeper does after a month."""
    later = await store.store.health.now() + timedelta(hours=1)
    long_ago = later - timedelta(days=3650)
    await store.store.upkeep.prune(
        Retention(actions_before=later, deliveries_before=long_ago, audit_before=long_ago), limit=100
    )


async def test_a_close_that_was_canceled_is_none(store: UnderTest) -> None:
    """Also one that had been tried."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, Outcome.RETRYABLE_FAILURE)
    await store.store.actions.cancel(close.id, context=store.context, actor="ops")
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.NONE


async def test_a_close_that_was_given_up_may_have_happened(store: UnderTest) -> None:
    """No answer was heard, so a late pass looks; a refusal is an answer."""
    await store.connect()
    challenge = await store.timed_out()
    for _ in range(RULES.max_attempts):
        (close,) = await store.claim()
        await store.settle(close, Outcome.RETRYABLE_FAILURE)
        await store.advance(3600)
    assert (await store.action(close.id)).status is ActionStatus.FAILED
    assert (await store.store.challenges.facts(challenge.id)).close is CloseState.UNKNOWN
    await store.verify(challenge)
    assert [action.action_type for action in await store.run_all()] == [REOPEN, UPSERT]


@pytest.mark.parametrize(
    ("outcome", "code", "kept", "said"),
    [
        (Outcome.SUCCEEDED, None, CloseState.CLOSED, [REOPEN, UPSERT]),
        (Outcome.SUCCEEDED, ALREADY_CLOSED, CloseState.NONE, [UPSERT]),
        (Outcome.FAILED, "LOCKED", CloseState.NONE, [UPSERT]),
    ],
)
async def test_a_late_pass_long_after_still_reopens_what_was_closed(
    store: UnderTest, outcome: Outcome, code: str | None, kept: CloseState, said: list[ActionType]
) -> None:
    """Its close is forgotten by then, but not what became of it."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, outcome, failure_code=code)
    await forget_actions(store)
    assert await store.store.actions.search() == []
    assert (await store.store.challenges.facts(challenge.id)).close is kept
    await store.verify(challenge)
    assert [action.action_type for action in await store.run_all()] == said


async def test_a_late_pass_is_refused_where_a_maintainer_has_reopened(store: UnderTest) -> None:
    """The pull request is exempt, and stays so."""
    await store.connect()
    first = await store.timed_out()
    await store.take(a_pull_request_event("reopened", seconds=4000, sender=MAINTAINER))
    with pytest.raises(ChallengeNotPending):
        await store.verify(first)


async def test_a_late_pass_speaks_where_the_repository_is_now(store: UnderTest) -> None:
    """It was transferred and renamed since it was closed."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.install(an_installation_event("created", installation_id=INSTALLATION + 1))
    there = RepositoryRef(id=REPO, full_name="elsewhere/new")
    await store.install(
        an_installation_event(
            "transferred",
            event_name="repository",
            installation_id=INSTALLATION + 1,
            seconds=9000,
            repositories=(there,),
        )
    )
    await store.verify(challenge)
    newest = (await store.store.actions.search())[:2]
    assert {(action.installation_id, action.repo_full_name) for action in newest} == {
        (INSTALLATION + 1, "elsewhere/new")
    }


async def test_a_late_pass_counts_where_the_repository_is_gone(store: UnderTest) -> None:
    """What is said goes to where it was, by the name that it had."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.install(an_installation_event("removed", removed=(REPO,), seconds=9000))
    assert (await store.verify(challenge)).status is ChallengeStatus.VERIFIED
    newest = (await store.store.actions.search())[:2]
    assert {(action.installation_id, action.repo_full_name) for action in newest} == {
        (INSTALLATION, challenge.repo_full_name)
    }


async def test_a_close_withheld_after_the_pass_changes_nothing(store: UnderTest) -> None:
    """The author has passed; that an exemption was found too does not matter any more."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.verify(challenge)
    maintains = Facts(author_permission=Permission.MAINTAIN)
    result = {"failure_code": "EXEMPT_PERMISSION", "facts": maintains}
    assert await store.settle(close, Outcome.WITHHELD, **result) is ActionStatus.CANCELED
    assert (await store.store.challenges.get(challenge.id)).status is ChallengeStatus.VERIFIED
