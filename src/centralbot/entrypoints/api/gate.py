"""The contributor's door as JSON (contract §6): the same as the page behind the comment's link."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from centralbot.domain.errors import NotFound
from centralbot.entrypoints.decoding import decode
from centralbot.entrypoints.web.guard import MAX_FORM_BYTES, AnyRequest, Guard, RateLimiter, client_of
from centralbot.ports.use_cases.verification import GateView, VerificationService
from centralbot.ports.verifier import Step

NO_STORE = {"cache-control": "no-store"}


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


class VerifyRequest(msgspec.Struct, kw_only=True):
    """Proofs by kind, each with its fields. A challenge that is verified already needs none."""

    proofs: dict[str, dict[str, Any]] = {}


class VerifyAnswer(msgspec.Struct, kw_only=True):
    status: str


_VERIFY = msgspec.json.Decoder(VerifyRequest)
_ENCODER = msgspec.json.Encoder()


def gate_api_routes(guard: Guard, keeper: VerificationService, guesses: RateLimiter) -> list[Any]:
    """The two routes; errors are the contract's envelope."""

    @get("/api/v1/gate/{gate_token:str}", include_in_schema=False)
    async def look(request: AnyRequest, gate_token: FromPath[str]) -> Response[bytes]:
        client = client_of(request)
        guesses.check(client)
        caller = await guard.find(request)
        try:
            view = await keeper.look(gate_token, caller)
        except NotFound:
            guesses.missed(client)
            raise
        return _json(answer(view))

    @post("/api/v1/gate/{gate_token:str}/verify", include_in_schema=False, request_max_body_size=MAX_FORM_BYTES)
    async def verify(request: AnyRequest, gate_token: FromPath[str]) -> Response[bytes]:
        client = client_of(request)
        guesses.check(client)
        caller = await guard.find(request)
        body = await request.body()
        given = decode(_VERIFY, body).proofs if body.strip() else {}
        try:
            challenge = await keeper.verify(gate_token, caller, given)
        except NotFound:
            guesses.missed(client)
            raise
        return _json(VerifyAnswer(status=challenge.status.value))

    return [look, verify]


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


def _json(value: msgspec.Struct) -> Response[bytes]:
    return Response(_ENCODER.encode(value), status_code=200, media_type="application/json", headers=NO_STORE)
