"""The setup's pages on loopback: what is wanted, on to GitHub, and back with the code.

The address holds a secret path, so that neither another account of this machine nor a web page can take part.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar, Response, Router, get, post

from centralbot.domain.errors import CentralbotError, Forbidden, NotFound
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.setup.manifest import Wanted, problems
from centralbot.entrypoints.web.errors import page_errors
from centralbot.entrypoints.web.forms import read_form
from centralbot.entrypoints.web.guard import AnyRequest
from centralbot.entrypoints.web.render import CSP, Pages

MAX_STATES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of it, without secrets. ``saved`` names the files that the processes read."""

    app_id: int
    slug: str
    install_url: str
    webhook_url: str
    saved: tuple[str, ...]
    steps: tuple[str, ...]


Convert = Callable[[str, Wanted], Awaitable[Made]]
"""Turns GitHub's code into an App that is written down. Raises CentralbotError."""


@dataclass(slots=True, kw_only=True)
class Setup:
    """One setup under way. ``outcome`` is set once, by the App or by why there is none."""

    first: Wanted
    web_url: str
    convert: Convert
    secret_path: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    states: dict[str, Wanted] = field(default_factory=dict)
    outcome: asyncio.Future[Made] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    converting: bool = False

    def new_state(self, wanted: Wanted) -> str:
        """A state for one way to GitHub and back."""
        if len(self.states) >= MAX_STATES:
            del self.states[next(iter(self.states))]
        state = secrets.token_urlsafe(24)
        self.states[state] = wanted
        return state

    def stop(self) -> None:
        """The person gives up."""
        self.outcome.cancel()

    def use_state(self, given: str) -> Wanted:
        """What was wanted with it; it serves once. Raises Forbidden."""
        known = next((one for one in self.states if hmac.compare_digest(one.encode(), given.encode())), None)
        if known is None or self.converting or self.outcome.done():
            raise Forbidden(
                "this is not an answer to this setup, or it was used already; begin again at its first page"
            )
        return self.states.pop(known)


def build_app(setup: Setup) -> Litestar:
    """The application; the person's first page is at ``/<secret path>/``."""
    pages = Pages(public_url="http://127.0.0.1", can_sign_in=False)
    base = f"/{setup.secret_path}"

    def first_page(request: AnyRequest, wanted: Wanted, errors: dict[str, str]) -> Response[str]:
        status = 422 if errors and request.method == "POST" else 200
        return pages.page(
            "setup/start.html", here=base, status=status, wanted=wanted, errors=errors, web_url=setup.web_url
        )

    @get("/", include_in_schema=False)
    async def start(request: AnyRequest) -> Response[str]:
        errors = problems(setup.first, web_url=setup.web_url)
        return first_page(request, setup.first, {name: text for name, text in errors.items() if name == "webhook_url"})

    @post("/", include_in_schema=False)
    async def go_on(request: AnyRequest) -> Response[str]:
        form = await read_form(request)
        wanted = Wanted(
            name=form.one("name"),
            org=form.one("org"),
            public_url=form.one("public_url").rstrip("/"),
            webhook_url=form.one("webhook_url"),
            anybody=form.checked("anybody"),
        )
        errors = problems(wanted, web_url=setup.web_url)
        if errors:
            return first_page(request, wanted, errors)
        back = f"http://{request.headers.get('host', '127.0.0.1')}{base}/done"
        action = wanted.register_url(setup.web_url, setup.new_state(wanted))
        parts = urlsplit(setup.web_url)
        csp = CSP.replace("form-action 'self'", f"form-action {parts.scheme}://{parts.netloc}")
        return pages.page(
            "setup/continue.html",
            here=base,
            headers={"content-security-policy": csp},
            wanted=wanted,
            action=action,
            manifest=json.dumps(wanted.manifest(back)),
            host=parts.netloc,
        )

    @get("/done", include_in_schema=False)
    async def done(request: AnyRequest) -> Response[Any]:
        wanted = setup.use_state(request.query_params.get("state", ""))
        setup.converting = True
        try:
            made = await setup.convert(request.query_params.get("code", ""), wanted)
        except (CentralbotError, OSError, ValueError) as exc:
            setup.outcome.set_exception(exc)
            text = exc.message if isinstance(exc, CentralbotError) else str(exc)
            return pages.page("setup/failed.html", here=base, status=502, problem=text)
        setup.outcome.set_result(made)
        return pages.redirect(f"{base}/finished")

    @get("/finished", include_in_schema=False)
    async def finished() -> Response[Any]:
        if not setup.outcome.done() or setup.outcome.exception() is not None:
            return pages.redirect(f"{base}/")
        return pages.page("setup/done.html", here=base, made=setup.outcome.result())

    @get("/", include_in_schema=False)
    async def elsewhere() -> Response[Any]:
        raise NotFound("open the whole address that 'centralbot setup' has printed in its terminal")

    return Litestar(
        route_handlers=[
            elsewhere,
            Router(path=base, route_handlers=[start, go_on, done, finished]),
            pages.static.route(),
        ],
        exception_handlers=page_errors(pages),
        openapi_config=None,
        request_max_body_size=MIB,
        logging_config=None,
    )
