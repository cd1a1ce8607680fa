"""People at their browsers before a running fleet: what they can come upon, and how they get there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playwright.async_api import Page

from centralbot.domain.config import Mode, RepoConfig
from centralbot.entrypoints.demo.visitor import gate_link
from tests.e2e.browser.tabs import Tabs
from tests.e2e.world import Installed, World

AUTHOR, OWNER, STRANGER = "mona", "owner", "stranger"
LOGIN_ONLY = ("github-login",)
WITH_RULES = ("github-login", "attestation")
RULES = "Read CONTRIBUTING.md.\nEvery change has a test.\nBe kind in review."
CLOSED = "closed by bot: asked + told why"


@dataclass(kw_only=True)
class Stage:
    """One test's people. ``kept`` lasts longer: what is costly to bring about and changed by nobody."""

    world: World
    tabs: Tabs
    kept: dict[str, Any] = field(default_factory=dict)
    after: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def api(self) -> str:
        return self.world.fleet.api_url

    async def once(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """What ``make`` brings about, the first time that anybody asks for it."""
        if name not in self.kept:
            self.kept[name] = await make()
        return self.kept[name]

    async def repository(
        self, *, fresh: bool = False, names: Collection[str] = (), mode: Mode = Mode.ENFORCE, **config: Any
    ) -> Installed:
        """A repository with this configuration; ``fresh``: nobody else's."""

        async def make() -> Installed:
            installed = await self.world.install(*names)
            for repo_id in installed.repositories.values():
                wanted = RepoConfig(mode=mode, **{"window_s": 600, "verification": LOGIN_ONLY, **config})
                await self.world.backend.store.repositories.configure(repo_id, wanted, actor="test")
            return installed

        if fresh:
            return await make()
        made: Installed = await self.once(f"repository {mode} {sorted(config.items())}", make)
        return made

    async def asked(self, installed: Installed, author: str = AUTHOR) -> tuple[int, str]:
        """A pull request whose author was asked: its number, and the link in its comment."""
        number = await self.world.asked(installed, author=author)
        return number, gate_link(await self.world.github.pull(installed.repository, number))

    async def closed(self) -> tuple[Installed, int, str]:
        """A pull request whose time ran out, and the link."""
        installed = await self.repository(window_s=1)
        number = await self.world.open(installed.repository, AUTHOR)
        await self.world.shows(installed.repository, number, CLOSED)
        await self.world.settled()
        return installed, number, gate_link(await self.world.github.pull(installed.repository, number))

    async def page(self, url: str, login: str | None = None, **options: Any) -> Page:
        """A new browser at that address; with a ``login`` signed in before."""
        page = await self.tabs.open(**options)
        if login is not None:
            await self.sign_in(page, login, url.removeprefix(self.api))
        else:
            await page.goto(url)
        return page

    async def sign_in(self, page: Page, login: str, return_to: str = "/") -> None:
        """Sign in as this person, who then is where they wanted to be."""
        await self.world.github.act("add_user", login=login)
        await page.goto(f"{self.api}/api/v1/auth/github/start?return_to={quote(return_to, safe='')}")
        await self.choose(page, login)
        await page.wait_for_url(f"{self.api}{return_to.partition('#')[0]}*")

    async def choose(self, page: Page, login: str) -> None:
        """Say at GitHub who they are."""
        await page.get_by_role("button", name=f"Continue as {login}", exact=True).click()

    def pull_page(self, installed: Installed, number: int) -> str:
        """Where the simulated GitHub shows the pull request."""
        return f"{self.world.github.url}/{installed.repository}/pull/{number}"

    async def close(self) -> None:
        """Everybody goes home."""
        await self.after.aclose()
        await self.tabs.close()
