"""One claimed action on GitHub: what is done, what is said, and what is reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from centralbot.domain.actions import ALREADY_CLOSED, PAYLOADS, ActionType
from centralbot.domain.comments import cannot_reopen, marker_line, with_marker
from centralbot.domain.outbox import Outcome
from centralbot.ports.github import (
    GitHubError,
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
    PullRequestRef,
    Ready,
    always,
)
from centralbot.ports.outbox import ClaimedAction
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import Execution, executors
from tests.doubles.memory.clock import ManualClock
from tests.doubles.memory.github import MemoryGitHub

UPSERT, CLOSE, REOPEN = ActionType
MARKER = "centralbot:gate:test"
REASONS = {UPSERT: "VERIFICATION_REQUIRED", CLOSE: "CHALLENGE_TIMED_OUT", REOPEN: "VERIFIED_LATE"}


class World:
    """A GitHub with one open pull request, and turns on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.github = MemoryGitHub(self.clock.now)
        self.ref: PullRequestRef = self.github.open_pull_request()
        self.execute = Execute(executors(self.github, self.github, self.github, self.clock.now))
        self.stopping = False

    def turn(self, kind: ActionType = UPSERT, *, lease_s: float | None = 60.0, **fields: Any) -> Execution:
        payload: type[Any] = PAYLOADS[kind]
        action = ClaimedAction(
            id=uuid4(),
            installation_id=self.ref.installation_id,
            repo_id=self.ref.repo_id,
            repo_full_name=self.ref.repo_full_name,
            pr_number=self.ref.number,
            challenge_id=uuid4(),
            payload=payload(
                marker=MARKER,
                markdown=fields.pop("markdown", "Hello"),
                reason=fields.pop("reason", REASONS[kind]),
                comment_id=fields.pop("comment_id", None),
            ),
            policy=None,
            attempts=0,
            created_at=self.clock.now(),
            claim_token=uuid4(),
            lease_expires_at=None if lease_s is None else self.clock.now() + timedelta(seconds=lease_s),
        )
        return Execution(
            action=replace(action, **fields),
            worker_id="worker-1",
            backend_now=self.clock.now,
            margin_s=15.0,
            is_stopping=lambda: self.stopping,
        )

    async def run(self, kind: ActionType = UPSERT, **fields: Any) -> tuple[Outcome, str | None, int | None]:
        """Execute a turn; what was reported: outcome, failure code, comment id."""
        settlement = await self.execute(self.turn(kind, **fields))
        return settlement.outcome, settlement.failure_code, settlement.comment_id

    @property
    def said(self) -> list[str]:
        return self.github.our_comments(self.ref)

    @property
    def is_open(self) -> bool:
        return self.github.pull(self.ref).is_open


@pytest.fixture
def world() -> World:
    return World()


BODY = with_marker("Hello", MARKER)


async def test_the_first_attempt_posts_the_comment_without_looking(world: World) -> None:
    """A gated pull request costs one request for its comment."""
    assert await world.run() == (Outcome.SUCCEEDED, None, 1)
    assert world.github.calls == ["create"]
    assert world.said == [BODY]


async def test_a_settlement_names_the_claim_that_it_belongs_to(world: World) -> None:
    """A result counts only from the claim that holds the action, so it carries that claim's token."""
    turn = world.turn()
    settlement = await world.execute(turn)
    assert (settlement.action_id, settlement.worker_id) == (turn.action.id, "worker-1")
    assert settlement.claim_token == turn.action.claim_token


async def test_a_later_attempt_adopts_the_comment_of_an_earlier_one(world: World) -> None:
    """A worker killed between GitHub's answer and the result leaves one comment, not two."""
    world.github.fail_next(GitHubUnavailable("502", reason="HTTP_502"), call="create", after_effect=True)
    assert await world.run() == (Outcome.RETRYABLE_FAILURE, "HTTP_502", None)
    assert await world.run(attempts=1) == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [BODY]


