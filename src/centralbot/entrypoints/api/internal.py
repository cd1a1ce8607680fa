"""The internal endpoints as raw ASGI handlers: the hot paths of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from time import perf_counter
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import structlog

from centralbot.adapters.backend_http.schemas import actions, batches
from centralbot.adapters.backend_http.schemas.events import EVENTS, EventAnswer, EventBody, EventSchema, OwnEndpoint
from centralbot.domain import signing
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import CentralbotError, Forbidden, NotFound, ValidationError
from centralbot.domain.events import Event, InstallationEvent
from centralbot.domain.outbox import Action, ActionStatus, Outcome, Settlement
from centralbot.entrypoints.api import auth
from centralbot.entrypoints.api.metrics import ApiMetrics
from centralbot.entrypoints.decoding import decode
from centralbot.entrypoints.http import (
    MIB,
    ClientGone,
    Receive,
    Scope,
    Send,
    error_body,
    error_parts,
    read_body,
    send_and_linger,
    send_json,
)
from centralbot.entrypoints.openapi import RawRoute
from centralbot.ports.admin import ServiceKeys
from centralbot.ports.clock import Clock
from centralbot.ports.outbox import ClaimRequest, Outbox
from centralbot.ports.use_cases.ingest import Ingest

log = structlog.get_logger("centralbot.api")

B = TypeVar("B")

_DELIVERY = msgspec.json.Decoder(EventBody)
_BODIES = {schema.name: msgspec.json.Decoder(schema.body) for schema in EVENTS}
_SIGNED_EVENTS = msgspec.json.Decoder(batches.SignedEvents)
_EVENTS = msgspec.json.Decoder(batches.Events)
_EVENT_HEAD = msgspec.json.Decoder(batches.EventHead)
_SIGNED_CLAIM = msgspec.json.Decoder(actions.SignedClaim)
_CLAIM = msgspec.json.Decoder(actions.ClaimBody)
_SIGNED_RESULT = msgspec.json.Decoder(actions.SignedResult)
_RESULT = msgspec.json.Decoder(actions.ResultBody)

REFUSALS = (400, 403, 413, 503)

Answer = Callable[[Scope, Receive], Awaitable[Any]]

EVENTS_PATH = "/internal/v2/github/events"
ACTIONS_PATH = "/internal/v2/bot-actions"


@dataclass(slots=True)
class Internal:
    """The internal endpoints over their ports. ``stopping`` ends waiting claims early at shutdown."""

    ingest: Ingest
    outbox: Outbox
    keys: ServiceKeys
    clock: Clock
    metrics: ApiMetrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> tuple[RawRoute, ...]:
        """The endpoints, as they are served and described."""
        batch, results = batches.described()
        return (
            *(self._own(schema, schema.own) for schema in EVENTS if schema.own is not None),
            RawRoute(
                path=EVENTS_PATH,
                handler=self.batch,
                name="ingestEvents",
                summary="Take many deliveries, each once and each for itself",
                request=batch,
                answer=results,
                refusals=REFUSALS,
                headers=auth.HEADERS,
            ),
            RawRoute(
                path=f"{ACTIONS_PATH}/claim",
                handler=self.claim,
                name="claimActions",
                summary="Lease actions to a worker",
                request=actions.ClaimBody,
                answer=actions.ClaimAnswer,
                refusals=REFUSALS,
                headers=auth.HEADERS,
            ),
            RawRoute(
                path=f"{ACTIONS_PATH}/{{action_id}}/result",
                handler=self.result,
                name="settleAction",
                summary="Take the result of a leased action",
                request=actions.ResultBody,
                answer=actions.ResultAnswer,
                refusals=(*REFUSALS, 404, 409),
                headers=auth.HEADERS,
            ),
        )

    def _own(self, schema: EventSchema, own: OwnEndpoint) -> RawRoute:
        """The endpoint that one kind of event has to itself."""
        decoder = _BODIES[schema.name]

        async def answer(scope: Scope, receive: Receive) -> EventAnswer[Any]:
            body, use = await self._signed(scope, receive, decoder, lambda it: own.message(it.delivery_id), _DELIVERY)
            return await self._take(schema, body, use=use)

        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            await self._answer(schema.name, answer, scope, receive, send)

        return RawRoute(
            path=f"{EVENTS_PATH}/{schema.name}",
            handler=endpoint,
            name=own.name,
            summary=own.summary,
            request=schema.body,
            answer=schema.answer,
            refusals=REFUSALS,
            headers=auth.HEADERS,
        )

    async def batch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer("events", self._batch, scope, receive, send)

    async def claim(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer("claim", self._claim, scope, receive, send)

    async def result(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer("result", self._result, scope, receive, send)

    async def _answer(self, endpoint: str, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        status = 200
        headers: tuple[tuple[bytes, bytes], ...] = ()
        value: Any
        if scope["method"] != "POST":
            status, value, headers = 405, error_body("METHOD_NOT_ALLOWED", "use POST"), ((b"allow", b"POST"),)
        else:
            try:
                value = await answer(scope, receive)
            except CentralbotError as exc:
                # Callers of a refused request learn nothing of why; the log does.
                status, value, headers = error_parts(auth.refused() if isinstance(exc, Forbidden) else exc)
                log.info("request.refused", endpoint=endpoint, status=status, code=exc.code, why=exc.message)
            except ClientGone:
                return
            except Exception:
                log.exception("request.failed", endpoint=endpoint)
                status, value = 500, error_body("INTERNAL", "an unexpected error; it is in the log")
        if status == 413:
            await send_and_linger(send, receive, status, value, headers=headers)
        else:
            await send_json(send, status, value, headers=headers)
        self.metrics.count(self.metrics.requests, endpoint, str(status))
        if endpoint != "claim":
            self.metrics.took(endpoint, perf_counter() - started)

    async def _signed(
        self,
        scope: Scope,
        receive: Receive,
        decoder: msgspec.json.Decoder[B],
        message: Callable[[Any], str],
        named: msgspec.json.Decoder[Any],
        *,
        bound: bool = False,
    ) -> tuple[B, SignatureUse]:
        """The body and its signature's use. ``message`` is what is signed, of what ``named`` reads and ``decoder`` too.

        What is wrong with a body is told to its signer, wherever it still says what was signed. ``bound``: only a
        signature that binds the body will do.
        """
        given = await auth.credentials(scope, self.keys, self.clock)
        if bound and given.nonce is None:
            raise auth.refused()
        raw = await read_body(scope, receive, limit=MIB)
        try:
            body = decode(decoder, raw)
        except ValidationError:
            with suppress(ValidationError):
                auth.verify(given, message(decode(named, raw)), raw)
            raise
        return body, auth.verify(given, message(body), raw)

    async def _take(self, schema: EventSchema, body: EventBody[Any], *, use: SignatureUse | None) -> EventAnswer[Any]:
        event: Event[Any] = body.event()
        outcome = await self.ingest.take(event, use=use)
        status = outcome.status.value
        self.metrics.delivery(event.event_name, event.action, status)
        log.info(
            "delivery.taken",
            delivery_id=event.delivery_id,
            github_event=event.event_name,
            action=event.action,
            installation_id=event.installation_id,
            **event.told,
            status=status,
            reason=str(outcome.reason),
            **outcome.told,
        )
        return schema.answer.of(outcome)

    async def _batch(self, scope: Scope, receive: Receive) -> batches.Results[Any]:
        batch, use = await self._signed(
            scope, receive, _EVENTS, lambda it: signing.events_message(len(it.events)), _SIGNED_EVENTS, bound=True
        )
        await self.ingest.admit(use)
        results: list[Any] = []
        for is_alone, run in groupby(map(_read, batch.events), key=_is_alone):
            if is_alone:
                results += [await self._one(it) for it in run]
            else:
                results += await asyncio.gather(*(self._one(it) for it in run))
        return batches.Results(results)

    async def _one(self, read: _Read) -> Any:
        """An event of a batch, answered as by its own endpoint, whatever happens."""
        try:
            if isinstance(read, ValidationError):
                raise read
            return await self._take(*read, use=None)
        except CentralbotError as exc:
            log.info("event.refused", code=exc.code, why=exc.message)
            return error_body(exc.code, exc.message)
        except Exception:
            log.exception("event.failed")
            return error_body("INTERNAL", "an unexpected error; it is in the log")

    async def _claim(self, scope: Scope, receive: Receive) -> actions.ClaimAnswer:
        body, use = await self._signed(
            scope, receive, _CLAIM, lambda it: signing.claim_message(it.worker_id), _SIGNED_CLAIM
        )
        leased = await self._claim_within(actions.claim_request(body), use, body.wait_s, receive)
        for action in leased:
            self.metrics.count(self.metrics.claimed, action.action_type.value)
        return actions.ClaimAnswer([actions.wire_action(action) for action in leased])

    async def _claim_within(
        self, request: ClaimRequest, use: SignatureUse, wait_s: float, receive: Receive
    ) -> list[Action]:
        """Claim now, or as soon as there is something within ``wait_s``. Nothing is leased to a client that left."""
        leased = await self.outbox.claim(request, use=use)
        if leased or wait_s <= 0:
            return list(leased)
        until = self.clock.monotonic_s() + wait_s
        gone = asyncio.ensure_future(receive())
        try:
            while (left := until - self.clock.monotonic_s()) > 0 and not gone.done() and not self.stopping.is_set():
                await self.outbox.wait(left)
                leased = await self.outbox.claim(request)
                if leased:
                    break
            if gone.done():
                await self._give_back(leased, request.worker_id)
                raise ClientGone
            return list(leased)
        finally:
            gone.cancel()

    async def _give_back(self, leased: Sequence[Action], worker_id: str) -> None:
        for action in leased:
            settlement = Settlement(
                action_id=action.id, worker_id=worker_id, outcome=Outcome.RELEASED, claim_token=action.claim_token
            )
            await self.outbox.settle(settlement)

    async def _result(self, scope: Scope, receive: Receive) -> actions.ResultAnswer:
        named = str(scope["path_params"]["action_id"])
        body, use = await self._signed(
            scope,
            receive,
            _RESULT,
            lambda it: signing.result_message(named, it.worker_id, it.outcome.value),
            _SIGNED_RESULT,
        )
        try:
            action_id = UUID(named)
        except ValueError:
            raise NotFound("there is no such action") from None
        status: ActionStatus = await self.outbox.settle(actions.settlement(action_id, body), use=use)
        self.metrics.count(self.metrics.results, body.outcome.value, status.value)
        log.info(
            "action.settled",
            action_id=named,
            worker_id=body.worker_id,
            outcome=body.outcome.value,
            status=status.value,
            failure_code=body.failure_code,
        )
        return actions.ResultAnswer(action_id, status)


_SCHEMAS = {schema.name: schema for schema in EVENTS}
_Read = tuple[EventSchema, EventBody[Any]] | ValidationError


def _read(raw: msgspec.Raw) -> _Read:
    """An event of a batch, or what is wrong with it."""
    try:
        text = bytes(raw)
        name = decode(_EVENT_HEAD, text).event
        if name not in _SCHEMAS:
            raise ValidationError(f"event: expected one of {', '.join(sorted(_SCHEMAS))}")
        return _SCHEMAS[name], decode(_BODIES[name], text)
    except ValidationError as exc:
        return exc


def _is_alone(read: _Read) -> bool:
    """Whether what stands before it in a batch has to be done, and what stands after it to wait.

    What an installation has decides what becomes of everything in it.
    """
    return not isinstance(read, ValidationError) and read[0].event is InstallationEvent
