"""Requests to GitHub's REST API: pacing, time-outs and renewals around one HTTP client."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from centralbot.adapters.github import requests
from centralbot.adapters.github.errors import classify
from centralbot.adapters.github.protocol import (
    ApiResponse,
    Pauses,
    clock_skew_s,
    next_page,
    redirect_target,
    request_headers,
    same_origin,
    server_time,
)
from centralbot.adapters.github.requests import ApiRequest
from centralbot.adapters.github.schemas import AccessToken, decode
from centralbot.adapters.github.tokens import InstallationTokens, Refusals, Token, app_jwt
from centralbot.ports.clock import Clock
from centralbot.ports.github import GitHubError, GitHubRateLimited, GitHubUnavailable, Ready, always

_SWEEP_ABOVE: Final = 1_024


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_at_s: float = float("-inf")
    users: int = 0


class WritePacing:
    """Hands out turns to write, first come first served, one lane per installation; no lane waits for another."""

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._lanes: dict[int, _Lane] = {}

    @asynccontextmanager
    async def turn(self, installation_id: int, ready: Callable[[], None]) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Writes begin at least ``interval_s`` apart; the first begins at once.

        ``ready`` is called when the turn comes and again after the wait: what it raises gives the turn away unused.
        """
        lane = self._lane(installation_id)
        lane.users += 1
        try:
            async with lane.lock:
                ready()
                if (wait_s := lane.next_at_s - self._clock.monotonic_s()) > 0:
                    await self._clock.sleep(wait_s)
                    ready()
                lane.next_at_s = self._clock.monotonic_s() + self._interval_s
                yield
        finally:
            lane.users -= 1

    def _lane(self, installation_id: int) -> _Lane:
        if len(self._lanes) >= _SWEEP_ABOVE and installation_id not in self._lanes:
            now_s = self._clock.monotonic_s()
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.users or lane.next_at_s > now_s}
        return self._lanes.setdefault(installation_id, _Lane())


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


APP: Final = 0
"""Stands for the App itself where an installation's id is asked for: pauses and turns to write."""

MAX_PAGES: Final = 10_000
SKEW_THAT_MATTERS_S: Final = 30.0
_STALE_NAMES_KEPT: Final = 10_000


