"""The gate inside another program: centralbot's domain and memory adapters, no server, no database, no GitHub.

A service that has its own idea of storage and transport needs only ``centralbot.domain``; the memory adapters show what
the ports ask for. Run it: ``python examples/embed.py``.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.store import MemoryStore
from tests.doubles.memory.worker_side import MemoryActionSource, MemoryEventSink

from centralbot.domain import verdicts
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.events import Actor, InstallationEvent, PullRequestEvent, RepositoryRef
from centralbot.domain.gating import DecisionContext
from centralbot.domain.outbox import OutboxRules, Outcome, Settlement
from centralbot.ports.outbox import ClaimRequest

REPOSITORY = RepositoryRef(id=999, full_name="octo-org/octo-repo")


class Program:
    """A host program: it brings a clock and ids, and plays GitHub and the bot itself."""

    def __init__(self) -> None:
        ids = SequentialIds()
        self.clock = ManualClock()
        self.gate = DecisionContext(
            defaults=RepoConfig(mode=Mode.ENFORCE, window_s=1800),
            new_id=ids.new_id,
            gate_url=lambda challenge_id: f"https://example.org/g/{challenge_id}",
        )
        self.store = MemoryStore(self.clock, ids, OutboxRules(), self.gate)
        self.events = MemoryEventSink(self.store.deliveries, self.gate)
        self.actions = MemoryActionSource(self.store.outbox, self.clock)

    async def install(self) -> None:
        """GitHub says that the App was installed."""
        outcome = await self.events.send(
            InstallationEvent(
                delivery_id="install-1",
                event_time=self.clock.now(),
                event_name="installation",
                action="created",
                installation_id=123,
                account_login="octo-org",
                repositories=(REPOSITORY,),
            )
        )
        print(f"installation: {outcome.status} ({outcome.updated_repositories} repository)")

    async def open_pull_request(self, number: int, author: Actor) -> None:
        """GitHub says that a pull request was opened."""
        outcome = await self.events.send(
            PullRequestEvent(
                delivery_id=f"opened-{number}",
                event_time=self.clock.now(),
                installation_id=123,
                action="opened",
                repository=REPOSITORY,
                number=number,
                pull_request_id=1000 + number,
                html_url=f"https://github.com/{REPOSITORY.full_name}/pull/{number}",
                is_draft=False,
                author=author,
                head_sha="a" * 40,
            )
        )
        print(f"#{number} by {author.login}: {outcome.status} {outcome.reason}")

    async def work(self) -> None:
        """The bot does what is queued; here, "doing" is printing."""
        while batch := await self.actions.claim(ClaimRequest(worker_id="embedded")):
            for action in batch:
                print(f"#{action.pr_number}: bot does {action.action_type} ({action.payload.reason})")
                await self.actions.settle(
                    Settlement(
                        action_id=action.id,
                        worker_id="embedded",
                        outcome=Outcome.SUCCEEDED,
                        claim_token=action.claim_token,
                        comment_id=action.pr_number,
                    )
                )

    async def verify(self, number: int) -> None:
        """The author of a pull request passes."""
        for challenge in await self.store.challenges.search():
            if challenge.pr_number == number:
                await self.store.challenges.decide(
                    challenge.id,
                    lambda facts: verdicts.on_verified(self.gate, facts, actor=f"github:{facts.challenge.author_id}"),
                )

    async def sweep(self) -> None:
        """Time runs out for whoever did not."""
        timed_out, exempt = await self.store.upkeep.sweep_due(
            lambda facts, position: verdicts.on_deadline(self.gate, facts, position=position), limit=100
        )
        print(f"sweep: {timed_out} timed out, {exempt} exempt")


async def main() -> None:
    """Three authors: one verifies, one is on the whitelist, one lets the time run out."""
    program = Program()
    await program.install()
    await program.store.whitelist.add(REPOSITORY.id, Actor(id=2, login="trusted"), actor="embed")
    await program.open_pull_request(1, Actor(id=1, login="quick"))
    await program.open_pull_request(2, Actor(id=2, login="trusted"))
    await program.open_pull_request(3, Actor(id=3, login="slow"))
    await program.work()
    await program.verify(1)
    program.clock.advance(timedelta(minutes=31).total_seconds())
    await program.sweep()
    await program.work()
    for challenge in reversed(await program.store.challenges.search()):
        print(f"#{challenge.pr_number} ends {challenge.status} ({challenge.reason})")


if __name__ == "__main__":
    asyncio.run(main())
