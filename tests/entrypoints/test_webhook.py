"""``POST /webhooks/github`` over real HTTP: signatures, sizes, what is answered when."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from centralbot.adapters.system import SystemClock, SystemIds
from centralbot.domain.errors import Forbidden, Unavailable, ValidationError
from centralbot.domain.events import Event, IngestStatus, InstallationEvent, OutcomeT, PullRequestEvent
from centralbot.entrypoints.server import make_server
from centralbot.entrypoints.worker.app import build_app
from centralbot.entrypoints.worker.observability import Observers, Readiness, WorkerMetrics
from centralbot.entrypoints.worker.webhook import Webhook
from centralbot.ports.use_cases.forward import Forwarder, RepositorySync
from tests.builders import an_outcome
from tests.doubles.memory.github import MemoryGitHub
from tests.entrypoints.serving import listening

PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"
OPENED = (PAYLOADS / "pull_request.opened.json").read_bytes()
CREATED = (PAYLOADS / "installation.created.json").read_bytes()
OLD, NEW = "the old secret", "It's a Secret to Everybody"
MIB = 1 << 20


def signature(body: bytes, secret: str = NEW, algorithm: str = "sha256") -> str:
    return f"{algorithm}=" + hmac.new(secret.encode(), body, algorithm).hexdigest()


def headers(body: bytes, event: str = "pull_request", **more: str) -> dict[str, str]:
    given = {"X-GitHub-Event": event, "X-GitHub-Delivery": "guid-1", "X-Hub-Signature-256": signature(body)}
    return given | {name.replace("_", "-"): value for name, value in more.items()}


class Bot:
    """The worker's web side on loopback, over a backend that remembers."""

    def __init__(self) -> None:
        self.clock, ids = SystemClock(), SystemIds()
        self.github = MemoryGitHub(self.clock.now)
        self.metrics = WorkerMetrics()
        self.errors: list[Exception] = []
        self.taken: list[Event[Any]] = []
        self.answers = IngestStatus.ACCEPTED
        self.problems: list[str] = []
        self.is_stopping = False
        self.skew_s: float | None = None
        self.sync = RepositorySync(
            sink=self,
            installations=self.github,
            clock=self.clock,
            ids=ids,
            backend_now=self.clock.now,
            observer=Observers(self.metrics),
        )
        webhook = Webhook(
            secrets=[OLD, NEW],
            forwarder=Forwarder(sink=self, sync=self.sync, clock=self.clock, ids=ids, budget_s=1.0),
            clock=self.clock,
            now=self.clock.now,
            metrics=self.metrics,
        )
        readiness = Readiness(
            checks={"backend": (0.0, self._check)},
            clock=self.clock,
            is_stopping=lambda: self.is_stopping,
            clock_skew_s=lambda: self.skew_s,
        )
        self.server = make_server(build_app(webhook, readiness, self.metrics), host="127.0.0.1", port=0)

    async def send(self, event: Event[OutcomeT]) -> OutcomeT:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(event)
        return an_outcome(event, self.answers)

    async def _check(self) -> str:
        if self.problems:
            raise Unavailable(self.problems[0])
        return "ready"

    async def post(self, body: Any, given: dict[str, str], path: str = "/webhooks/github") -> tuple[int, Any]:
        """Status and JSON of one delivery."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.server.port}{path}", data=body, headers=given) as answer,
        ):
            return answer.status, await answer.json()

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.server.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def counted(self, event: str, action: str, result: str) -> float:
        """How many deliveries were counted under these labels."""
        labels = {"event": event, "action": action, "result": result}
        return self.metrics.registry.get_sample_value("centralbot_webhook_deliveries_total", labels) or 0.0


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    bot = Bot()
    async with listening(bot.server):
        yield bot
        await bot.sync.drain(1.0)


async def test_a_pull_request_is_forwarded(bot: Bot) -> None:
    """The answer says what the backend made of it."""
    assert await bot.post(OPENED, headers(OPENED)) == (200, {"status": "ok", "ingest_status": "ACCEPTED"})
    (event,) = bot.taken
    assert (event.delivery_id, event.installation_id, event.action) == ("guid-1", 1, "opened")
    assert await bot.counted("pull_request", "opened", "ACCEPTED") == 1


async def test_an_installation_brings_its_full_list(bot: Bot) -> None:
    """Outside of the request GitHub is asked for every repository."""
    bot.github.add_repository(7, "Codertocat/Other", installation_id=957387)
    assert await bot.post(CREATED, headers(CREATED, "installation")) == (
        200,
        {"status": "ok", "ingest_status": "ACCEPTED"},
    )
    await bot.sync.drain(5.0)
    created, listed = bot.taken
    assert isinstance(listed, InstallationEvent)
    assert (created.action, listed.complete) == ("created", True)
    assert [repo.id for repo in listed.repositories] == [7]


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("ping", "ping"),
        ("star", "ping"),
        ("Not-yet.known/2", "ping"),
        ("pull_request", "pull_request.opened.without-installation"),
    ],
)
async def test_what_does_not_matter_is_ignored_and_counted(bot: Bot, event: str, name: str) -> None:
    """202, and the backend hears nothing."""
    body = (PAYLOADS / f"{name}.json").read_bytes()
    assert await bot.post(body, headers(body, event)) == (202, {"status": "ignored"})
    assert bot.taken == []
    labels = {"pull_request": ("pull_request", "opened"), "ping": ("ping", "")}.get(event, ("other", "other"))
    assert await bot.counted(*labels, "ignored") == 1


@pytest.mark.parametrize(
    ("answers", "expected", "counted"),
    [
        (IngestStatus.ACCEPTED, (200, {"status": "ok", "ingest_status": "ACCEPTED"}), "ACCEPTED"),
        (IngestStatus.DUPLICATE, (200, {"status": "ok", "ingest_status": "DUPLICATE"}), "DUPLICATE"),
        (IngestStatus.IGNORED, (202, {"status": "ignored"}), "ignored"),
    ],
)
async def test_only_the_backend_knows_which_label_matters(
    bot: Bot, answers: IngestStatus, expected: tuple[int, Any], counted: str
) -> None:
    """Any label is forwarded; one that is not the repository's own is nothing to do."""
    bot.answers = answers
    body = (PAYLOADS / "pull_request.labeled.json").read_bytes()
    assert await bot.post(body, headers(body)) == expected
    assert [event.label for event in bot.taken if isinstance(event, PullRequestEvent)] == ["bug"]
    assert await bot.counted("pull_request", "labeled", counted) == 1


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_both_secrets_are_good_while_rotating(bot: Bot, secret: str) -> None:
    """GitHub signs with the old one until it has the new one."""
    given = headers(OPENED, X_Hub_Signature_256=signature(OPENED, secret))
    assert (await bot.post(OPENED, given))[0] == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        signature(OPENED).upper(),
        signature(OPENED).removeprefix("sha256="),
        signature(OPENED, algorithm="sha1"),
        signature(OPENED, "guess"),
        signature(OPENED + b" "),
        "sha256=é" + "0" * 63,
        "sha256=ﬀ",
        "x" * 8000,
    ],
)
async def test_a_signature_that_is_not_ours_is_401(bot: Bot, given: str | None) -> None:
    """Missing, wrong, for another body, or no ASCII: refused before anything is parsed, and never an error 500."""
    sent = headers(OPENED)
    del sent["X-Hub-Signature-256"]
    if given is not None:
        sent["X-Hub-Signature-256"] = given
    status, answer = await bot.post(OPENED, sent)
    assert (status, answer["error"]["code"], bot.taken) == (401, "UNAUTHENTICATED", [])


