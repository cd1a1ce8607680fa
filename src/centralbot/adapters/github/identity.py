"""Who we are on GitHub, and so which comments are ours."""

from __future__ import annotations

from dataclasses import dataclass

from centralbot.adapters.github import operations
from centralbot.adapters.github.client import GitHubClient
from centralbot.adapters.github.shapes import App, Comment, IdOnly, decode
from centralbot.adapters.github.single_flight import SingleFlight
from centralbot.ports.driven.github import GitHubRefused


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
        app = decode(await self._client.as_app(operations.get_app()), App)
        if app.slug is None:
            return BotIdentity(app_id=app.id, bot_user_id=None)
        try:
            user = await self._client.as_installation(installation_id, operations.get_user(f"{app.slug}[bot]"))
        except GitHubRefused as refused:
            if refused.status != 404:  # this installation's own affair: not to be kept for all of them
                raise
            return BotIdentity(app_id=app.id, bot_user_id=None)
        return BotIdentity(app_id=app.id, bot_user_id=decode(user, IdOnly).id)
