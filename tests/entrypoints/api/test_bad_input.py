"""Contract section 1 and rows 26 to 29 of the faults: bad input, field by field, is a 400 that names the field."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.entrypoints.api.caller import (
    CLAIM,
    INSTALLATION,
    MISSING,
    PULL_REQUEST,
    WORKER,
    Answer,
    installed,
    opened,
    sign,
    with_field,
)
from tests.entrypoints.api.serving import Api

HUGE = json.loads("1" + "0" * 400)  # sent as digits; 5,000 of them below, raw
NOT_AN_ID: tuple[Any, ...] = (MISSING, None, "1", 1.0, 1.5, True, 0, -1, 2**63, 2**64, HUGE, [], {})
NOT_A_TEXT: tuple[Any, ...] = (MISSING, None, 1, True, [], {}, "")
NOT_A_BOOLEAN: tuple[Any, ...] = (MISSING, None, 0, 1, "false", [], {})
NOT_A_TIME: tuple[Any, ...] = (
    MISSING,
    None,
    1771245296,
    "",
    "yesterday",
    "2026-02-16",
    "2026-02-16T12:34:56",
    "2026-13-16T12:34:56Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
)
NOT_AN_OBJECT: tuple[Any, ...] = (MISSING, None, 1, "x", [])
NOT_A_SHA: tuple[Any, ...] = (
    *NOT_A_TEXT,
    "a" * 39,
    "a" * 41,
    "a" * 63,
    "a" * 65,
    "g" * 40,
    "a" * 40 + "\n",
    " " + "a" * 39,
)

PULL_REQUEST_FIELDS: dict[str, tuple[Any, ...]] = {
    "delivery_id": (*NOT_A_TEXT, "x" * 129),
    "event_time": NOT_A_TIME,
    "installation_id": NOT_AN_ID,
    "action": NOT_A_TEXT,
    "repository": NOT_AN_OBJECT,
    "repository.id": NOT_AN_ID,
    "repository.full_name": NOT_A_TEXT,
    "pull_request": NOT_AN_OBJECT,
    "pull_request.number": NOT_AN_ID,
    "pull_request.id": NOT_AN_ID,
    "pull_request.html_url": (*NOT_A_TEXT, "javascript:alert(1)"),
    "pull_request.is_draft": NOT_A_BOOLEAN,
    "pull_request.user": NOT_AN_OBJECT,
    "pull_request.user.id": NOT_AN_ID,
    "pull_request.user.login": NOT_A_TEXT,
    "pull_request.head_sha": NOT_A_SHA,
    # (ext)
    "pull_request.user.type": ("Robot", "user", "", 1, []),
    "pull_request.author_association": ("FRIEND", "owner", "", 1, []),
    "pull_request.merged": ("true", 1, []),
    "pull_request.updated_at": NOT_A_TIME[2:],
    "sender": (1, "x", []),
    "sender.id": NOT_AN_ID,
    "sender.login": NOT_A_TEXT,
}
INSTALLATION_FIELDS: dict[str, tuple[Any, ...]] = {
    "delivery_id": (*NOT_A_TEXT, "x" * 129),
    "event_time": NOT_A_TIME,
    "event_name": NOT_A_TEXT,
    "action": NOT_A_TEXT,
    "installation": NOT_AN_OBJECT,
    "installation.id": NOT_AN_ID,
    "installation.account_login": (1, [], ""),
    "installation.account_type": ("Robot", "organization", 1),
    "installation.account_id": NOT_AN_ID[2:],
    "installation.repository_selection": ("some", 1),
    "repositories": (None, 1, {}, [1], [None], [{}], [{"id": 1}], [{"id": "1", "full_name": "org/a"}]),
    "repositories_added": (None, 1, {}, [{"id": 2**63, "full_name": "org/a"}]),
    "repositories_removed": (None, 1, {}, [{"id": 0, "full_name": "org/a"}]),
}
CLAIM_FIELDS: dict[str, tuple[Any, ...]] = {
    "worker_id": (*NOT_A_TEXT, "x" * 129),
    "limit": (None, 0, -1, 101, 1.0, "25", True, 2**63),
    "wait_s": (None, -1, 31, "1", True, 10**400),
    "action_types": (None, [], "UPSERT_PR_COMMENT", ["DELETE_REPO"], [1]),
}
RESULT_FIELDS: dict[str, tuple[Any, ...]] = {
    "worker_id": (*NOT_A_TEXT, "x" * 129),
    "outcome": (MISSING, None, "", "DONE", "succeeded", 1),
    "failure_code": (1, [], True),
    "failure_message": (1, [], {}),
    "claim_token": ("", "not-a-uuid", 1),
    "retry_after_s": (-1, "1", True, 10**400),
    "pause_installation_s": (-1, "1", True, 10**400),
    "comment_id": NOT_AN_ID[2:],
}


def verdict(path: str, answer: Answer) -> str:
    """``ok``, or what is wrong with a refusal that has to name ``path``."""
    if (answer.status, answer.code) != (400, "VALIDATION_ERROR"):
        return f"{answer.status} {answer.body}"
    return "ok" if answer.message.startswith(path) else answer.message


async def refusals(send: Any, body: dict[str, Any], fields: dict[str, tuple[Any, ...]]) -> dict[str, str]:
    """What did not go as it should, by field and value."""
    wrong = {}
    for path, values in fields.items():
        for value in values:
            found = verdict(path, await send(with_field(body, path, value)))
            if found != "ok":
                wrong[f"{path} = {value!r}"[:120]] = found
    return wrong


async def test_a_pull_request_event_is_checked_field_by_field(api: Api) -> None:
    """The message names the field, and nothing is taken."""
    body = opened(sender={"id": 1, "login": "a"}, pull_request={"user": {"id": 1, "login": "a"}})
    assert await refusals(api.bot.pull_request, body, PULL_REQUEST_FIELDS) == {}
    assert await api.statuses() == []
    assert (await api.bot.pull_request(body)).body["ingest_status"] == "ACCEPTED"


async def test_an_installation_event_is_checked_field_by_field(api: Api) -> None:
    """The same for installations."""

    async def send(body: dict[str, Any]) -> Answer:
        return await api.bot.post(INSTALLATION, f"github-event:installation-sync:{body.get('delivery_id')}", body)

    assert await refusals(send, installed(), INSTALLATION_FIELDS) == {}


async def test_a_claim_is_checked_field_by_field(api: Api) -> None:
    """And for claims; the default of ``limit`` is 25."""
    await api.bot.pull_request(opened())

    async def send(body: dict[str, Any]) -> Answer:
        return await api.bot.post(CLAIM, f"bot-actions-claim:{body.get('worker_id')}", body)

    assert await refusals(send, {"worker_id": "w"}, CLAIM_FIELDS) == {}
    assert await api.statuses() == [(42, "UPSERT_PR_COMMENT", "PENDING")]


async def test_a_result_is_checked_field_by_field(api: Api) -> None:
    """A refused result leaves the claim as it was."""
    await api.bot.pull_request(opened())
    (action,) = await api.bot.claimed()
    body = {"worker_id": WORKER, "outcome": "SUCCEEDED", "failure_code": None, "failure_message": None}

    async def send(body: dict[str, Any]) -> Answer:
        message = f"bot-action-result:{action['id']}:{body.get('worker_id')}:{body.get('outcome')}"
        return await api.bot.post(f"/internal/v2/bot-actions/{action['id']}/result", message, body)

    assert await refusals(send, body, RESULT_FIELDS) == {}
    assert (await send(body)).status == 200


RAW_NUMBERS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"9" * 5000,
    b"-" + b"9" * 5000,
    b"01",
    b"0x2A",
    b"1e2",
    b"4.2e1",
    b"+1",
)
ID_FIELDS = [path for path, values in PULL_REQUEST_FIELDS.items() if values is NOT_AN_ID]


async def test_a_number_that_is_none_names_its_field(api: Api) -> None:
    """Whether JSON forbids it, or only the field does."""
    body = opened(sender={"id": 1, "login": "a"})
    wrong = {}
    for path in ID_FIELDS:
        for number in RAW_NUMBERS:
            raw = json.dumps(with_field(body, path, 777777)).encode().replace(b"777777", number)
            answer = await api.bot.pull_request(raw, delivery_id=body["delivery_id"])
            if (found := verdict(path, answer)) != "ok":
                wrong[path, number[:12]] = found
    assert wrong == {}


async def test_a_message_says_what_was_expected_in_plain_words(api: Api) -> None:
    """The first is the contract's own example."""
    body = opened(sender={"id": 1, "login": "a"})
    changes: dict[tuple[str, Any], str] = {
        ("pull_request.number", 0): "pull_request.number: expected an integer >= 1",
        ("pull_request.number", "1"): "pull_request.number: expected an integer, got a string",
        ("pull_request.is_draft", None): "pull_request.is_draft: expected a boolean, got null",
        ("pull_request.merged", 1.5): "pull_request.merged: expected a boolean or null, got a number",
        ("sender", True): "sender: expected an object or null, got a boolean",
        ("event_time", 5): "event_time: expected a time, got an integer",
        ("action", ""): "action: expected a string of length >= 1",
        ("repository", MISSING): "repository: missing",
    }
    answers = {at: await api.bot.pull_request(with_field(body, *at)) for at in changes}
    assert changes == {at: answer.message for at, answer in answers.items()}


