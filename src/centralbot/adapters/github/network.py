"""The network under httpx: aiohttp's pool of connections.

httpcore's own pool looks at every connection, with a system call each, for every request and every answer: with 100
connections busy that was 15 ms of CPU an action, where this takes two.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import aiohttp
import httpx
from yarl import URL

KEEP_ALIVE_S: Final = 30.0


class PooledNetwork(httpx.AsyncBaseTransport):
    """At most ``max_connections`` connections, kept alive. TimeoutError and httpx.NetworkError say what went wrong."""

    def __init__(self, *, max_connections: int, timeout_s: float) -> None:
        self._max_connections = max_connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections, keepalive_timeout=KEEP_ALIVE_S, ssl=httpx.create_ssl_context()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # httpx does it, by the headers that come with the body
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
                body = await answer.read()
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.NetworkError(str(error) or type(error).__name__, request=request) from error
        return httpx.Response(answer.status, headers=list(answer.raw_headers), content=body, request=request)


_OF_THE_CONNECTION: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})
