"""The simulator's sign-in: what a browser, a server and a user's token meet."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from github_simulator import Simulator
from github_simulator.registrations import is_registered
from tests.adapters.browsers import a_browser, query_of, sign_in
from tests.adapters.simulators import Client, a_simulator, served

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://127.0.0.1:8080/api/v1/auth/github/callback"


@dataclass
class SignIn:
    """One simulator, one browser."""

    simulator: Simulator
    client: Client
    browser: httpx.AsyncClient

    def address(self, **changes: str) -> str:
        query = {
            "client_id": self.simulator.client_id,
            "redirect_uri": CALLBACK,
            "state": "a state & more",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return f"/login/oauth/authorize?{urlencode(query)}"

    async def token(self, **changes: str) -> dict[str, Any]:
        given = {
            "client_id": self.simulator.client_id,
            "client_secret": self.simulator.client_secret,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        answer = await self.browser.post(
            "/login/oauth/access_token", data=given, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 200
        decoded: dict[str, Any] = answer.json()
        return decoded

    async def status(self, token: str) -> int:
        return (await self.client.call("GET", "/user", token))[0]


@asynccontextmanager
async def signing_in(**settings: Any) -> AsyncIterator[SignIn]:
    simulator = a_simulator(**settings)
    async with served(simulator) as client, a_browser(client.base) as browser:
        yield SignIn(simulator, client, browser)


async def test_a_person_signs_in_and_the_token_is_theirs() -> None:
    """Choose, come back with code and state, exchange once; the answer has GitHub's fields."""
    async with signing_in() as one:
        page = await one.browser.get(one.address())
        back = await sign_in(one.browser, one.address(), "mona")
        body = await one.token(code=back["code"])
        again = await one.token(code=back["code"])
        _, user = await one.client.call("GET", "/user", body["access_token"])
    assert ("Authorize centralbot" in page.text, "Continue as mona" in page.text, "ghost" in page.text) == (
        True, True, False,
    )  # fmt: skip
    assert "form-action 'self' http://127.0.0.1:8080" in page.headers["content-security-policy"]
    assert (back["state"], user["login"]) == ("a state & more", "mona")
    assert (body["access_token"][:4], body["refresh_token"][:4]) == ("ghu_", "ghr_")
    rest = {name: body[name] for name in ("expires_in", "refresh_token_expires_in", "token_type", "scope")}
    assert rest == {"expires_in": 28800, "refresh_token_expires_in": 15897600, "token_type": "bearer", "scope": ""}
    assert again["error"] == "bad_verification_code"


async def test_the_page_can_be_used_as_it_is_written() -> None:
    """Following the form's own action and a button's own value leads back."""
    async with signing_in() as one:
        page = await one.browser.get(one.address(state='"><script>alert(1)</script>'))
        action = re.search(r'action="([^"]*)"', page.text)
        assert action is not None
        back = await sign_in(one.browser, html.unescape(action[1]), "mona")
    assert ("<script>" in page.text, back["state"]) == (False, '"><script>alert(1)</script>')


async def test_who_said_no_comes_back_with_an_error() -> None:
    """Cancel is access_denied, with the state."""
    async with signing_in() as one:
        answer = await one.browser.post(one.address(), data={"cancel": "1"})
    back = query_of(answer.headers["location"])
    assert (answer.status_code, back["error"], back["state"]) == (302, "access_denied", "a state & more")


async def test_a_known_browser_is_sent_straight_back() -> None:
    """Unless it is to choose again, another login is suggested, or the simulator has forgotten it."""
    async with signing_in() as one:
        await sign_in(one.browser, one.address(), "mona")
        addresses = [
            one.address(),
            one.address(prompt="select_account"),
            one.address(login="owner"),
            one.address(login="MONA"),
        ]
        statuses = [(await one.browser.get(address)).status_code for address in addresses]
        await one.client.call("POST", "/_simulator/forget_browsers", body={})
        statuses.append((await one.browser.get(one.address())).status_code)
    assert statuses == [302, 200, 200, 302, 200]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_id": "Iv1.other"}, 404),
        ({"redirect_uri": "https://evil.example/api/v1/auth/github/callback"}, 400),
        ({"redirect_uri": "http://127.0.0.1:8080/api/v1/auth/github/callback/../x"}, 400),
        ({"redirect_uri": "http://127.0.0.1:8080@evil.example/api/v1/auth/github/callback"}, 400),
        ({"code_challenge_method": "plain"}, 400),
    ],
)
async def test_a_wrong_address_is_told_to_the_person(changes: dict[str, str], status: int) -> None:
    """Neither by GET nor by POST is anybody sent anywhere."""
    async with signing_in() as one:
        shown = await one.browser.get(one.address(**changes))
        decided = await one.browser.post(one.address(**changes), data={"login": "mona"})
    assert (shown.status_code, decided.status_code) == (status, status)
    assert "location" not in decided.headers


