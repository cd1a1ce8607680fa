"""The contributor's door as JSON (contract §6): the same as the page behind the comment's link."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.datastructures import CacheControlHeader
from litestar.params import JSONBody, PathParameter

from centralbot.domain.errors import NotFound
from centralbot.entrypoints.decoding import StrictBody
from centralbot.entrypoints.guard import AnyonesRequest, Guard, RateLimiter
from centralbot.entrypoints.openapi import SIGNED_IN, OptionalBody, refusals
from centralbot.ports.use_cases.verification import GateView, VerificationService
from centralbot.ports.verifier import Step

MAX_PROOFS_BYTES = 128 * 1024
GateToken = Annotated[str, PathParameter(description="the last part of the link in the bot's comment")]


class GatePullRequest(msgspec.Struct, kw_only=True):
    number: int
    url: str


class GateField(msgspec.Struct, kw_only=True):
    """One input of a proof: send it as ``proofs.<kind>.<name>``; a check box with this ``value``."""

    name: str
    label: str
    type: str
    value: str


class GateStep(msgspec.Struct, kw_only=True):
    """One proof that is asked, ``done`` when nothing is left to do for it. ``parameters`` are the kind's own."""

    kind: str
    title: str
    text: str
    quote: str
    done: bool
    fields: list[GateField]
    parameters: dict[str, Any]


class GateAnswer(msgspec.Struct, kw_only=True):
    """One challenge, as the caller sees it. ``deadline_at`` is null until the comment is known to be posted."""

    status: str
    reason: str | None
    repository: str
    pull_request: GatePullRequest
    author_login: str
    signed_in_as: str | None
    is_author: bool
    can_verify: bool
    steps: list[GateStep]
    deadline_at: datetime | None
    window_s: int
    now: datetime


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Proofs by kind, each with its fields. A challenge that is verified already needs none."""

    proofs: dict[str, dict[str, Any]] = {}


class VerifyAnswer(msgspec.Struct, kw_only=True):
    status: str


NOTHING = VerifyRequest()


def gate_api(guard: Guard, verification: VerificationService, limiter: RateLimiter) -> Router:
    """The two routes; what they raise becomes the contract's envelope."""

    @get(
        "/",
        operation_id="lookAtGate",
        summary="One challenge as the caller sees it: what is asked, until when",
        responses=refusals(400, 401, 404, 429, 503),
    )
    async def look(request: AnyonesRequest, gate_token: GateToken) -> GateAnswer:
        with limiter.counting(request, NotFound):
            return answer(await verification.look(gate_token, request.user))

    @post(
        "/verify",
        operation_id="verifyAtGate",
        summary="Show the proofs, as the pull request's author; verified already is the same answer",
        status_code=200,
        responses=refusals(400, 401, 403, 404, 409, 413, 429, 503),
        operation_class=OptionalBody,
        security=SIGNED_IN,
    )
    async def verify(
        request: AnyonesRequest, gate_token: GateToken, data: JSONBody[VerifyRequest] = NOTHING
    ) -> VerifyAnswer:
        with limiter.counting(request, NotFound):
            challenge = await verification.verify(gate_token, request.user, data.proofs)
        return VerifyAnswer(status=challenge.status.value)

    return Router(
        path="/api/v1/gate/{gate_token:str}",
        route_handlers=[look, verify],
        guards=[limiter.check_caller, guard.find_caller],
        dto=StrictBody,
        return_dto=None,
        request_max_body_size=MAX_PROOFS_BYTES,
        cache_control=CacheControlHeader(no_store=True),
        tags=["contributor"],
    )


def answer(view: GateView) -> GateAnswer:
    """A view on the wire."""
    challenge = view.challenge
    return GateAnswer(
        status=challenge.status.value,
        reason=challenge.reason,
        repository=challenge.repo_full_name,
        pull_request=GatePullRequest(number=challenge.pr_number, url=challenge.html_url),
        author_login=challenge.author_login,
        signed_in_as=None if view.user is None else view.user.login,
        is_author=view.is_author,
        can_verify=view.is_open,
        steps=[_step(step) for step in view.steps],
        deadline_at=None if challenge.deadline_at is None else _second(challenge.deadline_at),
        window_s=challenge.window_s,
        now=_second(view.now),
    )


def _step(step: Step) -> GateStep:
    return GateStep(
        kind=step.kind,
        title=step.title,
        text=step.text,
        quote=step.quote,
        done=step.done,
        fields=[GateField(name=it.name, label=it.label, type=it.type, value=it.value) for it in step.fields],
        parameters=dict(step.parameters),
    )


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