async def test_a_bad_number_before_something_worse_is_400(api: Api) -> None:
    """Looking for the field of the one does not fall over the other."""
    for worse in (b"[" * 100_000, b"NaN", b'"'):
        raw = b'{"delivery_id": NaN, "x": ' + worse
        answer = await api.bot.pull_request(raw, delivery_id="x")
        assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  ",
    "not JSON": b"delivery_id=1",
    "cut off": json.dumps(opened()).encode()[:-1],
    "two values": json.dumps(opened()).encode() * 2,
    "an array": b"[]",
    "null": b"null",
    "a string": b'"x"',
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(opened()).encode(),
    "UTF-16": json.dumps(opened()).encode("utf-16"),
    "UTF-32": json.dumps(opened()).encode("utf-32"),
    "invalid UTF-8": json.dumps(opened()).encode().replace(b"contrib", b"con\xfftrib"),
    "overlong UTF-8": json.dumps(opened()).encode().replace(b"contrib", b"con\xc0\xaftrib"),
    "invalid UTF-8 in an unknown field": b'{"x": "\xff",' + json.dumps(opened()).encode()[1:],
    "a surrogate in UTF-8": json.dumps(opened()).encode().replace(b"contrib", b"con\xed\xa0\x80"),
    "nested arrays": b"[" * 100_000 + b"]" * 100_000,
    "nested in an unknown field": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"," + json.dumps(opened()).encode()[1:],
    "nested objects": b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    "nested and open": b"[" * 100_000,
    "NUL bytes": b"\0" * 100,
}


