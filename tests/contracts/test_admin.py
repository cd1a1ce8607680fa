"""The operators' ports: repositories, whitelists, actions."""

from __future__ import annotations

from uuid import uuid4

import pytest

from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode, VerificationKind
from centralbot.domain.errors import ChallengeNotPending, IllegalTransition, NotFound, ValidationError
from centralbot.domain.events import Actor, AuthorAssociation
from centralbot.domain.gating import Reason
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus, Outcome
from centralbot.domain.verdicts import CloseState
from tests.builders import INSTALLATION, REPO, a_config, a_pull_request_event, an_installation_event, comment_of
from tests.contracts.driver import COMMENT, RULES, UnderTest


class TestRepositories:
    """Port ``Repositories``."""

    async def test_a_configuration_comes_back_as_it_was_set(self, store: UnderTest) -> None:
        """Every field; the repository need not be known otherwise."""
        config = a_config(
            Mode.SHADOW,
            draft_prs_gated=False,
            window_s=61,
            verification=(VerificationKind.ATTESTATION,),
            exempt_associations=frozenset({AuthorAssociation.OWNER}),
            exempt_bots=False,
            comment_on_exempt=False,
            exempt_label="let-in",
            rules="Be kind.\nTest it.",
        )
        await store.store.repositories.configure(5, config, actor="test")
        record = await store.store.repositories.get(5)
        assert record is not None
        assert (record.config, record.full_name, record.installation_id, record.connected) == (
            config,
            None,
            None,
            False,
        )

    async def test_what_was_never_heard_of_is_none(self, store: UnderTest) -> None:
        """Neither synced nor configured."""
        assert await store.store.repositories.get(5) is None

    async def test_the_list_is_by_name(self, store: UnderTest) -> None:
        """Configured ones without a name come along."""
        await store.connect(3, 1, 2)
        await store.store.repositories.configure(9, a_config(), actor="test")
        listed = await store.store.repositories.list()
        assert [r.repo_id for r in listed if r.full_name] == [1, 2, 3]
        assert {r.repo_id for r in listed} == {1, 2, 3, 9}

    async def test_an_operator_can_connect_without_github(self, store: UnderTest) -> None:
        """The bot gates it at once."""
        await store.store.repositories.configure(REPO, a_config(), actor="test")
        await store.store.repositories.connect(REPO, installation_id=INSTALLATION, full_name="org/by-hand")
        record = await store.store.repositories.get(REPO)
        assert record is not None
        assert (record.connected, record.installation_status, record.full_name) == (
            True,
            InstallationStatus.ACTIVE,
            "org/by-hand",
        )
        assert (await store.opened()).reason == Reason.CHALLENGED

    async def test_any_event_overrides_the_operator(self, store: UnderTest) -> None:
        """Even one from long ago."""
        await store.store.repositories.connect(REPO, installation_id=INSTALLATION, full_name="org/by-hand")
        await store.install(an_installation_event("removed", removed=(REPO,), seconds=-1_000_000))
        record = await store.store.repositories.get(REPO)
        assert record is not None
        assert record.connected is False

    async def test_a_suspension_from_long_ago_overrides_the_operator(self, store: UnderTest) -> None:
        """GitHub knows better."""
        await store.store.repositories.connect(REPO, installation_id=INSTALLATION, full_name="org/by-hand")
        await store.install(an_installation_event("suspend", seconds=-1_000_000))
        assert (await store.opened()).reason == Reason.INSTALLATION_NOT_ACTIVE

    async def test_a_deleted_installation_cannot_be_connected(self, store: UnderTest) -> None:
        """It is final."""
        await store.install(an_installation_event("deleted"))
        with pytest.raises(ValidationError):
            await store.store.repositories.connect(REPO, installation_id=INSTALLATION, full_name="org/repo")

    async def test_connecting_elsewhere_leaves_the_old_installation(self, store: UnderTest) -> None:
        """A repository is in one installation at a time."""
        await store.connect()
        await store.store.repositories.connect(REPO, installation_id=124, full_name="org/repo")
        record = await store.store.repositories.get(REPO)
        assert record is not None
        assert (record.installation_id, record.connected) == (124, True)


