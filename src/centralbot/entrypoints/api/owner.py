"""The owner API (contract section 5): JSON for the caller's own repositories and their challenges."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Router, delete, get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody

from centralbot.domain.challenge import ChallengeStatus
from centralbot.entrypoints.api import owner_schemas as schemas
from centralbot.entrypoints.api.config_schemas import ConfigAnswer, ConfigBody, config_answer, config_of
from centralbot.entrypoints.decoding import StrictBody
from centralbot.entrypoints.guard import CallersRequest, Guard
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.openapi import SIGNED_IN, OptionalBody, refusals
from centralbot.entrypoints.parameters import (
    PAGE_START,
    PATH_DECODERS,
    STATUS_FILTER,
    ChallengeId,
    GitHubUserId,
    RepoId,
)
from centralbot.ports.use_cases.owner_challenges import OwnerServices

EVERYWHERE = (400, 401, 403, 429, 503)
OF_REPOSITORY = refusals(*EVERYWHERE, 404)
WITH_BODY = refusals(*EVERYWHERE, 404, 413)
AS_USUAL = schemas.ExtendBody()
OF_CHALLENGE = refusals(*EVERYWHERE, 404, 409, 413)


def owner_api(guard: Guard, services: OwnerServices) -> Router:
    """The routes, for those who are signed in. What they raise becomes the contract's envelope."""
    return Router(
        path="/api/v1",
        route_handlers=[*_repositories(services), *_whitelist(services), *_challenges(services)],
        guards=[guard.require_caller],
        dto=StrictBody,
        return_dto=None,
        type_decoders=PATH_DECODERS,
        dependencies={"before": PAGE_START, "only": STATUS_FILTER},
        request_max_body_size=MIB,
        cache_control=CacheControlHeader(no_store=True),
        tags=["owner"],
        security=SIGNED_IN,
    )


def _repositories(services: OwnerServices) -> list[Any]:
    owner = services.owner

    @get("/me", operation_id="whoAmI", summary="Who is signed in", responses=refusals(*EVERYWHERE))
    async def me(request: CallersRequest) -> schemas.MeAnswer:
        caller = request.user
        via = "bearer" if caller.session_id is None else "session"
        return schemas.MeAnswer(caller.user.id, caller.user.login, via)

    @get(
        "/repos",
        operation_id="listRepositories",
        summary="The caller's repositories where the App is installed",
        responses=refusals(*EVERYWHERE),
    )
    async def repositories(request: CallersRequest) -> schemas.RepositoriesAnswer:
        return schemas.repositories_answer(await owner.repositories(request.user))

    @get(
        "/repos/{repo_id:str}/github-app-status",
        operation_id="getAppStatus",
        summary="Whether the App is installed there",
        responses=OF_REPOSITORY,
    )
    async def app_status(request: CallersRequest, repo_id: RepoId) -> schemas.AppStatusAnswer:
        return schemas.app_status_answer((await owner.repository(request.user, repo_id)).status)

    @get(
        "/repos/{repo_id:str}/config",
        operation_id="getConfig",
        summary="The configuration in force",
        responses=OF_REPOSITORY,
    )
    async def get_config(request: CallersRequest, repo_id: RepoId) -> ConfigAnswer:
        return config_answer((await owner.repository(request.user, repo_id)).config)

    @put(
        "/repos/{repo_id:str}/config",
        operation_id="putConfig",
        summary="Set the configuration, for new challenges",
        responses=WITH_BODY,
    )
    async def put_config(request: CallersRequest, repo_id: RepoId, data: JSONBody[ConfigBody]) -> ConfigAnswer:
        kept = (await owner.repository(request.user, repo_id)).config
        config = await owner.configure(request.user, repo_id, config_of(data, kept))
        return config_answer(config)

    @get(
        "/repos/{repo_id:str}/audit",
        operation_id="listAudit",
        summary="What happened there, and who did it",
        responses=OF_REPOSITORY,
    )
    async def audit(
        request: CallersRequest, repo_id: RepoId, before: NamedDependency[UUID | None]
    ) -> schemas.AuditAnswer:
        return schemas.audit_answer(await owner.audit(request.user, repo_id, before=before))

    return [me, repositories, app_status, get_config, put_config, audit]


