"""The client of the backend against the real API over real HTTP, and against answers that the API never gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiohttp import web

from centralbot.adapters.backend_http.client import WINDOW_S, BackendClient, BackendTime
from centralbot.adapters.backend_http.schemas.events import EVENTS, PullRequestRequest
from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.actions import ActionType
from centralbot.domain.errors import ActionNotHeld, Forbidden, NotFound, Unavailable, ValidationError
from centralbot.domain.events import AccountType, AuthorAssociation, IngestStatus, RepositorySelection, UserType
from centralbot.domain.outbox import ActionStatus, OutboxRules, Outcome, Settlement
from centralbot.domain.signing import signing_key
from centralbot.entrypoints.api.app import build_app
from centralbot.entrypoints.api.internal import Internal
from centralbot.entrypoints.api.metrics import ApiMetrics
from centralbot.entrypoints.server import make_server
from centralbot.ports.clock import Clock
from centralbot.ports.outbox import ClaimedAction, ClaimRequest, MalformedAction
from centralbot.ports.use_cases.ingest import Ingest
from tests.builders import (
    AUTHOR,
    MAINTAINER,
    a_config,
    a_context,
    a_pull_request_event,
    an_installation_event,
    comment_of,
)
from tests.doubles.memory.clock import START, ManualClock
from tests.doubles.memory.store import MemoryStore
from tests.entrypoints.serving import listening

KEY_ID, SECRET = "key-1", "the key's secret"
CLAIM = ClaimRequest(worker_id="worker-1", action_types=tuple(ActionType), max_per_installation=1)


class Backend:
    """The real API over the memory store, listening on loopback."""

    def __init__(self, url: str, store: MemoryStore) -> None:
        self.url = url
        self.store = store

    def client(self, *, clock: Clock | None = None, **fields: Any) -> BackendClient:
        given = {"url": self.url, "key_id": KEY_ID, "secret": SECRET, "clock": clock or SystemClock()}
        return BackendClient(**{**given, **fields})


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    clock, gate = SystemClock(), a_context(a_config())
    store = MemoryStore(clock, SystemIds(), OutboxRules(), gate)
    await store.keys.create(KEY_ID, signing_key(SECRET), allow_unbound=False)
    internal = Internal(Ingest(store.deliveries, gate), store.outbox, store.keys, clock, ApiMetrics())
    server = make_server(build_app(internal, store.health), host="127.0.0.1", port=0, on_stop=internal.stopping.set)
    async with listening(server) as url:
        yield Backend(url, store)


@asynccontextmanager
async def answering(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], **fields: Any
) -> AsyncIterator[Any]:
    """A client of a backend that answers whatever ``handler`` does."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    given = {"url": f"http://{host}:{port}", "key_id": KEY_ID, "secret": SECRET, "clock": SystemClock()}
    try:
        async with BackendClient(**{**given, **fields}) as client:
            yield client
    finally:
        await runner.cleanup()


async def gated(client: BackendClient) -> ClaimedAction:
    """Install, open a pull request, claim its gate comment."""
    await client.send(an_installation_event("created", 999))
    await client.send(a_pull_request_event())
    return await only_claim(client)


async def only_claim(client: BackendClient) -> ClaimedAction:
    """The one action that there is to claim."""
    (action,) = await client.claim(CLAIM)
    assert isinstance(action, ClaimedAction)
    return action


