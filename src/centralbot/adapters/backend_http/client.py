"""The backend over signed HTTP: a fresh signature on every call, the contract's errors as the domain's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from centralbot.adapters.backend_http.schemas import actions, batches
from centralbot.adapters.backend_http.schemas.events import EVENTS, EventAnswer, EventSchema
from centralbot.adapters.backend_http.schemas.fields import Failed
from centralbot.domain import signing
from centralbot.domain.errors import ActionNotHeld, CentralbotError, Forbidden, NotFound, Unavailable, ValidationError
from centralbot.domain.events import Event, OutcomeT
from centralbot.domain.outbox import ActionStatus, Settlement
from centralbot.ports.clock import Clock
from centralbot.ports.outbox import ClaimedAction, ClaimRequest, MalformedAction


class Signer:
    """Makes the ``x-sitg-*`` headers of one service key. Its repr shows no secret.

    ``now`` is the backend's time as far as it is known, so that a wrong clock of ours does no harm.
    """

    def __init__(self, *, key_id: str, secret: str, now: Callable[[], datetime]) -> None:
        self._key_id = key_id
        self._key = signing.signing_key(secret)
        self._now = now

    def __repr__(self) -> str:
        return f"Signer(key_id={self._key_id!r})"

    def headers(self, message: str, body: bytes) -> dict[str, str]:
        """Headers for one attempt to send ``body``; they serve once."""
        timestamp = str(int(self._now().timestamp()))
        nonce = os.urandom(16).hex()
        text = signing.signed_text(timestamp=timestamp, message=message, nonce=nonce, body=body)
        return {
            "x-sitg-key-id": self._key_id,
            "x-sitg-timestamp": timestamp,
            "x-sitg-nonce": nonce,
            "x-sitg-signature": signing.internal_signature(self._key, text),
            "content-type": "application/json",
        }


WINDOW_S = 60.0


class BackendTime:
    """Follows the backend's clock by the ``Date`` of its answers.

    An answer can be old when it is read: it lay in a socket buffer while this process was stopped. Its ``Date`` then
    says too little, never too much, so the greatest offset among the recent answers is the one to believe. "Recent" is
    this window and the one before: the first answer after a long stop cannot push out what was known before it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._current: float | None = None
        self._before: float | None = None
        self._last_text = ""
        self._last_unix = 0.0

    def heard(self, date: str | None) -> None:
        """Take the ``Date`` header of an answer that has just been read; anything unreadable is ignored."""
        if not date:
            return
        if date != self._last_text:
            try:
                self._last_unix = parsedate_to_datetime(date).timestamp()
            except (ValueError, OverflowError):
                return
            self._last_text = date
        offset = self._last_unix - self._clock.now().timestamp()
        now_s = self._clock.monotonic_s()
        if now_s - self._started_s > WINDOW_S:
            self._before, self._current, self._started_s = self._current, None, now_s
        self._current = offset if self._current is None else max(offset, self._current)

    @property
    def offset_s(self) -> float:
        """How far the backend's clock is ahead of ours, in seconds; 0 before its first answer."""
        known = [offset for offset in (self._current, self._before) if offset is not None]
        return max(known, default=0.0)

    def now(self) -> datetime:
        """The backend's time now, aware, in UTC."""
        return self._clock.now().astimezone(UTC) + timedelta(seconds=self.offset_s)


T = TypeVar("T")

KEEP_ALIVE_S = 4.0
"""Less than the 5 s after which a common server closes an idle connection: else a request can meet the close."""
MAX_RETRY_AFTER_S = 3600
SKEW_THAT_MATTERS_S = 30.0


