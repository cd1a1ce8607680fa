"""The one writing statement: put together from the parts of ``sql/write.sql`` that a batch of decisions needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection
from centralbot.adapters.postgres.queries import part
from centralbot.domain.challenge import Challenge
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent, Effects
from centralbot.domain.outbox import Action, Envelope

_MATERIALIZED = frozenset({"wanted", "put", "queued"})


class Write:
    """Collects what decisions change; :meth:`run` writes it in one statement. Their rows must be locked."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._used: list[dict[str, object]] = []
        self._taken: list[dict[str, object]] = []
        self._created: list[Challenge] = []
        self._wanted: list[dict[str, object]] = []
        self._put: list[dict[str, object]] = []
        self._queued: list[dict[str, object]] = []
        self._proven: list[dict[str, object]] = []
        self._paused: list[dict[str, object]] = []
        self._audited: list[AuditEvent] = []
        self._parts: set[str] = set()
        """Beside the documents, what is done with them."""

    def effects(self, effects: Effects) -> None:
        """What a decision changes, but for what it withdraws, which is put."""
        if effects.created is not None:
            self._created.append(effects.created)
        if effects.changed is not None:
            self._wanted.append(codec.change(effects.changed))
        for action in effects.actions:
            self._queued.append(codec.new_action(action, self._now))
            self._parts.add("written")
        self._audited += effects.audit

    def audit(self, events: Iterable[AuditEvent]) -> None:
        self._audited += events

    def put(self, action: Envelope, *, comment_id: int | None = None) -> None:
        """A queued action as it shall be; ``comment_id`` where its comment became known."""
        if action.settled_at is not None:
            self._parts.update(("ended", "settled"))
        else:
            self._parts.add("kept")
            if comment_id is not None:
                self._parts.add("learned")
        self._put.append(codec.put(action, comment_id))

    def revive(self, action: Action) -> None:
        """A dead action that is queued again."""
        self._parts.add("revived")
        self._queued.append(codec.revived(action))

    def pause(self, installation_id: int, paused_until: datetime) -> None:
        self._paused.append({"installation_id": installation_id, "paused_until": paused_until})

    def take(self, delivery: dict[str, object]) -> None:
        self._taken.append(delivery)

    def use(self, use: SignatureUse | None) -> None:
        if use is not None:
            self._used.append(codec.used(use))

    def prove(self, proofs: Sequence[dict[str, object]]) -> None:
        self._proven += proofs

    async def run(self, connection: Connection) -> None:
        """Write. Raises Conflict where a challenge has another status by now than the one that was decided upon."""
        documents: dict[str, Sequence[object]] = {
            "used": self._used,
            "taken": self._taken,
            "created": self._created,
            "wanted": self._wanted,
            "put": self._put,
            "queued": self._queued,
            "proven": self._proven,
            "paused": self._paused,
            "audited": self._audited,
        }
        parameters = {name: codec.document(rows) for name, rows in documents.items() if rows}
        if not parameters:
            return
        parts = self._parts | parameters.keys()
        if self._wanted:
            parts.add("changed")
        if self._queued:
            parts.add("enqueued")
        cursor = await connection.execute(_statement(frozenset(parts)), parameters)
        if self._wanted:
            row = await cursor.fetchone()
            if row is None or row.changed != len(self._wanted):
                raise Conflict("a challenge changed while it was decided upon")


_ORDER = (
    "used", "taken", "wanted", "changed", "created", "put", "kept", "ended", "settled", "learned", "queued", "written",
    "revived", "enqueued", "proven", "paused", "audited",
)  # fmt: skip


@cache
def _statement(parts: frozenset[str]) -> bytes:
    """The statement of these parts. Few combinations occur, and each is prepared once per connection."""
    chosen = [name for name in _ORDER if name in parts]
    with_ = ",\n".join(f"{name} as {'materialized ' if name in _MATERIALIZED else ''}({part(name)})" for name in chosen)
    count = "(select count(*) from changed)" if "changed" in parts else "0"
    return f"with {with_}\nselect {count} as changed".encode()