def result(action: ClaimedAction, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> Settlement:
    values = Settlement(
        action_id=action.id, worker_id="worker-1", outcome=outcome, claim_token=action.claim_token, comment_id=77
    )
    return replace(values, **fields)


async def test_a_delivery_becomes_an_action_that_is_claimed_and_settled(backend: Backend) -> None:
    """The whole way of a gate comment through the four endpoints."""
    async with backend.client() as client:
        assert (await client.send(an_installation_event("created", 999))).status is IngestStatus.ACCEPTED
        outcome = await client.send(a_pull_request_event())
        assert (outcome.status, outcome.enqueued_actions) == (IngestStatus.ACCEPTED, 1)
        action = await only_claim(client)
        assert (action.action_type, action.repo_id, action.pr_number) == (ActionType.UPSERT_PR_COMMENT, 999, 42)
        assert (action.challenge_id, action.attempts) == (outcome.challenge_id, 0)
        assert comment_of(action).marker == f"centralbot:gate:{outcome.challenge_id}"
        assert action.lease_expires_at is not None
        assert await client.settle(result(action)) is ActionStatus.DONE
        assert await client.settle(result(action)) is ActionStatus.DONE


async def test_every_field_of_a_pull_request_event_arrives(backend: Backend) -> None:
    """The extension fields decide too: a member of the repository is exempt."""
    event = a_pull_request_event(
        author_type=UserType.USER,
        author_association=AuthorAssociation.MEMBER,
        merged=False,
        sender=MAINTAINER,
    )
    async with backend.client() as client:
        await client.send(an_installation_event("created", 999))
        outcome = await client.send(event)
    assert outcome.challenge_id is not None
    challenge = await backend.store.challenges.get(outcome.challenge_id)
    assert (challenge.author_id, challenge.author_login, challenge.reason) == (
        AUTHOR.id,
        AUTHOR.login,
        "EXEMPT_ASSOCIATION",
    )
    assert challenge.event_at == event.updated_at


async def test_labels_arrive(backend: Backend) -> None:
    """Those that a pull request has, and the one that an event is about."""
    async with backend.client() as client:
        await client.send(an_installation_event("created", 999))
        opened = await client.send(a_pull_request_event(number=1, labels=("bug", "centralbot:exempt")))
        await client.send(a_pull_request_event(number=2, labels=("bug",)))
        labeled = await client.send(
            a_pull_request_event("labeled", number=2, labels=("bug",), label="Centralbot:exempt", sender=MAINTAINER)
        )
    for outcome in (opened, labeled):
        assert outcome.challenge_id is not None
        assert (await backend.store.challenges.get(outcome.challenge_id)).reason == "EXEMPT_LABEL"


@pytest.mark.parametrize("labels", [None, (), ("bug", "b c")])
def test_labels_that_are_unknown_are_not_none_at_all(labels: tuple[str, ...] | None) -> None:
    """The wire keeps them apart."""
    event = a_pull_request_event(labels=labels)
    body = msgspec.json.decode(msgspec.json.encode(PullRequestRequest.of(event)), type=PullRequestRequest)
    assert body.event() == event


async def test_a_complete_list_drops_what_it_does_not_name(backend: Backend) -> None:
    """``repositories_complete`` and the account's details travel with an installation event."""
    async with backend.client() as client:
        await client.send(
            an_installation_event(
                "created",
                999,
                1000,
                account_type=AccountType.ORGANIZATION,
                account_id=5,
                repository_selection=RepositorySelection.ALL,
            )
        )
        outcome = await client.send(an_installation_event("added", 999, complete=True, seconds=0))
    assert outcome.updated_repositories == 2
    assert {repo.repo_id: repo.connected for repo in await backend.store.repositories.list()} == {
        999: True,
        1000: False,
    }


async def test_the_same_delivery_twice_is_a_duplicate(backend: Backend) -> None:
    """A retry is signed afresh, so it is taken as what it is."""
    event = a_pull_request_event()
    async with backend.client() as client:
        await client.send(an_installation_event("created", 999))
        await client.send(event)
        assert (await client.send(event)).status is IngestStatus.DUPLICATE


async def test_many_calls_in_one_second_are_told_apart(backend: Backend) -> None:
    """Fifty equal claims at once are fifty signatures."""
    async with backend.client() as client:
        assert await asyncio.gather(*(client.claim(CLAIM) for _ in range(50))) == [[]] * 50


async def test_a_waiting_claim_is_answered_when_there_is_something(backend: Backend) -> None:
    """The long poll brings the action that is queued while it waits."""
    async with backend.client() as client:
        await client.send(an_installation_event("created", 999))
        waiting = asyncio.create_task(client.claim(CLAIM, wait_s=20))
        await asyncio.sleep(0.05)
        await client.send(a_pull_request_event())
        assert len(await asyncio.wait_for(waiting, 10)) == 1


BATCHED = tuple(replace(schema, own=None) for schema in EVENTS)
"""As if no event had an endpoint of its own: so do all come that are new."""


async def test_events_without_an_endpoint_of_their_own_go_in_a_batch(backend: Backend) -> None:
    """They are answered, refused and repeated alike."""
    event = a_pull_request_event()
    async with backend.client(schemas=BATCHED) as client:
        assert (await client.send(an_installation_event("created", 999))).updated_repositories == 1
        first, second = [await client.send(event) for _ in range(2)]
        with pytest.raises(ValidationError, match=r"head_sha"):
            await client.send(a_pull_request_event(head_sha="short"))
    assert (first.status, first.enqueued_actions) == (IngestStatus.ACCEPTED, 1)
    assert (second.status, second.challenge_id) == (IngestStatus.DUPLICATE, first.challenge_id)


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ([{"error": {"code": "UNAVAILABLE", "message": "later"}}], Unavailable),
        ([{"error": {"code": "INTERNAL", "message": "odd"}}], Unavailable),
        ([{"error": {"code": "VALIDATION_ERROR", "message": "event"}}], ValidationError),
        ([{"error": {"code": "FORBIDDEN", "message": "no"}}], Forbidden),
        ([], Unavailable),
        ([{"ingest_status": "ACCEPTED"}] * 2, Unavailable),
        ([{}], Unavailable),
    ],
)
async def test_an_event_of_a_batch_that_was_not_taken_is_an_error(
    results: list[dict[str, Any]], error: type[Exception]
) -> None:
    """The batch is answered with 200 all the same."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"results": results})

    async with answering(handler, schemas=BATCHED) as client:
        with pytest.raises(error):
            await client.send(a_pull_request_event())


async def test_a_stale_claim_is_not_held(backend: Backend) -> None:
    """409 comes back as ActionNotHeld."""
    async with backend.client() as client:
        action = await gated(client)
        with pytest.raises(ActionNotHeld):
            await client.settle(result(action, claim_token=uuid4()))


async def test_an_unknown_action_is_not_found(backend: Backend) -> None:
    """404 on a result comes back as NotFound."""
    async with backend.client() as client:
        action = await gated(client)
        with pytest.raises(NotFound):
            await client.settle(result(action, action_id=uuid4()))


async def test_a_wrong_key_is_forbidden(backend: Backend) -> None:
    """403 comes back as Forbidden."""
    async with backend.client(secret="another") as client:
        with pytest.raises(Forbidden):
            await client.claim(CLAIM)


async def test_a_field_that_the_backend_refuses_is_named(backend: Backend) -> None:
    """400 comes back as ValidationError with the backend's words."""
    async with backend.client() as client:
        with pytest.raises(ValidationError, match=r"head_sha"):
            await client.send(a_pull_request_event(head_sha="short"))


