"""Port ``Challenges``: reads, and decisions under lock."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from centralbot.domain import verdicts
from centralbot.domain.actions import ALREADY_CLOSED, ActionReason, ActionType
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.effects import NOTHING, Effects
from centralbot.domain.errors import ChallengeNotPending, NotFound
from centralbot.domain.events import IngestStatus
from centralbot.domain.outbox import ActionStatus, Outcome
from centralbot.domain.rules import MAINTAINER
from centralbot.domain.verdicts import ChallengeFacts, CloseState
from centralbot.ports.challenges import MAX_NOTES, Proof
from tests.builders import AUTHOR, INSTALLATION, REPO, a_pull_request_event, an_installation_event, comment_of
from tests.contracts.driver import COMMENT, RULES, UnderTest

ACTOR = "github:3003"
REOPEN = ActionType.REOPEN_PR_WITH_COMMENT
UPSERT = ActionType.UPSERT_PR_COMMENT


async def facts_of(store: UnderTest, challenge_id: UUID) -> ChallengeFacts:
    """What a decision would be given now."""
    seen: list[ChallengeFacts] = []

    def look(facts: ChallengeFacts) -> Effects:
        seen.append(facts)
        return NOTHING

    await store.store.challenges.decide(challenge_id, look)
    return seen[-1]


async def test_an_unknown_challenge_is_not_found(store: UnderTest) -> None:
    """Reading or deciding."""
    with pytest.raises(NotFound):
        await store.store.challenges.get(uuid4())
    with pytest.raises(NotFound):
        await facts_of(store, uuid4())


async def test_what_is_shown_is_what_a_decision_is_given(store: UnderTest) -> None:
    """With the close on its way, and after a late pass; an unknown challenge is not found."""
    await store.connect()
    challenge = await store.timed_out()
    for _ in range(2):
        shown, given = await store.store.challenges.facts(challenge.id), await facts_of(store, challenge.id)
        assert given == replace(shown, now=given.now)
        await store.verify(challenge)
    with pytest.raises(NotFound):
        await store.store.challenges.facts(uuid4())


async def test_a_pass_in_time_verifies_and_says_so(store: UnderTest) -> None:
    """The comment is rewritten, nothing else happens."""
    await store.connect()
    challenge = await store.noticed()
    after = await store.verify(challenge)
    assert (after.status, after.reason) == (ChallengeStatus.VERIFIED, "IN_TIME")
    (action,) = await store.claim()
    assert (action.action_type, comment_of(action).reason, comment_of(action).comment_id) == (
        UPSERT,
        ActionReason.VERIFIED,
        COMMENT,
    )


async def test_passing_twice_is_the_same_as_once(store: UnderTest) -> None:
    """No second comment."""
    await store.connect()
    challenge = await store.noticed()
    first, second = await store.verify(challenge), await store.verify(challenge)
    assert first == second
    assert len(await store.store.actions.search()) == 2


async def test_passing_fifty_times_at_once_counts_once(store: UnderTest) -> None:
    """Decisions about one challenge are one after the other."""
    await store.connect()
    challenge = await store.noticed()
    results = await asyncio.gather(*(store.verify(challenge) for _ in range(50)))
    assert {result.status for result in results} == {ChallengeStatus.VERIFIED}
    assert len(await store.store.actions.search()) == 2


async def test_a_late_pass_before_the_close_stops_it(store: UnderTest) -> None:
    """Nobody worked on it yet: it is canceled, and nothing need be reopened."""
    await store.connect()
    challenge = await store.timed_out()
    after = await store.verify(challenge)
    assert (after.status, after.reason) == (ChallengeStatus.VERIFIED, "LATE")
    assert [action.action_type for action in await store.run_all()] == [UPSERT]


async def test_a_late_pass_after_the_close_reopens(store: UnderTest) -> None:
    """Invariant 7."""
    await store.connect()
    challenge = await store.timed_out()
    await store.run_all()
    await store.verify(challenge)
    assert [action.action_type for action in await store.run_all()] == [REOPEN, UPSERT]


async def test_a_late_pass_after_a_close_that_was_not_heard_of_reopens(store: UnderTest) -> None:
    """GitHub may have closed it all the same: the reopening looks."""
    await store.connect()
    challenge = await store.timed_out()
    await store.claim()
    await store.advance(RULES.lease_s + 1)
    await store.verify(challenge)
    assert [action.action_type for action in await store.run_all()] == [REOPEN, UPSERT]


async def test_a_late_pass_after_a_foreign_close_does_not_reopen(store: UnderTest) -> None:
    """Invariant 8: a human closed it, a human reopens it."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, failure_code=ALREADY_CLOSED)
    await store.verify(challenge)
    assert [action.action_type for action in await store.run_all()] == [UPSERT]


