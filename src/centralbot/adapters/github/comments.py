"""The port ``Comments`` over GitHub's REST API."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from centralbot.adapters.github import operations
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.identity import BotIdentity, OurIdentity
from centralbot.adapters.github.shapes import Comment, IdOnly, Written, decode
from centralbot.domain.comments import marker_line
from centralbot.ports.driven.github import GitHubRefused, PullRequestRef, Ready, always


class GitHubComments:
    """Posts blind when told to, and otherwise looks for its own words first."""

    def __init__(self, client: GitHubClient, identity: OurIdentity) -> None:
        self._client = client
        self._identity = identity

    async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
        request = operations.create_comment(ref, body)
        return decode(await self._client.as_installation(ref.installation_id, request, ready=ready), IdOnly).id

    async def find_own(self, ref: PullRequestRef, marker: str, *, comment_id: int | None = None) -> int | None:
        us = await self._identity.get(ref.installation_id)
        if comment_id is not None:
            known = await self._get(ref, comment_id)
            on_this_pr = known is not None and known.issue_url.endswith(f"/issues/{ref.number}")
            if known is not None and on_this_pr and _carries(known, marker, us):
                return known.id
        send = partial(self._client.as_installation, ref.installation_id)
        async with aclosing(self._client.pages(send, operations.list_comments(ref))) as pages:
            async for page in pages:
                for comment in decode(page, list[Comment]):
                    if _carries(comment, marker, us):
                        return comment.id
        return None

    async def update(self, ref: PullRequestRef, comment_id: int, body: str, *, ready: Ready = always) -> bool:
        request = operations.update_comment(ref, comment_id, body)
        try:
            response = await self._client.as_installation(ref.installation_id, request, ready=ready)
        except GitHubRefused as refused:
            if refused.status not in {404, 410}:
                raise
            return False
        decode(response, Written)  # a 200 of something else than GitHub is no success
        return True

    async def _get(self, ref: PullRequestRef, comment_id: int) -> Comment | None:
        try:
            response = await self._client.as_installation(ref.installation_id, operations.get_comment(ref, comment_id))
        except GitHubRefused as refused:
            if refused.status not in {404, 410}:
                raise
            return None
        return decode(response, Comment)


def _carries(comment: Comment, marker: str, us: BotIdentity) -> bool:
    return us.wrote(comment) and marker_line(marker) in (comment.body or "")
