"""Pull requests and the bot's own comments on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from centralbot.adapters.github import requests
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.schemas import App, Comment, IdOnly, ListedPull, Pull, Written, decode
from centralbot.adapters.github.tokens import SingleFlight
from centralbot.domain.comments import marker_line
from centralbot.ports.github import (
    GitHubRefused,
    GitHubUnavailable,
    OpenPullRequest,
    PullRequestRef,
    PullRequestState,
    Ready,
    RepositoryName,
    always,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """The App's id and the id of its bot user, ``slug[bot]``; None where GitHub does not show that user."""

    app_id: int
    bot_user_id: int | None

    def wrote(self, comment: Comment) -> bool:
        """Whether our App wrote it: as its bot user and, where GitHub tells the App, through ours.

        The user alone would do; the App alone would not, because a person who signed in through our App can also
        write through it.
        """
        via = comment.performed_via_github_app
        if comment.user is None or (via is not None and via.id != self.app_id):
            return False
        if self.bot_user_id is not None:
            return comment.user.id == self.bot_user_id
        return comment.user.type == "Bot" and via is not None


class OurIdentity:
    """Looks the identity up when it is first needed, and keeps it for the life of the process."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._known: BotIdentity | None = None
        self._asking: SingleFlight[None, BotIdentity] = SingleFlight()

    async def get(self, installation_id: int) -> BotIdentity:
        """Two requests the first time, none later. The bot user is asked for as ``installation_id``."""
        if self._known is None:
            self._known = await self._asking.run(None, lambda: self._ask(installation_id))
        return self._known

    async def aclose(self) -> None:
        await self._asking.aclose()

    async def _ask(self, installation_id: int) -> BotIdentity:
        app = decode(await self._client.as_app(requests.get_app()), App)
        if app.slug is None:
            return BotIdentity(app_id=app.id, bot_user_id=None)
        try:
            user = await self._client.as_installation(installation_id, requests.get_user(f"{app.slug}[bot]"))
        except GitHubRefused as refused:
            if refused.status != 404:  # this installation's own affair: not to be kept for all of them
                raise
            return BotIdentity(app_id=app.id, bot_user_id=None)
        return BotIdentity(app_id=app.id, bot_user_id=decode(user, IdOnly).id)


class GitHubComments:
    """Posts blind when told to, and otherwise looks for its own words first."""

    def __init__(self, client: GitHubClient, identity: OurIdentity) -> None:
        self._client = client
        self._identity = identity

    async def create(self, ref: PullRequestRef, body: str, *, ready: Ready = always) -> int:
        request = requests.create_comment(ref, body)
        return decode(await self._client.as_installation(ref.installation_id, request, ready=ready), IdOnly).id

    async def find_own(self, ref: PullRequestRef, marker: str, *, comment_id: int | None = None) -> int | None:
        us = await self._identity.get(ref.installation_id)
        if comment_id is not None:
            known = await self._get(ref, comment_id)
            on_this_pr = known is not None and known.issue_url.endswith(f"/issues/{ref.number}")
            if known is not None and on_this_pr and _carries(known, marker, us):
                return known.id
        send = partial(self._client.as_installation, ref.installation_id)
        async with aclosing(self._client.pages(send, requests.list_comments(ref))) as pages:
            async for page in pages:
                for comment in decode(page, list[Comment]):
                    if _carries(comment, marker, us):
                        return comment.id
        return None

    async def update(self, ref: PullRequestRef, comment_id: int, body: str, *, ready: Ready = always) -> bool:
        request = requests.update_comment(ref, comment_id, body)
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
            response = await self._client.as_installation(ref.installation_id, requests.get_comment(ref, comment_id))
        except GitHubRefused as refused:
            if refused.status not in {404, 410}:
                raise
            return None
        return decode(response, Comment)


def _carries(comment: Comment, marker: str, us: BotIdentity) -> bool:
    return us.wrote(comment) and marker_line(marker) in (comment.body or "")


class GitHubPullRequests:
    """Reads and changes pull requests: one request each, unless a name is stale or GitHub contradicts itself."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def get(self, ref: PullRequestRef) -> PullRequestState:
        pull = await self._read(ref)
        if pull.base.repo.id != ref.repo_id:
            # The name now belongs to another repository: renamed, and the old name taken again.
            self._client.name_is_stale(ref.repo_id)
            pull = await self._read(replace(ref, repo_full_name=""))
        return pull.to_port()

    async def close(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        try:
            await self._set_state(ref, "closed", ready)
        except GitHubRefused as refused:
            # A pull request merged a moment ago answers 422: what we wanted is so, if by another hand.
            if refused.status != 422 or (await self.get(ref)).is_open:
                raise

    async def reopen(self, ref: PullRequestRef, *, ready: Ready = always) -> None:
        try:
            await self._set_state(ref, "open", ready)
        except GitHubRefused as refused:
            if refused.status != 422:
                raise
            raise GitHubRefused(refused.message, reason="CANNOT_REOPEN", status=422) from refused

    async def _set_state(self, ref: PullRequestRef, state: str, ready: Ready) -> None:
        request = requests.set_pull_state(ref, state)
        answer = await self._client.as_installation(ref.installation_id, request, ready=ready)
        if decode(answer, Written).state not in {state, None}:
            message = f"GitHub answers HTTP {answer.status}, but the pull request is not {state}"
            raise GitHubUnavailable(message, reason="BAD_ANSWER", status=answer.status)

    async def _read(self, ref: PullRequestRef) -> Pull:
        return decode(await self._client.as_installation(ref.installation_id, requests.get_pull(ref)), Pull)


class GitHubOpenPullRequests:
    """Lists as the installation: one request for each hundred, and none for what is too old."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def list_open(
        self, installation_id: int, repository: RepositoryName, *, since: datetime
    ) -> Sequence[OpenPullRequest]:
        found = await self._read(installation_id, repository, since)
        if any(pull.base.repo.id != repository.id for pull in found):
            # The name now belongs to another repository: renamed, and the old name taken again.
            self._client.name_is_stale(repository.id)
            found = await self._read(installation_id, repository, since)
        # One that is opened while the pages are read pushes another to the next page, where it comes again.
        return list({pull.number: pull.to_port() for pull in found}.values())

    async def _read(self, installation_id: int, repository: RepositoryName, since: datetime) -> list[ListedPull]:
        found: list[ListedPull] = []
        send = partial(self._client.as_installation, installation_id)
        async with aclosing(self._client.pages(send, requests.list_open_pulls(repository))) as pages:
            async for page in pages:
                pulls = decode(page, list[ListedPull])
                found += pulls
                if any(pull.created_at < since for pull in pulls):
                    break
        return found