async def test_a_late_pass_is_refused_when_a_newer_challenge_counts(store: UnderTest) -> None:
    """One active challenge per pull request."""
    await store.connect()
    first = await store.timed_out()
    await store.take(a_pull_request_event("reopened", seconds=4000, sender=AUTHOR))
    with pytest.raises(ChallengeNotPending):
        await store.verify(first)
    assert (await store.store.challenges.get(first.id)).status == ChallengeStatus.TIMED_OUT_CLOSED


async def test_facts_tell_how_far_the_close_has_come(store: UnderTest) -> None:
    """Each state in turn."""
    await store.connect()
    challenge = await store.noticed()
    states = [(await facts_of(store, challenge.id)).close]
    await store.advance(challenge.window_s + 1)
    await store.sweep()
    states.append((await facts_of(store, challenge.id)).close)
    (close,) = await store.claim()
    states.append((await facts_of(store, challenge.id)).close)
    await store.settle(close, comment_id=COMMENT)
    states.append((await facts_of(store, challenge.id)).close)
    assert states == [CloseState.NONE, CloseState.QUEUED, CloseState.IN_FLIGHT, CloseState.CLOSED]


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (Outcome.SUCCEEDED, ALREADY_CLOSED, CloseState.NOT_BY_US),
        (Outcome.SUCCEEDED, None, CloseState.CLOSED),
        (Outcome.FAILED, "LOCKED", CloseState.NONE),
    ],
)
async def test_facts_tell_a_close_that_was_not_ours(
    store: UnderTest, outcome: Outcome, code: str | None, expected: CloseState
) -> None:
    """By its word; a worker that knows only the unmarked fields is believed to have closed it."""
    await store.connect()
    challenge = await store.timed_out()
    (close,) = await store.claim()
    await store.settle(close, outcome, failure_code=code)
    assert (await facts_of(store, challenge.id)).close == expected


async def test_a_close_whose_lease_ran_out_may_have_happened(store: UnderTest) -> None:
    """No live claim holds it, so it can be canceled; but its worker may have closed the pull request."""
    await store.connect()
    challenge = await store.timed_out()
    await store.claim()
    await store.advance(RULES.lease_s + 1)
    assert (await facts_of(store, challenge.id)).close == CloseState.UNKNOWN


async def test_facts_tell_a_whitelisted_author(store: UnderTest) -> None:
    """As of now."""
    await store.connect()
    challenge = await store.noticed()
    await store.store.whitelist.add(REPO, AUTHOR, actor="test")
    assert (await facts_of(store, challenge.id)).whitelisted is True


async def test_a_maintainer_exempts(store: UnderTest) -> None:
    """Recorded with who did it."""
    await store.connect()
    challenge = await store.noticed()
    after = await store.store.challenges.decide(
        challenge.id, lambda facts: verdicts.on_exempted(store.context, facts, actor=ACTOR)
    )
    assert (after.status, after.reason) == (ChallengeStatus.EXEMPT, MAINTAINER.code)
    assert [(e.event, e.actor) for e in await store.store.challenges.history(challenge.id)] == [
        ("challenge.created", "centralbot"),
        ("challenge.exempted", ACTOR),
    ]


