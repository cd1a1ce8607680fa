"""The webhook deliveries that GitHub remembers, and how its API shows them."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .model import Event, Json
from .shapes import timestamp

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
