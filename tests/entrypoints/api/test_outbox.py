"""Contract section 4 through HTTP: claims, leases, results, waiting, deadlines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.events import Actor
from tests.entrypoints.api.caller import CLAIM, WORKER, at, installed, opened, sign
from tests.entrypoints.api.serving import Api

REQUIRED = {
    *("id", "action_type", "installation_id", "github_repo_id", "repo_full_name", "github_pr_number"),
    *("challenge_id", "payload", "attempts", "created_at"),
}
OPTIONAL = {"policy", "claim_token", "lease_expires_at", "comment_id"}


async def one_claimed(api: Api, number: int = 42) -> dict[str, Any]:
    await api.bot.pull_request(opened(number))
    (action,) = await api.bot.claimed()
    return action


async def test_a_claimed_action_has_the_contract_shape(api: Api) -> None:
    """Field by field; times end in Z."""
    challenge_id = (await api.bot.pull_request(opened())).body["challenge_id"]
    answer = await api.bot.claim(limit=50)
    assert set(answer.body) == {"actions"}
    (action,) = answer.body["actions"]
    assert REQUIRED <= set(action) <= REQUIRED | OPTIONAL
    payload = action.pop("payload")
    assert set(payload) == {"comment_markdown", "comment_marker", "reason"}
    assert payload["comment_marker"] == f"centralbot:gate:{challenge_id}"
    assert payload["reason"] == "VERIFICATION_REQUIRED"
    assert "https://bot.example/g/" in payload["comment_markdown"]
    for name in ("created_at", "lease_expires_at"):
        assert action[name].endswith("Z")
        assert datetime.fromisoformat(action.pop(name)).tzinfo == UTC
    assert str(UUID(action["id"])) == action.pop("id")
    assert UUID(action.pop("claim_token"))
    assert set(action.pop("policy")) == {"needs", "author_id", "author_login", "config"}
    assert action == {
        "action_type": "UPSERT_PR_COMMENT",
        "installation_id": 123,
        "github_repo_id": 999,
        "repo_full_name": "org/repo",
        "github_pr_number": 42,
        "challenge_id": challenge_id,
        "attempts": 0,
        "comment_id": None,
    }


async def test_a_claim_gets_at_most_its_limit_and_25_by_default(api: Api) -> None:
    """Nothing is handed out twice."""
    await asyncio.gather(*(api.bot.pull_request(opened(n)) for n in range(1, 41)))
    sizes = [len(await api.bot.claimed(limit=1)), len(await api.bot.claimed()), len(await api.bot.claimed(limit=100))]
    assert [*sizes, len(await api.bot.claimed())] == [1, 25, 14, 0]


async def test_eight_claimers_never_hold_the_same_action(api: Api) -> None:
    """Every one of 120 is held once."""
    await asyncio.gather(*(api.bot.pull_request(opened(n)) for n in range(1, 121)))

    async def worker(name: str) -> list[str]:
        held: list[str] = []
        while batch := await api.bot.claimed(name, limit=7):
            held += [action["id"] for action in batch]
        return held

    held = [i for ids in await asyncio.gather(*(worker(f"w-{n}") for n in range(8))) for i in ids]
    assert (len(held), len(set(held))) == (120, 120)


async def test_each_outcome_has_its_status(api: Api) -> None:
    """Exactly ``id`` and ``status``; the same result again is 200 with the same."""
    outcomes = {"SUCCEEDED": "DONE", "RETRYABLE_FAILURE": "PENDING", "FAILED": "FAILED", "RELEASED": "PENDING"}
    for number, (outcome, status) in enumerate(outcomes.items(), start=1):
        action = await one_claimed(api, number)
        expected = (200, {"id": action["id"], "status": status})
        token = action["claim_token"]
        for fields in ({"claim_token": token}, {"claim_token": token}, {}):
            answer = await api.bot.result(action["id"], outcome, failure_code="X", **fields)
            assert (answer.status, answer.body) == expected, outcome
        await api.bot.pull_request(opened(number, action="closed", event_time=at(60)))


async def test_results_of_somebody_else_are_409(api: Api) -> None:
    """Another worker, another outcome, another claim."""
    action = await one_claimed(api)
    wrong: list[tuple[str, str, dict[str, Any]]] = [
        ("SUCCEEDED", "another-worker", {}),
        ("SUCCEEDED", WORKER, {"claim_token": str(uuid4())}),
        ("FAILED", "another-worker", {"claim_token": action["claim_token"]}),
    ]
    for outcome, worker_id, fields in wrong:
        answer = await api.bot.result(action["id"], outcome, worker_id, **fields)
        assert (answer.status, answer.code) == (409, "BOT_ACTION_NOT_CLAIMED_BY_WORKER")
    assert (await api.bot.result(action["id"], "SUCCEEDED")).body["status"] == "DONE"
    for outcome, worker_id in (("FAILED", WORKER), ("SUCCEEDED", "another-worker"), ("RELEASED", WORKER)):
        answer = await api.bot.result(action["id"], outcome, worker_id)
        assert (answer.status, answer.code) == (409, "BOT_ACTION_NOT_CLAIMED_BY_WORKER")


async def test_an_action_that_nobody_claimed_takes_no_result(api: Api) -> None:
    """It is 409; one that does not exist is 404."""
    await api.bot.pull_request(opened())
    (action,) = await api.backend.store.actions.search()
    assert (await api.bot.result(str(action.id), "SUCCEEDED")).status == 409
    for unknown in (str(uuid4()), "not-a-uuid", "1"):
        answer = await api.bot.result(unknown, "SUCCEEDED")
        assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_a_lease_that_ran_out_is_claimed_anew_and_the_stale_result_refused(api: Api) -> None:
    """``attempts`` counts the earlier claim; the newer claim's result counts."""
    first = await one_claimed(api)
    assert await api.bot.claimed("w-2") == []
    await api.advance(61)
    (second,) = await api.bot.claimed("w-2")
    assert (second["id"], second["attempts"]) == (first["id"], 1)
    stale = await api.bot.result(first["id"], "SUCCEEDED", claim_token=first["claim_token"])
    assert (stale.status, stale.code) == (409, "BOT_ACTION_NOT_CLAIMED_BY_WORKER")
    assert (await api.bot.result(first["id"], "SUCCEEDED")).status == 409
    assert (await api.bot.result(second["id"], "SUCCEEDED", "w-2")).status == 200