async def test_a_wrong_address_is_unavailable_and_says_what_to_check(backend: Backend) -> None:
    """A path that is not there means that the setting is wrong, not that an event was refused."""
    async with backend.client(url=f"{backend.url}/nowhere") as client:
        with pytest.raises(Unavailable):
            await client.send(a_pull_request_event())


async def test_nobody_listening_is_unavailable(unused_tcp_port: int) -> None:
    """A refused connection is Unavailable for each call."""
    async with BackendClient(
        url=f"http://127.0.0.1:{unused_tcp_port}", key_id=KEY_ID, secret=SECRET, clock=SystemClock()
    ) as client:
        with pytest.raises(Unavailable):
            await client.send(a_pull_request_event())
        with pytest.raises(Unavailable):
            await client.check()


@pytest.mark.parametrize("ahead_s", [360, -360])
async def test_a_clock_that_is_six_minutes_off_does_no_harm(backend: Backend, ahead_s: int) -> None:
    """Requests are signed by the backend's clock as soon as it is known from an answer."""

    class Wrong(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(seconds=ahead_s)

    async with backend.client(clock=Wrong()) as client:
        assert await client.claim(CLAIM) == []
        assert abs((client.backend_now() - datetime.now(UTC)).total_seconds()) < 5


async def test_the_backend_can_be_asked_whether_it_is_ready(backend: Backend) -> None:
    """``check`` is silent when all is well."""
    async with backend.client() as client:
        await client.check()


@pytest.mark.parametrize(
    ("status", "headers", "retry_after_s"),
    [(503, {"Retry-After": "7"}, 7), (503, {}, 1), (502, {"Retry-After": "soon"}, 1), (500, {}, 1), (302, {}, 1)],
)
async def test_answers_of_a_server_in_trouble_are_unavailable(
    status: int, headers: dict[str, str], retry_after_s: int
) -> None:
    """Whatever a proxy or a restarting backend says, the event is to be sent again."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, text="<html>")

    async with answering(handler) as client:
        with pytest.raises(Unavailable) as caught:
            await client.send(a_pull_request_event())
    assert caught.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"ingest_status": "PERHAPS"}', "[" * 50_000])
async def test_an_answer_that_is_not_the_contracts_is_unavailable(text: str) -> None:
    """200 with something else was not taken for sure."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    async with answering(handler) as client:
        with pytest.raises(Unavailable):
            await client.send(a_pull_request_event())


async def test_a_backend_that_does_not_answer_is_unavailable() -> None:
    """Silence ends after the request's time limit."""

    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with answering(handler, request_timeout_s=0.1) as client:
        with pytest.raises(Unavailable, match="the backend did not answer in time"):
            await client.claim(CLAIM)
        with pytest.raises(Unavailable, match="the backend did not answer in time"):
            await client.check()


def a_plain_action(**fields: Any) -> dict[str, Any]:
    """An action as a backend hands it out that knows only the unmarked parts of the contract."""
    row: dict[str, Any] = {
        "id": str(uuid4()),
        "action_type": "UPSERT_PR_COMMENT",
        "installation_id": 123,
        "github_repo_id": 999,
        "repo_full_name": "org/repo",
        "github_pr_number": 42,
        "challenge_id": None,
        "payload": {"comment_markdown": "Hi", "comment_marker": "m", "reason": "VERIFICATION_REQUIRED"},
        "attempts": 0,
        "created_at": "2026-02-16T12:34:56Z",
        "something_new": {},
    }
    return {**row, **fields}


async def test_a_plain_backend_is_understood() -> None:
    """Without the extension fields an action has no token, no lease time and no comment."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"actions": [a_plain_action()]})

    async with answering(handler) as client:
        action = await only_claim(client)
    assert (action.claim_token, action.lease_expires_at, comment_of(action).comment_id) == (None, None, None)


def payload(markdown: object = "Hi", marker: object = "m") -> dict[str, object]:
    return {"comment_markdown": markdown, "comment_marker": marker, "reason": "VERIFICATION_REQUIRED"}


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"action_type": "SET_LABEL", "payload": {"label": "x"}}, "UNKNOWN_ACTION_TYPE", "SET_LABEL"),
        ({"action_type": 7}, "MALFORMED_ACTION", "action_type"),
        ({"payload": payload(marker="")}, "MALFORMED_ACTION", "payload.comment_marker: must not be empty"),
        ({"payload": payload(markdown="\n ")}, "MALFORMED_ACTION", "payload.comment_markdown: must not be empty"),
        ({"payload": payload(marker=None)}, "MALFORMED_ACTION", "comment_marker"),
        ({"payload": {}}, "MALFORMED_ACTION", "comment_markdown"),
        ({"payload": None}, "MALFORMED_ACTION", "object"),
        ({"github_pr_number": "42"}, "MALFORMED_ACTION", "github_pr_number"),
        ({"created_at": "yesterday"}, "MALFORMED_ACTION", "created_at"),
    ],
)
async def test_an_action_that_cannot_be_read_costs_the_others_nothing(
    fields: dict[str, object], code: str, message: str
) -> None:
    """Its id and its claim are kept, so that it can be reported."""
    first, bad, last = a_plain_action(), a_plain_action(claim_token=str(uuid4()), **fields), a_plain_action()

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"actions": [first, bad, last]})

    async with answering(handler) as client:
        got = await client.claim(CLAIM)
    assert [str(action.id) for action in got] == [first["id"], bad["id"], last["id"]]
    assert [type(action) for action in got] == [ClaimedAction, MalformedAction, ClaimedAction]
    malformed = got[1]
    assert isinstance(malformed, MalformedAction)
    assert (malformed.code, str(malformed.claim_token)) == (code, bad["claim_token"])
    assert message in malformed.message


@pytest.mark.parametrize("bad", ["17", "null", "[]", "{}", '{"id": "no uuid"}', '{"id": "\xff"}'])
async def test_an_action_whose_id_cannot_be_read_is_told_of_too(bad: str) -> None:
    """Nobody can report it; that it was there is known."""

    async def handler(_: web.Request) -> web.StreamResponse:
        text = f'{{"actions": [{bad}, {json.dumps(a_plain_action())}]}}'
        return web.Response(body=text.encode("latin-1"))

    async with answering(handler) as client:
        malformed, action = await client.claim(CLAIM)
    assert isinstance(malformed, MalformedAction)
    assert (malformed.id, malformed.code) == (None, "MALFORMED_ACTION")
    assert isinstance(action, ClaimedAction)


async def test_a_plain_backend_is_told_nothing_that_it_need_not_know() -> None:
    """Fields that the contract marks (ext) are left out where they say nothing; the unmarked ones are always there."""
    bodies: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return web.json_response({"ingest_status": "ACCEPTED", "actions": [], "status": "DONE", "id": str(uuid4())})

    async with answering(handler) as client:
        await client.send(a_pull_request_event(updated_at=None))
        await client.send(an_installation_event("suspend", account_login=None))
        await client.claim(ClaimRequest(worker_id="worker-1"))
        await client.settle(
            Settlement(action_id=uuid4(), worker_id="worker-1", outcome=Outcome.SUCCEEDED, claim_token=None)
        )
    pull_request, installation, claim, settled = bodies
    assert set(pull_request) == {
        "delivery_id", "event_time", "installation_id", "action", "repository", "pull_request",
    }  # fmt: skip
    assert set(pull_request["pull_request"]) == {"number", "id", "html_url", "is_draft", "user", "head_sha"}
    assert set(pull_request["pull_request"]["user"]) == {"id", "login"}
    assert set(installation) == {
        "delivery_id", "event_time", "event_name", "action", "installation",
        "repositories_added", "repositories_removed", "repositories",
    }  # fmt: skip
    assert installation["installation"] == {"id": 123, "account_login": None, "account_type": None}
    assert set(claim) - {"wait_s"} == {"worker_id", "limit", "action_types"}
    assert settled == {
        "worker_id": "worker-1", "outcome": "SUCCEEDED", "failure_code": None, "failure_message": None,
    }  # fmt: skip


def heard(time: BackendTime, clock: ManualClock, *, old_s: float = 0.0, ahead_s: float = 0.0) -> None:
    """An answer read now that was sent ``old_s`` ago by a backend whose clock is ``ahead_s`` ahead."""
    sent = clock.now() + timedelta(seconds=ahead_s - old_s)
    time.heard(sent.strftime("%a, %d %b %Y %H:%M:%S GMT"))


def test_before_any_answer_the_backend_is_believed_to_have_our_time() -> None:
    """There is nothing better to go by."""
    assert BackendTime(ManualClock()).now() == START


def test_the_backends_clock_is_followed() -> None:
    """An answer from six minutes ahead moves our idea of the backend's time."""
    clock = ManualClock()
    time = BackendTime(clock)
    heard(time, clock, ahead_s=360)
    assert time.offset_s == 360


@pytest.mark.parametrize("stopped_s", [30.0, WINDOW_S + 1, 600.0])
def test_an_answer_from_before_a_stop_does_not_turn_the_clock_back(stopped_s: float) -> None:
    """It lay in a socket's buffer while we were stopped: it must not make an old lease look fresh."""
    clock = ManualClock()
    time = BackendTime(clock)
    heard(time, clock)
    clock.advance(stopped_s)
    heard(time, clock, old_s=stopped_s)
    assert time.offset_s == 0


def test_a_clock_that_was_set_back_is_noticed_and_an_old_offset_fades() -> None:
    """Two windows later only what was heard since counts."""
    clock = ManualClock()
    time = BackendTime(clock)
    heard(time, clock, ahead_s=360)
    for _ in range(3):
        clock.advance(WINDOW_S + 1)
        heard(time, clock)
    assert time.offset_s == 0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Feb 2026 12:00:00 GMT"])
def test_a_date_that_cannot_be_read_is_ignored(date: str | None) -> None:
    """Some proxies send none, or nonsense."""
    time = BackendTime(ManualClock())
    time.heard(date)
    assert time.offset_s == 0