async def test_an_action_that_may_replace_an_unfinished_one_looks_first(world: World) -> None:
    """A text that follows another under the same marker finds the comment although it was never tried itself."""
    world.github.fail_next(GitHubUnavailable("502"), call="create", after_effect=True)
    await world.run()
    assert await world.run(reason="VERIFIED", markdown="Verified") == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [with_marker("Verified", MARKER)]


async def test_a_known_comment_is_rewritten(world: World) -> None:
    """With a comment id the text is updated in place."""
    await world.run()
    assert await world.run(comment_id=1, markdown="Verified") == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [with_marker("Verified", MARKER)]


async def test_a_deleted_comment_is_made_anew_once(world: World) -> None:
    """Somebody deleted our comment: an update becomes a new comment."""
    await world.run()
    world.github.delete_comment(world.ref, 1)
    assert await world.run(comment_id=1) == (Outcome.SUCCEEDED, None, 2)
    assert world.said == [BODY]


async def test_a_forged_marker_is_left_alone(world: World) -> None:
    """A comment of somebody else that carries our marker is neither adopted nor touched."""
    forged = f"mine {marker_line(MARKER)}"
    world.github.add_comment(world.ref, forged)
    assert await world.run(attempts=1) == (Outcome.SUCCEEDED, None, 2)
    assert [comment.body for comment in world.github.comments_on(world.ref)] == [forged, BODY]


async def test_our_comment_is_found_behind_250_others(world: World) -> None:
    """However many comments there are, the one with our marker is found."""
    for i in range(250):
        world.github.add_comment(world.ref, f"chatter {i}")
    await world.run()
    assert await world.run(attempts=1) == (Outcome.SUCCEEDED, None, 251)
    assert world.said == [BODY]


async def test_a_close_reads_then_says_then_closes(world: World) -> None:
    """A timeout costs three requests, the comment before the close, and reports the comment."""
    assert await world.run(CLOSE) == (Outcome.SUCCEEDED, None, 1)
    assert world.github.calls == ["get", "create", "close"]
    assert (world.said, world.is_open) == ([BODY], False)


@pytest.mark.parametrize("how", ["merge", "close_by_hand"])
async def test_nothing_is_said_where_somebody_was_faster(world: World, how: str) -> None:
    """A pull request that is closed or merged already needs no close and gets no comment."""
    getattr(world.github, how)(world.ref)
    assert await world.run(CLOSE) == (Outcome.SUCCEEDED, ALREADY_CLOSED, None)
    assert (world.github.calls, world.said) == (["get"], [])


async def test_a_close_whose_result_was_lost_is_recognized_as_ours(world: World) -> None:
    """On a retry a closed pull request with our timeout comment was closed by us."""
    await world.run(CLOSE)
    assert await world.run(CLOSE, attempts=1) == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [BODY]


async def test_a_close_interrupted_after_its_comment_is_finished(world: World) -> None:
    """A worker that died between comment and close leaves an open pull request; the next one closes it, saying once."""
    world.github.fail_next(GitHubUnavailable("502", reason="HTTP_502"), call="close")
    assert await world.run(CLOSE) == (Outcome.RETRYABLE_FAILURE, "HTTP_502", 1)
    assert await world.run(CLOSE, attempts=1) == (Outcome.SUCCEEDED, None, 1)
    assert (world.said, world.is_open) == ([BODY], False)


async def test_a_merge_in_the_middle_of_a_close_is_not_ours(world: World) -> None:
    """GitHub refuses to close what was merged a moment ago: done, and not closed by us."""
    world.github.fail_next(GitHubRefused("merged", reason="UNPROCESSABLE", status=422), call="close")
    turn = world.turn(CLOSE)

    class MergedMeanwhile(MemoryGitHub):
        async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
            comment_id = await world.github.create(ref, body, ready=ready)
            world.github.merge(ref)
            return comment_id

    execute = Execute(executors(world.github, MergedMeanwhile(world.clock.now), world.github, world.clock.now))
    settlement = await execute(turn)
    assert (settlement.outcome, settlement.failure_code) == (Outcome.SUCCEEDED, ALREADY_CLOSED)


