"""One exchange over HTTP, thin: time limit, redirects by hand, network failures as the port's error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from centralbot.adapters.github.operations import ApiRequest
from centralbot.adapters.github.protocol import (
    ApiResponse,
    clock_skew_s,
    redirect_target,
    request_headers,
    same_origin,
)
from centralbot.ports.driven.clock import Clock
from centralbot.ports.driven.github import GitHubUnavailable, Ready, always

MAX_HOPS: Final = 3

OnRequest = Callable[[str, int, float], None]
"""Told of every request sent: operation id, status (0 when none came), seconds."""


class Transport:
    """Sends requests to one GitHub. ``clock_skew_s`` is how far our clock is ahead of GitHub's, once known."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_url: str,
        user_agent: str,
        clock: Clock,
        timeout_s: float = 10.0,
        max_concurrent: int = 100,
        on_request: OnRequest | None = None,
    ) -> None:
        self._http = http
        self._base = api_url.rstrip("/")
        self._user_agent = user_agent
        self._clock = clock
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(max_concurrent)
        self._on_request = on_request
        self.clock_skew_s: float | None = None

    async def exchange(self, request: ApiRequest, path: str, authorization: str, ready: Ready = always) -> ApiResponse:
        """Send ``request`` to ``path`` (or a whole address, for a next page) and return any answer, good or bad.

        A redirect is followed with the same method and body, but to no other server: its 2xx would pass for GitHub's.
        Raises GitHubUnavailable with reason NETWORK, TIMEOUT or REDIRECT; whether a write took effect is then unknown.
        """
        url = path if path.startswith(("http://", "https://")) else self._base + path
        try:
            async with self._slots, asyncio.timeout(self._timeout_s):
                return await self._follow(request, url, authorization, ready)
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"{request.operation}: GitHub did not answer within {self._timeout_s:g} s"
            raise GitHubUnavailable(message, reason="TIMEOUT") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            message = f"{request.operation}: GitHub could not be reached: {type(error).__name__}"
            raise GitHubUnavailable(message, reason="NETWORK") from error

    async def _follow(self, request: ApiRequest, url: str, authorization: str, ready: Ready) -> ApiResponse:
        for hop in range(MAX_HOPS + 1):
            if not same_origin(self._base, url):
                message = (
                    f"{request.operation}: GitHub's answer leads to another server; check CENTRALBOT_GITHUB_API_URL"
                )
                raise GitHubUnavailable(message, reason="REDIRECT")
            ready()
            answer = await self._send(request, url, authorization)
            response = ApiResponse(
                status=answer.status_code, headers=answer.headers, body=answer.content, redirected=hop > 0
            )
            target = redirect_target(url, response)
            if target is None:
                return response
            url = target
        message = f"{request.operation}: more than {MAX_HOPS} redirects"
        raise GitHubUnavailable(message, reason="REDIRECT", status=response.status)

    async def _send(self, request: ApiRequest, url: str, authorization: str) -> httpx.Response:
        headers = request_headers(authorization=authorization, user_agent=self._user_agent)
        content = None
        if request.json is not None:
            content = msgspec.json.encode(request.json)
            headers["Content-Type"] = "application/json"
        began_s, status = self._clock.monotonic_s(), 0
        try:
            answer = await self._http.request(request.method, url, headers=headers, content=content)
            status = answer.status_code
        finally:
            if self._on_request is not None:
                self._on_request(request.operation, status, self._clock.monotonic_s() - began_s)
        self.clock_skew_s = clock_skew_s(answer.headers, self._clock.now())
        return answer
