"""A caller of the internal API that knows the contract alone: it signs, posts and compares, all by itself."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp

PULL_REQUEST = "/internal/v2/github/events/pull-request"
INSTALLATION = "/internal/v2/github/events/installation-sync"
CLAIM = "/internal/v2/bot-actions/claim"
KEY_ID, SECRET = "bot-1", "correct horse battery staple"
WORKER = "bot-worker-prod-1"
T0 = "2026-02-16T12:34:56Z"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str] = field(repr=False)

    @property
    def code(self) -> str | None:
        """The error's code; None where the body is not the error envelope and nothing else."""
        if not isinstance(self.body, dict) or set(self.body) != {"error"}:
            return None
        error = self.body["error"]
        return str(error["code"]) if set(error) == {"code", "message"} else None

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def sign(
    message: str,
    body: bytes,
    *,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    timestamp: int | str | None = None,
    nonce: str | None = "",
) -> dict[str, str]:
    """The headers of contract section 2; ``nonce`` None is the plain form, empty a fresh one."""
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    nonce = uuid4().hex if nonce == "" else nonce
    text = f"{timestamp}.{message}"
    if nonce is not None:
        text = f"{timestamp}.{nonce}.{message}.{hashlib.sha256(body).hexdigest()}"
    digest = hmac.new(hashlib.sha256(secret.encode()).digest(), text.encode(), hashlib.sha256).hexdigest()
    headers = {"x-sitg-key-id": key_id, "x-sitg-timestamp": timestamp, "x-sitg-signature": f"sha256={digest}"}
    return headers if nonce is None else {**headers, "x-sitg-nonce": nonce}


@dataclass
class Caller:
    """One bot, over real HTTP."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET") -> Answer:
        async with self.session.request(method, self.url + path, allow_redirects=False) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("content-type", "")
            return Answer(answer.status, json.loads(raw) if is_json and raw else raw.decode(), lower(answer.headers))

    async def send(self, path: str, body: Any, headers: dict[str, str]) -> Answer:
        """Post with these headers and no others."""
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return Answer(answer.status, json.loads(await answer.read()), lower(answer.headers))

    async def post(self, path: str, message: str, body: Any, **signing: Any) -> Answer:
        """Post signed; ``body`` as bytes goes out as it is."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(path, raw, sign(message, raw, **signing))

    async def pull_request(self, body: Any, *, delivery_id: str | None = None, **signing: Any) -> Answer:
        delivery_id = delivery_id if isinstance(body, bytes) else body.get("delivery_id")
        return await self.post(PULL_REQUEST, f"github-event:pull_request:{delivery_id}", body, **signing)

    async def installation(self, body: Any, **signing: Any) -> Answer:
        return await self.post(INSTALLATION, f"github-event:installation-sync:{body['delivery_id']}", body, **signing)

    async def claim(self, worker_id: str = WORKER, **fields: Any) -> Answer:
        return await self.post(CLAIM, f"bot-actions-claim:{worker_id}", {"worker_id": worker_id, **fields})

    async def claimed(self, worker_id: str = WORKER, **fields: Any) -> list[dict[str, Any]]:
        answer = await self.claim(worker_id, **fields)
        assert answer.status == 200, answer
        return list(answer.body["actions"])

    async def result(self, action_id: str, outcome: str, worker_id: str = WORKER, **fields: Any) -> Answer:
        body = {"worker_id": worker_id, "outcome": outcome, "failure_code": None, "failure_message": None, **fields}
        message = f"bot-action-result:{action_id}:{worker_id}:{outcome}"
        return await self.post(f"/internal/v2/bot-actions/{action_id}/result", message, body)

    async def install(self, *repo_ids: int, installation_id: int = 123) -> None:
        """Install the App, on repository 999 unless others are named."""
        repositories = [{"id": i, "full_name": "org/repo" if i == 999 else f"org/repo-{i}"} for i in repo_ids or (999,)]
        answer = await self.installation(installed(repositories=repositories, installation={"id": installation_id}))
        assert answer.body["ingest_status"] == "ACCEPTED", answer


@asynccontextmanager
async def caller(url: str) -> AsyncIterator[Caller]:
    """A caller for the block."""
    timeout = aiohttp.ClientTimeout(total=40)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Caller(url, session)


def opened(number: int = 42, **changes: Any) -> dict[str, Any]:
    """The contract's example of section 3.1 under a new delivery id; ``pull_request`` changes are merged."""
    pull_request = changes.pop("pull_request", {})
    return {
        "delivery_id": str(uuid4()),
        "event_time": T0,
        "installation_id": 123,
        "action": "opened",
        "repository": {"id": 999, "full_name": "org/repo"},
        "pull_request": {
            "number": number,
            "id": 1000 + number,
            "html_url": f"https://github.com/org/repo/pull/{number}",
            "is_draft": False,
            "user": {"id": 2002, "login": "contrib"},
            "head_sha": "abc123abc123abc123abc123abc123abc123abcd",
            **pull_request,
        },
        **changes,
    }


def at(seconds: int) -> str:
    """A time, ``seconds`` after T0."""
    return (datetime.fromisoformat(T0) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def installed(action: str = "created", event_name: str = "installation", **changes: Any) -> dict[str, Any]:
    """The contract's example of section 3.2 under a new delivery id; ``installation`` changes are merged."""
    installation = changes.pop("installation", {})
    return {
        "delivery_id": str(uuid4()),
        "event_time": "2026-02-16T12:00:00Z",
        "event_name": event_name,
        "action": action,
        "installation": {"id": 123, "account_login": "org", "account_type": "Organization", **installation},
        "repositories_added": [],
        "repositories_removed": [],
        "repositories": [{"id": 999, "full_name": "org/repo"}] if action == "created" else [],
        **changes,
    }


MISSING = object()


def with_field(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``body`` with the field at the dotted ``path`` set, or without it."""
    changed = copy.deepcopy(body)
    *parents, name = path.split(".")
    at_field = changed
    for parent in parents:
        at_field = at_field[parent]
    if value is MISSING:
        del at_field[name]
    else:
        at_field[name] = value
    return changed
