"""The owner API (contract section 5): JSON for the caller's own repositories and their challenges."""

from __future__ import annotations

import re
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import MediaType, Response, delete, get, post, put
from litestar.params import FromPath

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import NotFound, ValidationError
from centralbot.entrypoints.api import owner_wire as wire
from centralbot.entrypoints.decoding import decode
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.web.guard import AnyRequest, Guard
from centralbot.ports.use_cases.owner_challenges import OwnerServices
from centralbot.ports.use_cases.validation import MAX_ID

T = TypeVar("T")
REPO = "/api/v1/repos/{repo_id:str}"
CHALLENGE = "/api/v1/challenges/{challenge_id:str}"
NO_STORE = {"cache-control": "no-store"}
_NUMBER = re.compile(r"-?[0-9]+")
_ENCODER = msgspec.json.Encoder()
_CONFIG = msgspec.json.Decoder(wire.ConfigBody)
_WHITELIST = msgspec.json.Decoder(wire.WhitelistBody)
_LOGINS = msgspec.json.Decoder(wire.LoginsBody)
_EXTEND = msgspec.json.Decoder(wire.ExtendBody)


def owner_routes(guard: Guard, desks: OwnerServices) -> list[Any]:
    """The routes. What they raise becomes the contract's envelope; ``openapi`` describes them."""
    owner, whitelist, challenges = desks.owner, desks.whitelist, desks.challenges

    @get("/api/v1/me", include_in_schema=False)
    async def me(request: AnyRequest) -> Response[bytes]:
        caller = await guard.require(request)
        via = "bearer" if caller.session_id is None else "session"
        return _json(wire.MeAnswer(caller.user.id, caller.user.login, via))

    @get("/api/v1/repos", include_in_schema=False)
    async def repositories(request: AnyRequest) -> Response[bytes]:
        return _json(wire.repositories_answer(await owner.repositories(await guard.require(request))))

    @get(f"{REPO}/github-app-status", include_in_schema=False)
    async def app_status(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller = await guard.require(request)
        managed = await owner.repository(caller, github_id(repo_id, "repo_id"))
        return _json(wire.app_status_answer(managed.status))

    @get(f"{REPO}/config", include_in_schema=False)
    async def get_config(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller = await guard.require(request)
        managed = await owner.repository(caller, github_id(repo_id, "repo_id"))
        return _json(wire.config_answer(managed.config))

    @put(f"{REPO}/config", include_in_schema=False, request_max_body_size=MIB)
    async def put_config(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller, number = await guard.require(request), github_id(repo_id, "repo_id")
        kept = (await owner.repository(caller, number)).config
        config = wire.config_of(await _body(request, _CONFIG), kept)
        return _json(wire.config_answer(await owner.configure(caller, number, config)))

    @get(f"{REPO}/whitelist", include_in_schema=False)
    async def get_whitelist(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller = await guard.require(request)
        return _json(wire.whitelist_answer(await whitelist.entries(caller, github_id(repo_id, "repo_id"))))

    @put(f"{REPO}/whitelist", include_in_schema=False, request_max_body_size=MIB)
    async def put_whitelist(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller, number = await guard.require(request), github_id(repo_id, "repo_id")
        await owner.repository(caller, number)
        users = wire.users(await _body(request, _WHITELIST))
        return _json(wire.whitelist_answer(await whitelist.replace(caller, number, users)))

    @delete(f"{REPO}/whitelist/{{user_id:str}}", include_in_schema=False, status_code=204)
    async def remove(request: AnyRequest, repo_id: FromPath[str], user_id: FromPath[str]) -> None:
        caller = await guard.require(request)
        await whitelist.remove(caller, github_id(repo_id, "repo_id"), github_id(user_id, "github_user_id"))

    @post(f"{REPO}/whitelist/resolve-logins", include_in_schema=False, status_code=200, request_max_body_size=MIB)
    async def resolve(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller, number = await guard.require(request), github_id(repo_id, "repo_id")
        await owner.repository(caller, number)
        resolved = await whitelist.resolve(caller, number, (await _body(request, _LOGINS)).logins)
        return _json(wire.LoginsAnswer([wire.account(user) for user in resolved.found], list(resolved.unresolved)))

    @get(f"{REPO}/challenges", include_in_schema=False)
    async def list_challenges(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller, number = await guard.require(request), github_id(repo_id, "repo_id")
        status, before = challenge_status(_asked(request, "status")), cursor(_asked(request, "cursor"))
        return _json(
            wire.challenges_answer(await challenges.of_repository(caller, number, status=status, before=before))
        )

    @get(f"{REPO}/audit", include_in_schema=False)
    async def audit(request: AnyRequest, repo_id: FromPath[str]) -> Response[bytes]:
        caller, number = await guard.require(request), github_id(repo_id, "repo_id")
        page = await owner.audit(caller, number, before=cursor(_asked(request, "cursor")))
        return _json(wire.audit_answer(page))

    @post(f"{CHALLENGE}/exempt", include_in_schema=False, status_code=200)
    async def exempt(request: AnyRequest, challenge_id: FromPath[str]) -> Response[bytes]:
        caller = await guard.require(request)
        return _json(wire.challenge_answer(await challenges.exempt(caller, our_id(challenge_id))))

    @post(f"{CHALLENGE}/extend", include_in_schema=False, status_code=200, request_max_body_size=MIB)
    async def extend(request: AnyRequest, challenge_id: FromPath[str]) -> Response[bytes]:
        caller, ours = await guard.require(request), our_id(challenge_id)
        await challenges.find(caller, ours)
        by_s = (await _body(request, _EXTEND, default=wire.ExtendBody())).by_s
        return _json(wire.challenge_answer(await challenges.extend(caller, ours, by_s=by_s)))

    @post(f"{CHALLENGE}/cancel", include_in_schema=False, status_code=200)
    async def cancel(request: AnyRequest, challenge_id: FromPath[str]) -> Response[bytes]:
        caller = await guard.require(request)
        return _json(wire.challenge_answer(await challenges.cancel(caller, our_id(challenge_id))))

    return [
        me, repositories, app_status, get_config, put_config, get_whitelist, put_whitelist, remove, resolve,
        list_challenges, audit, exempt, extend, cancel,
    ]  # fmt: skip


def github_id(text: str, name: str) -> int:
    """An id of GitHub's in a path. Raises NotFound for what is no number, ValidationError out of range."""
    if not _NUMBER.fullmatch(text):
        raise NotFound("there is no such path")
    if len(text) > 20 or not 1 <= int(text) <= MAX_ID:
        raise ValidationError(f"{name}: expected an integer from 1 to 2^63 - 1")
    return int(text)


def our_id(text: str) -> UUID:
    """An id of ours in a path. Raises NotFound: no other text can be the id of anything."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("there is no such challenge") from None


def cursor(text: str | None) -> UUID | None:
    """Where a page begins. Raises ValidationError."""
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise ValidationError("cursor: not one that this list gave; leave it out to begin anew") from None


def challenge_status(text: str | None) -> ChallengeStatus | None:
    """A filter. Raises ValidationError."""
    try:
        return None if text is None else ChallengeStatus(text)
    except ValueError:
        raise ValidationError(f"status: expected one of {', '.join(ChallengeStatus)}") from None


def _asked(request: AnyRequest, name: str) -> str | None:
    found = request.query_params.getall(name, [])
    if len(found) > 1:
        raise ValidationError(f"{name}: given more than once")
    return str(found[0]) if found else None


async def _body(request: AnyRequest, decoder: msgspec.json.Decoder[T], *, default: T | None = None) -> T:
    raw = await request.body()
    return default if not raw and default is not None else decode(decoder, raw)


def _json(value: msgspec.Struct) -> Response[bytes]:
    return Response(_ENCODER.encode(value), media_type=MediaType.JSON, headers=NO_STORE)
