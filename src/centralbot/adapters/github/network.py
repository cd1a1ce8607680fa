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