def test_loopback_addresses_match_on_any_port() -> None:
    """And only there; everything else is as registered."""
    registered = ("http://127.0.0.1/cb", "https://gate.example/cb")
    given = ["http://127.0.0.1:9/cb", "http://127.0.0.1/cb", "https://gate.example/cb"]
    others = [
        "http://127.0.0.1:9/cb2",
        "https://127.0.0.1:9/cb",
        "https://gate.example:444/cb",
        "http://[::1]:9/cb",
        "",
    ]
    assert [is_registered(one, registered) for one in given + others] == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"client_id": "wrong"}, "incorrect_client_credentials"),
        ({"code": "wrong"}, "bad_verification_code"),
        ({"code_verifier": "w" * 43}, "bad_verification_code"),
        ({"redirect_uri": "http://127.0.0.1:8081/api/v1/auth/github/callback"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_refused_exchanges_say_why(changes: dict[str, str], error: str) -> None:
    """With status 200, as GitHub does."""
    async with signing_in() as one:
        back = await sign_in(one.browser, one.address(), "mona")
        body = await one.token(**{"code": back["code"], **changes})
    assert (body["error"], set(body)) == (error, {"error", "error_description", "error_uri"})


async def test_a_code_ends_after_ten_minutes() -> None:
    """By the simulator's own clock."""
    now = [1_800_000_000.0]
    async with signing_in(clock=lambda: now[0]) as one:
        back = await sign_in(one.browser, one.address(), "mona")
        now[0] += 600
        body = await one.token(code=back["code"])
    assert body["error"] == "bad_verification_code"


async def test_a_refresh_token_serves_once_and_ends_the_old_token() -> None:
    """After eight hours the access token is refused, the refresh token brings another."""
    now = [1_800_000_000.0]
    async with signing_in(clock=lambda: now[0]) as one:
        back = await sign_in(one.browser, one.address(), "mona")
        first = await one.token(code=back["code"])
        now[0] += 28_800
        expired = await one.status(first["access_token"])
        refreshing = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second, third = await one.token(**refreshing), await one.token(**refreshing)
        statuses = [await one.status(second["access_token"]), await one.status(first["access_token"])]
        now[0] += 15_897_600
        late = await one.token(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert (expired, statuses) == (401, [200, 401])
    assert (third["error"], late["error"]) == ("bad_refresh_token", "bad_refresh_token")


async def test_without_asking_for_json_the_answer_is_a_form() -> None:
    """And the question may be JSON."""
    async with signing_in() as one:
        back = await sign_in(one.browser, one.address(), "mona")
        given = {"client_id": one.simulator.client_id, "client_secret": one.simulator.client_secret}
        answer = await one.browser.post(
            "/login/oauth/access_token", json={**given, "code": back["code"], "code_verifier": VERIFIER}
        )
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert query_of(f"?{answer.text}")["access_token"].startswith("ghu_")


async def test_a_token_can_be_taken_back() -> None:
    """204 for a token that is known, 422 afterwards, 404 and 401 for the wrong client."""
    async with signing_in() as one:
        token = one.simulator.users.issue("mona")
        path = f"/applications/{one.simulator.client_id}/token"
        right, wrong = (one.simulator.client_id, one.simulator.client_secret), (one.simulator.client_id, "wrong")

        async def delete(auth: tuple[str, str] | None) -> int:
            request = one.browser.build_request("DELETE", path, json={"access_token": token})
            sent = await one.browser.send(request, auth=auth)
            return sent.status_code

        statuses = [await delete(wrong), await delete(None), await delete(right), await delete(right)]
        after = await one.status(token)
    assert (statuses, after) == ([404, 401, 204, 422], 401)


async def test_tokens_end_by_control_and_with_their_user() -> None:
    """Expired, revoked, or the account is gone: 401."""
    async with signing_in() as one:
        tokens = [one.simulator.users.issue(login) for login in ("mona", "owner", "guest")]
        before = [await one.status(token) for token in tokens]
        await one.client.call("POST", "/_simulator/expire_user_tokens", body={"login": "mona"})
        await one.client.call("POST", "/_simulator/revoke_user_tokens", body={"login": "owner"})
        await one.client.call("POST", "/_simulator/delete_user", body={"login": "guest"})
        after = [await one.status(token) for token in tokens]
    assert (before, after) == ([200] * 3, [401] * 3)


@pytest.mark.parametrize("role", ["read", "triage", "write", "maintain", "admin"])
async def test_a_repository_tells_its_caller_their_role(role: str) -> None:
    """By name, by id, in the list of the installation, and as others see it."""
    simulator = a_simulator()
    simulator.world.add_repository("octo-org/secret", 909, private=True)
    simulator.world.add_repositories(7, ["octo-org/secret"])
    simulator.world.set_collaborator("octo-org/secret", "mona", role)
    async with served(simulator) as client:
        mine, strangers = simulator.users.issue("mona"), simulator.users.issue("stranger")
        paths = ("/repos/octo-org/secret", "/repositories/909", "/repos/octo-org/secret/collaborators/mona/permission")
        answers = [await client.call("GET", path, mine) for path in paths]
        _, listing = await client.call("GET", "/user/installations/7/repositories", mine)
        hidden = [(await client.call("GET", path, strangers))[0] for path in paths]
    levels = ["pull", "triage", "push", "maintain", "admin"]
    reached = ["read", "triage", "write", "maintain", "admin"].index(role)
    expected = {level: index <= reached for index, level in enumerate(levels)}
    assert [body["permissions"] for _, body in answers[:2]] == [expected] * 2
    assert [body["role_name"] for _, body in answers] == [role] * 3
    assert [one["permissions"] for one in listing["repositories"] if one["id"] == 909] == [expected]
    assert hidden == [404] * 3
