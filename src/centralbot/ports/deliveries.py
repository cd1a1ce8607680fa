"""The store as ingest needs it: one delivery, one effect, decided under lock by a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from centralbot.domain.dedup import SignatureUse
from centralbot.domain.errors import Forbidden
from centralbot.domain.events import InstallationEvent, InstallationOutcome, PullRequestActivity, PullRequestOutcome
from centralbot.domain.gating import Decision, GateFacts
from centralbot.domain.installation import InstallationEffects, InstallationFacts

DecidePullRequest = Callable[[GateFacts], Decision]
DecideInstallation = Callable[[InstallationFacts], InstallationEffects]


class SignatureReplayed(Forbidden):
    """The signature was used before. Nothing has changed."""


class Deliveries(Protocol):
    """Takes deliveries of GitHub, each once.

    For both that take: signature record, dedup record, decision, challenge, actions and audit commit together or not at
    all. Whoever got an answer may rely on the commit. A delivery whose transaction failed was not taken: sent again, it
    is processed. ``decide`` must be pure: it is called again when a transaction is retried, and the facts of its last
    call are those that were committed; facts of one pull request (of one installation) do not change in between.
    ``use`` is the request's signature, or None for a caller inside the process.

    Raises SignatureReplayed, and Unavailable when the store cannot answer.
    """

    async def admit(self, use: SignatureUse) -> None:
        """Record the signature of a request whose deliveries are taken each on its own, without it."""
        ...

    async def take_pull_request(
        self, event: PullRequestActivity, decide: DecidePullRequest, *, use: SignatureUse | None = None
    ) -> PullRequestOutcome:
        """Take a delivery about a pull request; DUPLICATE, with the first time's challenge, if it was taken before."""
        ...

    async def take_installation(
        self, event: InstallationEvent, decide: DecideInstallation, *, use: SignatureUse | None = None
    ) -> InstallationOutcome:
        """Take one installation delivery. Dropped repositories' pending challenges and queued actions are canceled."""
        ...