async def test_what_is_not_json_in_utf_8_is_400(api: Api) -> None:
    """Never a 500, and the process goes on."""
    answers = {name: await api.bot.pull_request(raw, delivery_id="x") for name, raw in BROKEN.items()}
    expected = dict.fromkeys(BROKEN, (400, "VALIDATION_ERROR"))
    assert {name: (answer.status, answer.code) for name, answer in answers.items()} == expected
    assert (await api.bot.pull_request(opened())).status == 200


TEXTS = [
    "action",
    "repository.full_name",
    "pull_request.html_url",
    "pull_request.user.login",
    "sender.login",
    "delivery_id",
]


async def test_odd_characters_in_a_text_are_stored_or_refused(api: Api) -> None:
    """A NUL, a lone surrogate, control characters, emoji: 200 or 400, never 500."""
    statuses = {}
    for path in TEXTS:
        for odd in ("\\u0000", "\\ud800", "\\udc00x", "\\ud83d\\ude00", "\\u202e", "\\u0007", "@org/team <b>"):
            value = "https://github.com/x" if path.endswith("html_url") else "x"
            body = with_field(opened(sender={"id": 1, "login": "a"}), path, f"{value}~~")
            raw = json.dumps(body).replace("~~", odd).encode()
            answer = await api.bot.pull_request(
                raw, delivery_id=json.loads(raw)["delivery_id"].encode("utf-8", "replace").decode()
            )
            if answer.status == 200 or (answer.status == 400 and answer.code == "VALIDATION_ERROR"):
                continue
            statuses[path, odd] = (answer.status, answer.body)
    assert statuses == {}