async def test_sha1_alone_is_401(bot: Bot) -> None:
    """The old header counts for nothing."""
    sent = headers(OPENED, X_Hub_Signature=signature(OPENED, algorithm="sha1"))
    del sent["X-Hub-Signature-256"]
    assert (await bot.post(OPENED, sent))[0] == 401


async def test_an_unsigned_body_is_not_parsed(bot: Bot) -> None:
    """Not JSON and not signed is 401, not 400."""
    assert (await bot.post(b"{", headers(b"}")))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"action": "opened", "x": "\xff"}',
        b"\xef\xbb\xbf" + OPENED,
        OPENED.decode().encode("utf-16"),
        b'{"action": "opened", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        OPENED.replace(b'"id": 279147437', b'"id": 9223372036854775808'),
        OPENED.replace(b'"id": 279147437', b'"id": ' + b"9" * 5000),
        OPENED.replace(b'"id": 279147437', b'"id": NaN'),
        OPENED.replace(b'"login": "Codertocat"', b'"login": "a\\u0000b"'),
        OPENED.replace(b'"login": "Codertocat"', b'"login": "\\udfff"'),
    ],
    ids=["empty", "cut", "list", "utf-8", "bom", "utf-16", "deep", "2**63", "digits", "NaN", "NUL", "surrogate"],
)
async def test_a_signed_body_that_cannot_be_read_is_400(bot: Bot, body: bytes) -> None:
    """Whatever is wrong with it, it is never an error 500."""
    status, answer = await bot.post(body, headers(body))
    assert (status, answer["error"]["code"], bot.taken) == (400, "VALIDATION_ERROR", [])


