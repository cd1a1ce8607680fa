"""Requests with the right credential, in the right order: tokens, pacing, pauses, stale names, pages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from centralbot.adapters.github import operations
from centralbot.adapters.github.app_jwt import app_jwt
from centralbot.adapters.github.faults import classify
from centralbot.adapters.github.limits import Pauses
from centralbot.adapters.github.operations import ApiRequest
from centralbot.adapters.github.pacing import WritePacing
from centralbot.adapters.github.protocol import ApiResponse, next_page, server_time
from centralbot.adapters.github.shapes import AccessToken, decode
from centralbot.adapters.github.tokens import InstallationTokens, Refusals, Token
from centralbot.adapters.github.transport import Transport
from centralbot.ports.driven.clock import Clock
from centralbot.ports.driven.github import GitHubError, GitHubRateLimited, GitHubUnavailable, Ready, always

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
        request = operations.mint_token(installation_id)  # a limit met here rests this installation, not all of them
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
