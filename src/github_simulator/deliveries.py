"""Webhook deliveries: made, sent, recorded and sent again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from github_simulator.model import Event, Json
from github_simulator.schemas import timestamp

KEPT_BODIES = 2_000
"""Bodies of successful deliveries are kept for so many only: a benchmark sends a hundred thousand of 25 kB."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver one event. ``status_code`` 0 means that no answer came (time-out, connection failure)."""

    id: int
    event: Event
    redelivery: bool
    delivered_at: float
    duration_s: float = 0.0
    status: str = "pending"
    status_code: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str | None = None
    body_kept: bool = True

    @property
    def ok(self) -> bool:
        return 200 <= self.status_code < 300

    def item(self) -> Json:
        """The ``hook-delivery-item`` schema."""
        return {
            "id": self.id,
            "guid": self.event.guid,
            "delivered_at": timestamp(self.delivered_at),
            "redelivery": self.redelivery,
            "duration": round(self.duration_s, 3),
            "status": self.status,
            "status_code": self.status_code,
            "event": self.event.name,
            "action": self.event.action,
            "installation_id": self.event.installation_id,
            "repository_id": self.event.repository_id,
            "throttled_at": None,
        }

    def detail(self, url: str) -> Json:
        """The ``hook-delivery`` schema."""
        payload: Any = json.loads(self.event.body) if self.body_kept and self.event.body else None
        return {
            **self.item(),
            "url": url,
            "request": {"headers": self.request_headers, "payload": payload if isinstance(payload, dict) else None},
            "response": {"headers": self.response_headers, "payload": self.response_body},
        }


@dataclass(slots=True, kw_only=True)
class DeliveryLog:
    """Every attempt, oldest first, and the bodies of those that may have to be sent again."""

    records: dict[int, Delivery] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(12_000_000_001))
    succeeded: deque[Delivery] = field(default_factory=deque)

    def open(self, event: Event, *, redelivery: bool, now: float) -> Delivery:
        delivery = Delivery(id=next(self.ids), event=event, redelivery=redelivery, delivered_at=now)
        self.records[delivery.id] = delivery
        return delivery

    def settle(self, delivery: Delivery) -> None:
        """Note that an attempt has ended, and forget the oldest body of those that went well."""
        if not delivery.ok:
            return
        self.succeeded.append(delivery)
        if len(self.succeeded) > KEPT_BODIES:
            old = self.succeeded.popleft()
            old.body_kept = False
            old.request_headers, old.response_headers, old.response_body = {}, {}, None
            event = old.event
            old.event = Event(
                guid=event.guid,
                name=event.name,
                action=event.action,
                installation_id=event.installation_id,
                repository_id=event.repository_id,
                body=b"",
            )

    def newest_first(self, *, before: int | None = None, status: str | None = None) -> Iterator[Delivery]:
        """Attempts with an id below ``before``; ``failure`` means codes 400 to 599, as in GitHub's description."""
        for delivery in reversed(self.records.values()):
            if before is not None and delivery.id >= before:
                continue
            if status == "success" and not 200 <= delivery.status_code < 400:
                continue
            if status == "failure" and not 400 <= delivery.status_code < 600:
                continue
            if delivery.status != "pending":
                yield delivery


TIMEOUT_S = 10.0
HOOK_ID = 410_000_001
KEPT_RESPONSE_CHARS = 4096


