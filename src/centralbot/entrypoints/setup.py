"""Registering the App: its manifest, and the small local server that GitHub comes back to."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar, Response, Router, get, post

from centralbot.domain.errors import CentralbotError, Forbidden, NotFound
from centralbot.domain.handlers import RELEVANT
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.web.forms import read_form
from centralbot.entrypoints.web.pages import CSP, Pages, page_errors

PERMISSIONS: Mapping[str, str] = {"pull_requests": "write", "metadata": "read"}
"""To read pull requests, comment on them, close and reopen them."""
EVENTS = tuple(name for name in RELEVANT if not name.startswith("installation"))
"""What the App subscribes to; installation events come by themselves."""

WEBHOOK_PATH = "/webhooks/github"
MAX_NAME_CHARS = 34
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The App as the person wants it. ``org`` is empty for their own account; addresses have no slash at their end."""

    name: str
    org: str
    public_url: str
    webhook_url: str
    anybody: bool = False

    def manifest(self, redirect_url: str) -> dict[str, Any]:
        """GitHub's manifest; it sends the browser back to ``redirect_url``."""
        return {
            "name": self.name,
            "url": self.public_url,
            "description": "A door in front of pull requests.",
            "public": self.anybody,
            "redirect_url": redirect_url,
            "callback_urls": [self.public_url + CALLBACK_PATH],
            "setup_url": f"{self.public_url}/",
            "hook_attributes": {"url": self.webhook_url, "active": True},
            "default_permissions": dict(PERMISSIONS),
            "default_events": list(EVENTS),
        }

    def register_url(self, web_url: str, state: str) -> str:
        """Where the manifest is sent."""
        owner = f"/organizations/{self.org}" if self.org else ""
        return f"{web_url}{owner}/settings/apps/new?state={state}"


def problems(wanted: Wanted, *, web_url: str) -> dict[str, str]:
    """What is wrong, by field; empty where GitHub can be asked."""
    found: dict[str, str] = {}
    if not 1 <= len(wanted.name) <= MAX_NAME_CHARS or not wanted.name.isprintable():
        found["name"] = f"Enter a name of 1 to {MAX_NAME_CHARS} characters that is not taken on GitHub."
    if wanted.org and not _LOGIN.fullmatch(wanted.org):
        found["org"] = "Enter the organization's login as in its address on GitHub, or leave it empty."
    if not _is_url(wanted.public_url) or urlsplit(wanted.public_url).path:
        found["public_url"] = "Enter an address such as https://gate.example.org, without path, query or fragment."
    if not _is_url(wanted.webhook_url):
        found["webhook_url"] = f"Enter an address such as https://gate.example.org{WEBHOOK_PATH}."
    elif is_loopback(wanted.webhook_url) and not is_loopback(web_url):
        found["webhook_url"] = (
            "GitHub cannot reach this machine's own address: enter one that leads to the worker from the internet, "
            "such as your reverse proxy's or a tunnel's."
        )
    return found


def default_webhook_url(public_url: str, worker_url: str, *, web_url: str) -> str:
    """Where GitHub reaches the worker, as far as that can be known; empty where the person has to say it."""
    if not is_loopback(public_url):
        return public_url + WEBHOOK_PATH
    return worker_url + WEBHOOK_PATH if is_loopback(web_url) else ""


def is_loopback(url: str) -> bool:
    """Whether an address leads to the machine of whoever uses it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    return good and plain and re.fullmatch(r"[A-Za-z0-9_.:/%+~\[\]-]{1,500}", value) is not None


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
            raise Forbidden("this does not belong to this setup, or was already used; start again at its first page")
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
        raise NotFound("open the whole address that 'centralbot setup' printed in its terminal")

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
