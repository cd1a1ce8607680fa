"""Port ``Outbox``: actions that a worker withholds for what GitHub told it right before it would have written."""

from __future__ import annotations

import pytest

from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import ActionNotHeld
from centralbot.domain.events import Actor
from centralbot.domain.facts import Fact, Facts, Permission
from centralbot.domain.outbox import WITHHELD_S, ActionStatus, Outcome
from tests.builders import REPO, a_config, comment_of
from tests.contracts.driver import COMMENT, UnderTest

UPSERT, CLOSE = ActionType.UPSERT_PR_COMMENT, ActionType.CLOSE_PR_WITH_COMMENT
MAINTAINS = Facts(author_permission=Permission.MAINTAIN)
DRAFT = Facts(is_draft=True, author_permission=Permission.READ, labels=())
WITHHELD = Outcome.WITHHELD


async def test_who_asks_and_who_closes_carry_what_to_judge_with(store: UnderTest) -> None:
    """The configuration and the whitelist of the moment of the claim, not of the event."""
    config = a_config(exempt_label="let-in")
    await store.connect(config=config)
    challenge = await store.challenged()
    (comment,) = await store.claim()
    assert comment.policy is not None
    assert (comment.policy.author.id, comment.policy.whitelisted) == (challenge.author_id, False)
    assert (comment.policy.config, comment.policy.needs) == (config, frozenset({Fact.AUTHOR_PERMISSION}))
    await store.settle(comment, comment_id=COMMENT)
    await store.advance(challenge.window_s + 1)
    await store.sweep()
    user = Actor(id=challenge.author_id, login=challenge.author_login)
    await store.store.whitelist.add(REPO, user, actor="test")
    (close,) = await store.claim()
    assert close.policy is not None
    assert (close.policy.whitelisted, close.policy.closes, Fact.LABELS in close.policy.needs) == (True, True, True)


async def test_a_gate_comment_for_an_exempt_author_is_never_posted(store: UnderTest) -> None:
    """Nothing was said, so nothing more is; the author is exempt, and the trace says why."""
    await store.connect()
    challenge = await store.challenged()
    (comment,) = await store.claim()
    assert await store.settle(comment, WITHHELD, failure_code="EXEMPT_PERMISSION", facts=MAINTAINS) == "CANCELED"
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.EXEMPT, "EXEMPT_PERMISSION")
    assert await store.run_all() == []
    events = [event.event for event in await store.store.challenges.history(challenge.id)]
    assert events == ["challenge.created", "challenge.exempted"]


async def test_a_withheld_close_leaves_an_exempt_author(store: UnderTest) -> None:
    """Time had run out, but nothing was closed; the gate comment stops asking."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    assert await store.settle(close, WITHHELD, failure_code="EXEMPT_PERMISSION", facts=MAINTAINS) == "CANCELED"
    after = await store.store.challenges.get(challenge.id)
    assert (after.status, after.reason) == (ChallengeStatus.EXEMPT, "EXEMPT_PERMISSION")
    (said,) = await store.run_all()
    assert (said.action_type, comment_of(said).reason) == (UPSERT, ActionReason.EXEMPT)
    assert (await store.action(close.id)).failure_code == "EXEMPT_PERMISSION"


async def test_a_draft_waits_without_an_attempt(store: UnderTest) -> None:
    """It is handed out again after the time that the worker named, as often as it takes."""
    await store.connect(config=a_config(draft_prs_gated=False))
    challenge = await store.timed_out()
    for _ in range(5):
        (close,) = await store.claim()
        assert close.attempts == 1
        result = {"failure_code": "CONVERTED_TO_DRAFT", "retry_after_s": 600, "facts": DRAFT}
        assert await store.settle(close, WITHHELD, **result) == "PENDING"
        assert await store.claim() == []
        await store.advance(601)
    assert (await store.store.challenges.get(challenge.id)).status is ChallengeStatus.TIMED_OUT_CLOSED


async def test_what_the_worker_saw_is_judged_here(store: UnderTest) -> None:
    """A worker that withholds for what the backend does not call a reason only delays."""
    await store.connect()
    challenge = await store.challenged()
    (comment,) = await store.claim()
    seen = Facts(author_permission=Permission.READ)
    assert await store.settle(comment, WITHHELD, failure_code="I_WOULD_RATHER_NOT", facts=seen) == "PENDING"
    await store.advance(WITHHELD_S + 1)
    assert [action.id for action in await store.claim()] == [comment.id]
    assert (await store.store.challenges.get(challenge.id)).status is ChallengeStatus.PENDING


async def test_a_withheld_result_counts_once_and_from_its_holder_alone(store: UnderTest) -> None:
    """As any result."""
    await store.connect()
    await store.challenged()
    (comment,) = await store.claim()
    with pytest.raises(ActionNotHeld):
        await store.settle(comment, WITHHELD, facts=MAINTAINS, worker_id="worker-2")
    result = {"failure_code": "EXEMPT_PERMISSION", "facts": MAINTAINS}
    assert [await store.settle(comment, WITHHELD, **result) for _ in range(2)] == [ActionStatus.CANCELED] * 2


async def test_something_newer_that_counts_stays(store: UnderTest) -> None:
    """A close of an older challenge is withheld; the pull request's newer one is left as it is."""
    await store.connect()
    first = await store.timed_out()
    (close,) = await store.claim()
    await store.opened(action="reopened", seconds=9000)
    assert await store.settle(close, WITHHELD, failure_code="EXEMPT_PERMISSION", facts=MAINTAINS) == "CANCELED"
    assert (await store.store.challenges.get(first.id)).status is ChallengeStatus.TIMED_OUT_CLOSED
    challenges = await store.store.challenges.search(repo_id=REPO)
    assert [challenge.status for challenge in challenges] == ["PENDING", "TIMED_OUT_CLOSED"]