def _whitelist(services: OwnerServices) -> list[Any]:
    whitelist = services.whitelist

    @get(
        "/repos/{repo_id:str}/whitelist",
        operation_id="getWhitelist",
        summary="The accounts that are exempt in the repository",
        responses=OF_REPOSITORY,
    )
    async def entries(request: CallersRequest, repo_id: RepoId) -> schemas.WhitelistAnswer:
        return schemas.whitelist_answer(await whitelist.entries(request.user, repo_id))

    @put(
        "/repos/{repo_id:str}/whitelist",
        operation_id="putWhitelist",
        summary="Replace the whole whitelist",
        responses=WITH_BODY,
    )
    async def replace(
        request: CallersRequest, repo_id: RepoId, data: JSONBody[schemas.WhitelistBody]
    ) -> schemas.WhitelistAnswer:
        return schemas.whitelist_answer(await whitelist.replace(request.user, repo_id, schemas.users(data)))

    @delete(
        "/repos/{repo_id:str}/whitelist/{github_user_id:str}",
        operation_id="removeFromWhitelist",
        summary="Remove an account from the whitelist",
        responses=OF_REPOSITORY,
    )
    async def remove(request: CallersRequest, repo_id: RepoId, github_user_id: GitHubUserId) -> None:
        await whitelist.remove(request.user, repo_id, github_user_id)

    @post(
        "/repos/{repo_id:str}/whitelist/resolve-logins",
        operation_id="resolveLogins",
        summary="The accounts of these logins",
        status_code=200,
        responses=WITH_BODY,
    )
    async def resolve(
        request: CallersRequest, repo_id: RepoId, data: JSONBody[schemas.LoginsBody]
    ) -> schemas.LoginsAnswer:
        return schemas.logins_answer(await whitelist.resolve(request.user, repo_id, data.logins))

    return [entries, replace, remove, resolve]


def _challenges(services: OwnerServices) -> list[Any]:
    challenges = services.challenges

    @get(
        "/repos/{repo_id:str}/challenges",
        operation_id="listChallenges",
        summary="A repository's challenges, newest first, 50 a page",
        responses=OF_REPOSITORY,
    )
    async def of_repository(
        request: CallersRequest,
        repo_id: RepoId,
        before: NamedDependency[UUID | None],
        only: NamedDependency[ChallengeStatus | None],
    ) -> schemas.ChallengesAnswer:
        page = await challenges.of_repository(request.user, repo_id, status=only, before=before)
        return schemas.challenges_answer(page)

    @post(
        "/challenges/{challenge_id:str}/exempt",
        operation_id="exemptChallenge",
        summary="Exempt the author",
        status_code=200,
        responses=OF_CHALLENGE,
    )
    async def exempt(request: CallersRequest, challenge_id: ChallengeId) -> schemas.WireChallenge:
        return schemas.challenge_answer(await challenges.exempt(request.user, challenge_id))

    @post(
        "/challenges/{challenge_id:str}/extend",
        operation_id="extendChallenge",
        summary="Give more time; by default as much as the repository gives everybody",
        status_code=200,
        responses=OF_CHALLENGE,
        operation_class=OptionalBody,
    )
    async def extend(
        request: CallersRequest, challenge_id: ChallengeId, data: JSONBody[schemas.ExtendBody] = AS_USUAL
    ) -> schemas.WireChallenge:
        return schemas.challenge_answer(await challenges.extend(request.user, challenge_id, by_s=data.by_s))

    @post(
        "/challenges/{challenge_id:str}/cancel",
        operation_id="cancelChallenge",
        summary="Cancel the check",
        status_code=200,
        responses=OF_CHALLENGE,
    )
    async def cancel(request: CallersRequest, challenge_id: ChallengeId) -> schemas.WireChallenge:
        return schemas.challenge_answer(await challenges.cancel(request.user, challenge_id))

    return [of_repository, exempt, extend, cancel]