async def test_the_same_worker_with_an_old_token_is_refused(api: Api) -> None:
    """Its own newer claim holds the action."""
    first = await one_claimed(api)
    await api.advance(61)
    (second,) = await api.bot.claimed()
    assert (await api.bot.result(first["id"], "SUCCEEDED", claim_token=first["claim_token"])).status == 409
    assert (await api.bot.result(first["id"], "SUCCEEDED", claim_token=second["claim_token"])).status == 200


async def test_a_retryable_failure_waits_and_is_dead_at_the_limit(api: Api) -> None:
    """Three claims here: PENDING, PENDING, FAILED, and the dead one stays until an operator retries it."""
    await api.bot.pull_request(opened())
    seen = []
    for _ in range(3):
        (action,) = await api.bot.claimed()
        status = (await api.bot.result(action["id"], "RETRYABLE_FAILURE", failure_code="HTTP_502")).body["status"]
        seen.append((action["attempts"], status))
        assert await api.bot.claimed() == []
        await api.advance(3600)
    assert seen == [(0, "PENDING"), (1, "PENDING"), (2, "FAILED")]
    assert await api.bot.claimed() == []


async def test_retry_after_is_kept(api: Api) -> None:
    """To the second that the worker asked for."""
    action = await one_claimed(api)
    await api.bot.result(action["id"], "RETRYABLE_FAILURE", retry_after_s=600)
    await api.advance(590)
    assert await api.bot.claimed() == []
    await api.advance(11)
    assert len(await api.bot.claimed()) == 1


async def test_a_released_action_is_free_at_once_and_not_counted(api: Api) -> None:
    """As often as it takes."""
    await api.bot.pull_request(opened())
    for _ in range(6):
        (action,) = await api.bot.claimed()
        assert action["attempts"] == 0
        assert (await api.bot.result(action["id"], "RELEASED")).body["status"] == "PENDING"


