"""Signing in with GitHub: the OAuth endpoints and the client that has them at hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import quote, urlencode

import httpx
import msgspec

from centralbot.adapters.github.app import PooledNetwork
from centralbot.adapters.github.people import GitHubPeople, PeopleClient, TokenAnswer, decode
from centralbot.adapters.github.protocol import request_headers
from centralbot.domain.errors import Unavailable
from centralbot.ports.clock import Clock
from centralbot.ports.people import SignInRefused, UserTokens

MAX_CONNECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """The App's OAuth client. On GitHub Enterprise Server ``api_url`` is ``https://HOST/api/v3``."""

    client_id: str
    client_secret: str = field(repr=False)
    api_url: str = "https://api.github.com"
    web_url: str = "https://github.com"
    user_agent: str = "centralbot"
    timeout_s: float = 10.0
    """For one exchange. GitHub itself cuts requests off at 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSide:
    """The two ports over one pool of connections."""

    sign_in: GitHubSignIn
    github: GitHubPeople


@asynccontextmanager
async def open_people(
    settings: PeopleSettings, *, clock: Clock, http_transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[PeopleSide]:
    """Open the connections; nothing is sent before the first call. ``http_transport`` takes the network's place."""
    timeout_s = settings.timeout_s
    network = http_transport or PooledNetwork(max_connections=MAX_CONNECTIONS, timeout_s=timeout_s)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # people share the client: none of theirs is kept
    async with httpx.AsyncClient(
        timeout=timeout_s, transport=network, follow_redirects=False, cookies=no_cookies
    ) as http:
        client = PeopleClient(
            http, api_url=settings.api_url, user_agent=settings.user_agent, clock=clock, timeout_s=timeout_s
        )
        sign_in = GitHubSignIn(
            client,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            web_url=settings.web_url,
            user_agent=settings.user_agent,
            clock=clock,
        )
        yield PeopleSide(sign_in=sign_in, github=GitHubPeople(client))


_ERROR = re.compile(r"[a-z_]{1,60}")
_TOKEN = re.compile(r"[!-~]{1,4096}")
NO_CODE: Final = "0" * 20
_ADVICE: Final = {
    "incorrect_client_credentials": "check CENTRALBOT_GITHUB_CLIENT_ID and CENTRALBOT_GITHUB_CLIENT_SECRET",
    "redirect_uri_mismatch": "add CENTRALBOT_PUBLIC_URL's /api/v1/auth/github/callback to the App's callback URLs",
}


class GitHubSignIn:
    """Sends people to GitHub's page and turns what they come back with into tokens."""

    def __init__(
        self, client: PeopleClient, *, client_id: str, client_secret: str, web_url: str, user_agent: str, clock: Clock
    ) -> None:
        self._client = client
        self._client_id = client_id
        self._client_secret = client_secret
        self._web_url = web_url.rstrip("/")
        self._user_agent = user_agent
        self._clock = clock

    def authorize_url(self, *, state: str, code_challenge: str, redirect_uri: str, select_account: bool = False) -> str:
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        if select_account:
            query["prompt"] = "select_account"
        return f"{self._web_url}/login/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, code_verifier: str, redirect_uri: str) -> UserTokens:
        return await self._tokens(code=code, code_verifier=code_verifier, redirect_uri=redirect_uri)

    async def refresh(self, refresh_token: str) -> UserTokens:
        return await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    async def revoke(self, access_token: str) -> None:
        """404 and 422 are GitHub's words for a token that it does not know."""
        response = await self._client.send(
            "DELETE",
            f"{self._client.api_url}/applications/{quote(self._client_id, safe='')}/token",
            headers={
                **request_headers(authorization=None, user_agent=self._user_agent),
                "Content-Type": "application/json",
            },
            content=msgspec.json.encode({"access_token": access_token}),
            auth=(self._client_id, self._client_secret),
        )
        if response.status not in (204, 404, 422):
            raise Unavailable(f"GitHub does not take a token back: HTTP {response.status}")

    async def client_problem(self) -> str | None:
        """GitHub's word for what is wrong with the client id and secret; None where it takes them.

        A code that nobody was given is asked for: with the right client GitHub refuses the code alone. For the doctor.
        """
        error = (await self._asked(code=NO_CODE)).error
        return None if error == "bad_verification_code" else error if _ERROR.fullmatch(error) else "unknown"

    async def _tokens(self, **given: str) -> UserTokens:
        now = self._clock.now()  # before the question: a token must not be held longer than it lives
        answer = await self._asked(**given)
        if answer.error:
            raise _refusal(answer.error)
        if not _TOKEN.fullmatch(answer.access_token):
            raise Unavailable("GitHub's answer holds no token")
        return answer.to_port(now)

    async def _asked(self, **given: str) -> TokenAnswer:
        form = {"client_id": self._client_id, "client_secret": self._client_secret, **given}
        response = await self._client.send(
            "POST",
            f"{self._web_url}/login/oauth/access_token",
            headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        if not response.ok:
            raise _refusal(f"http_{response.status}" if response.status < 400 else "not_accepted")
        return decode(response, TokenAnswer)


def _refusal(error: str) -> SignInRefused:
    known = error if _ERROR.fullmatch(error) else "unknown"
    return SignInRefused(f"GitHub refuses the sign-in ({known}): {_ADVICE.get(known, 'sign in again')}")
