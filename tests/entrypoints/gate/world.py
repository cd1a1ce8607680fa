"""The contributor's side over the memory store and a memory GitHub: time moves by hand, work is cheap."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import altcha
import httpx
import pytest
from cryptography.fernet import Fernet
from litestar import Litestar

from centralbot.adapters.verifiers.attestation import Attestation
from centralbot.adapters.verifiers.github_login import GitHubLogin
from centralbot.adapters.verifiers.proof_of_work import ProofOfWork
from centralbot.domain.challenge import Challenge
from centralbot.domain.errors import Unavailable
from centralbot.domain.events import Actor
from centralbot.domain.signing import gate_token
from centralbot.entrypoints import http as failures
from centralbot.entrypoints.api.gate import gate_api
from centralbot.entrypoints.guard import Guard, RateLimiter
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.web.gate import gate_pages
from centralbot.entrypoints.web.pages import Pages
from centralbot.entrypoints.web.sign_in import sign_in_routes
from centralbot.ports.sessions import Session
from centralbot.ports.use_cases.accounts import Accounts, Caller
from centralbot.ports.use_cases.challenges import ChallengeService
from centralbot.ports.use_cases.verification import VerificationService
from tests.builders import AUTHOR, a_config, a_context
from tests.contracts.adapters import a_memory_store
from tests.contracts.driver import UnderTest
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.people import MemoryPeople

URL = "http://centralbot.example"
TOKEN_KEY, WORK_KEY = b"t" * 32, b"w" * 32
EVERY_KIND = ("github-login", "proof-of-work", "attestation")
STRANGER = Actor(id=4004, login="somebody-else")


@dataclass
class GateWorld:
    """One centralbot with the App on repository 999, and what its people do."""

    clock: ManualClock
    people: MemoryPeople
    under: UnderTest
    verification: VerificationService
    guard: Guard
    app: Any
    _cookies: Any = field(default_factory=lambda: count(1))

    async def asked(self, *kinds: str, posted: bool = True, number: int = 42, **fields: Any) -> Challenge:
        """A pull request whose author is asked for these proofs, with its comment posted."""
        config = a_config(verification=kinds or EVERY_KIND, **fields.pop("config", {}))
        await self.under.store.repositories.configure(999, config, actor="test")
        return await (self.under.noticed if posted else self.under.challenged)(number, **fields)

    async def configure(self, **fields: Any) -> None:
        await self.under.store.repositories.configure(999, a_config(**fields), actor="test")

    async def status(self, challenge: Challenge) -> str:
        return (await self.under.store.challenges.get(challenge.id)).status.value

    def lose_the_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on no challenge can be read."""

        async def get(challenge_id: UUID) -> Challenge:
            raise Unavailable("the store cannot answer", retry_after_s=3)

        monkeypatch.setattr(self.under.store.challenges, "get", get)

    async def cookie(self, user: Actor = AUTHOR) -> str:
        """The session cookie of somebody who has signed in."""
        value, now = f"cookie-{next(self._cookies)}", self.clock.now()
        self.people.add_user(user.login, user.id)
        session = Session(
            id=SequentialIds(start=next(self._cookies) + 10**6).new_id(),
            user=user,
            tokens=self.people.issue(user.login),
            created_at=now,
            expires_at=now + timedelta(days=14),
        )
        await self.under.store.sessions.start(session, hashlib.sha256(value.encode()).digest())
        return value

    def browser(
        self, cookie: str | None = None, *, address: str = "203.0.113.7", headers: Mapping[str, str] | None = None
    ) -> httpx.AsyncClient:
        """Somebody's browser: it sends the cookie, and says where its forms come from."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, client=(address, 40000), raise_app_exceptions=False),
            base_url=URL,
            cookies={} if cookie is None else {self.guard.session_cookie: cookie},
            headers={"origin": URL, "sec-fetch-site": "same-origin", **(headers or {})},
        )


async def gate_world(
    *, can_sign_in: bool = True, public_url: str = URL, cost: int = 10, counters: tuple[int, int] = (1, 5)
) -> GateWorld:
    """A world; ``cost`` and ``counters`` say how hard the proof of work is."""
    clock, ids = ManualClock(), SequentialIds()
    context = a_context(new_id=ids.new_id, gate_url=lambda challenge_id: f"{public_url}{link(challenge_id)}")
    under = a_memory_store(clock, ids, context)
    store = under.store
    people = MemoryPeople(clock.now)
    accounts = Accounts(
        sign_in=people if can_sign_in else None,
        people=people,
        sessions=store.sessions,
        nonces=store.nonces,
        seal=Fernet(Fernet.generate_key()),
        redirect_uri=public_url + CALLBACK_PATH,
        clock=clock,
        ids=ids,
        random_token=iter_tokens().__next__,
    )
    guard = Guard(accounts, clock, public_url=public_url)
    pages = Pages(public_url=public_url, can_sign_in=can_sign_in)
    verification = VerificationService(
        token_key=TOKEN_KEY,
        challenges=store.challenges,
        repositories=store.repositories,
        verdicts=ChallengeService(store.challenges, context),
        verifiers=(GitHubLogin(), ProofOfWork(WORK_KEY, store.nonces, cost=cost, counters=counters), Attestation()),
        defaults=context.defaults,
        clock=clock,
        ids=ids,
    )
    guesses = RateLimiter(clock.monotonic_s)
    app = Litestar(
        route_handlers=[
            pages.static.route(), sign_in_routes(guard, pages),
            gate_api(guard, verification, guesses), gate_pages(guard, pages, verification, guesses),
        ],
        exception_handlers=failures.HANDLERS,
        request_max_body_size=MIB,
        openapi_config=None,
        logging_config=None,
    )  # fmt: skip
    world = GateWorld(clock, people, under, verification, guard, app)
    await under.connect()
    return world


def iter_tokens() -> Any:
    for serial in count():
        yield f"random-token-{serial:040d}"


def link(challenge_id: Any) -> str:
    """The path of a challenge's page."""
    return f"/g/{gate_token(TOKEN_KEY, challenge_id)}"


def token(challenge: Challenge) -> str:
    return gate_token(TOKEN_KEY, challenge.id)


def caller(user: Actor = AUTHOR) -> Caller:
    return Caller(user=user, access_token="ghu_test")


def solve(task: Mapping[str, Any]) -> str:
    """What the widget sends for a task."""
    challenge = altcha.Challenge.from_dict(dict(task))
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def tampered(solution: str, **parameters: Any) -> str:
    """A solution whose task's parameters were changed after it was signed."""
    payload = json.loads(base64.b64decode(solution))
    payload["challenge"]["parameters"].update(parameters)
    return base64.b64encode(json.dumps(payload).encode()).decode()


def proofs(steps: Any) -> dict[str, dict[str, Any]]:
    """Everything that the steps of the JSON ask for."""
    given: dict[str, dict[str, Any]] = {}
    for step in steps:
        given[step["kind"]] = {
            it["name"]: solve(step["parameters"]["task"]) if "task" in step["parameters"] else it["value"]
            for it in step["fields"]
        }
    return given


def form(given: Mapping[str, Mapping[str, Any]]) -> str:
    """The proofs as the page's form sends them."""
    return urlencode({f"{kind}.{name}": value for kind, fields in given.items() for name, value in fields.items()})