async def test_a_pause_holds_one_installation_for_every_worker(api: Api) -> None:
    """Others go on."""
    await api.bot.install(555, installation_id=5)
    action = await one_claimed(api)
    await api.bot.pull_request(opened(43))
    await api.bot.pull_request(opened(44, installation_id=5, repository={"id": 555, "full_name": "o/r"}))
    await api.bot.result(action["id"], "RELEASED", pause_installation_s=60)
    (other,) = await api.bot.claimed("w-2")
    assert other["installation_id"] == 5
    await api.bot.result(other["id"], "SUCCEEDED", "w-2")
    await api.advance(61)
    assert {a["github_pr_number"] for a in await api.bot.claimed("w-3")} == {42, 43}


async def test_a_suspended_installation_waits_and_a_deleted_one_is_canceled(api: Api) -> None:
    """Without burning attempts."""
    await api.bot.pull_request(opened())
    await api.bot.installation(installed("suspend", event_time=at(1)))
    assert await api.bot.claimed() == []
    await api.bot.installation(installed("unsuspend", event_time=at(2)))
    (action,) = await api.bot.claimed()
    assert action["attempts"] == 0
    await api.bot.result(action["id"], "RELEASED")
    await api.bot.installation(installed("deleted", event_time=at(3)))
    assert await api.bot.claimed() == []
    assert await api.statuses() == [(42, "UPSERT_PR_COMMENT", "CANCELED")]


