"""The people's side of GitHub over HTTP: what only the real client can meet."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from centralbot.adapters.github.people import MAX_PAGES
from centralbot.adapters.github.sign_in import PeopleSettings, PeopleSide, open_people
from centralbot.domain.errors import Unavailable
from centralbot.ports.people import RepoRole, SignInRefused
from tests.doubles.memory.clock import ManualClock

API, WEB, TOKEN, SECRET = "https://api.github.example", "https://github.example", "ghu_" + "s" * 36, "client-secret-1"
SETTINGS = PeopleSettings(client_id="Iv23", client_secret=SECRET, api_url=API, web_url=WEB)
Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def people(answer: Answer) -> AsyncIterator[PeopleSide]:
    transport = httpx.MockTransport(answer)
    async with open_people(SETTINGS, clock=ManualClock(), http_transport=transport) as side:
        yield side


def always(status: int, body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json=body, headers=named)


def a_repository(**changes: object) -> dict[str, object]:
    return {"id": 5, "full_name": "o/r", **changes}


ALL = dict.fromkeys(("admin", "maintain", "push", "triage", "pull"), True)


@pytest.mark.parametrize(
    ("body", "role"),
    [
        (a_repository(), RepoRole.READ),
        (a_repository(permissions=None), RepoRole.READ),
        (a_repository(permissions={}), RepoRole.READ),
        (a_repository(role_name="admin"), RepoRole.READ),
        (a_repository(permissions=ALL), RepoRole.ADMIN),
        (a_repository(permissions=ALL, role_name="maintain"), RepoRole.MAINTAIN),
        (a_repository(permissions=ALL, role_name="our own role"), RepoRole.ADMIN),
        (a_repository(permissions={"admin": False, "push": True, "pull": True}), RepoRole.WRITE),
        (a_repository(permissions={"push": True}, role_name="admin"), RepoRole.WRITE),
        (a_repository(permissions={"triage": True, "pull": True}, role_name="none"), RepoRole.READ),
        (a_repository(permissions={"pull": True}, role_name="write"), RepoRole.READ),
        (a_repository(id=6, permissions=ALL), RepoRole.NONE),
    ],
)
async def test_a_role_is_never_more_than_github_grants(body: dict[str, object], role: RepoRole) -> None:
    """Without permissions everybody reads; what speaks of another repository says nothing of this one."""
    async with people(always(200, body)) as side:
        assert role == await side.github.role(TOKEN, 5, full_name="o/r")


@pytest.mark.parametrize(
    ("token", "scopes", "role"),
    [
        ("gho_someothersite", "", RepoRole.READ),
        ("gho_someothersite", "read:user, user:email", RepoRole.READ),
        ("ghp_personal", "read:org", RepoRole.READ),
        ("ghp_personal", "repo", RepoRole.ADMIN),
        ("gho_someothersite", "user, public_repo", RepoRole.ADMIN),
        (TOKEN, "", RepoRole.ADMIN),
        (TOKEN, None, RepoRole.ADMIN),
        ("gho_server_without_the_header", None, RepoRole.ADMIN),
    ],
)
async def test_a_token_that_may_not_write_manages_nothing(token: str, scopes: str | None, role: RepoRole) -> None:
    """A maintainer signs in elsewhere with GitHub: that site's token names them, and must not speak for them here."""
    headers = {} if scopes is None else {"x_oauth_scopes": scopes}
    async with people(always(200, a_repository(permissions=ALL), **headers)) as side:
        assert role == await side.github.role(token, 5, full_name="o/r")


async def test_no_cookie_of_githubs_goes_from_one_person_to_the_next() -> None:
    """All share one client."""
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        return httpx.Response(200, json={"id": 1, "login": "olga"}, headers={"set-cookie": "_gh_sess=olgas; Path=/"})

    async with people(answer) as side:
        for _ in range(2):
            await side.github.who(TOKEN)
    assert sent == [None, None]


@pytest.mark.parametrize("status", [403, 404, 410, 451])
async def test_what_they_cannot_see_gives_no_role(status: int) -> None:
    """Hidden, gone, blocked for legal reasons, or closed by the organization."""
    async with people(always(status, {"message": "Resource protected by organization SAML enforcement."})) as side:
        assert await side.github.role(TOKEN, 5, full_name="o/r") == RepoRole.NONE


@pytest.mark.parametrize(
    ("answer", "retry_after_s"),
    [
        (always(403, {"message": "You have exceeded a secondary rate limit"}, retry_after="30"), 30),
        (always(403, {"message": "API rate limit exceeded"}, x_ratelimit_remaining="0"), 60),
        (always(429), 60),
        (always(502), 1),
        (always(200, {"permissions": "?"}), 1),
        (always(418), 1),
        (always(302, None, location="https://elsewhere.example/repos/o/r"), 1),
        (always(302, None, location="/repos/o/r"), 1),
        (always(302, None, location="http://xn--/"), 1),
    ],
)
async def test_what_says_nothing_of_rights_is_unavailable(answer: Answer, retry_after_s: int) -> None:
    """Never NONE and never a role; a limit says for how long."""
    async with people(answer) as side:
        with pytest.raises(Unavailable) as raised:
            await side.github.role(TOKEN, 5, full_name="o/r")
    assert raised.value.retry_after_s == retry_after_s


