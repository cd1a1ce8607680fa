"""Contract section 2: who may call, and that a refusal never says why."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from centralbot.domain.signing import signing_key
from tests.entrypoints.api.caller import CLAIM, INSTALLATION, KEY_ID, PULL_REQUEST, SECRET, Answer, opened, sign
from tests.entrypoints.api.serving import Api, serving

BODY = opened(delivery_id="d-1")
RAW = json.dumps(BODY).encode()
MESSAGE = "github-event:pull_request:d-1"
Headers = dict[str, str]


def without(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: {key: value for key, value in headers.items() if key != name}


def having(**changed: str) -> Callable[[Headers], Headers]:
    return lambda headers: {**headers, **{f"x-sitg-{key.replace('_', '-')}": v for key, v in changed.items()}}


def upper(headers: Headers) -> Headers:
    return {**headers, "x-sitg-signature": "sha256=" + headers["x-sitg-signature"][7:].upper()}


def signed(**how: Any) -> Callable[[Headers], Headers]:
    def change(_: Headers) -> Headers:
        return sign(how.pop("message", MESSAGE), how.pop("body", RAW), **how)

    return change


WRONG: dict[str, Callable[[Headers], Headers]] = {
    "no key id": without("x-sitg-key-id"),
    "no timestamp": without("x-sitg-timestamp"),
    "no signature": without("x-sitg-signature"),
    "nonce removed": without("x-sitg-nonce"),
    "nothing": lambda _: {},
    "unknown key": signed(key_id="nobody"),
    "empty key id": signed(key_id=""),
    "wrong secret": signed(secret="another"),
    "stale": lambda _: sign(MESSAGE, RAW, timestamp=int(time.time()) - 310),
    "from the future": lambda _: sign(MESSAGE, RAW, timestamp=int(time.time()) + 310),
    "timestamp of words": signed(timestamp="now"),
    "timestamp negative": signed(timestamp="-5"),
    "timestamp with a fraction": lambda _: sign(MESSAGE, RAW, timestamp=f"{time.time():.2f}"),
    "timestamp of 5,000 digits": signed(timestamp="9" * 5000),
    "timestamp with a plus": lambda _: sign(MESSAGE, RAW, timestamp=f"+{int(time.time())}"),
    "another body": signed(body=RAW + b" "),
    "another message": signed(message="github-event:pull_request:d-2"),
    "another endpoint's message": signed(message="bot-actions-claim:d-1"),
    "nonce of 15": signed(nonce="a" * 15),
    "nonce of 65": signed(nonce="a" * 65),
    "nonce with a dot": signed(nonce="a" * 16 + "."),
    "nonce empty": lambda _: {**sign(MESSAGE, RAW, nonce=None), "x-sitg-nonce": ""},
    "upper-case hex": upper,
    "no prefix": lambda headers: {**headers, "x-sitg-signature": headers["x-sitg-signature"][7:]},
    "sha1": having(signature="sha1=" + "a" * 40),
    "not hex": having(signature="sha256=" + "z" * 64),
    "short": having(signature="sha256=" + "a" * 63),
    "non-ASCII signature": having(signature="sha256=" + "é" * 64),
    "non-ASCII key id": having(key_id="ключ"),
    "non-ASCII nonce": having(nonce="é" * 16),
    "non-ASCII timestamp": having(timestamp="١٢٣"),
    "plain form with a bound key": signed(nonce=None),
}
REFUSED = {"error": {"code": "FORBIDDEN", "message": "internal authentication failed"}}


async def test_every_way_to_fail_is_the_same_403(api: Api) -> None:
    """No oracle: status and body are the same, and the delivery is not taken."""
    await api.backend.store.keys.create("revoked", signing_key(SECRET), allow_unbound=True)
    await api.backend.store.keys.revoke("revoked")
    answers = {
        name: await api.bot.send(PULL_REQUEST, RAW, change(sign(MESSAGE, RAW))) for name, change in WRONG.items()
    }
    answers["revoked"] = await api.bot.send(PULL_REQUEST, RAW, sign(MESSAGE, RAW, key_id="revoked"))
    assert dict.fromkeys(answers, (403, REFUSED)) == {name: (a.status, a.body) for name, a in answers.items()}
    assert await api.statuses() == []


async def test_a_repeated_header_is_refused(api: Api) -> None:
    """Which of two would count is nobody's guess."""
    headers = [*sign(MESSAGE, RAW).items(), ("x-sitg-key-id", KEY_ID)]
    async with api.bot.session.post(api.bot.url + PULL_REQUEST, data=RAW, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (403, REFUSED)


@pytest.mark.parametrize("seconds", [-295, 295])
async def test_a_clock_may_be_five_minutes_off(api: Api, seconds: int) -> None:
    """Either way."""
    answer = await api.bot.pull_request(BODY, timestamp=int(time.time()) + seconds)
    assert (answer.status, answer.body["ingest_status"]) == (200, "ACCEPTED")


async def test_a_nonce_may_have_16_to_64_characters(api: Api) -> None:
    """Of the base64url alphabet."""
    for nonce in ("Aa0_-" * 3 + "x", "z" * 64):
        assert (await api.bot.pull_request(opened(), nonce=nonce)).status == 200


async def test_a_signature_serves_once(api: Api) -> None:
    """Again it is 403 on each endpoint; signed afresh it is answered."""
    headers = sign(MESSAGE, RAW)
    statuses = [(await api.bot.send(PULL_REQUEST, RAW, headers)).status for _ in range(3)]
    assert statuses == [200, 403, 403]
    assert (await api.bot.pull_request(BODY)).body["ingest_status"] == "DUPLICATE"
    claim = b'{"worker_id": "w", "wait_s": 0}'
    headers = sign("bot-actions-claim:w", claim)
    first, again = [await api.bot.send(CLAIM, claim, headers) for _ in range(2)]
    assert (first.status, len(first.body["actions"]), again.status, again.body) == (200, 1, 403, REFUSED)
    action_id = first.body["actions"][0]["id"]
    result = b'{"worker_id": "w", "outcome": "SUCCEEDED"}'
    headers = sign(f"bot-action-result:{action_id}:w:SUCCEEDED", result)
    answers = [await api.bot.send(f"/internal/v2/bot-actions/{action_id}/result", result, headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 403]


async def test_a_replay_in_parallel_serves_once(api: Api) -> None:
    """Fifty at once, one of them counts."""
    headers = sign(MESSAGE, RAW)
    answers = await asyncio.gather(*(api.bot.send(PULL_REQUEST, RAW, headers) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] + [403] * 49


async def test_a_malformed_body_does_not_tell_which_keys_exist(api: Api) -> None:
    """Signature unknown, body broken: the same answer for an active key as for none."""
    for body in (b"{", b'{"delivery_id": 1}', b" " * ((1 << 20) + 1)):
        known, unknown, plain = [
            await api.bot.send(PULL_REQUEST, body, sign(MESSAGE, b"", **how))
            for how in ({}, {"key_id": "nobody"}, {"nonce": None})
        ]
        assert (known.status, known.body) == (unknown.status, unknown.body)
        assert (known.status, known.body) == (plain.status, plain.body)


async def test_only_the_signer_is_told_what_is_wrong_with_a_body(api: Api) -> None:
    """Where the body says what was signed; a stranger learns nothing of its fields."""
    action_id = str(uuid4())
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        PULL_REQUEST: ({"delivery_id": "d"}, "github-event:pull_request:d"),
        INSTALLATION: ({"delivery_id": "d"}, "github-event:installation-sync:d"),
        CLAIM: ({"worker_id": "w", "limit": 0}, "bot-actions-claim:w"),
        f"/internal/v2/bot-actions/{action_id}/result": (
            {"worker_id": "w", "outcome": "FAILED", "comment_id": 0},
            f"bot-action-result:{action_id}:w:FAILED",
        ),
    }
    told = {path: (await api.bot.post(path, message, body)).status for path, (body, message) in bodies.items()}
    strangers = {
        path: (await api.bot.post(path, message, body, secret="another")).body
        for path, (body, message) in bodies.items()
    }
    assert (told, strangers) == (dict.fromkeys(bodies, 400), dict.fromkeys(bodies, REFUSED))


async def test_the_plain_form_is_for_keys_that_allow_it(api: Api) -> None:
    """It binds no body; the same second's signature for the same message serves once."""
    await api.backend.store.keys.create("old-bot", signing_key("s"), allow_unbound=True)
    how = {"key_id": "old-bot", "secret": "s", "nonce": None}
    answer = await api.bot.pull_request(BODY, **how)
    assert (answer.status, answer.body["ingest_status"]) == (200, "ACCEPTED")
    assert (await api.bot.pull_request(opened(43), key_id="old-bot", secret="s")).status == 200


async def test_two_keys_are_active_at_once(api: Api) -> None:
    """So that a rotation drops nothing."""
    await api.backend.store.keys.create("bot-2", signing_key("second"), allow_unbound=False)
    for how in ({}, {"key_id": "bot-2", "secret": "second"}):
        assert (await api.bot.pull_request(opened(), **how)).status == 200


async def test_a_revoked_key_is_refused_at_once_by_every_process(database: str) -> None:
    """Keys are cached; a revocation elsewhere empties the cache."""
    async with serving(database) as first, serving(database) as second:
        assert [(await process.bot.claim()).status for process in (first, second)] == [200, 200]
        await first.backend.store.keys.revoke(KEY_ID)
        assert (await first.bot.claim()).status == 403
        answers: list[Answer] = []
        while not answers or answers[-1].status != 403:
            assert len(answers) < 100
            answers.append(await second.bot.claim())
            await asyncio.sleep(0.01)


async def test_one_worker_calls_a_hundred_times_in_a_second(api: Api) -> None:
    """The same message, at the same time, told apart by the nonce."""
    now = int(time.time())
    raw = b'{"worker_id": "w"}'
    answers = await asyncio.gather(
        *(api.bot.send(CLAIM, raw, sign("bot-actions-claim:w", raw, timestamp=now)) for _ in range(100))
    )
    assert [answer.status for answer in answers] == [200] * 100