class GitHubClient:
    """Sends as the App or as one of its installations, and turns every refusal into the port's errors.

    It retries nothing but refused tokens (:class:`Refusals`) and a 404 under a name that may be out of date.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        app_id: str,
        private_key: RSAPrivateKey,
        clock: Clock,
        jitter: Callable[[], float],
        write_interval_s: float = 1.0,
    ) -> None:
        self._transport = transport
        self._app_id = app_id
        self._private_key = private_key
        self._clock = clock
        self._jitter = jitter
        self._pauses = Pauses(clock)
        self._pacing = WritePacing(clock, write_interval_s)
        self._tokens = InstallationTokens(self._mint, clock)
        self._stale_names: OrderedDict[int, None] = OrderedDict()

    async def aclose(self) -> None:
        await self._tokens.aclose()

    async def as_app(self, request: ApiRequest, path: str | None = None) -> ApiResponse:
        """Send with the App's JWT. ``path`` is a next page's address, if not the request's own."""
        if request.is_write:
            async with self._pacing.turn(APP, lambda: self._pauses.check(APP)):
                return await self._with_jwt(APP, request, path or request.path)
        self._pauses.check(APP)
        return await self._with_jwt(APP, request, path or request.path)

    async def as_installation(
        self, installation_id: int, request: ApiRequest, path: str | None = None, *, ready: Ready = always
    ) -> ApiResponse:
        """Send with the installation's token; a write waits for its turn. Raises as the port says, nothing else."""
        if request.is_write:
            async with self._pacing.turn(installation_id, lambda: self._pauses.check(installation_id)):
                return await self._located(installation_id, request, path, ready)
        self._pauses.check(installation_id)
        return await self._located(installation_id, request, path, ready)

    async def pages(
        self, send: Callable[[ApiRequest, str | None], Awaitable[ApiResponse]], request: ApiRequest
    ) -> AsyncGenerator[ApiResponse, None]:
        """Every page, first to last, asked for only as the caller goes on."""
        path: str | None = None
        for _ in range(MAX_PAGES):
            page = await send(request, path)
            yield page
            path = next_page(page.headers)
            if path is None:
                return
        raise GitHubUnavailable(f"{request.operation}: more than {MAX_PAGES} pages", reason="PAGES")

    def name_is_stale(self, repo_id: int) -> None:
        """Ask for this repository by its id from now on. Kept in memory, for the most recent ones."""
        self._stale_names[repo_id] = None
        self._stale_names.move_to_end(repo_id)
        if len(self._stale_names) > _STALE_NAMES_KEPT:
            self._stale_names.popitem(last=False)

    async def _located(self, installation_id: int, request: ApiRequest, path: str | None, ready: Ready) -> ApiResponse:
        by_id = request.by_id
        if path is not None or by_id is None or request.repo_id is None or request.path == by_id:
            return await self._with_token(installation_id, request, path or request.path, ready)
        if request.repo_id in self._stale_names:
            return await self._with_token(installation_id, request, by_id, ready)
        try:
            response = await self._with_token(installation_id, request, request.path, ready)
        except GitHubError as error:
            if error.status != 404 or error.reason != "NOT_FOUND":
                raise
            response = await self._with_token(installation_id, request, by_id, ready)
            self.name_is_stale(request.repo_id)
            return response
        if response.redirected:
            self.name_is_stale(request.repo_id)
        return response

    async def _with_token(self, installation_id: int, request: ApiRequest, path: str, ready: Ready) -> ApiResponse:
        refusals = Refusals()
        token = await self._tokens.get(installation_id)
        fresh = token.fresh(self._clock.monotonic_s())
        while True:
            response = await self._transport.exchange(request, path, f"token {token.value}", ready)
            if response.ok:
                self._pauses.succeeded(installation_id)
                return response
            error = self._error(installation_id, request, response)
            if error.reason not in {"BAD_CREDENTIALS", "FORBIDDEN"}:
                raise error
            step = refusals.next_step(response.status, fresh=fresh)
            if isinstance(step, str):
                self._tokens.discard(installation_id, token)
            if step == "give up":
                raise error
            if step == "remint":
                token = await self._tokens.get(installation_id)
                fresh = token.fresh(self._clock.monotonic_s())
            else:
                await self._clock.sleep(step)

    async def _with_jwt(self, key: int, request: ApiRequest, path: str) -> ApiResponse:
        response = await self._transport.exchange(request, path, self._jwt())
        if response.status == 401 and abs(self._transport.clock_skew_s or 0.0) > SKEW_THAT_MATTERS_S:
            response = await self._transport.exchange(request, path, self._jwt())  # now by GitHub's clock
        if not response.ok:
            raise self._error(key, request, response)
        self._pauses.succeeded(key)
        return response

    async def _mint(self, installation_id: int) -> Token:
        asked_at_s = self._clock.monotonic_s()
        request = requests.mint_token(installation_id)  # a limit met here rests this installation, not all of them
        response = await self._with_jwt(installation_id, request, request.path)
        answer = decode(response, AccessToken)
        lifetime_s = (answer.expires_at - (server_time(response.headers) or self._clock.now())).total_seconds()
        ends_at_s = asked_at_s + max(lifetime_s, 0.0)
        return Token(value=answer.token, minted_at_s=self._clock.monotonic_s(), ends_at_s=ends_at_s)

    def _jwt(self) -> str:
        return f"Bearer {app_jwt(self._app_id, self._private_key, self._github_now())}"

    def _github_now(self) -> datetime:
        skew_s = self._transport.clock_skew_s or 0.0
        matters = abs(skew_s) > SKEW_THAT_MATTERS_S
        return self._clock.now() - timedelta(seconds=skew_s) if matters else self._clock.now()

    def _error(self, key: int, request: ApiRequest, response: ApiResponse) -> GitHubError:
        error = classify(
            request.operation, response, now=self._clock.now(), hits=self._pauses.hits(key), jitter=self._jitter()
        )
        if isinstance(error, GitHubRateLimited):
            self._pauses.start(key, error.pause_s)
        return error