async def test_a_token_goes_to_githubs_own_host_only() -> None:
    """Not along a redirect, not along a next page."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.path == "/user":
            return httpx.Response(301, headers={"location": "https://api.evil.example/user"})
        link = '<https://api.evil.example/user/installations?page=2>; rel="next"'
        return httpx.Response(200, json={"installations": []}, headers={"link": link})

    async with people(answer) as side:
        for call in (side.github.who, side.github.repositories):
            with pytest.raises(Unavailable):
                await call(TOKEN)
    assert asked == ["api.github.example"] * 2


async def test_a_listing_without_end_is_given_up() -> None:
    """After so many pages in all."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        link = f'<{API}{request.url.path}?page={len(asked)}>; rel="next"'
        if request.url.path == "/user/installations":
            return httpx.Response(200, json={"installations": [{"id": n} for n in range(9)]}, headers={})
        body = {"repositories": [a_repository(id=len(asked), permissions=ALL)]}
        return httpx.Response(200, json=body, headers={"link": link})

    async with people(answer) as side:
        found = await side.github.repositories(TOKEN)
    assert (len(asked), len(found)) == (MAX_PAGES, MAX_PAGES - 1)


async def test_an_installation_that_is_closed_to_them_hides_no_other() -> None:
    """It was taken away between the two questions."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/user/installations":
            return httpx.Response(200, json={"installations": [{"id": 1}, {"id": 2}]})
        if "/1/" in request.url.path:
            return httpx.Response(404, json={"message": "Not Found"})
        return httpx.Response(200, json={"repositories": [a_repository(permissions=ALL)]})

    async with people(answer) as side:
        found = await side.github.repositories(TOKEN)
    assert [(one.repo_id, one.installation_id, one.role) for one in found] == [(5, 2, RepoRole.ADMIN)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("bad_verification_code", "sign in again"),
        ("incorrect_client_credentials", "CENTRALBOT_GITHUB_CLIENT_SECRET"),
        ("redirect_uri_mismatch", "callback URLs"),
        ("<script>", "unknown"),
    ],
)
async def test_a_refusal_says_what_to_do(error: str, words: str) -> None:
    """GitHub sends these with status 200."""
    async with people(always(200, {"error": error, "error_description": TOKEN})) as side:
        with pytest.raises(SignInRefused) as raised:
            await side.sign_in.exchange("code", code_verifier="v", redirect_uri="http://127.0.0.1/")
    assert (words in raised.value.message, TOKEN in raised.value.message, "<" in raised.value.message) == (
        True, False, False,
    )  # fmt: skip


async def test_an_app_without_expiring_tokens_gets_no_expiry() -> None:
    """And no refresh token."""
    async with people(always(200, {"access_token": TOKEN, "token_type": "bearer", "scope": ""})) as side:
        tokens = await side.sign_in.exchange("code", code_verifier="v", redirect_uri="http://127.0.0.1/")
    assert (tokens.expires_at, tokens.refresh_token, tokens.refresh_expires_at) == (None, None, None)


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": 5}, [], "text"])
async def test_an_answer_without_a_token_is_unavailable(body: object) -> None:
    """Nothing that could be taken for a sign-in."""
    async with people(always(200, body)) as side:
        with pytest.raises(Unavailable):
            await side.sign_in.refresh("ghr_1")


async def test_the_client_secret_goes_nowhere_by_redirect() -> None:
    """A POST that is redirected is refused, not repeated."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    async with people(answer) as side:
        with pytest.raises((SignInRefused, Unavailable)):
            await side.sign_in.refresh("ghr_1")
        with pytest.raises(Unavailable):
            await side.sign_in.revoke(TOKEN)
    assert asked == ["github.example", "api.github.example"]


async def test_neither_errors_nor_logs_hold_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """However the call fails, and whatever GitHub repeats."""
    caplog.set_level(logging.DEBUG)

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"{request.headers} {request.content!r}", request=request)

    seen = [repr(SETTINGS)]
    for answer in (broken, always(401, {"message": TOKEN}), always(500, {"message": json.dumps([TOKEN, SECRET])})):
        async with people(answer) as side:
            for call in (
                side.github.who(TOKEN),
                side.github.role(TOKEN, 5, full_name=None),
                side.sign_in.refresh(TOKEN),
                side.sign_in.revoke(TOKEN),
            ):
                try:
                    await call
                except (SignInRefused, Unavailable) as error:
                    seen.append("".join(traceback.format_exception(error)))
    assert len(seen) == 13
    said = "\n".join([*seen, caplog.text])
    assert (TOKEN in said, "Authorization" in said) == (False, False)
