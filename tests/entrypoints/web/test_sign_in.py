"""Sign-in through HTTP: one browser, one state, one use; nobody is sent to another site."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.entrypoints.guard import MAX_REFUSED, MAX_SIGN_INS
from tests.builders import AUTHOR
from tests.entrypoints.gate.world import STRANGER, URL, GateWorld, gate_world, token

START, CALLBACK, LOGOUT = "/api/v1/auth/github/start", "/api/v1/auth/github/callback", "/api/v1/auth/logout"


@pytest.fixture
async def world() -> GateWorld:
    made = await gate_world()
    made.people.add_user(AUTHOR.login, AUTHOR.id)
    return made


async def begin(browser: httpx.AsyncClient, return_to: str | None = None) -> str:
    """Press the button; GitHub's address comes back."""
    answer = await browser.get(START, params={} if return_to is None else {"return_to": return_to})
    assert answer.status_code == 302
    return answer.headers["location"]


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


async def come_back(world: GateWorld, browser: httpx.AsyncClient, url: str, **changed: str) -> httpx.Response:
    """Consent at GitHub and follow it back."""
    query = {"state": state_of(url), "code": world.people.consent(url, AUTHOR.login), **changed}
    return await browser.get(CALLBACK, params=query)


async def test_signing_in_ends_where_it_began_with_a_session_of_that_person(world: GateWorld) -> None:
    """The whole flow."""
    async with world.browser() as browser:
        answer = await come_back(world, browser, await begin(browser, "/g/some-token?x=1"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/g/some-token?x=1")
        caller = await world.guard.accounts.of_cookie(browser.cookies[world.guard.session_cookie])
        assert caller is not None
        assert caller.user == AUTHOR


async def test_the_state_and_the_pkce_challenge_are_fresh_each_time(world: GateWorld) -> None:
    """And the method is S256, which the port's contract names."""
    async with world.browser() as browser:
        first, second = await begin(browser), await begin(browser)
    queries = [parse_qs(urlsplit(url).query) for url in (first, second)]
    assert queries[0]["state"] != queries[1]["state"]
    assert queries[0]["code_challenge"] != queries[1]["code_challenge"]
    assert len(queries[0]["code_challenge"][0]) == 43
    assert queries[0]["redirect_uri"] == [URL + CALLBACK]


async def test_two_tabs_sign_in_beside_each_other(world: GateWorld) -> None:
    """Each has its own state and its own cookie."""
    async with world.browser() as browser:
        first, second = await begin(browser, "/a"), await begin(browser, "/b")
        answers = [await come_back(world, browser, url) for url in (first, second)]
    assert [answer.headers["location"] for answer in answers] == ["/a", "/b"]


async def test_sign_ins_that_nobody_finishes_do_not_pile_up(world: GateWorld) -> None:
    """Another site could have a browser begin many, until its requests are too long; the newest one still works."""
    kept = []
    async with world.browser() as browser:
        for _ in range(3 * MAX_SIGN_INS):
            url = await begin(browser, "/" + "a" * 900)
            kept.append(len(browser.cookies))
        assert max(kept) == MAX_SIGN_INS
        assert (await come_back(world, browser, url)).status_code == 303


async def test_a_callback_in_another_browser_is_refused(world: GateWorld) -> None:
    """The attacker's callback must not sign the victim in as the attacker (faults.md, 49)."""
    async with world.browser() as attacker, world.browser() as victim:
        answer = await come_back(world, victim, await begin(attacker))
        assert answer.status_code == 403
        assert world.guard.session_cookie not in victim.cookies


async def test_a_callback_serves_once(world: GateWorld) -> None:
    """Also with the cookie of its sign-in put back, and with a code that is still good (faults.md, 49)."""
    async with world.browser() as browser:
        url = await begin(browser)
        kept = dict(browser.cookies)
        assert (await come_back(world, browser, url)).status_code == 303
    async with world.browser() as again:
        again.cookies.update(kept)
        assert (await come_back(world, again, url)).status_code == 403


@pytest.mark.parametrize("state", ["", "forged", "a" * 43, "\u00e9\u4e2d", "x" * 1900])
async def test_a_forged_state_is_refused(world: GateWorld, state: str) -> None:
    """With a sign-in under way in the same browser, and a good code (faults.md, 49)."""
    async with world.browser() as browser:
        answer = await come_back(world, browser, await begin(browser), state=state)
        assert answer.status_code == 403
        assert "text/html" in answer.headers["content-type"]
        assert world.guard.session_cookie not in browser.cookies


async def test_a_state_of_one_sign_in_does_not_open_the_cookie_of_another(world: GateWorld) -> None:
    """The cookie's name is public knowledge, so what is in it must match too."""
    async with world.browser() as browser:
        first, second = await begin(browser), await begin(browser)
        swapped = browser.cookies[world.guard.sign_in_name(state_of(first))]
        browser.cookies.clear()
        browser.cookies.set(world.guard.sign_in_name(state_of(second)), swapped)
        assert (await come_back(world, browser, second)).status_code == 403


async def test_a_sign_in_that_took_too_long_is_refused(world: GateWorld) -> None:
    """Ten minutes at GitHub are the most."""
    async with world.browser() as browser:
        url = await begin(browser)
        world.clock.advance(601)
        assert (await come_back(world, browser, url)).status_code == 403


async def test_a_wrong_code_is_refused_and_the_page_lets_one_try_again(world: GateWorld) -> None:
    """With the way back kept."""
    async with world.browser() as browser:
        answer = await come_back(world, browser, await begin(browser, "/g/t"), code="made-up")
        assert answer.status_code == 403
        assert "return_to=/g/t" in answer.text


async def test_what_github_refuses_again_and_again_is_not_passed_on(
    world: GateWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub would refuse everybody of ours at last; other addresses go on, and this one a minute later."""
    challenge = await world.asked()
    door, asked = f"/api/v1/gate/{token(challenge)}", []
    who = world.people.who

    async def counted(access_token: str) -> Actor:
        asked.append(access_token)
        return await who(access_token)

    monkeypatch.setattr(world.people, "who", counted)
    async with world.browser() as browser, world.browser(address="203.0.113.8") as other:
        guesses = [
            (await browser.get(door, headers={"authorization": f"Bearer guess-{n}"})).status_code for n in range(150)
        ]
        assert Counter(guesses) == {401: MAX_REFUSED, 429: 150 - MAX_REFUSED}
        assert len(asked) == MAX_REFUSED
        late = await come_back(world, browser, await begin(browser, "/g/t"))
        assert (late.status_code, int(late.headers["retry-after"]) > 0, "return_to=/g/t" in late.text) == (
            429,
            True,
            True,
        )
        assert (await other.get(door, headers={"authorization": "Bearer guess"})).status_code == 401
        assert (await browser.get(door)).status_code == 200
        world.clock.advance(60)
        assert (await come_back(world, browser, await begin(browser))).status_code == 303


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "You canceled the sign-in at GitHub"),
        ("redirect_uri_mismatch", "GitHub ended the sign-in (redirect_uri_mismatch)"),
        ("<b>You won</b>", "GitHub ended the sign-in (unknown)"),
    ],
)
async def test_who_comes_back_without_a_sign_in_reads_why(world: GateWorld, error: str, words: str) -> None:
    """And can go back, or on: led back by itself, a page that asks for a sign-in would send them to GitHub again."""
    async with world.browser() as browser:
        state = state_of(await begin(browser, "/g/t?x=1"))
        answer = await browser.get(CALLBACK, params={"error": error, "state": state})
        assert (answer.status_code, words in answer.text) == (403, True)
        assert ("return_to=/g/t%3Fx%3D1" in answer.text, 'href="/g/t?x=1"' in answer.text) == (True, True)
        assert dict(browser.cookies) == {}


async def test_github_being_away_is_a_503_that_can_be_tried_again(world: GateWorld) -> None:
    """Nobody is half signed in."""
    async with world.browser() as browser:
        url = await begin(browser)
        world.people.fail_next(Unavailable("GitHub does not answer", retry_after_s=3))
        answer = await come_back(world, browser, url)
        assert answer.status_code == 503
        assert world.guard.session_cookie not in browser.cookies


@pytest.mark.parametrize(
    "return_to",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "javascript:alert(1)", "evil",
     "/\t/evil.example", " //evil.example", "/%0d%0aset-cookie:x=y\r\n", "http:evil", "/\u2028x", "/" + "a" * 1500],
)  # fmt: skip
async def test_nobody_is_sent_to_another_site(world: GateWorld, return_to: str) -> None:
    """Whatever a browser would make of it, the way back begins with one slash of ours."""
    async with world.browser() as browser:
        answer = await come_back(world, browser, await begin(browser, return_to))
    assert answer.headers["location"] == "/"


async def test_cookies_are_host_ones_where_the_public_url_is_https() -> None:
    """Secure, for this host alone, not for scripts."""
    world = await gate_world(public_url="https://bot.example")
    world.people.add_user(AUTHOR.login, AUTHOR.id)
    async with world.browser() as browser:
        answer = await browser.get("https://centralbot.example" + START)
        jar = SimpleCookie(answer.headers["set-cookie"])
    ((name, cookie),) = jar.items()
    assert name.startswith("__Host-")
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"].lower(), cookie["path"], cookie["domain"]) == (
        True, True, "lax", "/", "",
    )  # fmt: skip


async def test_signing_out_ends_the_session_and_its_token(world: GateWorld) -> None:
    """Everywhere: the cookie kept by somebody else is worth nothing afterwards."""
    cookie = await world.cookie()
    caller = await world.guard.accounts.of_cookie(cookie)
    assert caller is not None
    token = caller.access_token
    async with world.browser(cookie) as browser:
        assert (await browser.post(LOGOUT)).status_code == 204
    assert await world.guard.accounts.of_cookie(cookie) is None
    with pytest.raises(Exception, match="sign"):
        await world.people.who(token)


@pytest.mark.parametrize(
    ("return_to", "location"), [(None, "/"), ("/g/t?x=1", "/g/t?x=1"), ("https://evil.example/", "/"), ("//evil", "/")]
)
async def test_signing_out_leads_back_to_a_page_of_ours(world: GateWorld, return_to: str | None, location: str) -> None:
    """Which its form names; else to the start page."""
    async with world.browser(await world.cookie(), headers={"accept": "text/html"}) as browser:
        answer = await browser.post(LOGOUT, params={} if return_to is None else {"return_to": return_to})
    assert (answer.status_code, answer.headers["location"]) == (303, location)


async def test_who_signs_out_on_a_checks_page_stays_there(world: GateWorld) -> None:
    """It can be read by nobody in particular: the way back to it must not be lost."""
    here = f"/g/{token(await world.asked())}"
    async with world.browser(await world.cookie(), headers={"accept": "text/html"}) as browser:
        page = await browser.get(here)
        form = re.search(r'action="(/api/v1/auth/logout[^"]*)"', page.text)
        assert form is not None
        answer = await browser.post(form[1])
        assert (answer.status_code, answer.headers["location"]) == (303, here)
        assert "Sign in with GitHub to verify" in (await browser.get(here)).text


async def test_signing_in_anew_ends_the_session_before(world: GateWorld) -> None:
    """With another account, say: the browser has its cookie no more, so nobody could sign it out."""
    before = await world.cookie(STRANGER)
    async with world.browser(before) as browser:
        answer = await come_back(world, browser, await begin(browser, "/g/t"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/g/t")
    assert await world.guard.accounts.of_cookie(before) is None
    now = SimpleCookie(answer.headers["set-cookie"].split(", ")[-1])[world.guard.session_cookie].value
    caller = await world.guard.accounts.of_cookie(now)
    assert caller is not None
    assert caller.user == AUTHOR


async def test_signing_out_works_while_github_is_away(world: GateWorld) -> None:
    """Nobody is kept signed in by somebody else's trouble."""
    cookie = await world.cookie()
    world.people.fail_next(Unavailable("GitHub does not answer", retry_after_s=3))
    async with world.browser(cookie) as browser:
        assert (await browser.post(LOGOUT)).status_code == 204
    assert await world.guard.accounts.of_cookie(cookie) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": URL},
        {"sec-fetch-site": "same-site", "origin": URL},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-origin", "origin": "null"},
    ],
)
async def test_another_sites_page_cannot_sign_anybody_out(world: GateWorld, headers: dict[str, str]) -> None:
    """Cross-site writes are refused."""
    cookie = await world.cookie()
    async with world.browser(cookie, headers=headers) as browser:
        assert (await browser.post(LOGOUT)).status_code == 403
    assert await world.guard.accounts.of_cookie(cookie) is not None


async def test_without_client_credentials_the_page_says_what_is_missing() -> None:
    """Both settings are named."""
    world = await gate_world(can_sign_in=False)
    async with world.browser() as browser:
        answer = await browser.get(START)
    assert answer.status_code == 503
    for name in ("CENTRALBOT_GITHUB_CLIENT_ID", "CENTRALBOT_GITHUB_CLIENT_SECRET"):
        assert name in answer.text


async def test_a_session_runs_out(world: GateWorld) -> None:
    """By the store's clock."""
    async with world.browser() as browser:
        await come_back(world, browser, await begin(browser))
        cookie = browser.cookies[world.guard.session_cookie]
    world.clock.advance(timedelta(days=15).total_seconds())
    assert await world.guard.accounts.of_cookie(cookie) is None


async def test_a_proxys_own_password_signs_nobody_out(world: GateWorld) -> None:
    """Only a bearer token is for us; the cookie still counts beside another scheme."""
    async with world.browser(await world.cookie(), headers={"authorization": "Basic dXNlcjpwYXNz"}) as browser:
        challenge = await world.asked("github-login")
        answer = await browser.get(f"/api/v1/gate/{token(challenge)}")
    assert answer.json()["signed_in_as"] == AUTHOR.login