class BackendClient:
    """:class:`EventSink` and :class:`ActionSource` over HTTP. Use it as an async context manager, inside the loop.

    It repeats a request only where an answer showed that our clock is wrong; whoever calls knows how much time
    there is. ``request_timeout_s`` bounds one request; a waiting claim gets its ``wait_s`` on top.
    """

    def __init__(
        self,
        *,
        url: str,
        key_id: str,
        secret: str,
        clock: Clock,
        request_timeout_s: float = 7.0,
        connections: int = 0,
        schemas: Sequence[EventSchema] = EVENTS,
    ) -> None:
        base = url.rstrip("/")
        self._events_url = URL(f"{base}/internal/v2/github/events")
        self._schemas = {schema.event: schema for schema in schemas}
        self._event_urls = {schema.name: self._events_url / schema.name for schema in schemas}
        self._claim_url = URL(f"{base}/internal/v2/bot-actions/claim")
        self._ready_url = URL(f"{base}/readyz")
        self._actions_url = f"{base}/internal/v2/bot-actions"
        self._time = BackendTime(clock)
        self._signer = Signer(key_id=key_id, secret=secret, now=self._time.now)
        self.backend_now = self._time.now
        self._request_timeout_s = request_timeout_s
        self._timeout = aiohttp.ClientTimeout(total=request_timeout_s)
        self._connections = connections
        self._open: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def send(self, event: Event[OutcomeT]) -> OutcomeT:
        """Forward one event: to its own endpoint, or as a batch of one."""
        schema = self._schemas[type(event)]
        body = schema.body.of(event)
        if schema.own is not None:
            message = schema.own.message(event.delivery_id)
            answer = await self._post(self._event_urls[schema.name], message, _encode(body), _ANSWERS[schema.name])
        else:
            message = signing.events_message(1)
            answer = await self._post(
                self._events_url, message, batches.batch([(schema, body)]), partial(_only_result, schema)
            )
        outcome: OutcomeT = answer.outcome()
        return outcome

    async def claim(self, request: ClaimRequest, *, wait_s: float = 0.0) -> Sequence[ClaimedAction | MalformedAction]:
        """Lease actions, waiting for some at the backend."""
        message = signing.claim_message(request.worker_id)
        body = _encode(actions.claim_body(request, wait_s))
        within = aiohttp.ClientTimeout(total=wait_s + self._request_timeout_s)
        return await self._post(self._claim_url, message, body, actions.claimed_actions, within=within)

    async def settle(self, settlement: Settlement) -> ActionStatus:
        """Report a result."""
        url = URL(f"{self._actions_url}/{settlement.action_id}/result", encoded=True)
        message = signing.result_message(str(settlement.action_id), settlement.worker_id, settlement.outcome)
        try:
            return (await self._post(url, message, _encode(actions.result_body(settlement)), _RESULT)).status
        except _Missing as exc:
            raise NotFound(exc.message) from exc

    async def check(self) -> None:
        """Ask whether the backend can serve. Raises Unavailable that says what it cannot."""
        try:
            async with self._session.get(self._ready_url, timeout=self._timeout, allow_redirects=False) as answer:
                body = await answer.read()
                self._time.heard(answer.headers.get("Date"))
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _unreachable(exc) from exc
        if answer.status != 200:
            raise Unavailable(f"the backend answers {answer.status}: {body[:1000].decode('utf-8', 'replace')}")

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            raise RuntimeError("BackendClient is used outside of its 'async with'")
        return self._open

    async def _post(
        self,
        url: URL,
        message: str,
        body: bytes,
        decode: Callable[[bytes], T],
        *,
        within: aiohttp.ClientTimeout | None = None,
    ) -> T:
        believed_s = self._time.offset_s
        answer, raw = await self._send(url, message, body, within)
        if answer.status == 403 and abs(self._time.offset_s - believed_s) > SKEW_THAT_MATTERS_S:
            answer, raw = await self._send(url, message, body, within)  # now signed by the backend's clock
        if answer.status != 200:
            raise _error(answer.status, raw, answer.headers.get("Retry-After"))
        try:
            return decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise Unavailable(f"the backend's answer is not the contract's: {exc}") from exc

    async def _send(
        self, url: URL, message: str, body: bytes, within: aiohttp.ClientTimeout | None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        headers = self._signer.headers(message, body)
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=within or self._timeout, allow_redirects=False
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _unreachable(exc) from exc
        self._time.heard(answer.headers.get("Date"))
        return answer, raw


_encode = msgspec.json.Encoder().encode
_ANSWERS: Mapping[str, Callable[[bytes | msgspec.Raw], EventAnswer[Any]]] = {
    schema.name: msgspec.json.Decoder(schema.answer).decode for schema in EVENTS
}
_RESULTS = msgspec.json.Decoder(batches.Results[msgspec.Raw]).decode
_RESULT = msgspec.json.Decoder(actions.ResultAnswer).decode
_FAILED = msgspec.json.Decoder(Failed).decode


def _only_result(schema: EventSchema, raw: bytes) -> EventAnswer[Any]:
    """The answer to the one event of a batch, or its error raised."""
    results = _RESULTS(raw).results
    if len(results) != 1:
        raise msgspec.ValidationError(f"{len(results)} results of one event")
    failure = _FAILED(results[0]).error
    if failure.code:
        raise _REFUSALS.get(failure.code, Unavailable)(failure.message)
    return _ANSWERS[schema.name](results[0])


_REFUSALS: Mapping[str, type[CentralbotError]] = {it.code: it for it in (ValidationError, Forbidden)}


def _error_of(answer: bytes) -> tuple[str, str]:
    """Code and message of an error envelope; two empty strings when it is none."""
    try:
        error = _FAILED(answer).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return error.code, error.message


class _Missing(Unavailable):
    """404: an unknown action for a result; for anything else the backend's address is wrong."""


def _unreachable(exc: BaseException) -> Unavailable:
    if isinstance(exc, TimeoutError):
        return Unavailable("the backend did not answer in time")
    return Unavailable(f"the backend cannot be reached: {str(exc) or type(exc).__name__}")


def _error(status: int, raw: bytes, retry_after: str | None) -> Exception:
    """The domain's error for an answer that is not 200; whatever the contract does not name is Unavailable."""
    code, message = _error_of(raw)
    said = message or f"the backend answered {status}"
    if status in (400, 413):
        return ValidationError(said)
    if status in (401, 403):
        return Forbidden(said)
    if status == 404:
        return _Missing(f"{said} (is CENTRALBOT_BACKEND_URL right?)" if code != NotFound.code else said)
    if status == 409:
        return ActionNotHeld(said)
    after = int(retry_after) if retry_after is not None and retry_after.isdecimal() else 1
    return Unavailable(said, retry_after_s=max(1, min(after, MAX_RETRY_AFTER_S)))
