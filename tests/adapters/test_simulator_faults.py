"""Faults do what they say, and the log tells what was done before them."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from github_simulator import Fault, FaultKind
from tests.adapters.simulators import a_simulator, served

COMMENTS = "/repos/octo-org/hello/issues/1/comments"
PULL = "/repos/octo-org/hello/pulls/1"
CREATE = "issues/create-comment"


async def test_a_502_after_the_effect_leaves_the_comment() -> None:
    """The client cannot know; the world shows it."""
    simulator = a_simulator()
    simulator.faults.add(Fault(kind=FaultKind.STATUS, operation=CREATE, count=1, after_effect=True))
    async with served(simulator) as client:
        token = await client.token()
        statuses = [(await client.call("POST", COMMENTS, token, {"body": "x"}))[0] for _ in range(2)]
    assert (statuses, len(simulator.snapshot()["pull_requests"][0]["comments"])) == ([502, 201], 2)


@pytest.mark.parametrize(("after_effect", "comments"), [(False, 0), (True, 1)])
async def test_a_dropped_connection_gives_no_answer(after_effect: bool, comments: int) -> None:
    """With and without the effect."""
    simulator = a_simulator()
    simulator.faults.add(Fault(kind=FaultKind.DROP, operation=CREATE, after_effect=after_effect))
    async with served(simulator) as client:
        token = await client.token()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.call("POST", COMMENTS, token, {"body": "x"})
    assert comments == len(simulator.snapshot()["pull_requests"][0]["comments"])
    assert simulator.snapshot()["requests"]["by_status"] == {"201": 1, "0": 1}


async def test_a_hanging_request_ends_with_the_clients_patience() -> None:
    """And never holds up the end of the simulator."""
    simulator = a_simulator()
    simulator.faults.add(Fault(kind=FaultKind.HANG, operation="pulls/get"))
    async with served(simulator) as client:
        token = await client.token()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.call("GET", PULL, token), 0.1)


async def test_a_secondary_limit_can_come_with_and_without_its_header() -> None:
    """And hits one installation only, where the fault says so, after those it skips."""
    simulator = a_simulator()
    limit = FaultKind.SECONDARY_LIMIT
    simulator.faults.add(Fault(kind=limit, installation_id=7, operation=CREATE, skip=1, count=1, retry_after_s=60))
    simulator.faults.add(Fault(kind=limit, installation_id=8, status=429))
    async with served(simulator) as client:
        token = await client.token()
        seen = []
        for _ in range(3):
            status, _ = await client.call("POST", COMMENTS, token, {"body": "x"})
            seen.append((status, client.headers.get("retry-after")))
    assert seen == [(201, None), (403, "60"), (201, None)]


async def test_a_revoked_token_stays_revoked() -> None:
    """401 until a new one is minted."""
    simulator = a_simulator()
    simulator.faults.add(Fault(kind=FaultKind.REVOKE_TOKEN, count=1))
    async with served(simulator) as client:
        token = await client.token()
        statuses = [(await client.call("GET", PULL, token))[0] for _ in range(2)]
        statuses.append((await client.call("GET", PULL, await client.token()))[0])
    assert statuses == [401, 401, 200]


async def test_a_fresh_token_may_not_be_known_everywhere_yet() -> None:
    """It is refused a few times, then works."""
    simulator = a_simulator()
    simulator.faults.add(Fault(kind=FaultKind.FRESH_TOKEN, status=401, times=2, count=1))
    async with served(simulator) as client:
        token = await client.token()
        statuses = [(await client.call("GET", PULL, token))[0] for _ in range(3)]
    assert statuses == [401, 401, 200]


async def test_the_date_header_can_be_wrong_and_answers_late() -> None:
    """Faults on one request add up."""
    simulator = a_simulator()
    async with served(simulator) as client:
        await client.call("GET", "/rate_limit")
        right = parsedate_to_datetime(client.headers["date"])
        simulator.faults.add(Fault(kind=FaultKind.DATE_SKEW, skew_s=-86_400))
        simulator.faults.add(Fault(kind=FaultKind.LATENCY, latency_s=0.01))
        await client.call("GET", "/rate_limit")
        wrong = parsedate_to_datetime(client.headers["date"])
    assert round((right - wrong).total_seconds() / 86_400) == 1
