"""GitHub refuses, and people interfere: limits, tokens, suspended and deleted installations (rows 14 to 20, 42)."""

from __future__ import annotations

import pytest

from centralbot.domain.outbox import ActionStatus
from tests.e2e.world import Installed
from tests.reliability.cluster import WORKERS
from tests.reliability.world import CREATE, MINT, PERMISSION, Pull, ReliableWorld

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_limited_installation_pauses_for_both_workers_and_for_no_other(world: ReliableWorld) -> None:
    """Secondary limit, hour used up, 429 without headers: what was in hand is refused, then there is silence.

    No attempt is counted, and another installation's author is asked meanwhile.
    """
    secondary, primary, bare, other = [await world.install() for _ in range(4)]
    await world.settled()
    limit = {"kind": "secondary_limit", "operation": CREATE}
    await world.github.act("faults", **limit, retry_after_s=4, installation_id=secondary.id)
    await world.github.act("faults", **limit, status=429, installation_id=bare.id)
    await world.github.act("set_remaining", installation_id=primary.id, remaining=0, reset_in_s=4)
    limited = (secondary, primary, bare)
    pulls = [(one.repository, await world.open(one.repository)) for _ in range(5) for one in limited]
    for one in limited:
        await world.paused(one)
    await world.shows(other.repository, await world.open(other.repository), "open: asked")
    await world.github.clear_faults()
    for repository, number in pulls:
        if repository != bare.repository:  # GitHub named no time: quiet for a minute at least
            await world.shows(repository, number, "open: asked")
    asked = await world.answers(primary, PERMISSION)  # the first thing that a used-up hour refuses
    answers = [await world.answers(one, CREATE) for one in limited]
    attempts = [[action.attempts for action in await world.actions(one)] for one in limited]
    await world.github.act("uninstall", installation_id=bare.id)
    refused = [[status for status in one if status >= 400] for one in (answers[0], asked, answers[2])]
    assert [1 <= len(one) <= len(WORKERS) for one in refused] == [True] * 3
    assert answers == [refused[0] + [201] * 5, [201] * 5, refused[2]]
    assert asked == refused[1] + [200] * 5
    assert attempts == [[1] * 5, [1] * 5, [0] * 5]


async def test_a_token_revoked_in_mid_batch_costs_a_new_one(world: ReliableWorld) -> None:
    """The rest of the batch is posted with it; each worker has its own."""
    installed = await world.install()
    await world.settled()
    of_it = {"installation_id": installed.id, "operation": CREATE}
    await world.github.act("faults", kind="revoke_token", skip=4, count=1, **of_it)
    opened = [(installed.repository, await world.open(installed.repository)) for _ in range(10)]
    await world.settled()
    minted = len(await world.answers(installed, MINT))
    assert (await world.unasked(opened), minted <= 2 * len(WORKERS)) == ([], True)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_token_that_is_not_known_yet_is_tried_again(world: ReliableWorld, status: int) -> None:
    """Every new token is refused once, then taken: the author is asked, once."""
    await world.github.act("faults", kind="fresh_token", times=1, status=status)
    installed = await world.install()
    number = await world.open(installed.repository)
    await world.shows(installed.repository, number, "open: asked")
    assert status in {one["status"] for one in await world.github.requests(installation_id=installed.id)}


async def queue_of_one_that_fails(world: ReliableWorld) -> tuple[Installed, list[Pull]]:
    """An installation whose comments are waiting for another attempt."""
    installed = await world.install()
    await world.settled()
    await world.github.act("faults", kind="status", operation=CREATE, status=502, installation_id=installed.id)
    opened = [(installed.repository, await world.open(installed.repository)) for _ in range(5)]
    await world.tried(installed, 5)
    return installed, opened


async def test_a_suspended_installation_waits_and_goes_on(world: ReliableWorld) -> None:
    """What is queued burns no attempt and sends nothing; after the unsuspension every author is asked."""
    installed, opened = await queue_of_one_that_fails(world)
    await world.github.act("suspend", installation_id=installed.id)
    await world.away(installed)
    await world.github.clear_faults()
    before = [(one.status, one.attempts) for one in await world.actions(installed)]
    sent = len(await world.github.requests(installation_id=installed.id))
    await world.swept()
    meanwhile = len(await world.github.requests(installation_id=installed.id))
    after = [(one.status, one.attempts) for one in await world.actions(installed)]
    await world.github.act("unsuspend", installation_id=installed.id)
    await world.settled()
    assert (after, meanwhile, await world.unasked(opened)) == (before, sent, [])


async def test_a_deleted_installation_ends_its_queue(world: ReliableWorld) -> None:
    """All is canceled, and nothing more is sent."""
    installed, _ = await queue_of_one_that_fails(world)
    await world.github.act("uninstall", installation_id=installed.id)
    await world.away(installed)
    await world.settled()
    sent = len(await world.github.requests(installation_id=installed.id))
    await world.swept()
    ended = [(one.status, one.failure_code) for one in await world.actions(installed)]
    assert ended == [(ActionStatus.CANCELED, "INSTALLATION_DELETED")] * 5
    assert len(await world.github.requests(installation_id=installed.id)) == sent


async def test_a_comment_that_a_human_deleted_is_made_anew_once(world: ReliableWorld) -> None:
    """By the next thing that is to be said there."""
    installed = await world.install()
    number = await world.asked(installed)
    (comment,) = (await world.github.pull(installed.repository, number))["comments"]
    await world.github.act("delete_comment", comment_id=comment["id"])
    await world.github.act("push", repository=installed.repository, number=number)
    await world.settled()
    deleted = await world.seen(installed.repository, number)
    challenge = await world.challenge(installed.repo_id, number)
    await world.backend.verdicts.verify(challenge.id, actor=f"github:{challenge.author_id}")
    await world.shows(installed.repository, number, "open: verified")
    assert deleted == "open: no comment"