class TestWhitelist:
    """Port ``Whitelist``."""

    async def test_entries_are_by_login_and_refreshed(self, store: UnderTest) -> None:
        """The id is the key, the login is for display."""
        whitelist = store.store.whitelist
        for user in (Actor(id=2, login="bob"), Actor(id=1, login="zoe"), Actor(id=1, login="alice")):
            await whitelist.add(REPO, user, actor="test")
        assert [entry.user for entry in await whitelist.entries(REPO)] == [
            Actor(id=1, login="alice"),
            Actor(id=2, login="bob"),
        ]
        assert await whitelist.entries(REPO + 1) == []

    async def test_removing_says_whether_there_was_one(self, store: UnderTest) -> None:
        """True, then False."""
        await store.store.whitelist.add(REPO, Actor(id=2, login="bob"), actor="test")
        assert [await store.store.whitelist.remove(REPO, 2, actor="test") for _ in range(2)] == [True, False]
        assert await store.store.whitelist.entries(REPO) == []

    async def test_replacing_makes_it_exactly_that(self, store: UnderTest) -> None:
        """Who stays keeps when they came; of another repository nothing is touched; the audit names who moved."""
        whitelist = store.store.whitelist
        for user in (Actor(id=1, login="alice"), Actor(id=2, login="bob")):
            await whitelist.add(REPO, user, actor="test")
        await whitelist.add(REPO + 1, Actor(id=1, login="alice"), actor="test")
        before = {entry.user.id: entry.added_at for entry in await whitelist.entries(REPO)}
        wanted = [Actor(id=3, login="carol"), Actor(id=1, login="alice-new")]
        await whitelist.replace(REPO, wanted, actor="github:7")
        entries = await whitelist.entries(REPO)
        assert [entry.user for entry in entries] == [Actor(id=1, login="alice-new"), Actor(id=3, login="carol")]
        assert entries[0].added_at == before[1]
        assert len(await whitelist.entries(REPO + 1)) == 1
        events = (await store.store.reports.audit(REPO))[:2]
        assert {(event.event, event.actor, event.detail["user_id"], event.detail["login"]) for event in events} == {
            ("whitelist.added", "github:7", 3, "carol"),
            ("whitelist.removed", "github:7", 2, "bob"),
        }

    async def test_replacing_with_nobody_empties_it_and_again_says_nothing(self, store: UnderTest) -> None:
        """Nothing changed, nothing to tell."""
        await store.store.whitelist.add(REPO, Actor(id=2, login="bob"), actor="test")
        for _ in range(2):
            await store.store.whitelist.replace(REPO, [], actor="test")
        assert await store.store.whitelist.entries(REPO) == []
        assert [event.event for event in await store.store.reports.audit(REPO)] == [
            "whitelist.removed",
            "whitelist.added",
        ]


