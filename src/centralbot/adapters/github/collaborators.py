"""What people may do in a repository."""

from __future__ import annotations

from centralbot.adapters.github import requests
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.schemas import CollaboratorPermission, decode
from centralbot.ports.github import AuthorPermission, GitHubRefused, GitHubUnavailable, PullRequestRef


class GitHubCollaborators:
    """Asks as the installation, every time: a permission that was kept could have been taken away."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def permission(self, ref: PullRequestRef, login: str) -> AuthorPermission:
        if not login.strip("."):  # empty, "." and "..", which no encoding keeps from changing the path
            raise GitHubRefused(f"{login!r} is not a login", reason="NOT_FOUND", status=404)
        try:
            answer = await self._client.as_installation(ref.installation_id, requests.get_permission(ref, login))
        except GitHubRefused as exc:
            if exc.status != 404:
                raise
            by_name = requests.get_permission_by_name(ref, login)
            answer = await self._client.as_installation(ref.installation_id, by_name)
        told = decode(answer, CollaboratorPermission)
        permission = told.to_port()
        if permission is None:
            message = f"GitHub answers with a permission that we do not know: {told.permission[:40]!r}"
            raise GitHubUnavailable(message, reason="BAD_ANSWER", status=answer.status)
        return permission