@dataclass(slots=True, kw_only=True)
class Deliverer:
    """The sender. ``url`` None throws events away, as GitHub does for an App without an active webhook."""

    url: str | None
    secret: str
    app_id: int
    clock: Callable[[], float]
    max_in_flight: int = 64
    timeout_s: float = TIMEOUT_S
    delay_s: float = 0.0
    copies: int = 1
    paused: bool = False
    queue: deque[tuple[Event, bool]] = field(default_factory=deque)
    log: DeliveryLog = field(default_factory=DeliveryLog)
    _in_flight: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def enqueue(self, event: Event) -> None:
        """Owe this event, ``copies`` times under one GUID."""
        if self.url is None:
            return
        self.queue.extend([(event, False)] * self.copies)
        self._changed.set()

    def deliver(
        self,
        event: str,
        payload: dict[str, Any] | str,
        guid: str | None = None,
        copies: int = 1,
        installation_id: int | None = None,
    ) -> str:
        """Owe a payload of the caller's own making, text as it stands. Returns the GUID."""
        body = payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)
        action = payload.get("action") if isinstance(payload, dict) else None
        made = Event(
            guid=guid or str(uuid.uuid4()),
            name=event,
            action=action if isinstance(action, str) else None,
            installation_id=installation_id,
            repository_id=None,
            body=body,
        )
        self.queue.extend([(made, False)] * copies)
        self._changed.set()
        return made.guid

    def redeliver(self, delivery_id: int) -> bool:
        """Send again under the same GUID. False when the body is no longer kept. Raises KeyError for an unknown id."""
        delivery = self.log.records[delivery_id]
        if not delivery.body_kept:
            return False
        self.queue.append((delivery.event, True))
        self._changed.set()
        return True

    def pause(self) -> None:
        """Keep what is owed until :meth:`resume`."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._changed.set()

    def reverse(self) -> int:
        """Turn the order of what is still owed round. Returns how many there are."""
        self.queue = deque(reversed(self.queue))
        return len(self.queue)

    def discard(self) -> int:
        """Lose what is still owed, as GitHub does in an outage of its own. Returns how many there were."""
        lost = len(self.queue)
        self.queue.clear()
        return lost

    def configure(
        self,
        url: str | None = None,
        secret: str | None = None,
        copies: int | None = None,
        delay_s: float | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Change the webhook's settings; what is None stays."""
        self.url = self.url if url is None else url
        self.secret = self.secret if secret is None else secret
        self.copies = self.copies if copies is None else copies
        self.delay_s = self.delay_s if delay_s is None else delay_s
        self.timeout_s = self.timeout_s if timeout_s is None else timeout_s

    async def idle(self) -> None:
        """Wait until nothing is owed nor on its way; a paused sender waits for its resumption."""
        while self.queue or self._in_flight:
            if self._in_flight:
                await asyncio.wait(set(self._in_flight), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Deliver for as long as the block runs; what is on its way at the end is given up."""
        self._changed = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            pump = asyncio.create_task(self._pump(session))
            try:
                yield
            finally:
                tasks = [pump, *self._in_flight]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, session: aiohttp.ClientSession) -> None:
        slots = asyncio.Semaphore(self.max_in_flight)
        while True:
            while self.queue and not self.paused:
                await slots.acquire()
                if not self.queue or self.paused:
                    slots.release()
                    break
                event, redelivery = self.queue.popleft()
                delivery = self.log.open(event, redelivery=redelivery, now=self.clock())
                task = asyncio.create_task(self._attempt(session, delivery))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
                task.add_done_callback(lambda _: slots.release())
            self._changed.clear()
            if not self.queue or self.paused:
                await self._changed.wait()

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        delivery.request_headers = headers = self._headers(delivery.event)
        started = time.perf_counter()
        try:
            async with session.post(
                self.url or "",
                data=delivery.event.body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
            ) as answer:
                delivery.response_body = (await answer.text(errors="replace"))[:KEPT_RESPONSE_CHARS]
                delivery.response_headers = dict(answer.headers)
                delivery.status_code = answer.status
                delivery.status = "OK" if 200 <= answer.status < 300 else f"Invalid HTTP Response: {answer.status}"
        except TimeoutError:
            delivery.status = "timed out"
        except (aiohttp.ClientError, OSError, ValueError):
            delivery.status = "failed to connect to host"
        delivery.duration_s = time.perf_counter() - started
        self.log.settle(delivery)

    def _headers(self, event: Event) -> dict[str, str]:
        key = self.secret.encode()
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/51a2c3f",
            "X-GitHub-Delivery": event.guid,
            "X-GitHub-Event": event.name,
            "X-GitHub-Hook-ID": str(HOOK_ID),
            "X-GitHub-Hook-Installation-Target-ID": str(self.app_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature": f"sha1={hmac.new(key, event.body, hashlib.sha1).hexdigest()}",
            "X-Hub-Signature-256": f"sha256={hmac.new(key, event.body, hashlib.sha256).hexdigest()}",
        }
