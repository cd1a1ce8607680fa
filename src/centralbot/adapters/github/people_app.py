"""The people's side of GitHub, opened and closed as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from centralbot.adapters.github.network import PooledNetwork
from centralbot.adapters.github.people import GitHubPeople
from centralbot.adapters.github.people_client import PeopleClient
from centralbot.adapters.github.sign_in import GitHubSignIn
from centralbot.ports.driven.clock import Clock

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
