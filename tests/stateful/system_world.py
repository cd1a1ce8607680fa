"""The whole of it but HTTP: a GitHub in memory with people on it, its webhooks in any order, a worker, a sweeper.

What must hold is looked at where it can be broken: when a challenge times out, when the bot closes, and in the end,
once every webhook has come and the outbox is empty.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from centralbot.domain import comments, verdicts
from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.errors import ActionNotHeld, ChallengeNotPending, IllegalTransition
from centralbot.domain.events import Actor, InstallationEvent
from centralbot.domain.outbox import Action, ActionStatus
from centralbot.ports.challenges import Retention
from centralbot.ports.github import GitHubError, GitHubRateLimited, GitHubRefused, GitHubUnavailable
from centralbot.ports.outbox import ClaimedAction, ClaimRequest
from centralbot.ports.use_cases.execute import Execute
from centralbot.ports.use_cases.executors import Execution, executors
from tests import oracles
from tests.builders import AUTHOR, REPO, WINDOW_S, a_config, at, comment_of
from tests.contracts.driver import EVERY_TYPE, RULES, UnderTest
from tests.doubles.memory.clock import ManualClock
from tests.doubles.memory.worker_side import MemoryActionSource
from tests.stateful.outside import NUMBER, Outside

BOT = Actor(id=77, login="centralbot[bot]")
S = ChallengeStatus
UNSETTLED = (ActionStatus.PENDING, ActionStatus.CLAIMED)
FAILURES: dict[str, GitHubError] = {
    "502": GitHubUnavailable("Bad Gateway", reason="HTTP_502", status=502),
    "limit": GitHubRateLimited("slow down", pause_s=30, reason="RATE_LIMITED", status=403),
    "refused": GitHubRefused("issue is locked", reason="LOCKED", status=403),
}


class World(Outside):
    """The store, its owners, a worker and a sweeper, beside what happens outside."""

    def __init__(self, under: UnderTest) -> None:
        super().__init__(under)
        self.store = under.store
        self.held: list[ClaimedAction] = []
        self.mode = Mode.ENFORCE
        self.dead: set[UUID | None] = set()

    async def begin(self, far: str) -> None:
        """Chance alone seldom gets far."""
        await self.under.connect()
        self.github.open_pull_request(repo_id=REPO, number=NUMBER, author_id=AUTHOR.id)
        self.happens("opened", AUTHOR)
        if far == "opened":
            return
        await self.deliver_all()
        await self.work()
        if far == "noticed":
            return
        await self.wait(WINDOW_S + 1)
        if far == "due":
            return
        await self.sweep()
        if far == "closed":
            await self.work()

    # Owners, authors, maintainers, operators.

    async def configure(self, mode: Mode, drafts: bool, window_s: int) -> None:
        self.mode = mode
        config = a_config(mode, draft_prs_gated=drafts, window_s=window_s)
        await self.store.repositories.configure(REPO, config, actor="test")

    async def whitelist(self) -> None:
        await self.store.whitelist.add(REPO, AUTHOR, actor="test")

    async def unlist(self) -> None:
        await self.store.whitelist.remove(REPO, AUTHOR.id, actor="test")

    async def verdict(self, which: int, what: str) -> None:
        """About any challenge; the App's own webhooks are in by then, which takes seconds."""
        for event in [event for event in self.events if isinstance(event, InstallationEvent)]:
            self.events.remove(event)
            await self.take(event)
        known = [challenge for challenge in await self.challenges() if not challenge.is_shadow]
        gate = self.under.context
        decide = {
            "verify": lambda facts: verdicts.on_verified(gate, facts, actor="github:2002"),
            "exempt": lambda facts: verdicts.on_exempted(gate, facts, actor="github:3003"),
            "cancel": lambda facts: verdicts.on_canceled(gate, facts, actor="github:3003"),
            "extend": lambda facts: verdicts.on_extended(gate, facts, by_s=600, actor="github:3003"),
        }[what]
        if known:
            with suppress(ChallengeNotPending):
                await self.store.challenges.decide(known[which % len(known)].id, decide)

    async def retry_the_dead(self) -> None:
        for action in await self.store.actions.search(status=ActionStatus.FAILED):
            with suppress(ChallengeNotPending, IllegalTransition):
                await self.store.actions.retry(action.id, context=self.under.context, actor="operator")

    # The worker and the sweeper.

    async def claim(self) -> None:
        source = MemoryActionSource(self.store.outbox, ManualClock())
        request = ClaimRequest(worker_id="worker-1", action_types=EVERY_TYPE)
        for action in await source.claim(request):
            self.held.append(action)
            if action.action_type is ActionType.CLOSE_PR_WITH_COMMENT:
                oracles.may_close(await self.challenges(), action)

    async def work(self, fault: str = "", call: str = "", after: bool = False) -> None:
        """Do what is held, or is claimed now; GitHub fails at ``call``, or the worker dies and tells nobody."""
        if not self.held:
            await self.claim()
        held, self.held = self.held, []
        for action in held:
            if fault == "die" and not after:
                continue
            self.github._failures.clear()
            if fault in FAILURES:
                self.github.fail_next(FAILURES[fault], call=call, after_effect=after)
            was_open = self.pull.is_open
            settlement = await Execute(executors(self.github, self.github, self.github, self.github.now))(
                self.turn(action)
            )
            assert settlement.failure_code != "INTERNAL"
            if was_open != self.pull.is_open:
                self.closed_by_bot = was_open
                self.happens("closed" if was_open else "reopened", BOT, merged=False)
            if fault != "die":
                with suppress(ActionNotHeld):
                    await self.store.outbox.settle(settlement)

    def turn(self, action: ClaimedAction) -> Execution:
        expires_at = action.lease_expires_at or at(0)
        return Execution(
            action=action,
            worker_id="worker-1",
            backend_now=lambda: expires_at - timedelta(seconds=RULES.lease_s),
            margin_s=15.0,
            is_stopping=lambda: False,
        )

    async def wait(self, seconds: float) -> None:
        """Long enough for every lease to run out; who is alive notices that before each write."""
        self.held = []
        self.seconds += int(seconds)
        await self.under.advance(seconds)

    async def sweep(self) -> None:
        before = {challenge.id: challenge.status for challenge in await self.challenges()}
        whitelisted = await self.store.whitelist.entries(REPO)
        await self.under.sweep()
        for challenge in await self.challenges():
            if before[challenge.id] is S.PENDING and challenge.status is S.TIMED_OUT_CLOSED and not challenge.is_shadow:
                assert not whitelisted
                assert self.mode is not Mode.OFF
                assert self.said(challenge) is not None  # invariant 1
        await self.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=100)
        await self.store.upkeep.cancel_orphaned(limit=100)

    async def prune(self) -> None:
        """Months pass for what is settled; deliveries are kept, or an old one could come again."""
        await self.count_the_dead()
        now = await self.store.health.now() + timedelta(seconds=5)
        kept = now - timedelta(days=999)
        await self.store.upkeep.prune(
            Retention(deliveries_before=kept, actions_before=now, audit_before=now), limit=1000
        )

    # What must hold.

    async def challenges(self) -> list[Challenge]:
        found = list(await self.store.challenges.search(limit=1000))
        oracles.at_most_one_is_active(found)
        return found

    def said(self, challenge: Challenge) -> str | None:
        """The gate comment of a challenge, as GitHub shows it."""
        line = comments.marker_line(comments.gate_marker(challenge.id))
        bodies = [comment.body for comment in self.pull.comments if comment.author_id == self.github.bot_user_id]
        return next((body.removesuffix(line) for body in bodies if body.endswith(line)), None)

    async def facts(self) -> list[object]:
        """What two stores have to agree about."""
        actions = await self.store.actions.search(limit=1000)
        return [
            [(c.status, c.reason, c.mode, c.installation_id, c.deadline_at is None) for c in await self.challenges()],
            [
                (a.action_type, a.status, comment_of(a).reason, a.failure_code, a.attempts, a.installation_id)
                for a in actions
            ],
            [comment.body.split("\n")[0] for comment in self.pull.comments],
        ]

    async def end(self) -> None:
        """Everything that can come has come: the outbox is empty, and GitHub shows what the store knows."""
        if self.suspended:
            await self.suspend_or_unsuspend()
        if self.repo.installation_id != self.installation:
            await self.remove_or_add()
        outstanding: list[Action] = []
        for _ in range(40):
            await self.deliver_all()
            await self.work()
            await self.store.upkeep.rescue_expired(max_attempts=RULES.max_attempts, limit=100)
            await self.store.upkeep.cancel_orphaned(limit=100)
            outstanding = [a for a in await self.store.actions.search(limit=1000) if a.status in UNSETTLED]
            if not outstanding and not self.events:
                break
            await self.wait(3600)
        assert outstanding == []  # invariant 10
        ours = [comment.body for comment in self.pull.comments if comment.author_id == self.github.bot_user_id]
        assert max(Counter(body.splitlines()[-1] for body in ours).values(), default=0) <= 1  # invariant 4
        await self.count_the_dead()
        for challenge in await self.challenges():
            if challenge.id not in self.dead and not challenge.is_shadow:
                self.agrees(challenge)

    async def count_the_dead(self) -> None:
        """What GitHub refused for good cannot be shown there."""
        self.dead |= {action.challenge_id for action in await self.store.actions.search(status=ActionStatus.FAILED)}

    def agrees(self, challenge: Challenge) -> None:
        said = self.said(challenge)
        if challenge.status is S.PENDING:
            assert challenge.deadline_at is not None
            assert said is not None
            assert str(challenge.id) in said
        if self.left:  # what was queued then is gone
            return
        if challenge.status is S.VERIFIED:
            assert not self.closed_by_bot
            assert said is None or "Verified" in said
        if challenge.status is S.EXEMPT:
            assert said is None or "No check needed" in said
