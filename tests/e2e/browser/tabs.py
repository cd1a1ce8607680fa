"""Tabs that notice what should never happen: script errors, refused content, third parties, failures of ours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    WebError,
)

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
LOADING = "Failed to load resource"
"""How the console tells of an answer like 404; those are judged as answers."""


@dataclass(kw_only=True)
class Tabs:
    """Browsers of people who share nothing: each tab that is opened has cookies of its own.

    ``problems`` says what went wrong in any of them. ``ours`` are the origins that may be asked for anything.
    """

    browser: Browser
    ours: Collection[str]
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def open(self, *, anywhere: bool = False, may_fail: bool = False, **options: Any) -> Page:
        """A new tab of a new person. ``anywhere``: it may go to anybody's page; ``may_fail``: answers may be 5xx."""
        usual = {"viewport": DESKTOP, "locale": "en-GB", "color_scheme": "light", "reduced_motion": "reduce"}
        context = await self.browser.new_context(**{**usual, **options})
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        self._watch(context, anywhere, may_fail)
        return await context.new_page()

    async def close(self) -> None:
        for context in self.contexts:
            await context.close()
        self.contexts.clear()

    def _watch(self, context: BrowserContext, anywhere: bool, may_fail: bool) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type == "error" and not message.text.startswith(LOADING):
                where = message.page.url if message.page is not None else "?"
                self.problems.append(f"console of {where}: {message.text}")

        def on_request(request: Request) -> None:
            parts = urlsplit(request.url)
            ours = parts.scheme in ("data", "blob") or f"{parts.scheme}://{parts.netloc}" in self.ours
            if not ours and not anywhere:
                self.problems.append(f"a request to somebody else: {request.url}")

        def on_response(response: Response) -> None:
            failed = response.status >= 500 and not may_fail
            if failed or (response.status >= 400 and not response.request.is_navigation_request()):
                self.problems.append(f"{response.request.method} {response.url} answered {response.status}")

        def on_error(error: WebError) -> None:
            self.problems.append(f"a script failed: {error.error}")

        context.on("console", on_console)
        context.on("request", on_request)
        context.on("response", on_response)
        context.on("weberror", on_error)