async def test_a_pull_request_that_is_gone_is_a_dead_action(world: World) -> None:
    """What GitHub does not know any more cannot be acted on, however often one tries."""
    assert await world.run(CLOSE, pr_number=77) == (Outcome.FAILED, "NOT_FOUND", None)


async def test_a_close_is_not_done_where_its_comment_is_refused(world: World) -> None:
    """Nobody is closed in silence: on a locked pull request the close fails."""
    world.github.pull(world.ref).locked = True
    assert await world.run(CLOSE) == (Outcome.FAILED, "LOCKED", None)
    assert world.is_open is True


async def test_a_reopen_reopens_then_says_so(world: World) -> None:
    """A late verification brings the pull request back."""
    world.github.close_by_hand(world.ref)
    assert await world.run(REOPEN) == (Outcome.SUCCEEDED, None, 1)
    assert world.github.calls == ["get", "reopen", "create"]
    assert (world.said, world.is_open) == ([BODY], True)


async def test_a_merged_pull_request_is_not_reopened(world: World) -> None:
    """Merged is final and needs no words."""
    world.github.merge(world.ref)
    assert await world.run(REOPEN) == (Outcome.SUCCEEDED, None, None)
    assert world.github.calls == ["get"]


async def test_an_open_pull_request_is_told_once(world: World) -> None:
    """A reopen whose comment was posted but not reported says nothing again."""
    assert await world.run(REOPEN) == (Outcome.SUCCEEDED, None, 1)
    assert await world.run(REOPEN, attempts=1) == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [BODY]


async def test_a_reopen_interrupted_before_its_comment_says_it_later(world: World) -> None:
    """The pull request is open again, but nothing was said yet: the retry says it."""
    world.github.close_by_hand(world.ref)
    world.github.fail_next(GitHubUnavailable("502", reason="HTTP_502"), call="create")
    assert await world.run(REOPEN) == (Outcome.RETRYABLE_FAILURE, "HTTP_502", None)
    assert await world.run(REOPEN, attempts=1) == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [BODY]


async def test_a_reopen_that_github_refuses_is_explained(world: World) -> None:
    """The head branch is gone: the author is told what to do instead."""
    world.github.close_by_hand(world.ref)
    world.github.pull(world.ref).head_exists = False
    assert await world.run(REOPEN) == (Outcome.SUCCEEDED, None, 1)
    assert (world.said, world.is_open) == ([with_marker(cannot_reopen(), MARKER)], False)


@pytest.mark.parametrize(
    ("error", "outcome", "code", "pause_s"),
    [
        (GitHubUnavailable("502", reason="HTTP_502"), Outcome.RETRYABLE_FAILURE, "HTTP_502", None),
        (GitHubRateLimited("slow", pause_s=60.0, reason="RATE_LIMITED"), Outcome.RELEASED, "RATE_LIMITED", 60.0),
        (GitHubInstallationUnavailable("no", pause_s=300.0, reason="SUSPENDED"), Outcome.RELEASED, "SUSPENDED", 300.0),
        (GitHubRefused("archived", reason="ARCHIVED", status=403), Outcome.FAILED, "ARCHIVED", None),
    ],
)
async def test_github_errors_become_outcomes(
    world: World, error: GitHubError, outcome: Outcome, code: str, pause_s: float | None
) -> None:
    """Each branch of the port's errors has its one outcome, with GitHub's word as the code."""
    world.github.fail_next(error)
    settlement = await world.execute(world.turn())
    assert (settlement.outcome, settlement.failure_code) == (outcome, code)
    assert (settlement.failure_message, settlement.pause_installation_s) == (error.message, pause_s)


