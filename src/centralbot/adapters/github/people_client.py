"""Requests on behalf of people: with a person's own token, never the App's; nothing secret leaves GitHub's hosts."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
import msgspec

from centralbot.adapters.github.limits import is_rate_limited, pause_s
from centralbot.adapters.github.protocol import (
    ApiResponse,
    error_message,
    redirect_target,
    request_headers,
    same_origin,
)
from centralbot.domain.errors import Unavailable
from centralbot.ports.driven.clock import Clock
from centralbot.ports.driven.people import SignInRefused

T = TypeVar("T")

MAX_HOPS: Final = 3
_TOKEN = re.compile(r"[!-~]{1,4096}")
_TRANSIENT: Final = frozenset({408, 409, 425})


class PeopleClient:
    """One GitHub as people reach it. Errors never carry a token, nor a request that does."""

    def __init__(
        self, http: httpx.AsyncClient, *, api_url: str, user_agent: str, clock: Clock, timeout_s: float
    ) -> None:
        self._http = http
        self.api_url = api_url.rstrip("/")
        self._user_agent = user_agent
        self._clock = clock
        self._timeout_s = timeout_s

    async def get(self, access_token: str, path: str) -> ApiResponse:
        """GitHub's answer to the person: 2xx, or a 4xx that speaks of the thing asked for.

        ``path`` begins after the API's address, or is a next page's whole address. Redirects are followed within the
        API's own origin. Raises SignInRefused (401) and Unavailable (a limit, 5xx, network, another origin).
        """
        if not _TOKEN.fullmatch(access_token):  # callers of our API bring tokens of any kind
            raise SignInRefused("this is no GitHub token; sign in again")
        headers = request_headers(authorization=f"Bearer {access_token}", user_agent=self._user_agent)
        url = path if path.startswith(("http://", "https://")) else self.api_url + path
        for hop in range(MAX_HOPS + 1):
            if not same_origin(self.api_url, url):
                raise Unavailable("GitHub's answer leads to another server")
            answer = await self.send("GET", url, headers=headers)
            target = redirect_target(url, answer)
            if target is None:
                if answer.status == 401:
                    raise SignInRefused("GitHub does not accept this sign-in any more; sign in again")
                return ApiResponse(status=answer.status, headers=answer.headers, body=answer.body, redirected=hop > 0)
            url = target
        raise Unavailable(f"GitHub answered with more than {MAX_HOPS} redirects")

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> ApiResponse:
        """One exchange; no redirect is followed. Raises Unavailable for a limit, 5xx or a network that fails."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._http.request(
                    method,
                    url,
                    headers={"User-Agent": self._user_agent, **headers},
                    content=content,
                    auth=auth or httpx.USE_CLIENT_DEFAULT,
                    follow_redirects=False,
                )
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(f"GitHub did not answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # holds the request, and with it the token
            raise Unavailable(f"GitHub could not be reached: {type(error).__name__}") from None
        response = ApiResponse(status=answer.status_code, headers=answer.headers, body=answer.content)
        self._refuse_unavailable(response)
        return response

    def _refuse_unavailable(self, response: ApiResponse) -> None:
        status, message = response.status, error_message(response.status, response.body)
        if is_rate_limited(status, response.headers, message):
            rest_s = pause_s(response.headers, now=self._clock.now(), hits=0, jitter=0.0)
            raise Unavailable("GitHub asks for a pause (rate limit)", retry_after_s=math.ceil(rest_s))
        if status >= 500 or status in _TRANSIENT:
            raise Unavailable(f"GitHub cannot answer now: {message}")


def decode(response: ApiResponse, shape: type[T]) -> T:
    """Read an answer. Unavailable when it is not what GitHub documents; its text is not repeated."""
    try:
        return msgspec.json.decode(response.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unavailable(f"GitHub's answer could not be read: {type(error).__name__}") from None
