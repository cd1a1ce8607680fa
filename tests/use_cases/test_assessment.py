"""What a worker asks GitHub right before it writes, and what it then leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from centralbot.domain.actions import ActionType
from centralbot.domain.events import AuthorAssociation
from centralbot.domain.facts import Permission
from centralbot.domain.outbox import Outcome
from centralbot.domain.policy import DRAFT_RETRY_S, policy_of
from centralbot.ports.github import GitHubRefused, GitHubUnavailable
from tests.builders import AUTHOR, REPO, a_challenge, a_config, a_payload
from tests.use_cases.test_execute import CLOSE, UPSERT, World

QUIET: list[str] = []


@pytest.fixture
def world() -> World:
    return World()


def judged(world: World, kind: ActionType, author_login: str = AUTHOR.login, **config: Any) -> Any:
    """An execution whose action carries a policy."""
    challenge = a_challenge(author_login=author_login)
    payload = a_payload(kind)
    policy = policy_of(payload, challenge, a_config(**config), whitelisted=False)
    turn = world.turn(kind)
    return replace(turn, action=replace(turn.action, policy=policy))


async def test_a_newcomer_costs_one_question_before_the_comment(world: World) -> None:
    """Who it is; all else the event has told."""
    settlement = await world.execute(judged(world, UPSERT))
    assert (settlement.outcome, world.github.calls) == (Outcome.SUCCEEDED, ["permission", "create"])
    assert settlement.facts.author_permission is Permission.READ


@pytest.mark.parametrize("role", ["maintain", "write", "admin"])
async def test_who_may_write_is_not_asked(world: World, role: str) -> None:
    """A private member shows as nobody in an event (A1). Nothing is written, and the backend is told what was seen."""
    world.github.set_role(world.ref.repo_id, AUTHOR.login, role)
    settlement = await world.execute(judged(world, UPSERT))
    assert (settlement.outcome, settlement.failure_code) == (Outcome.WITHHELD, "EXEMPT_PERMISSION")
    assert (settlement.facts.author_permission, settlement.facts.author_role) == (role, role)
    assert (world.github.calls, world.github.our_comments(world.ref)) == (["permission"], QUIET)


async def test_a_label_that_nobody_told_of_stops_a_close_without_another_question(world: World) -> None:
    """The state that is read anyway shows it."""
    world.github.pull(world.ref).labels = ("centralbot:exempt",)
    settlement = await world.execute(judged(world, CLOSE))
    assert (settlement.outcome, settlement.failure_code) == (Outcome.WITHHELD, "EXEMPT_LABEL")
    assert (world.github.calls, world.github.pull(world.ref).is_open) == (["get"], True)


async def test_a_close_looks_at_who_the_author_is_by_now(world: World) -> None:
    """Became a member since; the pull request says so itself."""
    world.github.pull(world.ref).association = AuthorAssociation.MEMBER
    settlement = await world.execute(judged(world, CLOSE))
    assert (settlement.outcome, settlement.failure_code) == (Outcome.WITHHELD, "EXEMPT_ASSOCIATION")


async def test_a_draft_is_not_closed_where_drafts_are_let_be(world: World) -> None:
    """It is looked at again later."""
    world.github.pull(world.ref).draft = True
    settlement = await world.execute(judged(world, CLOSE, draft_prs_gated=False))
    assert (settlement.outcome, settlement.retry_after_s) == (Outcome.WITHHELD, DRAFT_RETRY_S)
    assert world.github.pull(world.ref).is_open


async def test_a_close_of_a_newcomer_costs_four_calls(world: World) -> None:
    """Read, permission, comment, close."""
    settlement = await world.execute(judged(world, CLOSE))
    assert (settlement.outcome, world.github.calls) == (Outcome.SUCCEEDED, ["get", "permission", "create", "close"])


async def test_a_github_that_will_not_say_changes_nothing(world: World) -> None:
    """Where nobody can ask, the flow stands."""
    world.github.fail_next(GitHubRefused("Not Found", reason="NOT_FOUND", status=404), call="permission")
    settlement = await world.execute(judged(world, UPSERT))
    assert (settlement.outcome, world.github.calls) == (Outcome.SUCCEEDED, ["permission", "create"])


async def test_a_github_that_does_not_answer_is_asked_again(world: World) -> None:
    """Unknown is not no: nothing is written now."""
    world.github.fail_next(GitHubUnavailable("502", reason="HTTP_502"), call="permission")
    settlement = await world.execute(judged(world, CLOSE))
    assert (settlement.outcome, settlement.failure_code) == (Outcome.RETRYABLE_FAILURE, "HTTP_502")
    assert (world.github.our_comments(world.ref), world.github.pull(world.ref).is_open) == (QUIET, True)


async def test_an_app_has_no_role_to_ask_for(world: World) -> None:
    """Where bots are not exempt."""
    turn = judged(world, UPSERT, author_login="other[bot]", exempt_bots=False)
    assert ((await world.execute(turn)).outcome, world.github.calls) == (Outcome.SUCCEEDED, ["create"])


async def test_an_action_without_a_policy_is_done_as_ever(world: World) -> None:
    """Of a backend that sends none."""
    assert world.turn(CLOSE).action.policy is None
    assert (await world.execute(world.turn(CLOSE))).outcome is Outcome.SUCCEEDED
    assert world.github.calls == ["get", "create", "close"]
    assert REPO > 0
