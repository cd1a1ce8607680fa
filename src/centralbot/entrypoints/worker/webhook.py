"""The webhook receiver: verified before it is parsed, bounded in memory, forwarded in time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import structlog

from centralbot.domain import signing
from centralbot.domain.errors import CentralbotError, Unavailable, ValidationError
from centralbot.domain.events import Event, IngestStatus
from centralbot.entrypoints.http import (
    MIB,
    ClientGone,
    PayloadTooLarge,
    Receive,
    Scope,
    Send,
    error_body,
    error_parts,
    header,
    read_body,
    send_and_linger,
    send_json,
)
from centralbot.entrypoints.worker.events import Ignored, is_quiet, normalize
from centralbot.entrypoints.worker.observability import WorkerMetrics
from centralbot.ports.clock import Clock
from centralbot.ports.use_cases.forward import Forwarder


class MemoryBudget:
    """``size`` bytes for all bodies together, and one body beyond: that one can always come to its end.

    What counts is what has come, not what was promised: who sends slowly is in nobody's way. The first ``free`` bytes
    of each do not count: the server has them before anybody asks.
    """

    def __init__(self, *, size: int, free: int) -> None:
        self.left = size
        self.free = free
        self.beyond = asyncio.Lock()

    def reservation(self) -> Reservation:
        """For one body, around its reading and all that needs it."""
        return Reservation(self)


class Reservation:
    """What one body has taken; given back at the end of the ``with``."""

    __slots__ = ("_beyond", "_budget", "_taken")

    def __init__(self, room: MemoryBudget) -> None:
        self._budget = room
        self._taken = 0
        self._beyond = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._budget.left += self._taken
        if self._beyond:
            self._budget.beyond.release()

    async def before_more(self, size: int) -> None:
        """Wait until more may be read of a body of which ``size`` bytes have come."""
        more = size - self._budget.free - self._taken
        if more <= 0:
            return
        if more > self._budget.left and not self._beyond:
            await self._budget.beyond.acquire()
            self._beyond = True
        self._budget.left -= more
        self._taken += more


log = structlog.get_logger("centralbot.worker")

LIMIT = 25 * MIB
"""GitHub sends nothing larger."""
READ_S = 9.0
"""Later than this GitHub no longer listens."""
ROOM = 100 * MIB
"""For all bodies that are arriving, but for the first ``SMALL`` bytes of each, and for one body more."""
SMALL = MIB // 8
"""GitHub's usual deliveries are below."""

_DELIVERY_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_EVENT = re.compile(rb"[\x21-\x7e]{1,64}")
_IGNORED = {"status": "ignored"}


class BadSignature(CentralbotError):
    """The webhook's signature is missing or not ours."""

    code = "UNAUTHENTICATED"


@dataclass(slots=True)
class _Delivery:
    """What is known of the request so far, for its one log line."""

    event: str = ""
    action: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Webhook:
    """Receives, verifies, normalizes, forwards. ``secrets``: one, or two while rotating."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        forwarder: Forwarder,
        clock: Clock,
        now: Callable[[], datetime],
        metrics: WorkerMetrics,
    ) -> None:
        self._secrets = tuple(secrets)
        self._forwarder = forwarder
        self._clock = clock
        self._now = now
        self._metrics = metrics
        self._budget = MemoryBudget(size=ROOM, free=SMALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] != "POST":
            body = error_body("METHOD_NOT_ALLOWED", "use POST")
            await send_json(send, 405, body, headers=((b"allow", b"POST"),))
            return
        began_s = self._clock.monotonic_s()
        delivery = _Delivery()
        headers: tuple[tuple[bytes, bytes], ...] = ()
        value: object
        try:
            status, value, result = await self._take(scope, receive, delivery, began_s)
            log.info("webhook.taken", result=result, **delivery.facts)
        except ClientGone:
            return
        except CentralbotError as exc:
            said = _lost(exc, delivery)
            status, value, headers = error_parts(said)
            result = said.code
            tell = log.warning if status == 503 else log.info
            tell("webhook.refused", status=status, code=exc.code, error=exc.message, **delivery.facts)
        except Exception:
            log.exception("webhook.failed", **delivery.facts)
            status, value, result = 500, error_body("INTERNAL", "an unexpected error; it is in the log"), "INTERNAL"
        self._metrics.delivery(delivery.event, delivery.action, result, self._clock.monotonic_s() - began_s)
        if status == 413:
            await send_and_linger(send, receive, status, value, headers=headers)
        else:
            await send_json(send, status, value, headers=headers)

    async def _take(
        self, scope: Scope, receive: Receive, delivery: _Delivery, began_s: float
    ) -> tuple[int, object, str]:
        event = await self._event(scope, receive, delivery)
        if isinstance(event, Ignored):
            delivery.action = event.action
            delivery.facts |= {"action": event.action, "reason": event.reason}
            return 202, _IGNORED, "ignored"
        delivery.action = event.action
        delivery.facts |= {"action": event.action, "installation_id": event.installation_id, **event.told}
        outcome = await self._forwarder.forward(event, spent_s=self._clock.monotonic_s() - began_s)
        status = outcome.status.value
        if outcome.status is IngestStatus.IGNORED and is_quiet(event):
            return 202, _IGNORED, "ignored"
        return 200, {"status": "ok", "ingest_status": status}, status

    async def _event(self, scope: Scope, receive: Receive, delivery: _Delivery) -> Event[Any] | Ignored:
        """Everything that needs the body; it is gone when this returns."""
        with self._budget.reservation() as taken:
            return self._read(scope, await _body(scope, receive, taken), delivery)

    def _read(self, scope: Scope, body: bytes, delivery: _Delivery) -> Event[Any] | Ignored:
        if not signing.webhook_matches(header(scope, b"x-hub-signature-256"), body, self._secrets):
            raise BadSignature("X-Hub-Signature-256 is missing or does not match; check the webhook secret")
        delivery_id = header(scope, b"x-github-delivery") or b""
        if not _DELIVERY_ID.fullmatch(delivery_id):
            raise ValidationError("X-GitHub-Delivery: expected 1 to 128 printable characters")
        delivery.facts["delivery_id"] = delivery_id.decode()
        event = header(scope, b"x-github-event") or b""
        if not _EVENT.fullmatch(event):
            raise ValidationError("X-GitHub-Event: expected the name of an event")
        delivery.event = delivery.facts["github_event"] = event.decode()
        return normalize(delivery.event, body, delivery_id=delivery_id.decode(), received_at=self._now())


async def _body(scope: Scope, receive: Receive, taken: Reservation) -> bytes:
    try:
        async with asyncio.timeout(READ_S):
            return await read_body(scope, receive, limit=LIMIT, before_more=taken.before_more)
    except TimeoutError as exc:
        raise ValidationError(f"the body did not arrive within {READ_S:g} s") from exc


def _lost(exc: CentralbotError, delivery: _Delivery) -> CentralbotError:
    """What GitHub is told. A refusal by our own backend is our fault: failed, so that it can be redelivered."""
    if isinstance(exc, Unavailable | BadSignature | PayloadTooLarge) or (
        isinstance(exc, ValidationError) and "installation_id" not in delivery.facts
    ):
        return exc
    log.error("webhook.backend_refused", code=exc.code, error=exc.message, **delivery.facts)
    return Unavailable("the backend refused the event; the log says why", retry_after_s=60)
