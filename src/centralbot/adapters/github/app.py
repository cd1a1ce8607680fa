"""Our App on GitHub, put together: one network client, every port over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
import httpx
from yarl import URL

from centralbot.adapters.github.client import GitHubClient, OnRequest, Transport
from centralbot.adapters.github.collaborators import GitHubCollaborators
from centralbot.adapters.github.installations import GitHubInstallations
from centralbot.adapters.github.pull_requests import (
    GitHubComments,
    GitHubOpenPullRequests,
    GitHubPullRequests,
    OurIdentity,
)
from centralbot.adapters.github.tokens import load_private_key
from centralbot.ports.clock import Clock

KEEP_ALIVE_S: Final = 30.0
MAX_ANSWER_BYTES: Final = 64 << 20
"""Unpacked. A page of a hundred comments, each as long as GitHub takes (262,144 bytes), is half of it."""


class PooledNetwork(httpx.AsyncBaseTransport):
    """At most ``max_connections`` connections, kept alive. TimeoutError and httpx.NetworkError say what went wrong."""

    def __init__(self, *, max_connections: int, timeout_s: float, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._max_connections = max_connections
        self._max_answer_bytes = max_answer_bytes
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections, keepalive_timeout=KEEP_ALIVE_S, ssl=httpx.create_ssl_context()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
            timeout=self._timeout,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, its body read whole. No redirect is followed here."""
        if self._session is None:
            raise RuntimeError("the network is used outside of its 'async with'")
        headers = [(name, value) for name, value in request.headers.multi_items() if name not in _OF_THE_CONNECTION]
        url = URL(str(request.url), encoded=True)
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=await request.aread() or None, allow_redirects=False
            ) as answer:
                body = await self._read(answer)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.NetworkError(str(error) or type(error).__name__, request=request) from error
        unpacked = [(name, value) for name, value in answer.raw_headers if name.lower() not in _OF_THE_PACKED]
        return httpx.Response(answer.status, headers=unpacked, content=body, request=request)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        left = self._max_answer_bytes
        async for part in answer.content.iter_any():
            left -= len(part)
            if left < 0:
                raise aiohttp.ClientPayloadError(f"the answer is larger than {self._max_answer_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


_OF_THE_PACKED: Final = frozenset({b"content-encoding", b"content-length"})
_OF_THE_CONNECTION: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})


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
    collaborators: GitHubCollaborators
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
                collaborators=GitHubCollaborators(client),
                installations=GitHubInstallations(client),
                transport=transport,
            )
        finally:
            await identity.aclose()
            await client.aclose()
