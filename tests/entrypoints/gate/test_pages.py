"""The contributor's page, state by state, as a browser gets it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from centralbot.domain import verdicts
from centralbot.domain.challenge import CancelReason, Challenge
from centralbot.domain.events import Actor, RepositoryRef
from centralbot.domain.rules import EXEMPTIONS
from centralbot.entrypoints.web.labels import AUTHORS_CANCELED, why_exempt
from tests.builders import AUTHOR
from tests.entrypoints.gate.world import STRANGER, GateWorld, gate_world, link, token


@pytest.fixture
async def world() -> GateWorld:
    return await gate_world()


async def page(world: GateWorld, challenge: Challenge, user: Actor | None = None, **changes: Any) -> str:
    async with world.browser(None if user is None else await world.cookie(user)) as browser:
        answer = await browser.get(link(challenge.id))
    assert answer.status_code == 200, answer.text
    return answer.text


def title(html: str) -> str:
    found = re.search(r"<title>(.*?)</title>", html, re.S)
    assert found is not None
    return found[1]


async def overruled(world: GateWorld, challenge: Challenge, verdict: Any) -> None:
    await world.under.store.challenges.decide(
        challenge.id, lambda facts: verdict(world.under.context, facts, actor="github:1")
    )


async def run_out(world: GateWorld, challenge: Challenge) -> None:
    await world.under.advance(challenge.window_s + 1)
    await world.under.sweep()
    await world.under.run_all()


async def test_waiting_signed_out_says_what_is_asked_until_when_and_offers_one_button(world: GateWorld) -> None:
    """What, why, how long, what next, and one way on."""
    html = await page(world, await world.asked())
    assert title(html) == "Verify your pull request · org/repo-999 #42"
    for said in (
        "asks new authors",
        '<time datetime="2026-02-16T12:30:00Z" data-until>16 Feb 2026, 12:30 UTC</time>',
        "about 30 minutes",
        "What happens next",
        'href="https://github.com/org/repo-999/pull/42"',
        "Sign in with GitHub to verify",
        "Confirm the rules",
    ):
        assert said in html
    assert html.count('class="button big"') == 1
    assert "<form" not in html
    assert "data-task" not in html


async def test_sign_in_comes_back_to_this_page(world: GateWorld) -> None:
    """The button carries the way back."""
    challenge = await world.asked()
    html = await page(world, challenge)
    assert f'href="/api/v1/auth/github/start?return_to=%2Fg%2F{token(challenge)}"' in html


async def test_the_author_sees_the_steps_and_a_button(world: GateWorld) -> None:
    """Signed in: the first step is done, the second has its task, the third its box."""
    html = await page(world, await world.asked(), AUTHOR)
    assert "You are <b><bdi>contrib</bdi></b>, the author" in html
    assert "data-task='{" in html
    assert 'name="attestation.confirmed"' in html
    assert "<noscript>" in html
    assert "data-by-itself" not in html


@pytest.mark.parametrize("kinds", [("github-login",), ("github-login", "proof-of-work")])
async def test_where_nothing_is_left_to_decide_the_page_sends_itself(world: GateWorld, kinds: tuple[str, ...]) -> None:
    """Three clicks at most: the comment's link, sign in, authorize."""
    assert "data-by-itself" in await page(world, await world.asked(*kinds), AUTHOR)


async def test_another_account_is_told_who_it_is_and_whose_this_is(world: GateWorld) -> None:
    """And can take another one at GitHub."""
    html = await page(world, await world.asked(), STRANGER)
    assert title(html).startswith("Wrong account")
    assert "<bdi>somebody-else</bdi>" in html
    assert "<bdi>contrib</bdi>" in html
    assert "select_account=true" in html


async def test_before_the_comment_is_posted_no_time_runs(world: GateWorld) -> None:
    """The page says so and invents no deadline."""
    html = await page(world, await world.asked(posted=False))
    assert "Your time has not started yet." in html
    assert "You will have 30 minutes" in html
    assert "<time" not in html


async def test_when_time_is_up_but_nothing_closed_yet_it_says_so(world: GateWorld) -> None:
    """Between the deadline and the sweep."""
    challenge = await world.asked()
    world.clock.advance(challenge.window_s + 1)
    assert "Time is up" in await page(world, challenge)


async def test_too_late_says_how_it_comes_back(world: GateWorld) -> None:
    """Closed, and verifying reopens it."""
    challenge = await world.asked()
    await run_out(world, challenge)
    html = await page(world, challenge, AUTHOR)
    assert title(html).startswith("Closed for now: verify to reopen")
    assert "Verify and reopen" in html


async def test_a_newer_check_is_named(world: GateWorld) -> None:
    """The old link says where to look."""
    challenge = await world.asked()
    await run_out(world, challenge)
    await world.under.challenged(42, action="reopened", seconds=challenge.window_s + 60, sender=AUTHOR)
    assert title(await page(world, challenge)).startswith("A newer check has replaced this one")


