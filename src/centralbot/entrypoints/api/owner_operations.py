"""The owner API for OpenAPI."""

from __future__ import annotations

from typing import Any

from centralbot.domain.challenge import ChallengeStatus
from centralbot.entrypoints.api import owner_wire as wire
from centralbot.entrypoints.api.operations import Operation, Parameter, path_id, path_uuid, query

SECURITY = ("session", "token")
_REPO = path_id("repo_id", "GitHub's id of the repository")
_CHALLENGE = path_uuid("challenge_id", "the challenge")
_CURSOR = query("cursor", "next_cursor of the page before", format="uuid")
_ASKED = (400, 401, 403, 429, 503)
_OF_REPO = (400, 401, 403, 404, 429, 503)


def _operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answer: Any,
    *parameters: Parameter,
    refusals: tuple[int, ...] | None = None,
    **more: Any,
) -> Operation:
    return Operation(
        method=method,
        path=f"/api/v1/{path}",
        name=name,
        summary=summary,
        tag="owner",
        answer=answer,
        parameters=parameters,
        refusals=refusals or (_OF_REPO if parameters else _ASKED),
        security=SECURITY,
        **more,
    )


def _override(word: str, name: str, summary: str, **more: Any) -> Operation:
    path = f"challenges/{{challenge_id}}/{word}"
    refusals = (400, 401, 403, 404, 409, 413, 429, 503)
    return _operation("post", path, name, summary, wire.WireChallenge, _CHALLENGE, refusals=refusals, **more)


_BODY = (*_OF_REPO, 413)
OWNER: tuple[Operation, ...] = (
    _operation("get", "me", "whoAmI", "Who is signed in", wire.MeAnswer),
    _operation(
        "get", "repos", "listRepositories", "The caller's repositories where the App is installed",
        wire.RepositoriesAnswer,
    ),
    _operation(
        "get", "repos/{repo_id}/github-app-status", "getAppStatus", "Whether the App is installed there",
        wire.AppStatusAnswer, _REPO,
    ),
    _operation(
        "get", "repos/{repo_id}/config", "getConfig", "The configuration in force", wire.ConfigAnswer, _REPO
    ),
    _operation(
        "put", "repos/{repo_id}/config", "putConfig", "Set the configuration, for new challenges",
        wire.ConfigAnswer, _REPO, request=wire.ConfigBody, refusals=_BODY,
    ),
    _operation(
        "get", "repos/{repo_id}/whitelist", "getWhitelist", "Whom the repository lets through",
        wire.WhitelistAnswer, _REPO,
    ),
    _operation(
        "put", "repos/{repo_id}/whitelist", "putWhitelist", "Replace the whole whitelist",
        wire.WhitelistAnswer, _REPO, request=wire.WhitelistBody, refusals=_BODY,
    ),
    _operation(
        "delete", "repos/{repo_id}/whitelist/{github_user_id}", "removeFromWhitelist", "Let somebody through no longer",
        None, _REPO, path_id("github_user_id", "GitHub's id of the account"), status=204,
    ),
    _operation(
        "post", "repos/{repo_id}/whitelist/resolve-logins", "resolveLogins", "The accounts of these logins",
        wire.LoginsAnswer, _REPO, request=wire.LoginsBody, refusals=_BODY,
    ),
    _operation(
        "get", "repos/{repo_id}/challenges", "listChallenges", "A repository's challenges, newest first, 50 a page",
        wire.ChallengesAnswer, _REPO, _CURSOR,
        query("status", "only those in this status", enum=[status.value for status in ChallengeStatus]),
    ),
    _operation(
        "get", "repos/{repo_id}/audit", "listAudit", "What happened there, and who did it", wire.AuditAnswer,
        _REPO, _CURSOR,
    ),
    _override("exempt", "exemptChallenge", "Let the author in"),
    _override(
        "extend", "extendChallenge", "Give more time; by default as much as the repository gives anybody",
        request=wire.ExtendBody, request_required=False,
    ),
    _override("cancel", "cancelChallenge", "Call the check off"),
)  # fmt: skip