async def test_unknown_fields_are_ignored(api: Api) -> None:
    """At every depth, whatever they hold."""
    body = opened(pull_request={"user": {"id": 1, "login": "a", "x": 1}, "x": {"y": [None]}}, x=10**30)
    body["repository"]["x"] = None
    assert (await api.bot.pull_request(body)).body["ingest_status"] == "ACCEPTED"
    assert (await api.bot.installation(installed("unsuspend", x=1, installation={"x": []}))).body[
        "ingest_status"
    ] == "ACCEPTED"
    (action,) = await api.bot.claimed(x=1)
    assert (await api.bot.result(action["id"], "SUCCEEDED", x={})).status == 200


async def test_null_stands_for_an_absent_extension(api: Api) -> None:
    """Of the fields that are optional."""
    body = opened(sender=None, pull_request={"author_association": None, "merged": None, "updated_at": None})
    body["pull_request"]["user"]["type"] = None
    assert (await api.bot.pull_request(body)).body["ingest_status"] == "ACCEPTED"


async def test_a_head_sha_has_40_or_64_hex(api: Api) -> None:
    """SHA-1 and SHA-256 repositories."""
    for sha in ("a" * 40, "A" * 40, "0123456789abcdef" * 4):
        answer = await api.bot.pull_request(opened(pull_request={"head_sha": sha}))
        assert answer.body["ingest_status"] == "ACCEPTED"


async def test_the_largest_ids_are_taken(api: Api) -> None:
    """Up to 2^63 - 1, in every field."""
    largest = 2**63 - 1
    await api.bot.install(largest, installation_id=largest)
    body = opened(installation_id=largest, pull_request={"number": largest, "id": largest})
    body["repository"]["id"] = body["pull_request"]["user"]["id"] = largest
    assert (await api.bot.pull_request(body)).body["ingest_status"] == "ACCEPTED"
    (action,) = await api.bot.claimed()
    assert (largest, largest, largest) == (
        action["installation_id"],
        action["github_repo_id"],
        action["github_pr_number"],
    )


async def test_a_delivery_id_has_1_to_128_characters(api: Api) -> None:
    """Characters, not bytes."""
    for delivery_id in ("x", "y" * 128, "é" * 128):
        answer = await api.bot.pull_request(opened(delivery_id=delivery_id))
        assert (answer.status, answer.body["ingest_status"]) == (200, "ACCEPTED")


async def test_early_and_late_times_are_taken(api: Api) -> None:
    """Whatever fits a timestamp, with any offset and fraction."""
    wrong = {}
    for n, time in enumerate(
        (
            "2026-02-16T12:34:56.123456Z",
            "2026-02-16T13:34:56+01:00",
            "1970-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00Z",
        )
    ):
        answer = await api.bot.pull_request(opened(100 + n, event_time=time))
        if answer.status not in (200, 400):
            wrong[time] = answer.body
    assert wrong == {}


MIB = 1 << 20


async def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(api: Api) -> None:
    """Declared or streamed."""
    raw = json.dumps(opened(delivery_id="d")).encode()
    exact = raw + b" " * (MIB - len(raw))
    assert (await api.bot.pull_request(exact, delivery_id="d")).status == 200
    answer = await api.bot.pull_request(exact + b" ", delivery_id="d")
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert (await api.bot.pull_request(opened())).status == 200


@pytest.mark.parametrize("path", [PULL_REQUEST, INSTALLATION, CLAIM])
async def test_a_body_without_end_is_refused_while_it_streams(api: Api, path: str) -> None:
    """413 comes although the body never ends, and hardly more than the limit was read."""
    host, port = api.bot.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    headers = {"host": host, "transfer-encoding": "chunked", **sign("x", b"")}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    writer.write(head.encode() + b"\r\n")
    chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
    sent = 0
    try:
        while not answer.done() and sent < 64 * MIB:
            writer.write(chunk)
            sent += 65536
            await asyncio.sleep(0)
            await asyncio.wait_for(writer.drain(), 5)
    except (ConnectionError, TimeoutError):
        pass
    assert (await asyncio.wait_for(answer, 5))[:12] == b"HTTP/1.1 413"
    assert b'"PAYLOAD_TOO_LARGE"' in await reader.readuntil(b"}}")
    assert sent < 16 * MIB
    writer.close()