async def test_verified_in_time_and_late_say_what_comes_next(world: GateWorld) -> None:
    """Stays open, or is being reopened."""
    challenge = await world.asked("github-login", number=1)
    await world.under.verify(challenge)
    html = await page(world, challenge)
    assert (title(html).startswith("Verified"), "your pull request stays open" in html) == (True, True)
    late = await world.asked("github-login", number=2)
    await run_out(world, late)
    await world.under.verify(late)
    assert "is being reopened" in await page(world, late)


async def test_exempt_and_canceled_say_why(world: GateWorld) -> None:
    """In words."""
    challenge = await world.asked(number=1)
    await overruled(world, challenge, verdicts.on_exempted)
    assert "A maintainer let its author in by hand." in await page(world, challenge)
    challenge = await world.asked(number=2)
    await overruled(world, challenge, verdicts.on_canceled)
    assert "A maintainer canceled the check." in await page(world, challenge)


def test_every_reason_has_words() -> None:
    """A new reason needs its sentence."""
    assert all(why_exempt(it) != why_exempt(None) for it in EXEMPTIONS)
    assert set(AUTHORS_CANCELED) >= {it.value for it in CancelReason}


async def test_without_client_credentials_the_page_says_what_is_missing() -> None:
    """Names of settings, and whom to tell."""
    world = await gate_world(can_sign_in=False)
    html = await page(world, await world.asked())
    assert "CENTRALBOT_GITHUB_CLIENT_ID" in html
    assert "/api/v1/auth/github/start" not in html


async def test_every_unknown_link_has_the_same_page(world: GateWorld) -> None:
    """404, whatever is wrong with it."""
    challenge = await world.asked()
    good = token(challenge)
    async with world.browser() as browser:
        texts = set()
        for bad in (good[:-1], "x" * 43, "%00", good[:-1] + ("A" if good[-1] != "A" else "B"), "é"):
            answer = await browser.get(f"/g/{bad}")
            assert answer.status_code == 404
            texts.add(re.sub(r'href="[^"]*"', "", answer.text))
    assert len(texts) == 1
    assert "This link leads nowhere" in texts.pop()


async def test_too_many_guesses_get_a_page_that_says_when_to_come_back(world: GateWorld) -> None:
    """429 with Retry-After."""
    async with world.browser() as browser:
        for _ in range(30):
            await browser.get("/g/nothing")
        answer = await browser.get("/g/nothing")
    assert (answer.status_code, "One minute, please" in answer.text) == (429, True)
    assert int(answer.headers["retry-after"]) > 0


async def test_the_store_being_away_is_a_page_with_a_way_to_try_again(
    world: GateWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After."""
    challenge = await world.asked()

    world.lose_the_store(monkeypatch)
    async with world.browser() as browser:
        answer = await browser.get(link(challenge.id))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert f'href="{link(challenge.id)}">Try again' in answer.text


HOSTILE = "<script>alert(1)</script>@org/team\u202e\u200b\x1b[31m'\"&lt;"


async def test_names_are_shown_as_text(world: GateWorld) -> None:
    """Row 47: no HTML, nothing invisible, nothing that turns the direction of text, in any state."""
    author, other = Actor(id=AUTHOR.id, login=HOSTILE), Actor(id=77, login=HOSTILE + "2")
    repository = RepositoryRef(id=999, full_name=f"org/{HOSTILE}")
    config = {"rules": f"Rule: {HOSTILE}"}
    challenge = await world.asked(author=author, repository=repository, html_url=f"javascript:{HOSTILE}", config=config)
    shown = [await page(world, challenge, user) for user in (None, author, other)]
    await run_out(world, challenge)
    shown += [await page(world, challenge, user) for user in (None, author, other)]
    await world.under.verify(challenge)
    shown.append(await page(world, challenge, author))
    for html in shown:
        assert "<script>alert" not in html
        assert not set("\u202e\u200b\x1b") & set(html)
        assert "javascript:" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;@org/team\ufffd\ufffd\ufffd[31m" in html


async def test_pages_carry_their_policy_and_nothing_inline(world: GateWorld) -> None:
    """No inline script or style, no handler, nobody else's host."""
    challenge = await world.asked()
    async with world.browser(await world.cookie()) as browser:
        answer = await browser.get(link(challenge.id))
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        html = answer.text
        assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
        loaded = re.findall(r'(?:src|data-worker)="([^"]+)"|<link[^>]+href="([^"]+)"', html)
        for path in {"".join(it) for it in loaded}:
            file = await browser.get(path)
            assert (path.startswith("/static/"), file.status_code) == (True, 200)
            assert "immutable" in file.headers["cache-control"]
