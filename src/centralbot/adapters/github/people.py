"""People on GitHub: their account, their repositories and their role in each, by their own token."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from centralbot.adapters.github.protocol import (
    ApiResponse,
    error_message,
    is_rate_limited,
    next_page,
    pause_s,
    redirect_target,
    request_headers,
    same_origin,
)
from centralbot.adapters.github.requests import PAGE_SIZE
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.clock import Clock
from centralbot.ports.people import RepoRole, RepositoryAccess, SignInRefused, UserTokens

_LEVELS: Final = tuple(RepoRole)
_BY_PERMISSION: Final = (
    ("admin", RepoRole.ADMIN),
    ("maintain", RepoRole.MAINTAIN),
    ("push", RepoRole.WRITE),
    ("triage", RepoRole.TRIAGE),
)


class User(msgspec.Struct):
    id: int
    login: str

    def to_port(self) -> Actor:
        return Actor(id=self.id, login=self.login)


class Repository(msgspec.Struct):
    """``permissions`` are the caller's; ``role_name`` may be a role that an organization made up."""

    id: int
    full_name: str
    permissions: dict[str, bool] | None = None
    role_name: str | None = None

    @property
    def role(self) -> RepoRole:
        """Never more than ``permissions`` say; without them the caller can read, as everybody can what is public."""
        held = self.permissions or {}
        granted = next((role for name, role in _BY_PERMISSION if held.get(name) is True), RepoRole.READ)
        named = _LEVELS.index(RepoRole(self.role_name)) if self.role_name in _LEVELS else len(_LEVELS)
        return _LEVELS[max(min(_LEVELS.index(granted), named), _LEVELS.index(RepoRole.READ))]

    def to_port(self, installation_id: int) -> RepositoryAccess:
        return RepositoryAccess(
            repo_id=self.id, full_name=self.full_name, installation_id=installation_id, role=self.role
        )


class RepositoryPage(msgspec.Struct):
    repositories: list[Repository]


class _Installation(msgspec.Struct):
    id: int


class InstallationPage(msgspec.Struct):
    installations: list[_Installation]


class TokenAnswer(msgspec.Struct):
    """Tokens, or ``error``: both come with status 200. Lifetimes are seconds; absent ones never end."""

    access_token: str = ""
    expires_in: int | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    error: str = ""

    def to_port(self, now: datetime) -> UserTokens:
        return UserTokens(
            access_token=self.access_token,
            expires_at=_after(now, self.expires_in),
            refresh_token=self.refresh_token,
            refresh_expires_at=_after(now, self.refresh_token_expires_in) if self.refresh_token else None,
        )

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"TokenAnswer(error={self.error!r})"


def _after(now: datetime, lifetime_s: int | None) -> datetime | None:
    return None if lifetime_s is None else now + timedelta(seconds=lifetime_s)


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


MAX_PAGES: Final = 50
"""For one listing in all, that is 5,000 repositories; what lies beyond is left out."""

CONCURRENT: Final = 4

_FULL_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
_CLASSIC: Final = ("gho_", "ghp_")
_FOR_CODE: Final = frozenset({"repo", "public_repo"})
_NOT_FOR_THEM: Final = frozenset({403, 404, 410, 451})


class GitHubPeople:
    """Asks with the person's token, every time: nothing is kept here."""

    def __init__(self, client: PeopleClient) -> None:
        self._client = client

    async def who(self, access_token: str) -> Actor:
        return decode(_good(await self._client.get(access_token, "/user")), User).to_port()

    async def role(self, access_token: str, repo_id: int, *, full_name: str | None) -> RepoRole:
        """By name first, the documented way; by id where the name leads nowhere or elsewhere."""
        by_name = f"/repos/{full_name}" if full_name is not None and _FULL_NAME.fullmatch(full_name) else None
        for path in (by_name, f"/repositories/{int(repo_id)}"):
            if path is None:
                continue
            response = await self._client.get(access_token, path)
            if response.status in _NOT_FOR_THEM:
                continue
            found = decode(_good(response), Repository)
            if found.id == repo_id:
                return found.role if _may_write(access_token, response) else RepoRole.READ
        return RepoRole.NONE

    async def repositories(self, access_token: str) -> Sequence[RepositoryAccess]:
        """At most MAX_PAGES pages are read; GitHub lists the installations of this App alone."""
        budget = _Budget(MAX_PAGES)
        installations: list[int] = []
        async for page in self._pages(access_token, f"/user/installations?per_page={PAGE_SIZE}", budget):
            installations += [one.id for one in decode(page, InstallationPage).installations]
        slots = asyncio.Semaphore(CONCURRENT)
        found: dict[int, RepositoryAccess] = {}

        async def read(installation_id: int) -> None:
            path = f"/user/installations/{installation_id}/repositories?per_page={PAGE_SIZE}"
            async with slots:
                async for page in self._pages(access_token, path, budget):
                    for one in decode(page, RepositoryPage).repositories:
                        found[one.id] = one.to_port(installation_id)

        await _all(read, installations)
        return sorted(found.values(), key=lambda one: (one.full_name.lower(), one.repo_id))

    async def account(self, access_token: str, login: str) -> Actor | None:
        if not _LOGIN.fullmatch(login):  # what GitHub calls nobody must not choose the path either
            return None
        response = await self._client.get(access_token, f"/users/{quote(login, safe='')}")
        return None if response.status in _NOT_FOR_THEM else decode(_good(response), User).to_port()

    async def _pages(self, access_token: str, path: str, budget: _Budget) -> AsyncGenerator[ApiResponse, None]:
        """Every page until the budget is spent; none of what has gone or was closed to them in between."""
        following: str | None = path
        while following is not None and budget.spend():
            page = await self._client.get(access_token, following)
            if page.status in _NOT_FOR_THEM:
                return
            yield _good(page)
            following = next_page(page.headers)


class _Budget:
    """So many pages."""

    def __init__(self, pages: int) -> None:
        self._left = pages

    def spend(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _may_write(access_token: str, response: ApiResponse) -> bool:
    """Whether a classic token has a scope for code, where GitHub names its scopes: ``permissions`` are the person's.

    Other sites' sign-ins get such tokens without any. Tokens of Apps and fine-grained ones have no scopes.
    https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
    """
    scopes = response.headers.get("x-oauth-scopes")
    if scopes is None or not access_token.startswith(_CLASSIC):
        return True
    return not _FOR_CODE.isdisjoint(scope.strip() for scope in scopes.split(","))


def _good(response: ApiResponse) -> ApiResponse:
    if not response.ok:
        raise Unavailable(f"GitHub answers HTTP {response.status}")
    return response


async def _all(work: Callable[[int], Awaitable[None]], items: Sequence[int]) -> None:
    """Everything at once; the first error ends the rest and is raised as it is."""
    tasks = [asyncio.ensure_future(work(item)) for item in items]
    try:
        for done in asyncio.as_completed(tasks):
            await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