async def test_a_maintainer_extends(store: UnderTest) -> None:
    """The deadline moves, and the author is told."""
    await store.connect()
    before = await store.noticed()
    after = await store.extend(before, by_s=900)
    assert before.deadline_at is not None
    assert after.deadline_at is not None
    assert ((after.deadline_at - before.deadline_at).total_seconds(), after.window_s) == (900, before.window_s + 900)
    assert [comment_of(action).reason for action in await store.claim()] == [ActionReason.DEADLINE_EXTENDED]


async def test_a_maintainer_cancels(store: UnderTest) -> None:
    """And nothing is closed later."""
    await store.connect()
    challenge = await store.noticed()
    after = await store.store.challenges.decide(
        challenge.id, lambda facts: verdicts.on_canceled(store.context, facts, actor=ACTOR)
    )
    assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.MAINTAINER)
    await store.advance(86_400)
    assert await store.sweep() == (0, 0)


async def test_a_decision_that_raises_changes_nothing(store: UnderTest) -> None:
    """Not even the proofs are kept."""
    await store.connect()
    challenge = await store.noticed()

    def refuse(facts: ChallengeFacts) -> Effects:
        raise ChallengeNotPending("no")

    proof = Proof(id=uuid4(), kind="github-login", evidence={"github_user_id": AUTHOR.id})
    with pytest.raises(ChallengeNotPending):
        await store.store.challenges.decide(challenge.id, refuse, proofs=[proof])
    assert await store.store.challenges.get(challenge.id) == challenge


async def test_proofs_are_kept_with_the_decision(store: UnderTest) -> None:
    """The same kind again is no error."""
    await store.connect()
    challenge = await store.noticed()
    for _ in range(2):
        proof = Proof(id=uuid4(), kind="github-login", evidence={"github_user_id": AUTHOR.id, "note": None})
        after = await store.store.challenges.decide(
            challenge.id, lambda facts: verdicts.on_verified(store.context, facts, actor=ACTOR), proofs=[proof]
        )
    assert after.status == ChallengeStatus.VERIFIED


async def test_verifying_and_sweeping_at_once_have_one_winner(store: UnderTest) -> None:
    """Fault 36: whoever is first, a verified pull request is open in the end."""
    await store.connect()
    challenge = await store.noticed()
    await store.advance(challenge.window_s + 1)
    await asyncio.gather(store.verify(challenge), store.sweep())
    assert (await store.store.challenges.get(challenge.id)).status == ChallengeStatus.VERIFIED
    done = [action.action_type for action in await store.run_all()]
    assert ActionType.CLOSE_PR_WITH_COMMENT not in done


async def test_verifying_and_closing_at_once_have_one_winner(store: UnderTest) -> None:
    """One of them is told that it came too late."""
    await store.connect()
    challenge = await store.noticed()
    outcome, verified = await asyncio.gather(
        store.take(a_pull_request_event("closed", seconds=9)), store.verify(challenge), return_exceptions=True
    )
    after = (await store.store.challenges.get(challenge.id)).status
    if isinstance(verified, ChallengeNotPending):
        assert after == ChallengeStatus.CANCELED
    else:
        assert (after, getattr(outcome, "status", outcome)) == (ChallengeStatus.VERIFIED, IngestStatus.IGNORED)


async def test_search_pages_newest_first(store: UnderTest) -> None:
    """By repository and status, ``before`` the last of the page before."""
    await store.connect(1, 2)
    made = [await store.challenged(n, repo_id=1) for n in range(1, 6)]
    other = await store.challenged(1, repo_id=2)
    await store.verify(made[0])
    first = await store.store.challenges.search(repo_id=1, limit=2)
    second = await store.store.challenges.search(repo_id=1, limit=9, before=first[-1].id)
    assert [c.pr_number for c in (*first, *second)] == [5, 4, 3, 2, 1]
    pending = await store.store.challenges.search(status=ChallengeStatus.PENDING)
    assert {c.id for c in pending} == {c.id for c in (*made[1:], other)}


