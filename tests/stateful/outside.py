"""What happens outside: people on a pull request, the App on its repository, and the webhooks that tell of it."""

from __future__ import annotations

from typing import Any

from centralbot.domain.events import Actor, InstallationEvent, PullRequestEvent
from tests.builders import AUTHOR, INSTALLATION, MAINTAINER, REPO, a_pull_request_event, an_installation_event, at
from tests.contracts.driver import UnderTest
from tests.doubles.memory.github import MemoryGitHub, MemoryPullRequest

LABEL = "centralbot:exempt"
NUMBER = 42


class Outside:
    """One pull request in one repository. Every public coroutine is a step that may come at any time."""

    def __init__(self, under: UnderTest) -> None:
        self.under = under
        self.seconds = 0
        self.github = MemoryGitHub(lambda: at(self.seconds))
        self.repo = self.github.add_repository(REPO, f"org/repo-{REPO}", installation_id=INSTALLATION)
        self.installation = INSTALLATION
        self.suspended = self.labeled = self.closed_by_bot = self.left = False
        self.events: list[PullRequestEvent | InstallationEvent] = []
        self.told: list[PullRequestEvent | InstallationEvent] = []

    @property
    def pull(self) -> MemoryPullRequest:
        return self.repo.pulls[NUMBER]

    # People on GitHub.

    def happens(self, action: str, sender: Actor, **fields: Any) -> None:
        """GitHub sends a webhook, unless the App is not there to hear it."""
        self.seconds += 1
        self.pull.updated_at = at(self.seconds)
        if self.suspended or self.repo.installation_id != self.installation:
            return
        fields |= {"is_draft": self.pull.draft, "installation_id": self.installation}
        fields["labels"] = (LABEL,) if self.labeled else ()
        self.events.append(a_pull_request_event(action, seconds=self.seconds, sender=sender, **fields))

    async def push(self) -> None:
        if self.pull.is_open:
            self.happens("synchronize", AUTHOR)

    async def close(self, who: Actor, *, merged: bool = False) -> None:
        if self.pull.is_open:
            self.pull.is_open, self.pull.merged, self.closed_by_bot = False, merged, False
            self.happens("closed", who, merged=merged)

    async def reopen(self, who: Actor) -> None:
        if not self.pull.is_open and not self.pull.merged:
            self.pull.is_open, self.closed_by_bot = True, False
            self.happens("reopened", who)

    async def label(self) -> None:
        self.labeled = True
        self.happens("labeled", MAINTAINER, label=LABEL)

    async def draft_or_ready(self) -> None:
        if self.pull.is_open:
            self.pull.draft = not self.pull.draft
            self.happens("converted_to_draft" if self.pull.draft else "ready_for_review", AUTHOR)

    # Webhooks, late and twice.

    async def deliver(self, which: int) -> None:
        if self.events:
            await self.take(self.events.pop(min(which, len(self.events) - 1)))

    async def deliver_all(self) -> None:
        while self.events:
            await self.take(self.events.pop(0))

    async def redeliver(self, which: int) -> None:
        if self.told:
            await self.take(self.told[which % len(self.told)])

    async def take(self, event: PullRequestEvent | InstallationEvent) -> None:
        self.told.append(event)
        if isinstance(event, PullRequestEvent):
            await self.under.take(event)
        else:
            await self.under.install(event)

    # The App and its owners.

    def install(self, action: str, *repos: int, **fields: Any) -> None:
        self.seconds += 1
        fields.setdefault("installation_id", self.installation)
        self.events.append(an_installation_event(action, *repos, seconds=self.seconds, **fields))

    async def suspend_or_unsuspend(self) -> None:
        self.suspended = not self.suspended
        self.github.suspend(self.installation, suspended=self.suspended)
        self.install("suspend" if self.suspended else "unsuspend")

    async def remove_or_add(self) -> None:
        self.left = True
        if self.repo.installation_id == self.installation:
            self.repo.installation_id = 0
            self.install("removed", removed=(REPO,))
        else:
            self.repo.installation_id = self.installation
            self.install("added", added=(REPO,))

    async def reinstall(self) -> None:
        """Under a new id, as GitHub does."""
        self.left = True
        self.github.uninstall(self.installation)
        self.install("deleted")
        self.suspended = False
        self.installation = self.repo.installation_id = self.github.install(self.installation + 1)
        self.install("created", REPO)
