"""The contributor's door as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from centralbot.domain import verdicts
from centralbot.domain.events import Actor
from tests.builders import AUTHOR
from tests.entrypoints.gate.world import STRANGER, URL, GateWorld, gate_world, proofs, token

MISSING = "unknown"


@pytest.fixture
async def world() -> GateWorld:
    return await gate_world()


def api(gate_token: str) -> str:
    return f"/api/v1/gate/{gate_token}"


async def bearer(world: GateWorld, user: Actor = AUTHOR) -> dict[str, str]:
    """What a program sends for somebody: no cookie, no origin."""
    world.people.add_user(user.login, user.id)
    return {"authorization": f"Bearer {world.people.issue(user.login).access_token}"}


async def test_the_view_has_what_a_page_needs_and_nothing_more(world: GateWorld) -> None:
    """Field by field, for somebody who is not signed in."""
    challenge = await world.asked("github-login")
    async with world.browser() as browser:
        answer = await browser.get(api(token(challenge)))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {
        "status": "PENDING",
        "reason": None,
        "repository": "org/repo-999",
        "pull_request": {"number": 42, "url": "https://github.com/org/repo-999/pull/42"},
        "author_login": "contrib",
        "signed_in_as": None,
        "is_author": False,
        "can_verify": True,
        "steps": [
            {
                "kind": "github-login",
                "title": "Sign in with GitHub",
                "text": "This shows that the pull request's author is here. GitHub tells us who you are, nothing else.",
                "quote": "",
                "done": False,
                "fields": [],
                "parameters": {},
            }
        ],
        "deadline_at": "2026-02-16T12:30:00Z",
        "window_s": 1800,
        "now": "2026-02-16T12:00:00Z",
    }


async def test_a_program_passes_with_a_token(world: GateWorld) -> None:
    """Look, solve, confirm, verify: then the same again without proofs."""
    challenge = await world.asked()
    async with world.browser() as browser:
        who = await bearer(world)
        seen = (await browser.get(api(token(challenge)), headers=who)).json()
        assert (seen["signed_in_as"], seen["is_author"]) == ("contrib", True)
        verify = f"{api(token(challenge))}/verify"
        for body in ({"proofs": proofs(seen["steps"])}, {}, None):
            answer = await browser.post(verify, headers=who, content=b"" if body is None else json.dumps(body))
            assert (answer.status_code, answer.json()) == (200, {"status": "VERIFIED"})


async def test_before_the_comment_is_posted_there_is_no_deadline(world: GateWorld) -> None:
    """The clock has not started; verifying works all the same."""
    challenge = await world.asked("github-login", posted=False)
    async with world.browser(await world.cookie()) as browser:
        assert (await browser.get(api(token(challenge)))).json()["deadline_at"] is None
        assert (await browser.post(f"{api(token(challenge))}/verify")).json() == {"status": "VERIFIED"}


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"{", "not valid JSON"),
    (b"\xff", "UTF-8"),
    (b"[]", "the body"),
    (b'{"proofs": []}', "proofs"),
    (b'{"proofs": {"attestation": "yes"}}', "proofs"),
    (b'{"proofs": {"attestation": {"confirmed": "yes"}}}', "proofs.attestation"),
    (b'{"proofs": {"proof-of-work": {"solution": {"a": [1]}}}}', "proofs.proof-of-work"),
    (b"[" * 100_000, "the body"),
]


@pytest.mark.parametrize(("body", "said"), BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_a_body_that_is_no_proof_is_refused_by_name(world: GateWorld, body: bytes, said: str) -> None:
    """400, and the message says which part."""
    challenge = await world.asked()
    async with world.browser() as browser:
        answer = await browser.post(f"{api(token(challenge))}/verify", content=body, headers=await bearer(world))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert said in answer.json()["error"]["message"]


async def test_proofs_of_other_kinds_are_ignored(world: GateWorld) -> None:
    """Unknown fields are, everywhere."""
    challenge = await world.asked("github-login")
    async with world.browser() as browser:
        answer = await browser.post(
            f"{api(token(challenge))}/verify", json={"proofs": {"x": {"y": 1}}, "z": 1}, headers=await bearer(world)
        )
    assert answer.json() == {"status": "VERIFIED"}


@pytest.mark.parametrize(
    ("who", "token_of", "status", "code"),
    [
        ("nobody", "it", 401, "UNAUTHENTICATED"),
        ("bad bearer", "it", 401, "UNAUTHENTICATED"),
        ("stranger", "it", 403, "FORBIDDEN"),
        ("author", MISSING, 404, "NOT_FOUND"),
        ("nobody", MISSING, 404, "NOT_FOUND"),
        ("author", "canceled", 409, "CHALLENGE_NOT_PENDING"),
    ],
)
async def test_refusals(world: GateWorld, who: str, token_of: str, status: int, code: str) -> None:
    """Each has its status and code."""
    challenge = await world.asked("github-login")
    if token_of == "canceled":
        await world.under.store.challenges.decide(
            challenge.id, lambda facts: verdicts.on_canceled(world.under.context, facts, actor="github:1")
        )
    headers = {
        "nobody": {},
        "bad bearer": {"authorization": "Bearer nonsense"},
        "stranger": await bearer(world, STRANGER),
        "author": await bearer(world),
    }[who]
    gate_token = "x" * 43 if token_of == MISSING else token(challenge)
    async with world.browser() as browser:
        answer = await browser.post(f"{api(gate_token)}/verify", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await world.status(challenge) in ("PENDING", "CANCELED")


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
async def test_another_sites_page_cannot_verify(world: GateWorld, headers: dict[str, str]) -> None:
    """The author's browser, sent by somebody else's page: 403, and nothing changed."""
    challenge = await world.asked("github-login")
    async with world.browser(await world.cookie(), headers=headers) as browser:
        answer = await browser.post(f"{api(token(challenge))}/verify")
    assert (answer.status_code, await world.status(challenge)) == (403, "PENDING")


async def test_a_body_over_the_limit_is_refused(world: GateWorld) -> None:
    """413, for what says its size and for what does not."""
    challenge = await world.asked("github-login")

    async def endless() -> Any:
        for _ in range(300):
            yield b" " * 1024

    async with world.browser(await world.cookie()) as browser:
        for content in (b" " * 200_000, endless()):
            answer = await browser.post(f"{api(token(challenge))}/verify", content=content)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_the_store_being_away_is_503_with_a_time_to_come_back(
    world: GateWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a 2xx before the commit."""
    challenge = await world.asked("github-login")

    cookie = await world.cookie()
    world.lose_the_store(monkeypatch)
    async with world.browser(cookie) as browser:
        for answer in (
            await browser.get(api(token(challenge))),
            await browser.post(f"{api(token(challenge))}/verify"),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


async def test_ten_thousand_guesses_meet_a_limit_and_disturb_nobody(world: GateWorld) -> None:
    """After 30 misses a minute that address hears 429; others are served; a minute later it is forgotten."""
    challenge = await world.asked("github-login")
    statuses: dict[int, int] = {}
    async with world.browser(address="203.0.113.9") as guesser, world.browser(address="203.0.113.10") as other:
        for i in range(10_000):
            answer = await guesser.get(api(f"{i:043d}"))
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert statuses == {404: 30, 429: 9_970}
        assert int(answer.headers["retry-after"]) in range(1, 62)
        assert answer.json()["error"]["code"] == "RATE_LIMITED"
        for path in (api(token(challenge)), f"/g/{token(challenge)}"):
            assert ((await guesser.get(path)).status_code, (await other.get(path)).status_code) == (429, 200)
        assert (await guesser.post(f"{api(token(challenge))}/verify")).status_code == 429
        world.clock.advance(61)
        assert (await guesser.get(api(token(challenge)))).status_code == 200


async def test_links_that_are_ours_count_for_nothing(world: GateWorld) -> None:
    """Looking at one's own page a hundred times is no guess."""
    challenge = await world.asked("github-login")
    async with world.browser() as browser:
        assert {(await browser.get(api(token(challenge)))).status_code for _ in range(100)} == {200}


def test_the_origin_of_the_tests_is_the_public_one() -> None:
    """Otherwise the checks above would check nothing."""
    assert URL.startswith("http://")


async def test_no_refusal_is_kept_by_a_cache(world: GateWorld) -> None:
    """What one is refused is not what another would be."""
    async with world.browser() as browser:
        answers = [await browser.get(path) for path in (api("a" * 43), "/nowhere")]
        answers.append(await browser.delete(api("a" * 43)))
        answers.append(await browser.get(api("a" * 43), headers={"authorization": "Bearer guess"}))
    assert [(it.status_code, it.headers["cache-control"]) for it in answers] == [
        (404, "no-store"), (404, "no-store"), (405, "no-store"), (401, "no-store"),
    ]  # fmt: skip
