"""Faults 13, 24, 30 and 31 from the webhook on: odd events, each taken by the real parts in a row."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from centralbot.domain.events import PullRequestEvent
from centralbot.domain.gating import Reason
from centralbot.entrypoints.http import MIB, PayloadTooLarge, read_body
from centralbot.entrypoints.logs import configure_logging
from centralbot.entrypoints.worker.events import normalize
from centralbot.entrypoints.worker.webhook import LIMIT
from tests.builders import T0, WINDOW_S, a_config, an_installation_event
from tests.contracts.driver import UnderTest
from tests.entrypoints.api.caller import at, opened
from tests.entrypoints.api.serving import Api, serving

PAYLOAD = Path(__file__).parents[1] / "data" / "payloads" / "pull_request.opened.json"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A backend with the App installed on repository 999, where the default mode enforces."""
    async with serving(database) as running:
        await running.bot.install()
        yield running


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What is logged from now on; logging is global, so it is left as it was."""
    stream = io.StringIO()
    configure_logging("json", "info", stream=stream)
    yield stream
    structlog.reset_defaults()


def payload(**pull_request: Any) -> PullRequestEvent:
    """GitHub's own example of ``opened`` with these fields of its pull request, as the worker forwards it."""
    content = json.loads(PAYLOAD.read_text())
    content["pull_request"] |= pull_request
    event = normalize("pull_request", json.dumps(content).encode(), delivery_id="d-1", received_at=T0)
    assert isinstance(event, PullRequestEvent)
    return event


@pytest.mark.parametrize(
    ("user", "association", "why"),
    [
        (None, "NONE", "GHOST_AUTHOR"),
        ({"id": 10137, "login": "ghost", "type": "User"}, "NONE", "GHOST_AUTHOR"),
        ({"id": 5, "login": "someone", "type": "Mannequin"}, "MANNEQUIN", "GHOST_AUTHOR"),
        ({"id": 5, "login": "dependabot[bot]", "type": "Bot"}, "CONTRIBUTOR", "BOT_AUTHOR"),
    ],
)
async def test_nobody_is_closed_who_could_not_pass(
    store: UnderTest, user: dict[str, object] | None, association: str, why: str
) -> None:
    """Fault 31: GitHub's example with such an author is exempt, on record with its reason, and nothing is queued."""
    event = payload(user=user, author_association=association)
    repo_id = event.repository.id
    await store.install(an_installation_event("created", repo_id, installation_id=event.installation_id))
    await store.store.repositories.configure(repo_id, a_config(), actor="test")
    outcome = await store.take(event)
    assert (outcome.reason, outcome.enqueued_actions) == (Reason.EXEMPT, 0)
    assert outcome.challenge_id is not None
    (made,) = await store.store.challenges.history(outcome.challenge_id)
    assert (made.event, made.detail["why"]) == ("challenge.exempted", why)
    await store.advance(10 * WINDOW_S)
    assert (await store.sweep(), await store.run_all()) == ((0, 0), [])


async def test_the_log_says_why_nothing_happened(api: Api, log_lines: io.StringIO) -> None:
    """Fault 31: one line for each delivery, exempt or ignored, with its reason."""
    await api.bot.pull_request(opened(1, pull_request={"user": {"id": 10137, "login": "ghost"}}))
    await api.bot.pull_request(opened(2, pull_request={"user": {"id": 8, "login": "x[bot]", "type": "Bot"}}))
    await api.bot.pull_request(opened(3, action="labeled", label="bug"))
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    taken = [(line["pr_number"], line["status"], line["reason"]) for line in lines if line["event"] == "delivery.taken"]
    assert taken == [
        (1, "ACCEPTED", "EXEMPT"),
        (2, "ACCEPTED", "EXEMPT"),
        (3, "IGNORED", "IRRELEVANT_ACTION"),
    ]


async def test_closed_before_opened_closes_and_asks_nobody(api: Api) -> None:
    """Fault 13: by the pull request's own time the close is newer, so the late opening means nothing any more."""
    closed = opened(action="closed", pull_request={"updated_at": at(60)})
    late = opened(action="opened", pull_request={"updated_at": at(0)})
    push = opened(action="synchronize", pull_request={"updated_at": at(30)})
    answers = [(await api.bot.pull_request(body)).body for body in (closed, late, push)]
    assert [answer["ingest_status"] for answer in answers] == ["IGNORED"] * 3
    assert (await api.bot.claimed(), await api.statuses()) == ([], [])


async def test_an_old_close_does_not_end_a_newer_challenge(api: Api) -> None:
    """Fault 13 the other way round: reopened by its author, then the close from before arrives."""
    again = opened(action="reopened", pull_request={"updated_at": at(60)}, sender={"id": 2002, "login": "contrib"})
    late = opened(action="closed", pull_request={"updated_at": at(0)})
    first = (await api.bot.pull_request(again)).body
    assert (await api.bot.pull_request(late)).body["ingest_status"] == "IGNORED"
    assert (await api.challenge(first["challenge_id"])).status == "PENDING"
    assert [action["github_pr_number"] for action in await api.bot.claimed()] == [42]


async def test_a_body_without_end_takes_no_more_memory_than_the_limit() -> None:
    """Fault 24: reading stops with the first byte too many, and what was read is freed."""
    pulled = 0

    async def receive() -> dict[str, Any]:
        nonlocal pulled
        pulled += 1
        return {"type": "http.request", "body": bytes(MIB), "more_body": True}

    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge):
            await read_body({"type": "http", "headers": []}, receive, limit=LIMIT)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pulled == LIMIT // MIB + 1
    assert peak < 2 * LIMIT
    assert now < MIB
