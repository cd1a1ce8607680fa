"""Sends webhooks as GitHub does: signed, ten seconds each, begun in order but not waiting for each other, once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from .deliveries import Delivery, DeliveryLog
from .model import Event

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
