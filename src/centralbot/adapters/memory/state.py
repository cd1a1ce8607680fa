"""What the memory store holds: one object, shared by all its ports.

No method awaits between reading and writing, so every call of a port is one transaction on its event loop. A decision
is made before anything is written, so one that raises leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from centralbot.domain.challenge import Challenge
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent
from centralbot.domain.errors import NotFound
from centralbot.domain.gating import Gate
from centralbot.domain.installation import Installation, InstallationRepository
from centralbot.domain.outbox import ALREADY_CLOSED, SETTLED, Action, ActionStatus, ActionType, Outcome
from centralbot.domain.policy import Mode, RepoConfig
from centralbot.domain.verdicts import ChallengeFacts, CloseState
from centralbot.ports.driven.admin import ServiceKey, WhitelistEntry
from centralbot.ports.driven.clock import Clock, Ids
from centralbot.ports.driven.deliveries import SignatureReplayed
from centralbot.ports.driven.outbox import OutboxRules
from centralbot.ports.driven.reports import StoredProof
from centralbot.ports.driven.sessions import Session

PrKey = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenDelivery:
    """The dedup record of one delivery. ``closed`` names the pull request that it says was closed at ``event_at``."""

    received_at: datetime
    event_at: datetime
    reason: str
    challenge_id: UUID | None = None
    closed: PrKey | None = None


@dataclass(slots=True, kw_only=True)
class State:
    """All tables. Challenges and actions are kept in the order of their making."""

    clock: Clock
    ids: Ids
    rules: OutboxRules
    gate: Gate
    signatures: set[SignatureUse] = field(default_factory=set)
    deliveries: dict[tuple[str, str], TakenDelivery] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    paused_until: dict[int, datetime] = field(default_factory=dict)
    repositories: dict[tuple[int, int], InstallationRepository] = field(default_factory=dict)
    configs: dict[int, RepoConfig] = field(default_factory=dict)
    configured_at: dict[int, datetime] = field(default_factory=dict)
    whitelist: dict[tuple[int, int], WhitelistEntry] = field(default_factory=dict)
    challenges: dict[UUID, Challenge] = field(default_factory=dict)
    challenges_of_pr: dict[PrKey, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    proofs: dict[tuple[UUID, str], StoredProof] = field(default_factory=dict)
    actions: dict[UUID, Action] = field(default_factory=dict)
    open_actions: dict[UUID, None] = field(default_factory=dict)
    forgotten_closes: dict[UUID, CloseState] = field(default_factory=dict)
    last_seq: int = 0
    audit: list[AuditEvent] = field(default_factory=list)
    keys: dict[str, ServiceKey] = field(default_factory=dict)
    logins: dict[int, str] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    single_uses: dict[tuple[str, bytes], datetime] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        return self.clock.now()

    def check_use(self, use: SignatureUse | None) -> None:
        """Refuse a signature that was used before."""
        if use is not None and use in self.signatures:
            raise SignatureReplayed("this signature was used before")

    def record_use(self, use: SignatureUse | None) -> None:
        if use is not None:
            self.signatures.add(use)

    def put_challenge(self, challenge: Challenge) -> None:
        if challenge.id not in self.challenges:
            self.challenges_of_pr[challenge.repo_id, challenge.pr_number].append(challenge.id)
        self.challenges[challenge.id] = challenge

    def put_action(self, action: Action) -> None:
        """Store an action; whoever waits for work looks again."""
        self.actions[action.id] = action
        if action.status in SETTLED:
            self.open_actions.pop(action.id, None)
        else:
            self.open_actions[action.id] = None
        if action.status is not ActionStatus.CLAIMED:
            self.wake()

    def wake(self) -> None:
        self.woken.set()
        self.woken = asyncio.Event()

    def next_seq(self) -> int:
        self.last_seq += 1
        return self.last_seq

    def challenge(self, challenge_id: UUID) -> Challenge:
        """Raises NotFound."""
        if challenge_id not in self.challenges:
            raise NotFound(f"there is no challenge {challenge_id}")
        return self.challenges[challenge_id]

    def action(self, action_id: UUID) -> Action:
        """Raises NotFound."""
        if action_id not in self.actions:
            raise NotFound(f"there is no action {action_id}")
        return self.actions[action_id]

    def of_pr(self, repo_id: int, pr_number: int) -> list[Challenge]:
        return [self.challenges[i] for i in self.challenges_of_pr.get((repo_id, pr_number), [])]

    def current(self, repo_id: int, pr_number: int) -> Challenge | None:
        """The pull request's active challenge (there is at most one), else its newest."""
        known = self.of_pr(repo_id, pr_number)
        return next((c for c in known if c.is_active), known[-1] if known else None)

    def is_live(self, action: Action) -> bool:
        """Whether a worker holds the action by a lease that has not run out."""
        return action.status is ActionStatus.CLAIMED and action.run_at > self.now()

    def outstanding(self) -> list[Action]:
        """Unsettled actions, in order."""
        return sorted((self.actions[i] for i in self.open_actions), key=lambda action: action.seq)

    def queued(self) -> Iterator[Action]:
        """Unsettled actions that no live lease holds: those that can be canceled unseen."""
        return (action for action in self.outstanding() if not self.is_live(action))

    def facts(self, challenge: Challenge) -> ChallengeFacts:
        others = self.of_pr(challenge.repo_id, challenge.pr_number)
        rows = (row for row in self.repositories.values() if row.repo_id == challenge.repo_id and row.active)
        here = next((row.installation_id for row in rows), challenge.installation_id)
        return ChallengeFacts(
            now=self.now(),
            challenge=replace(challenge, installation_id=here),
            whitelisted=(challenge.repo_id, challenge.author_id) in self.whitelist,
            switched_off=self.is_off(challenge.repo_id),
            superseded=any(other.is_active and other.id != challenge.id for other in others),
            close=self.close_state(challenge.id),
        )

    def is_off(self, repo_id: int) -> bool:
        """Whether somebody has switched the repository off."""
        config = self.configs.get(repo_id)
        return config is not None and config.mode is Mode.OFF

    def close_state(self, challenge_id: UUID) -> CloseState:
        """How far its close has come; once that action is forgotten, what is kept of it."""
        closes = [
            action
            for action in self.actions.values()
            if action.challenge_id == challenge_id and action.action_type is ActionType.CLOSE_PR_WITH_COMMENT
        ]
        close = max(closes, key=lambda action: action.seq, default=None)
        if close is None:
            return self.forgotten_closes.get(challenge_id, CloseState.NONE)
        if close.status is ActionStatus.CANCELED:
            return CloseState.NONE
        if close.status is ActionStatus.FAILED:  # refused, or given up without an answer
            return CloseState.NONE if close.last_outcome is Outcome.FAILED else CloseState.UNKNOWN
        if close.status is ActionStatus.DONE:
            return CloseState.NOT_BY_US if close.failure_code == ALREADY_CLOSED else CloseState.CLOSED
        if self.is_live(close):
            return CloseState.IN_FLIGHT
        return CloseState.UNKNOWN if close.attempts else CloseState.QUEUED
