"""The port ``AppRegistration`` over GitHub's REST API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec

from centralbot.adapters.github.app import PooledNetwork
from centralbot.adapters.github.people import PeopleClient, decode
from centralbot.adapters.github.protocol import request_headers
from centralbot.domain.errors import Unavailable
from centralbot.ports.clock import Clock
from centralbot.ports.registration import RegisteredApp, RegistrationRefused

TIMEOUT_S = 20.0
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")


class _Converted(msgspec.Struct):
    id: int
    html_url: str
    client_id: str
    client_secret: str
    pem: str
    slug: str = ""
    webhook_secret: str | None = None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"_Converted(id={self.id})"


class GitHubRegistration:
    """Needs no credential but the code."""

    def __init__(self, client: PeopleClient, *, user_agent: str) -> None:
        self._client = client
        self._user_agent = user_agent

    async def convert(self, code: str) -> RegisteredApp:
        if not _CODE.fullmatch(code):
            raise RegistrationRefused("what came back from GitHub is no code; run 'centralbot setup' again")
        response = await self._client.send(
            "POST",
            f"{self._client.api_url}/app-manifests/{code}/conversions",
            headers=request_headers(authorization=None, user_agent=self._user_agent),
        )
        if response.status in (404, 422):
            raise RegistrationRefused(
                "GitHub does not know the code (any more): it serves once, within an hour; run 'centralbot setup' again"
            )
        if not response.ok:
            raise Unavailable(f"GitHub answers HTTP {response.status} where it should hand out the App")
        made = decode(response, _Converted)
        return RegisteredApp(
            id=made.id,
            slug=made.slug or made.html_url.rstrip("/").rpartition("/")[2],
            html_url=made.html_url,
            client_id=made.client_id,
            client_secret=made.client_secret,
            webhook_secret=made.webhook_secret,
            private_key_pem=made.pem,
        )


@asynccontextmanager
async def open_registration(*, api_url: str, user_agent: str, clock: Clock) -> AsyncIterator[GitHubRegistration]:
    """Open the connections; nothing is sent before the first call."""
    network = PooledNetwork(max_connections=2, timeout_s=TIMEOUT_S)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, transport=network, follow_redirects=False) as http:
        client = PeopleClient(http, api_url=api_url, user_agent=user_agent, clock=clock, timeout_s=TIMEOUT_S)
        yield GitHubRegistration(client, user_agent=user_agent)
