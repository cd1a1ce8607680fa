"""The people's side over PostgreSQL, with a GitHub in memory: owners, strangers, and their calls over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from centralbot.domain.config import Mode
from centralbot.entrypoints.roots.backend import api_server, assemble
from centralbot.entrypoints.settings import GateSettings, OutboxSettings
from centralbot.ports.people import RepoRole
from tests.doubles.memory.people import MemoryPeople
from tests.entrypoints.api.caller import Answer, caller, lower, opened
from tests.entrypoints.api.serving import Api, a_backend
from tests.entrypoints.serving import listening

PUBLIC_URL = "http://127.0.0.1:8080"
OTHERS = 888
"""A repository of somebody else's, in which our owner may do nothing."""


@dataclass
class People(Api):
    """A running backend, and GitHub's people. ``owner`` is admin of 999, ``other`` of 888; ``reader`` may only read."""

    github: MemoryPeople
    tokens: Mapping[str, str]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = "owner",
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One request; ``body`` goes out as JSON (bytes as they are), ``form`` as a form."""
        sent = dict(headers or {})
        if by is not None:
            sent.setdefault("authorization", f"Bearer {self.tokens[by]}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if form is not None:
            data = urlencode(form, doseq=True).encode()
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        request = self.bot.session.request(
            method, self.bot.url + path, data=data, headers=sent, allow_redirects=False, skip_auto_headers=("Accept",)
        )
        async with request as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("content-type", "")
            return Answer(answer.status, json.loads(raw) if is_json and raw else raw.decode(), lower(answer.headers))

    async def sign_in(self, who: str = "owner") -> str:
        """Sign in as a browser does. Returns the Cookie header of the session."""
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            start = self.bot.url + "/api/v1/auth/github/start"
            async with browser.get(start, allow_redirects=False) as begun:
                cookies = {name: morsel.value for name, morsel in begun.cookies.items()}
                location = begun.headers["location"]
            state = dict(pair.split("=", 1) for pair in location.split("?")[1].split("&"))["state"]
            query = urlencode({"state": state, "code": self.github.consent(location, who)})
            callback = f"{self.bot.url}/api/v1/auth/github/callback?{query}"
            header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            async with browser.get(callback, headers=header, allow_redirects=False) as done:
                return f"centralbot_session={done.cookies['centralbot_session'].value}"

    async def challenged(self, number: int = 42, repo_id: int = 999, **fields: Any) -> str:
        """A pull request with a pending challenge; its id."""
        repository = {"id": repo_id, "full_name": "org/repo" if repo_id == 999 else f"org/repo-{repo_id}"}
        answer = await self.bot.pull_request(opened(number, repository=repository, **fields))
        return str(answer.body["challenge_id"])


@asynccontextmanager
async def serving_people(dsn: str, *, can_sign_in: bool = True) -> AsyncIterator[People]:
    """A backend with the App on 999 and 888, both enforcing."""
    gate = GateSettings(public_url=PUBLIC_URL, window_s=1800, default_mode="enforce")
    async with a_backend(dsn, gate, OutboxSettings(lease_s=60, max_attempts=3)) as backend:
        github = MemoryPeople(backend.clock.now)
        github.add_repository(999, "org/repo", installation_id=123)
        github.add_repository(OTHERS, "org/repo-888", installation_id=123)
        for repo_id, login, role in (
            (999, "owner", RepoRole.ADMIN),
            (999, "reader", RepoRole.READ),
            (OTHERS, "owner", RepoRole.TRIAGE),
            (OTHERS, "other", RepoRole.WRITE),
        ):
            github.set_role(repo_id, login, role)
        tokens = {login: github.issue(login).access_token for login in ("owner", "reader", "other")}
        side = assemble(
            backend, github if can_sign_in else None, github, public_url=PUBLIC_URL, web_url="https://github.example"
        )
        server = api_server(backend, host="127.0.0.1", port=0, people=side)
        async with listening(server) as url, caller(url) as bot:
            await bot.install(999, OTHERS)
            running = People(bot, backend, dsn, server, github, tokens)
            for repo_id in (999, OTHERS):
                await running.configure(Mode.ENFORCE, repo_id)
            yield running
