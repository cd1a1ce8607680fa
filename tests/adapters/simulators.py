"""A running simulator with a client that speaks for the App, an installation or a user, checking what it sees."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from github_simulator import Simulator, running
from github_simulator.registrations import read_manifest
from tests.openapi import validate_response

SECRET = "It's a Secret to Everybody"
PRIVATE_KEY = Simulator(webhook_secret=SECRET).private_key_pem
"""One key for all tests: making one takes long."""


def a_simulator(**settings: Any) -> Simulator:
    """A simulator with ``octo-org`` and two repositories, the App on both, and one open pull request by ``mona``."""
    simulator = Simulator(**{"webhook_secret": SECRET, "private_key_pem": PRIVATE_KEY, **settings})
    simulator.world.add_organization("octo-org", 101, members=["owner"])
    simulator.world.install("octo-org", ["hello", "world"], id=7)
    simulator.world.open_pull_request("octo-org/hello", "mona")
    return simulator


MANIFEST = {
    "name": "Gate Keeper",
    "url": "http://127.0.0.1:8080",
    "hook_attributes": {"url": "http://127.0.0.1:3000/webhooks/github"},
    "redirect_url": "http://127.0.0.1:4000/done?kept=1",
    "callback_urls": ["http://127.0.0.1:8080/api/v1/auth/github/callback"],
    "setup_url": "http://127.0.0.1:8080/",
    "default_permissions": {"pull_requests": "write"},
    "default_events": ["pull_request", "repository"],
}


def a_registration(simulator: Simulator, **changes: Any) -> str:
    """The code with which a person comes back from registering an App."""
    manifest = read_manifest(json.dumps({**MANIFEST, **changes}))
    owner = simulator.world.account("octo-org")
    return simulator.services.registrations.confirm(manifest, name=manifest.name, owner=owner)


class Client:
    """Calls the simulator; every answer of an API path is checked against GitHub's description."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession, base: str) -> None:
        self.simulator = simulator
        self.session = session
        self.base = base
        self.headers: dict[str, str] = {}
        self.date = ""

    def app_jwt(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(self.simulator.app_id), **changes}
        return jwt.encode(claims, self.simulator.private_key_pem, "RS256")

    async def token(self, installation_id: int = 7, **body: Any) -> str:
        status, answer = await self.call(
            "POST", f"/app/installations/{installation_id}/access_tokens", self.app_jwt(), body or None
        )
        assert (status, "token" in answer) == (201, True)
        return str(answer["token"])

    async def call(self, method: str, path: str, token: str | None = None, body: Any = None) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self.session.request(
            method, self.base + path, json=body, headers=headers, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            self.headers = {name.lower(): value for name, value in answer.headers.items()}
        decoded = json.loads(raw) if raw else None
        if not path.startswith("/_simulator"):
            validate_response(method, path, answer.status, decoded)
        return answer.status, decoded


@contextlib.asynccontextmanager
async def served(simulator: Simulator) -> AsyncIterator[Client]:
    """Serve the simulator and give a client of it."""
    async with running(simulator) as base, aiohttp.ClientSession() as session:
        yield Client(simulator, session, base)


class Receiver:
    """A webhook receiver that keeps what it gets and answers with ``status``."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.url = ""

    @property
    def events(self) -> list[str]:
        """What came, as ``event.action``."""
        return [f"{headers['X-GitHub-Event']}.{json.loads(body)['action']}" for headers, body in self.got]

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="taken")

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        app = web.Application(client_max_size=30_000_000)
        app.router.add_post("/webhooks/github", self._take)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/webhooks/github"
        try:
            yield self
        finally:
            await runner.cleanup()