async def test_history_is_oldest_first(store: UnderTest) -> None:
    """From the making to the verdict."""
    await store.connect()
    challenge = await store.timed_out()
    await store.verify(challenge)
    events = [entry.event for entry in await store.store.challenges.history(challenge.id)]
    assert events == ["challenge.created", "challenge.timed_out", "challenge.verified"]


async def test_history_tells_how_much_time_was_left(store: UnderTest) -> None:
    """To whoever passed while the clock ran; nobody else had any use of it."""
    await store.connect()
    passed, exempted, unposted = await store.noticed(1), await store.noticed(2), await store.challenged(3)
    await store.advance(100)
    await store.verify(passed)
    await store.verify(unposted)
    await store.store.challenges.decide(
        exempted.id, lambda facts: verdicts.on_exempted(store.context, facts, actor=ACTOR)
    )
    left = [
        (await store.store.challenges.history(challenge.id))[-1].detail.get("left_s")
        for challenge in (passed, exempted, unposted)
    ]
    assert left[0] in range(passed.window_s - 160, passed.window_s - 100 + 1)
    assert left[1:] == [None, None]


async def test_actions_of_a_repository_removed_mid_way_say_so(store: UnderTest) -> None:
    """A queued close of a dropped repository is canceled with its reason."""
    await store.connect()
    await store.timed_out()
    (close,) = [a for a in await store.store.actions.search() if a.status is ActionStatus.PENDING]
    await store.install(an_installation_event("removed", removed=(REPO,), seconds=9))
    after = await store.action(close.id)
    assert (after.status, after.failure_code) == (ActionStatus.CANCELED, CancelReason.REPOSITORY_REMOVED)


class TestNotes:
    """What is only written down."""

    async def test_a_note_says_who_and_why_and_changes_nothing(self, store: UnderTest) -> None:
        """Fault 50: the wrong person at the door."""
        await store.connect()
        challenge = await store.noticed()
        await store.store.challenges.note(
            challenge.id, "challenge.refused", actor="github:77", detail={"why": "NOT_THE_AUTHOR"}
        )
        note = (await store.store.challenges.history(challenge.id))[-1]
        assert (note.event, note.actor, note.detail) == (
            "challenge.refused",
            "github:77",
            {"why": "NOT_THE_AUTHOR"},
        )
        assert (note.repo_id, note.pr_number, note.installation_id) == (REPO, challenge.pr_number, INSTALLATION)
        assert await store.store.challenges.get(challenge.id) == challenge

    async def test_nobody_fills_the_audit(self, store: UnderTest) -> None:
        """Also not with many tries at once; each challenge and each event has its own bound."""
        await store.connect()
        challenge, other = await store.challenged(1), await store.challenged(2)
        note = store.store.challenges.note

        async def refuse(times: int) -> None:
            await asyncio.gather(
                *(note(challenge.id, "challenge.refused", actor="github:77", detail={}) for _ in range(times))
            )

        await refuse(15)
        await refuse(15)
        await note(challenge.id, "challenge.something_else", actor="github:77", detail={})
        await note(other.id, "challenge.refused", actor="github:77", detail={})
        counts = Counter((event.pr_number, event.event) for event in await store.store.reports.audit(REPO, limit=200))
        assert counts[1, "challenge.refused"] == MAX_NOTES
        assert (counts[1, "challenge.something_else"], counts[2, "challenge.refused"]) == (1, 1)

    async def test_an_unknown_challenge_takes_no_note(self, store: UnderTest) -> None:
        """NotFound, as everywhere."""
        with pytest.raises(NotFound):
            await store.store.challenges.note(uuid4(), "challenge.refused", actor="github:77", detail={})
