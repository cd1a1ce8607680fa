"""The one writing statement: put together from the parts of ``sql/write.sql`` that a batch of decisions needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from centralbot.adapters.postgres import codec
from centralbot.adapters.postgres.database import Conflict, Connection
from centralbot.adapters.postgres.queries import part
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent, Effects
from centralbot.domain.outbox import Action, Envelope

_MATERIALIZED = frozenset({"wanted", "put", "queued"})


class Write:
    """Collects what decisions change; :meth:`run` writes it in one statement. Their rows must be locked."""

    def __init__(self, now: Any) -> None:
        self._now = now
        self._documents: dict[str, list[Any]] = {}
        self._parts: set[str] = set()
        self._expected = 0

    def _add(self, document: str, rows: Iterable[Any], *parts: str) -> None:
        known = self._documents.setdefault(document, [])
        before = len(known)
        known.extend(rows)
        if len(known) > before:
            self._parts.update((document, *parts))
        elif not known:
            del self._documents[document]

    def effects(self, effects: Effects) -> None:
        """What a decision changes, but for what it withdraws, which is put."""
        if effects.created is not None:
            self._add("created", (effects.created,))
        if effects.changed is not None:
            self._expected += 1
            self._add("wanted", (codec.change(effects.changed),), "changed")
        if effects.actions:
            self._add("queued", (codec.new_action(one, self._now) for one in effects.actions), "written", "enqueued")
        if effects.audit:
            self.audit(effects.audit)

    def audit(self, events: Iterable[AuditEvent]) -> None:
        self._add("audited", events)

    def put(self, action: Envelope, *, comment_id: int | None = None) -> None:
        """A queued action as it shall be; ``comment_id`` where its comment became known."""
        parts = ("ended", "settled") if action.settled_at is not None else ("kept",)
        if comment_id is not None and action.settled_at is None:
            parts = ("kept", "learned")
        self._add("put", (codec.put(action, comment_id),), *parts)

    def revive(self, action: Action) -> None:
        """A dead action that is queued again."""
        self._add("queued", (codec.revived(action),), "revived", "enqueued")

    def pause(self, installation_id: int, paused_until: Any) -> None:
        self._add("paused", ({"installation_id": installation_id, "paused_until": paused_until},))

    def take(self, delivery: dict[str, object]) -> None:
        self._add("taken", (delivery,))

    def use(self, uses: Iterable[SignatureUse | None]) -> None:
        self._add("used", codec.uses(uses))

    def prove(self, proofs: Sequence[dict[str, object]]) -> None:
        self._add("proven", proofs)

    async def run(self, connection: Connection) -> None:
        """Write. Raises Conflict where a challenge has another status by now than the one that was decided upon."""
        if not self._parts:
            return
        documents = {name: codec.document(rows) for name, rows in self._documents.items()}
        cursor = await connection.execute(_statement(frozenset(self._parts)), documents)
        if self._expected:
            row = await cursor.fetchone()
            if row is None or row[0] != self._expected:
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
