"""Connections and transactions: a pool that survives a restart of the server, and whole-transaction retries.

psycopg errors are translated here and nowhere else: what is worth another try is tried again, bounded and jittered;
what is not becomes :class:`~centralbot.domain.errors.Unavailable`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from random import random
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError, errors
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool

from centralbot.adapters.postgres.queries import sql
from centralbot.domain.errors import Unavailable

T = TypeVar("T")
Connection = AsyncConnection[Any]
"""Rows are named tuples: by name where they are read, plain tuples for whoever unpacks them."""

# Generic plans over index lookups only: a plan cached while the tables were empty stays right as they grow. Hash joins
# stay on: a hot statement joins only what it has already narrowed down with = any(…), where nested loops are quadratic.
OPTIONS = (
    "-c enable_seqscan=off -c enable_mergejoin=off -c jit=off "
    "-c plan_cache_mode=force_generic_plan -c timezone=UTC "
    "-c lock_timeout=2s -c idle_in_transaction_session_timeout=15s"
)
ANSWER_S = 15.0
ATTEMPTS = 4
PATIENCE_S = 3.0
"""How long one call waits for a server that is away: the bot's request and GitHub's delivery have 7 and 10 s in all."""
SILENCE_S = 1.0
"""A server that does not even say that a statement took too long is hung, or the network has lost it."""


class Unreachable(Unavailable):
    """There is no connection to be had: whatever else waits for one would fail too."""


class Conflict(Exception):
    """A guarded write found another state than the one decided upon: decide again."""


RETRIED = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation, errors.LockNotAvailable)


class _Pool(AsyncConnectionPool[Connection]):
    """Hands out the connection that came back last: its server process has the plans and the pages at hand.

    psycopg_pool takes turns, which cost ingest a tenth.
    """

    async def _get_ready_connection(self, timeout: float | None) -> Connection | None:  # noqa: ASYNC109
        self._pool.rotate(1)
        return await super()._get_ready_connection(timeout)


class Database:
    """A pool of connections to one PostgreSQL. ``answer_s`` is how long it may take for what is asked of it at once."""

    def __init__(self, dsn: str, *, max_connections: int = 8, answer_s: float = ANSWER_S) -> None:
        self.dsn = dsn
        self._answer_s = answer_s
        options = f"{OPTIONS} -c statement_timeout={int(answer_s * 1000)}"
        self._pool = _Pool(
            dsn,
            min_size=1,
            max_size=max_connections,
            open=False,
            timeout=PATIENCE_S,
            reconnect_timeout=0.1,  # one try per request: the server's return is noticed at once, with no backoff
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "options": options,
                "connect_timeout": 3,
                "row_factory": namedtuple_row,
            },
            name="centralbot",
        )

    async def open(self) -> None:
        """Connect. Raises Unavailable when the server does not answer."""
        try:
            await self._pool.open(wait=True, timeout=10.0)
        except OperationalError as exc:
            await self._pool.close()
            raise Unavailable(f"PostgreSQL does not answer: {_one_line(exc)}") from exc

    async def close(self) -> None:
        await self._pool.close()

    async def decide(self, work: Callable[[Connection, datetime, int], Awaitable[T]], *, lock: Sequence[int] = ()) -> T:
        """Run ``work(connection, now, attempt)`` in a transaction of its own; again, whole, after a passing failure.

        ``now`` is the store's clock once the locks are held. ``lock`` names transaction locks to take before, in
        ascending order; both come without a round trip of their own. ``attempt`` and errors as in :meth:`run`.
        """
        begin = _begin(lock)

        async def within(connection: Connection, attempt: int) -> T:
            return await _in_transaction(connection, begin, work, attempt)

        return await self._retried(within)

    async def run(
        self, work: Callable[[Connection, int], Awaitable[T]], *, transaction: bool = True, lock: Sequence[int] = ()
    ) -> T:
        """Run ``work(connection, attempt)``, in a transaction of its own; again, whole, after a passing failure.

        ``lock`` as in :meth:`decide`. ``attempt`` is 0 the first time. After a lost connection it is unknown whether
        the first try was committed. Raises Unavailable once the tries, or the patience with a server that is away or
        hung, are used up.
        """
        if not transaction:
            return await self._retried(work)

        async def timeless(connection: Connection, _: datetime, attempt: int) -> T:
            return await work(connection, attempt)

        return await self.decide(timeless, lock=lock)

    async def _retried(self, work: Callable[[Connection, int], Awaitable[T]]) -> T:
        until = time.monotonic() + PATIENCE_S
        for attempt in range(ATTEMPTS):
            try:
                connection = await self._pool.getconn(timeout=max(0.1, until - time.monotonic()))
                hung = asyncio.get_running_loop().call_later(self._answer_s + SILENCE_S, _hang_up, connection)
                try:  # `async with pool.connection()` would commit once more
                    return await work(connection, attempt)
                finally:
                    hung.cancel()
                    await self._pool.putconn(connection)
            except (Conflict, *RETRIED) as exc:
                failure: Exception = exc
                if time.monotonic() >= until:  # a lock that somebody does not let go of
                    break
            except errors.QueryCanceled as exc:  # too slow, but the connections are well
                failure = exc
                break
            except OperationalError as exc:
                failure = exc
                await self._pool.drain()
                if time.monotonic() >= until:
                    break
            await asyncio.sleep((0.02 + 0.08 * random()) * 2**attempt)  # noqa: S311 - spreading, not security
        kind = Unreachable if _is_away(failure) else Unavailable
        raise kind(f"the store cannot answer: {_one_line(failure)}") from failure

    async def fetch(self, query: bytes, parameters: dict[str, Any] | None = None) -> list[Any]:
        """Rows of one statement outside of a transaction block."""

        async def work(connection: Connection, _: int) -> list[Any]:
            return await (await connection.execute(query, parameters)).fetchall()

        return await self.run(work, transaction=False)


def _hang_up(connection: Connection) -> None:
    """Have whoever waits for ``connection`` see it lost. Canceling would wait for the server's answer once more."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


_BEGIN = b"begin"
_NOW = b"; select clock_timestamp() as now"


def _begin(lock: Sequence[int]) -> bytes:
    """One message for all that comes first: the locks, then the time, so that waiting for a lock is over by then."""
    if not lock:
        return _BEGIN + _NOW
    keys = ",".join(str(int(key)) for key in sorted(set(lock)))
    return _BEGIN + b"; " + sql("lock_keys") % keys.encode() + _NOW


async def _in_transaction(
    connection: Connection, begin: bytes, work: Callable[[Connection, datetime, int], Awaitable[T]], attempt: int
) -> T:
    """As ``connection.transaction()``, in fewer steps: this is on the hot path."""
    try:
        cursor = await connection.execute(begin, prepare=False)
        while cursor.nextset():
            continue
        row = await cursor.fetchone()
        assert row is not None  # the last statement of the message is a select
        result = await work(connection, row.now, attempt)
        await connection.commit()
    except BaseException:
        if not connection.closed:
            await connection.rollback()
        raise
    return result


def _is_away(exc: Exception) -> bool:
    """No connection (psycopg has no SQLSTATE then), or the server said that it is going or coming (57P0x)."""
    return isinstance(exc, OperationalError) and (exc.sqlstate is None or exc.sqlstate[:3] in ("080", "57P"))


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300] or type(exc).__name__