async def test_the_field_that_is_wrong_is_named(bot: Bot) -> None:
    """The answer says where to look."""
    content = json.loads(OPENED)
    content["pull_request"]["id"] = -1
    body = json.dumps(content).encode()
    _, answer = await bot.post(body, headers(body))
    assert answer["error"]["message"].startswith("pull_request.id:")


@pytest.mark.parametrize(("name", "value"), [("X-GitHub-Delivery", ""), ("X-GitHub-Delivery", "x" * 129)])
@pytest.mark.parametrize("absent", [True, False])
async def test_a_delivery_without_a_usable_id_is_400(bot: Bot, name: str, value: str, absent: bool) -> None:
    """The id is what makes one delivery one effect."""
    sent = headers(OPENED) | {name: value}
    if absent:
        del sent[name]
    status, answer = await bot.post(OPENED, sent)
    assert (status, answer["error"]["message"].partition(":")[0]) == (400, "X-GitHub-Delivery")


async def test_a_body_of_24_mib_is_taken(bot: Bot) -> None:
    """GitHub sends up to 25 MiB, and only what we need of it is kept."""
    content = json.loads(OPENED)
    content["pull_request"]["body"] = "x" * (24 * MIB)
    body = json.dumps(content).encode()
    assert (await bot.post(body, headers(body)))[0] == 200
    assert len(bot.taken) == 1


