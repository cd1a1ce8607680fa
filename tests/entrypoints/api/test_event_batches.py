"""Contract section 10: many events at once, each taken, or refused, for itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from centralbot.domain.signing import signing_key
from tests.entrypoints.api.caller import INSTALLATION, PULL_REQUEST, SECRET, Answer, installed, opened, sign
from tests.entrypoints.api.serving import Api

EVENTS = "/internal/v2/github/events"
PULL, SYNC = "pull-request", "installation-sync"


def batched(event: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"event": event, **body}


async def send(api: Api, *events: Any, count: int | None = None, **signing: Any) -> Answer:
    message = f"github-events:{len(events) if count is None else count}"
    return await api.bot.post(EVENTS, message, {"events": list(events)}, **signing)


async def test_each_event_is_answered_as_by_its_own_endpoint(api: Api) -> None:
    """In order, and in the same words."""
    alone = opened(1)
    first = (await api.bot.pull_request(alone)).body
    answer = await send(
        api, batched(PULL, alone), batched(PULL, opened(2)), batched(SYNC, installed("suspend", repositories=[]))
    )
    assert answer.status == 200
    repeated, taken, suspended = answer.body["results"]
    assert repeated == {**first, "ingest_status": "DUPLICATE", "enqueued_actions": 0}
    assert set(taken) == {"ingest_status", "challenge_id", "enqueued_actions"}
    assert (taken["ingest_status"], taken["enqueued_actions"]) == ("ACCEPTED", 1)
    assert suspended == {"ingest_status": "ACCEPTED", "updated_installation_id": 123, "updated_repositories": 0}
    assert await api.statuses() == [(1, "UPSERT_PR_COMMENT", "PENDING"), (2, "UPSERT_PR_COMMENT", "PENDING")]


async def test_a_malformed_event_fails_alone(api: Api) -> None:
    """Its error names the field as its own endpoint does; the others are taken."""
    bad: list[Any] = [
        batched(PULL, {**opened(2), "installation_id": 0}),
        batched(PULL, {**opened(3), "event_time": "0001-01-01T00:00:00+23:59"}),
        batched(PULL, opened(4, repository={"id": 999, "full_name": "org/\0"})),
        batched("push", opened(5)),
        opened(6),
        batched(SYNC, opened(7)),
        17,
        None,
    ]
    answer = await send(api, batched(PULL, opened(1)), *bad, batched(PULL, opened(9)))
    assert answer.status == 200
    first, *errors, last = answer.body["results"]
    assert (first["ingest_status"], last["ingest_status"]) == ("ACCEPTED", "ACCEPTED")
    assert [set(error["error"]) for error in errors] == [{"code", "message"}] * len(bad)
    assert {error["error"]["code"] for error in errors} == {"VALIDATION_ERROR"}
    messages = [error["error"]["message"] for error in errors]
    assert messages[0] == (await api.bot.pull_request({**opened(2), "installation_id": 0})).message
    assert messages[1] == "event_time: out of range"
    assert messages[2] == "repository.full_name: must not contain a NUL character"
    assert messages[3].startswith("event: expected one of installation-sync, ")
    assert (messages[4], messages[5]) == ("event: missing", "event_name: missing")
    assert [number for number, _, _ in await api.statuses()] == [1, 9]


async def test_what_an_installation_has_counts_for_what_stands_behind_it(api: Api) -> None:
    """A batch is taken in its order."""
    other = {"id": 1000, "full_name": "org/other"}
    added = installed("added", "installation_repositories", repositories_added=[other])
    removed = installed(
        "removed", "installation_repositories", repositories_removed=[other], event_time="2026-02-16T13:00:00Z"
    )
    events = [opened(n, repository=other) for n in (1, 2, 3)]
    answer = await send(
        api, batched(PULL, events[0]), batched(SYNC, added), batched(PULL, events[1]), batched(SYNC, removed),
        batched(PULL, events[2]),
    )  # fmt: skip
    assert [result["ingest_status"] for result in answer.body["results"]] == [
        "IGNORED", "ACCEPTED", "ACCEPTED", "ACCEPTED", "IGNORED",
    ]  # fmt: skip


async def test_a_delivery_twice_in_one_batch_has_one_effect(api: Api) -> None:
    """The second is a duplicate of the first."""
    event = batched(PULL, opened())
    results = (await send(api, event, event)).body["results"]
    assert [result["ingest_status"] for result in results] == ["ACCEPTED", "DUPLICATE"]
    assert results[0]["challenge_id"] == results[1]["challenge_id"]


async def test_two_hundred_events_are_taken_and_one_more_is_refused(api: Api) -> None:
    """The limit is told to the signer; of more, nothing is taken. None at all is a batch as well."""
    answer = await send(api, *(batched(PULL, opened(n)) for n in range(1, 201)))
    assert [result["ingest_status"] for result in answer.body["results"]] == ["ACCEPTED"] * 200
    answer = await send(api, *(batched(PULL, opened(n)) for n in range(301, 502)))
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert answer.message.startswith("events: ")
    assert len(await api.statuses()) == 200
    assert (await send(api)).body == {"results": []}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"events": 1}', b'{"events": [{]}', b"{}", b'{"events": ["\xff"]}'])
async def test_a_body_that_is_no_batch_is_refused(api: Api, body: bytes) -> None:
    """As with the other endpoints, also where it does not say any more what was signed."""
    answer = await api.bot.post(EVENTS, "github-events:1", body)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_the_signature_covers_the_count_and_serves_once(api: Api) -> None:
    """Whatever became of the events; what was taken stays."""
    event = batched(PULL, opened())
    assert (await send(api, event, count=2)).status == 403
    assert (await send(api, event, secret="another")).status == 403
    for events, result in (([17], "error"), ([event], "challenge_id")):
        raw = json.dumps({"events": events}).encode()
        headers = sign("github-events:1", raw)
        first, again = [await api.bot.send(EVENTS, raw, headers) for _ in range(2)]
        assert (first.status, result in first.body["results"][0]) == (200, True)
        assert (again.status, again.code) == (403, "FORBIDDEN")
    assert len(await api.statuses()) == 1


async def test_the_plain_form_is_forbidden_even_for_a_key_that_may_use_it(api: Api) -> None:
    """The same answer as any other failure; the single endpoints still take it."""
    await api.backend.store.keys.create("plain", signing_key(SECRET), allow_unbound=True)
    plain: dict[str, Any] = {"key_id": "plain", "nonce": None}
    answer = await send(api, batched(PULL, opened()), **plain)
    other = await send(api, batched(PULL, opened()), secret="another")
    assert (answer.status, answer.body) == (403, other.body)
    assert (await api.bot.pull_request(opened(), **plain)).status == 200
    assert (await send(api, batched(PULL, opened(43)), key_id="plain")).status == 200


async def test_it_is_described(api: Api) -> None:
    """With the bodies of all events, told apart by ``event``."""
    document = (await api.bot.get("/schema")).body
    operation = document["paths"][EVENTS]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    batch = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    items = batch["properties"]["events"]["items"]
    assert {PULL, SYNC} <= set(items["discriminator"]["mapping"])
    assert batch["properties"]["events"]["maxItems"] == 200
    assert {PULL_REQUEST, INSTALLATION, EVENTS} <= set(document["paths"])