async def test_a_waiting_claim_wakes_when_there_is_something(api: Api) -> None:
    """Long before its time."""
    waiting = asyncio.create_task(api.bot.claimed(wait_s=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await api.bot.pull_request(opened())
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_a_waiting_claim_ends_empty(api: Api) -> None:
    """With 200 and no action, and a wait of nothing answers at once."""
    assert await api.bot.claimed(wait_s=0.3) == []
    assert await api.bot.claimed(wait_s=0) == []


async def test_a_waiting_claim_ends_when_the_server_stops(api: Api) -> None:
    """Empty and with 200, so that a rolling deploy shows no error."""
    waiting = asyncio.create_task(api.bot.claimed(wait_s=30))
    await asyncio.sleep(0.2)
    api.server.stop()
    assert await asyncio.wait_for(waiting, 5) == []


async def test_a_caller_that_hangs_up_holds_nothing(api: Api) -> None:
    """What comes afterwards goes to the next one, its first attempt."""
    host, port = api.bot.url.removeprefix("http://").split(":")
    for n in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        raw = b'{"worker_id": "w", "wait_s": 30}'
        headers = {"host": host, "content-length": str(len(raw)), **sign("bot-actions-claim:w", raw)}
        head = f"POST {CLAIM} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        writer.write(head.encode() + b"\r\n" + raw)
        await writer.drain()
        if n:
            await asyncio.sleep(0.05)
        writer.transport.abort()
    await asyncio.sleep(0.05)
    await api.bot.pull_request(opened())
    (action,) = await api.bot.claimed("w-2", wait_s=5)
    assert action["attempts"] == 0


async def test_only_the_types_that_a_worker_can_execute_are_handed_out(api: Api) -> None:
    """A default client never sees a reopen."""
    await api.bot.pull_request(opened())
    assert await api.bot.claimed(action_types=["REOPEN_PR_WITH_COMMENT", "CLOSE_PR_WITH_COMMENT"]) == []
    assert len(await api.bot.claimed(action_types=["UPSERT_PR_COMMENT"])) == 1


async def test_the_clock_starts_with_the_posted_comment(api: Api) -> None:
    """Unnoticed is never due; noticed is due after the window, and its close carries both payload fields."""
    challenge_id = (await api.bot.pull_request(opened())).body["challenge_id"]
    await api.advance(100_000)
    await api.backend.sweep.once()
    assert (await api.challenge(challenge_id)).status is ChallengeStatus.PENDING
    (comment,) = await api.bot.claimed()
    assert (await api.bot.result(comment["id"], "SUCCEEDED", comment_id=77)).body["status"] == "DONE"
    await api.advance(1790)
    await api.backend.sweep.once()
    assert (await api.challenge(challenge_id)).status is ChallengeStatus.PENDING
    await api.advance(11)
    await api.backend.sweep.once()
    assert (await api.challenge(challenge_id)).status is ChallengeStatus.TIMED_OUT_CLOSED
    (close,) = await api.bot.claimed()
    assert (close["action_type"], close["challenge_id"]) == ("CLOSE_PR_WITH_COMMENT", challenge_id)
    assert (close["payload"]["reason"], close["attempts"]) == ("CHALLENGE_TIMED_OUT", 0)
    assert close["payload"]["comment_markdown"]
    assert close["payload"]["comment_marker"] == f"centralbot:timeout:{challenge_id}"


async def test_whoever_is_whitelisted_by_the_deadline_is_exempt(api: Api) -> None:
    """Nothing is closed; the known comment is rewritten."""
    challenge_id = (await api.bot.pull_request(opened())).body["challenge_id"]
    (comment,) = await api.bot.claimed()
    await api.bot.result(comment["id"], "SUCCEEDED", comment_id=77)
    await api.backend.store.whitelist.add(999, Actor(id=2002, login="contrib"), actor="test")
    await api.advance(1801)
    await api.backend.sweep.once()
    assert (await api.challenge(challenge_id)).status is ChallengeStatus.EXEMPT
    (again,) = await api.bot.claimed()
    assert (again["action_type"], again["comment_id"]) == ("UPSERT_PR_COMMENT", 77)
    assert again["payload"]["comment_marker"] == comment["payload"]["comment_marker"]


async def test_actions_of_one_pull_request_come_one_at_a_time(api: Api) -> None:
    """Ten sweepers close it once, and what follows waits for what is held."""
    challenge_id = (await api.bot.pull_request(opened())).body["challenge_id"]
    (comment,) = await api.bot.claimed()
    await api.bot.result(comment["id"], "SUCCEEDED", comment_id=77)
    await api.advance(1801)
    await asyncio.gather(*(api.backend.sweep.once(retention=False) for _ in range(10)))
    (close,) = await api.bot.claimed()
    await api.backend.verdicts.verify(UUID(challenge_id), actor="github:2002")
    every = ["UPSERT_PR_COMMENT", "CLOSE_PR_WITH_COMMENT", "REOPEN_PR_WITH_COMMENT"]
    assert await api.bot.claimed("w-2", action_types=every) == []
    order = [close["action_type"]]
    await api.bot.result(close["id"], "SUCCEEDED", comment_id=78)
    while batch := await api.bot.claimed(action_types=every):
        (action,) = batch
        order.append(action["action_type"])
        await api.bot.result(action["id"], "SUCCEEDED")
    assert order == ["CLOSE_PR_WITH_COMMENT", "REOPEN_PR_WITH_COMMENT", "UPSERT_PR_COMMENT"]


async def test_a_comment_that_cannot_be_posted_closes_nothing(api: Api) -> None:
    """Its challenge is canceled; ``actions retry`` brings both back."""
    challenge_id = (await api.bot.pull_request(opened())).body["challenge_id"]
    (comment,) = await api.bot.claimed()
    assert (await api.bot.result(comment["id"], "FAILED", failure_code="HTTP_403")).body["status"] == "FAILED"
    assert (await api.challenge(challenge_id)).status is ChallengeStatus.CANCELED
    await api.advance(100_000)
    await api.backend.sweep.once()
    assert await api.bot.claimed() == []
    await api.backend.store.actions.retry(UUID(comment["id"]), context=api.backend.context, actor="test")
    (again,) = await api.bot.claimed()
    assert again["attempts"] == 0
    assert (await api.challenge(again["challenge_id"])).status is ChallengeStatus.PENDING
    assert (await api.bot.result(again["id"], "SUCCEEDED", comment_id=78)).status == 200
    await api.advance(1801)
    await api.backend.sweep.once()
    assert [a["action_type"] for a in await api.bot.claimed()] == ["CLOSE_PR_WITH_COMMENT"]
