"""The whole GitHub side, opened and closed as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from centralbot.adapters.github.app_jwt import load_private_key
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.comments import GitHubComments
from centralbot.adapters.github.identity import OurIdentity
from centralbot.adapters.github.installations import GitHubInstallations
from centralbot.adapters.github.network import PooledNetwork
from centralbot.adapters.github.open_pull_requests import GitHubOpenPullRequests
from centralbot.adapters.github.pull_requests import GitHubPullRequests
from centralbot.adapters.github.transport import OnRequest, Transport
from centralbot.ports.driven.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubSettings:
    """How to reach GitHub as the App. ``api_url`` is ``https://HOST/api/v3`` on GitHub Enterprise Server."""

    app_id: str
    private_key_pem: str
    api_url: str = "https://api.github.com"
    user_agent: str = "centralbot"
    timeout_s: float = 10.0
    """For one exchange, redirects included. GitHub itself cuts requests off at 10 s."""
    write_interval_s: float = 1.0
    max_concurrent: int = 100
    """GitHub's secondary limit on requests under way."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"GitHubSettings(app_id={self.app_id!r}, api_url={self.api_url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubApp:
    """The ports over one client, one pool of connections and one cache of tokens."""

    pull_requests: GitHubPullRequests
    open_pull_requests: GitHubOpenPullRequests
    comments: GitHubComments
    installations: GitHubInstallations
    transport: Transport

    @property
    def clock_skew_s(self) -> float | None:
        """Seconds that our clock is ahead of GitHub's, by its last answer; None before the first."""
        return self.transport.clock_skew_s


@asynccontextmanager
async def open_github(
    settings: GitHubSettings,
    *,
    clock: Clock,
    jitter: Callable[[], float],
    on_request: OnRequest | None = None,
    http_transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[GitHubApp]:
    """Open the connections; nothing is sent before the first call. ValidationError when the key cannot be read.

    ``on_request`` is for metrics; ``http_transport`` takes the place of the network.
    """
    key = load_private_key(settings.private_key_pem)
    timeout_s = settings.timeout_s
    network = http_transport or PooledNetwork(max_connections=settings.max_concurrent, timeout_s=timeout_s)
    async with httpx.AsyncClient(timeout=timeout_s, transport=network) as http:
        transport = Transport(
            http,
            api_url=settings.api_url,
            user_agent=settings.user_agent,
            clock=clock,
            timeout_s=settings.timeout_s,
            max_concurrent=settings.max_concurrent,
            on_request=on_request,
        )
        client = GitHubClient(
            transport,
            app_id=settings.app_id,
            private_key=key,
            clock=clock,
            jitter=jitter,
            write_interval_s=settings.write_interval_s,
        )
        identity = OurIdentity(client)
        try:
            yield GitHubApp(
                pull_requests=GitHubPullRequests(client),
                open_pull_requests=GitHubOpenPullRequests(client),
                comments=GitHubComments(client, identity),
                installations=GitHubInstallations(client),
                transport=transport,
            )
        finally:
            await identity.aclose()
            await client.aclose()