class TestActions:
    """Port ``Actions``."""

    async def dead(self, store: UnderTest) -> Action:
        """A gate comment that failed for good."""
        await store.connect()
        await store.challenged()
        (action,) = await store.claim()
        await store.settle(action, Outcome.FAILED, failure_code="LOCKED", failure_message="issue is locked")
        return await store.action(action.id)

    async def test_search_pages_newest_first(self, store: UnderTest) -> None:
        """By status."""
        await store.connect()
        for number in range(1, 6):
            await store.opened(number)
        await store.claim(limit=1)
        first = await store.store.actions.search(limit=2)
        second = await store.store.actions.search(limit=9, before=first[-1].id)
        assert [a.pr_number for a in (*first, *second)] == [5, 4, 3, 2, 1]
        pending = await store.store.actions.search(status=ActionStatus.PENDING)
        assert [a.pr_number for a in pending] == [5, 4, 3, 2]

    async def test_a_dead_one_is_kept_with_its_reason(self, store: UnderTest) -> None:
        """Visible to an operator."""
        action = await self.dead(store)
        found = await store.store.actions.search(status=ActionStatus.FAILED)
        assert [(a.id, a.failure_code, a.failure_message) for a in found] == [(action.id, "LOCKED", "issue is locked")]

    async def test_a_retry_renews_the_challenge_that_went_with_the_comment(self, store: UnderTest) -> None:
        """Its author gets the whole window from the comment on."""
        action = await self.dead(store)
        retried = await store.store.actions.retry(action.id, context=store.context, actor="ops")
        assert (retried.id, retried.status, retried.attempts) == (action.id, ActionStatus.PENDING, 0)
        assert retried.challenge_id is not None
        assert retried.challenge_id != action.challenge_id
        renewed = await store.store.challenges.get(retried.challenge_id)
        assert (renewed.status, renewed.deadline_at, comment_of(retried).marker) == (
            ChallengeStatus.PENDING,
            None,
            f"centralbot:gate:{renewed.id}",
        )
        assert str(renewed.id) in comment_of(retried).markdown
        history = await store.store.challenges.history(renewed.id)
        made = next(event for event in history if event.event == "challenge.created")
        assert (made.actor, made.detail) == ("ops", {"renews": str(action.challenge_id)})
        assert [a.id for a in await store.run_all()] == [action.id]
        assert (await store.store.challenges.get(renewed.id)).deadline_at is not None

    async def test_a_retry_renews_nothing_when_something_newer_counts(self, store: UnderTest) -> None:
        """Its link would lead nowhere, beside that of the challenge that counts."""
        action = await self.dead(store)
        newer = await store.opened(seconds=5)
        with pytest.raises(ChallengeNotPending):
            await store.store.actions.retry(action.id, context=store.context, actor="ops")
        assert newer.reason == Reason.CHALLENGED

    async def test_a_retry_renews_nothing_when_an_older_one_counts_again(self, store: UnderTest) -> None:
        """Its author passed the first challenge late, after the comment of the second had failed."""
        await store.connect()
        first = await store.timed_out()
        await store.run_all()
        await store.take(a_pull_request_event("reopened", seconds=9000))
        (comment,) = await store.claim()
        await store.settle(comment, Outcome.FAILED)
        await store.verify(first)
        with pytest.raises(ChallengeNotPending):
            await store.store.actions.retry(comment.id, context=store.context, actor="ops")

    async def test_a_comment_that_something_newer_overtook_is_not_brought_back(self, store: UnderTest) -> None:
        """It would take the word "verified" back."""
        await store.connect()
        await store.extend(challenge := await store.noticed())
        (extended,) = await store.claim()
        await store.settle(extended, Outcome.FAILED)
        await store.verify(challenge)
        with pytest.raises(ChallengeNotPending):
            await store.store.actions.retry(extended.id, context=store.context, actor="ops")

    async def test_a_retry_gives_fresh_attempts_but_looks_first(self, store: UnderTest) -> None:
        """Invariant 4: an attempt of its earlier life may have written without being heard."""
        await store.connect()
        await store.timed_out()
        for _ in range(RULES.max_attempts):
            (close,) = await store.claim()
            await store.settle(close, Outcome.RETRYABLE_FAILURE)
            await store.advance(3600)
        assert await store.claim() == []
        retried = await store.store.actions.retry(close.id, context=store.context, actor="ops")
        assert retried.attempts == 1
        assert close.challenge_id is not None
        assert (await store.store.challenges.facts(close.challenge_id)).close is CloseState.UNKNOWN
        assert [(a.id, a.attempts) for a in await store.claim()] == [(close.id, 2)]

    async def test_only_a_dead_one_can_be_retried(self, store: UnderTest) -> None:
        """Pending, claimed and done cannot."""
        await store.connect()
        await store.opened()
        (action,) = await store.store.actions.search()
        with pytest.raises(IllegalTransition):
            await store.store.actions.retry(action.id, context=store.context, actor="ops")
        await store.run_all()
        with pytest.raises(IllegalTransition):
            await store.store.actions.retry(action.id, context=store.context, actor="ops")

    async def test_an_unknown_one_is_not_found(self, store: UnderTest) -> None:
        """Retrying or canceling."""
        with pytest.raises(NotFound):
            await store.store.actions.retry(uuid4(), context=store.context, actor="ops")
        with pytest.raises(NotFound):
            await store.store.actions.cancel(uuid4(), context=store.context, actor="ops")

    async def test_a_canceled_one_is_never_handed_out(self, store: UnderTest) -> None:
        """It says who wanted that."""
        await store.connect()
        await store.timed_out()
        (close,) = await store.store.actions.search(status=ActionStatus.PENDING)
        canceled = await store.store.actions.cancel(close.id, context=store.context, actor="ops")
        assert (canceled.status, canceled.failure_code) == (ActionStatus.CANCELED, "OPERATOR")
        assert await store.claim() == []

    async def test_canceling_the_notice_cancels_its_challenge(self, store: UnderTest) -> None:
        """Invariant 1: a comment that will never be posted leaves nobody pending for ever."""
        await store.connect()
        challenge = await store.challenged()
        (action,) = await store.store.actions.search()
        await store.store.actions.cancel(action.id, context=store.context, actor="ops")
        after = await store.store.challenges.get(challenge.id)
        assert (after.status, after.reason) == (ChallengeStatus.CANCELED, CancelReason.NOTICE_FAILED)

    async def test_neither_a_live_nor_a_done_one_can_be_canceled(self, store: UnderTest) -> None:
        """Somebody is at it, or it has happened."""
        await store.connect()
        await store.opened()
        (action,) = await store.claim()
        with pytest.raises(IllegalTransition, match="no transition from CLAIMED on superseded or canceled"):
            await store.store.actions.cancel(action.id, context=store.context, actor="ops")
        assert await store.settle(action) == ActionStatus.DONE
        with pytest.raises(IllegalTransition):
            await store.store.actions.cancel(action.id, context=store.context, actor="ops")

    async def test_a_dead_one_can_be_canceled(self, store: UnderTest) -> None:
        """So that it no longer shows as a problem."""
        action = await self.dead(store)
        canceled = await store.store.actions.cancel(action.id, context=store.context, actor="ops")
        assert canceled.status == ActionStatus.CANCELED


async def test_what_was_dead_does_not_hold_its_pull_request_back(store: UnderTest) -> None:
    """A dead letter is settled: what follows goes on."""
    await store.connect()
    challenge = await store.noticed()
    await store.extend(challenge)
    (rewrite,) = await store.claim()
    await store.settle(rewrite, Outcome.FAILED)
    await store.verify(challenge)
    assert [comment_of(a).reason for a in await store.run_all()] == ["VERIFIED"]


async def test_a_reopened_pull_request_after_a_canceled_notice_is_challenged_again(store: UnderTest) -> None:
    """The cancellation did not exempt anybody."""
    await store.connect()
    challenge = await store.challenged()
    (action,) = await store.claim()
    await store.settle(action, Outcome.FAILED, comment_id=COMMENT)
    outcome = await store.take(a_pull_request_event("synchronize", seconds=60))
    assert outcome.reason == Reason.CHALLENGED
    assert outcome.challenge_id != challenge.id