async def test_a_bug_of_ours_is_retried_and_named(world: World) -> None:
    """An exception that nobody foresaw does not lose the action."""
    execute = Execute(executors(world.github, object(), world.github, world.clock.now))  # type: ignore[arg-type]
    settlement = await execute(world.turn())
    assert (settlement.outcome, settlement.failure_code) == (Outcome.RETRYABLE_FAILURE, "INTERNAL")


async def test_a_rate_limit_between_comment_and_close_keeps_the_comment(world: World) -> None:
    """The attempt does not count, so the comment's id must travel: the next worker then does not post again."""
    world.github.fail_next(GitHubRateLimited("slow", pause_s=60.0), call="close")
    outcome, _, comment_id = await world.run(CLOSE)
    assert (outcome, comment_id) == (Outcome.RELEASED, 1)
    assert await world.run(CLOSE, comment_id=comment_id) == (Outcome.SUCCEEDED, None, 1)
    assert world.said == [BODY]


async def test_nothing_is_written_on_a_lease_that_is_about_to_end(world: World) -> None:
    """A worker that was stopped for a while gives the action back instead of posting."""
    assert await world.run(lease_s=14.0) == (Outcome.RELEASED, "LEASE_SHORT", None)
    assert world.github.calls == []


async def test_the_lease_is_read_again_before_every_write(world: World) -> None:
    """Time passed between comment and close: the close is left to the next claim, and the attempt counts."""
    turn = world.turn(CLOSE)

    class Slow(MemoryGitHub):
        async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
            comment_id = await world.github.create(ref, body, ready=ready)
            world.clock.advance(50)
            return comment_id

    settlement = await Execute(executors(world.github, Slow(world.clock.now), world.github, world.clock.now))(turn)
    assert (settlement.outcome, settlement.failure_code) == (Outcome.RETRYABLE_FAILURE, "LEASE_SHORT")
    assert (settlement.comment_id, world.is_open) == (1, True)


async def test_the_lease_is_read_after_every_wait(world: World) -> None:
    """A worker that waited for its turn or for a token until the lease was over posts nothing."""

    class Waits(MemoryGitHub):
        async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
            world.clock.advance(50)
            return await world.github.create(ref, body, ready=ready)

    settlement = await Execute(executors(world.github, Waits(world.clock.now), world.github, world.clock.now))(
        world.turn()
    )
    assert (settlement.outcome, settlement.failure_code) == (Outcome.RELEASED, "LEASE_SHORT")
    assert world.said == []


async def test_an_action_without_a_lease_time_is_executed(world: World) -> None:
    """A plain backend tells no lease: then there is nothing to check."""
    assert await world.run(lease_s=None) == (Outcome.SUCCEEDED, None, 1)


async def test_once_stopping_nothing_is_begun(world: World) -> None:
    """An action that has written nothing goes back uncounted."""
    world.stopping = True
    assert await world.run(CLOSE) == (Outcome.RELEASED, "STOPPING", None)
    assert (world.said, world.is_open) == ([], True)


async def test_once_stopping_what_is_begun_is_finished(world: World) -> None:
    """A comment that is out is followed by its close."""

    class StopsMeanwhile(MemoryGitHub):
        async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
            comment_id = await world.github.create(ref, body, ready=ready)
            world.stopping = True
            return comment_id

    execute = Execute(executors(world.github, StopsMeanwhile(world.clock.now), world.github, world.clock.now))
    settlement = await execute(world.turn(CLOSE))
    assert (settlement.outcome, world.is_open) == (Outcome.SUCCEEDED, False)


async def test_messages_of_github_reach_the_backend_short_and_clean(world: World) -> None:
    """Control characters and long texts of GitHub's do not get into our rows and logs."""
    world.github.fail_next(GitHubRefused("bad\x00\n" + "x" * 1000, reason="UNPROCESSABLE", status=422))
    settlement = await world.execute(world.turn())
    assert settlement.failure_message == "bad  " + "x" * 295
