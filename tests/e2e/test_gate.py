"""One pull request from its webhook to its end, through every process."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from centralbot.domain.challenge import Challenge, ChallengeStatus
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


PERMISSION = "repos/get-collaborator-permission-level"


async def test_a_new_author_is_asked_in_one_comment_by_two_calls(world: World) -> None:
    """The comment carries the challenge's marker and a link to its page."""
    installed = await world.install()
    number = await world.asked(installed)
    challenge = await world.challenge(installed.repo_id, number)
    (comment,) = (await world.github.pull(installed.repository, number))["comments"]
    assert (comment["author"], comment["marker"]) == ("centralbot[bot]", f"centralbot:gate:{challenge.id}")
    assert f"]({world.fleet.api_url}/g/" in comment["body"]
    assert (challenge.status, challenge.gate_comment_id) == (ChallengeStatus.PENDING, comment["id"])
    assert await world.github.operations(installed.id) == [PERMISSION, "issues/create-comment"]


async def test_an_author_who_verifies_is_told_in_the_same_comment(world: World) -> None:
    """Nobody closes the pull request afterwards; verifying again changes nothing."""
    installed = await world.install()
    number = await world.asked(installed)
    challenge = await world.challenge(installed.repo_id, number)
    for _ in range(2):
        verified = await world.backend.verdicts.verify(challenge.id, actor=f"github:{challenge.author_id}")
    await world.shows(installed.repository, number, "open: verified")
    await world.swept()
    await world.settled()
    assert (await world.seen(installed.repository, number), verified.status) == ("open: verified", "VERIFIED")


async def test_a_pull_request_whose_time_runs_out_is_closed_with_reasons_by_four_calls(world: World) -> None:
    """The bot looks, asks who the author is, says why, closes."""
    installed = await world.install(window_s=1)
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "closed by bot: asked + told why")
    await world.settled()
    challenge = await world.challenge(installed.repo_id, number)
    assert challenge.status is ChallengeStatus.TIMED_OUT_CLOSED
    calls = await world.github.operations(installed.id)
    assert calls[:2] == [PERMISSION, "issues/create-comment"]
    assert Counter(calls[2:]) == Counter(["pulls/get", PERMISSION, "issues/create-comment", "pulls/update"])


async def test_a_late_verification_reopens(world: World) -> None:
    """What the bot closed comes back, and stays."""
    installed = await world.install(window_s=1)
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "closed by bot: asked + told why")
    challenge = await world.becomes(installed.repo_id, number, ChallengeStatus.TIMED_OUT_CLOSED)
    await world.backend.verdicts.verify(challenge.id, actor=f"github:{challenge.author_id}")

    async def reopened() -> bool:
        state: str = (await world.github.pull(installed.repository, number))["state"]
        return state == "open"

    await world.fleet.until("the reopen", reopened)
    await world.swept()
    await world.settled()
    assert await world.seen(installed.repository, number) == "open: verified + told why + Reopened"
    assert (await world.challenge(installed.repo_id, number)).status is ChallengeStatus.VERIFIED


async def test_a_maintainers_reopen_is_the_last_word(world: World) -> None:
    """The bot does not close again what a maintainer has reopened."""
    installed = await world.install(window_s=1)
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "closed by bot: asked + told why")
    await world.settled()
    await world.github.act("reopen", repository=installed.repository, number=number, by="owner")
    challenge = await world.becomes(installed.repo_id, number, ChallengeStatus.EXEMPT)
    await world.swept()
    await world.settled()
    assert challenge.reason == "MAINTAINER_REOPENED"
    assert (await world.github.pull(installed.repository, number))["state"] == "open"


@pytest.mark.parametrize("heard", [True, False])
async def test_nothing_is_said_about_what_a_human_has_closed(world: World, heard: bool) -> None:
    """Whether the bot hears of it before the deadline, or finds out when it looks."""
    sweeper = world.fleet.children["sweeper"]
    sweeper.send(signal.SIGSTOP)
    try:
        installed = await world.install(window_s=1)
        number = await world.asked(installed)
        if not heard:
            await world.github.act("pause_delivery")
        await world.github.act("close_pull_request", repository=installed.repository, number=number)
        if heard:
            await world.becomes(installed.repo_id, number, ChallengeStatus.CANCELED)
        challenge = await world.challenge(installed.repo_id, number)

        async def overdue() -> bool:
            return challenge.deadline_at is not None and await world.backend.store.health.now() > challenge.deadline_at

        await world.fleet.until("the deadline", overdue)
    finally:
        sweeper.send(signal.SIGCONT)
    await world.swept()
    expected = ChallengeStatus.CANCELED if heard else ChallengeStatus.TIMED_OUT_CLOSED
    found: Challenge = await world.becomes(installed.repo_id, number, expected)
    await world.github.act("resume_delivery")
    await world.settled()
    assert await world.seen(installed.repository, number) == "closed by mona: asked"
    assert found.status is expected


async def test_one_delivery_that_comes_many_times_has_one_effect(world: World) -> None:
    """At once, and again to the other worker."""
    installed = await world.install()
    await world.github.act("configure_delivery", copies=20)
    number = await world.open(installed.repository)
    await world.github.act("configure_delivery", copies=1)
    await world.shows(installed.repository, number, "open: asked")
    await world.settled()
    latest = await world.github.delivery(repository_id=installed.repo_id)
    assert latest is not None
    first, second = world.fleet.workers
    await world.fleet.hook(second)
    await world.github.act("redeliver", delivery_id=latest["id"])
    await world.settled()
    await world.fleet.hook(first)
    deliveries = (await world.github.snapshot())["deliveries"]["latest"]
    codes = [one["status_code"] for one in deliveries if one["guid"] == latest["guid"]]
    challenges = await world.backend.store.challenges.search(repo_id=installed.repo_id)
    assert (codes, len(challenges)) == ([200] * 21, 1)
    assert await world.seen(installed.repository, number) == "open: asked"