async def test_a_body_of_26_mb_is_413(bot: Bot) -> None:
    """Refused by its declared length, and the sender gets to see why."""
    status, answer = await bot.post(b"x" * 26_300_000, headers(b""))
    assert (status, answer["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_chunked_body_without_end_is_413(bot: Bot) -> None:
    """Refused while it streams; the connection is closed behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bot.server.port)
    writer.write(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB)

    async def send_forever() -> None:
        while True:
            writer.write(chunk)
            await writer.drain()

    sending = asyncio.create_task(send_forever())
    status_line = await asyncio.wait_for(reader.readline(), 10)
    await asyncio.wait([sending], timeout=10)
    sent_on = sending.done() and isinstance(sending.exception(), ConnectionError)
    writer.close()
    assert (status_line, sent_on) == (b"HTTP/1.1 413 Request Entity Too Large\r\n", True)


async def test_slow_senders_of_large_bodies_keep_nobody_waiting(bot: Bot) -> None:
    """Who only promises a large body, signed or not, holds no place that GitHub's own would need."""
    slow = [await asyncio.open_connection("127.0.0.1", bot.server.port) for _ in range(12)]
    for _, writer in slow:
        writer.write(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nx" % (20 * MIB))
        await writer.drain()
    content = json.loads(OPENED)
    content["pull_request"]["body"] = "x" * (3 * MIB)
    body = json.dumps(content).encode()
    assert (await asyncio.wait_for(bot.post(body, headers(body)), 8))[0] == 200
    for _, writer in slow:
        writer.close()


async def test_a_backend_that_is_away_for_a_moment_costs_nothing(bot: Bot) -> None:
    """The event is forwarded again within the request."""
    bot.errors = [Unavailable("restarting"), Unavailable("restarting")]
    assert (await bot.post(OPENED, headers(OPENED)))[0] == 200


@pytest.mark.parametrize(
    "error", [Unavailable("down", retry_after_s=30), Forbidden("key"), ValidationError("delivery_id: taken")]
)
async def test_a_backend_that_does_not_take_it_makes_the_delivery_fail(bot: Bot, error: Exception) -> None:
    """503 whatever the reason, so that GitHub shows it as failed and it can be redelivered."""
    bot.errors = [error] * 50
    status, answer = await bot.post(OPENED, headers(OPENED))
    assert (status, answer["error"]["code"]) == (503, "UNAVAILABLE")
    assert await bot.counted("pull_request", "opened", "UNAVAILABLE") == 1


async def test_an_unexpected_error_is_500_in_the_envelope(bot: Bot) -> None:
    """A bug of ours is told without its details."""
    bot.errors = [RuntimeError("secret detail")]
    status, answer = await bot.post(OPENED, headers(OPENED))
    assert (status, answer["error"]["code"]) == (500, "INTERNAL")
    assert "secret detail" not in answer["error"]["message"]


async def test_labels_of_metrics_are_bounded(bot: Bot) -> None:
    """Events and actions that we do not know share one label, however many there are."""
    for i in range(5):
        body = json.dumps({"action": f"made-up-{i}"}).encode()
        letters = "abcde"[i]
        await bot.post(body, headers(body, f"event_{letters}"))
        await bot.post(body, headers(body, "pull_request"))
    assert await bot.counted("other", "other", "ignored") == 5
    assert await bot.counted("pull_request", "other", "ignored") == 5
    assert "made-up" not in (await bot.get("/metrics"))[1]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/webhooks/github", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/healthz", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("POST", "/internal/v1/events", 404, "NOT_FOUND"),
        ("GET", "/schema", 404, "NOT_FOUND"),
    ],
)
async def test_other_paths_and_methods_answer_in_the_envelope(
    bot: Bot, method: str, path: str, status: int, code: str
) -> None:
    """Errors look the same on every endpoint."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{bot.server.port}{path}") as answer,
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


async def test_the_worker_says_that_it_is_alive_and_ready(bot: Bot) -> None:
    """Both probes, with what was checked."""
    bot.skew_s = -2.0
    assert await bot.get("/healthz") == (200, '{"status":"ok"}')
    status, text = await bot.get("/readyz")
    checks = {"backend": "ready", "clock": "2 s behind GitHub's"}
    assert (status, json.loads(text)) == (200, {"status": "ready", "checks": checks})


@pytest.mark.parametrize(
    ("fields", "check", "text"),
    [
        ({"problems": ["no route"]}, "backend", "no route"),
        ({"is_stopping": True}, "process", "stopping"),
        ({"skew_s": 360.0}, "clock", "360 s ahead of GitHub's: set the clock, signatures and tokens depend on it"),
    ],
)
async def test_the_worker_says_what_it_cannot(bot: Bot, fields: dict[str, Any], check: str, text: str) -> None:
    """503 with the reason."""
    for name, value in fields.items():
        setattr(bot, name, value)
    status, answer = await bot.get("/readyz")
    assert (status, json.loads(answer)["checks"][check]) == (503, text)


async def test_githubs_own_example_of_a_signature_holds() -> None:
    """The vector of GitHub's documentation, so that the tests' own signer is right."""
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert hmac.new(NEW.encode(), b"Hello, World!", hashlib.sha256).hexdigest() == expected
