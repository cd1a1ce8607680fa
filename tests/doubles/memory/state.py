"""What the memory store holds, and writing what a decision changes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from centralbot.domain.actions import ActionType
from centralbot.domain.challenge import Challenge, counting
from centralbot.domain.config import RepoConfig, from_document
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import SYSTEM, AuditEvent, Effects
from centralbot.domain.errors import NotFound, Unavailable
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import Installation, InstallationRepository
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, OutboxRules
from centralbot.domain.outbox import queued as queued_action
from centralbot.domain.results import ActionDecision, Standing
from centralbot.domain.verdicts import ChallengeFacts, CloseState, facts_of
from centralbot.domain.withdrawals import withdrawn
from centralbot.ports.admin import ServiceKey, WhitelistEntry
from centralbot.ports.challenges import StoredProof
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.deliveries import SignatureReplayed
from centralbot.ports.sessions import Session

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
    context: DecisionContext
    signatures: set[SignatureUse] = field(default_factory=set)
    deliveries: dict[tuple[str, str], TakenDelivery] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    paused_until: dict[int, datetime] = field(default_factory=dict)
    repositories: dict[tuple[int, int], InstallationRepository] = field(default_factory=dict)
    config_documents: dict[int, str] = field(default_factory=dict)
    configured_at: dict[int, datetime] = field(default_factory=dict)
    whitelist: dict[tuple[int, int], WhitelistEntry] = field(default_factory=dict)
    challenges: dict[UUID, Challenge] = field(default_factory=dict)
    challenges_of_pr: dict[PrKey, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    proofs: dict[tuple[UUID, str], StoredProof] = field(default_factory=dict)
    actions: dict[UUID, Action] = field(default_factory=dict)
    open_actions: dict[UUID, None] = field(default_factory=dict)
    kept_closes: dict[UUID, CloseState] = field(default_factory=dict)
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
        """The pull request's challenge that counts."""
        return counting(self.of_pr(repo_id, pr_number))

    def outstanding(self) -> list[Action]:
        """Unsettled actions, in order."""
        return sorted((self.actions[i] for i in self.open_actions), key=lambda action: action.seq)

    def facts(self, challenge: Challenge) -> ChallengeFacts:
        here = next(
            (row for row in self.repositories.values() if row.repo_id == challenge.repo_id and row.active), None
        )
        config = self.config(challenge.repo_id)
        return facts_of(
            challenge,
            now=self.now(),
            of_pull_request=self.of_pr(challenge.repo_id, challenge.pr_number),
            whitelisted=(challenge.repo_id, challenge.author_id) in self.whitelist,
            mode=None if config is None else config.mode,
            close=self.newest_close(challenge.id),
            kept=self.kept_closes.get(challenge.id),
            installation_id=None if here is None else here.installation_id,
            repo_full_name=None if here is None else here.full_name,
        )

    def config(self, repo_id: int) -> RepoConfig | None:
        """The repository's configuration, None where it has none of its own."""
        document = self.config_documents.get(repo_id)
        return None if document is None else from_document(json.loads(document))

    def standing(self, challenge: Challenge) -> Standing:
        """How a challenge stands under its repository's rules."""
        config = self.config(challenge.repo_id) or self.context.defaults
        return Standing(facts=self.facts(challenge), config=config)

    def about(self, action: Action) -> Challenge | None:
        """The challenge that an action is about."""
        return None if action.challenge_id is None else self.challenges.get(action.challenge_id)

    def newest_close(self, challenge_id: UUID) -> Action | None:
        """The newest close of a challenge that is not pruned yet."""
        closes = (
            action
            for action in self.actions.values()
            if action.challenge_id == challenge_id and action.action_type is ActionType.CLOSE_PR_WITH_COMMENT
        )
        return max(closes, key=lambda action: action.seq, default=None)


def apply(state: State, effects: Effects, *, besides: UUID | None = None) -> None:
    """Write ``effects``; ``besides`` is an action that is being decided upon by itself.

    Raises Unavailable, and nothing has changed, where a guard does not hold.
    """
    change = effects.changed
    if change is not None and state.challenge(change.challenge.id).status is not change.expected:
        raise Unavailable("the challenge changed meanwhile; try again")
    queued = [action for action in state.outstanding() if action.id != besides]
    for action in withdrawn(queued, cancel=effects.cancel_actions, new=effects.actions, now=state.now()):
        state.put_action(action)
    if change is not None:
        state.put_challenge(change.challenge)
    if effects.created is not None:
        state.put_challenge(effects.created)
    for new in effects.actions:
        state.put_action(queued_action(new, seq=state.next_seq(), now=state.now()))
    state.audit.extend(effects.audit)


def put(state: State, decision: ActionDecision[Action], *, comment_id: int | None = None) -> Action:
    """Write what was decided of an action; ``comment_id`` where its comment became known. Returns the action."""
    after = replace(decision.action, payload=decision.action.payload.with_comment(comment_id))
    apply(state, decision.effects, besides=after.id)
    state.put_action(after)
    if decision.paused_until is not None:
        state.paused_until[after.installation_id] = decision.paused_until
    return after


def audit(
    state: State,
    event: str,
    *,
    actor: str = SYSTEM,
    challenge: Challenge | None = None,
    repo_id: int | None = None,
    facts: Mapping[str, str | int | bool | None] | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Record what somebody did, to a challenge or a repository."""
    state.audit.append(
        AuditEvent(
            id=state.ids.new_id(),
            at=state.now(),
            event=event,
            actor=actor,
            installation_id=None if challenge is None else challenge.installation_id,
            repo_id=repo_id if challenge is None else challenge.repo_id,
            pr_number=None if challenge is None else challenge.pr_number,
            challenge_id=None if challenge is None else challenge.id,
            detail={**(facts or {}), **detail},
        )
    )
