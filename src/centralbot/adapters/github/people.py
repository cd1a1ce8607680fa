"""The port ``PeopleOnGitHub`` over GitHub's REST API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from centralbot.adapters.github.operations import PAGE_SIZE
from centralbot.adapters.github.people_client import PeopleClient, decode
from centralbot.adapters.github.people_shapes import InstallationPage, Repository, RepositoryPage, User
from centralbot.adapters.github.protocol import ApiResponse, next_page
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.driven.people import RepoRole, RepositoryAccess

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
