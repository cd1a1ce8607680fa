"""What the memory store holds, and writing what a decision changes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from centralbot.domain import outbox
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeEvent, ChallengeStatus, transition
from centralbot.domain.config import Mode, RepoConfig, from_document
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import SYSTEM, AuditEvent, Effects
from centralbot.domain.errors import NotFound, Unavailable
from centralbot.domain.gating import DecisionContext
from centralbot.domain.installation import Installation, InstallationRepository
from centralbot.domain.outbox import ALREADY_CLOSED, SETTLED, Action, ActionStatus, ActionType, NewAction, Outcome
from centralbot.domain.verdicts import ChallengeFacts, CloseState, on_notice_failed
from centralbot.ports.admin import ServiceKey, WhitelistEntry
from centralbot.ports.challenges import StoredProof
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.deliveries import SignatureReplayed
from centralbot.ports.outbox import OutboxRules
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
    gate: DecisionContext
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
    pruned_closes: dict[UUID, CloseState] = field(default_factory=dict)
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

    def config(self, repo_id: int) -> RepoConfig | None:
        """The repository's configuration, None where it has none of its own."""
        document = self.config_documents.get(repo_id)
        return None if document is None else from_document(json.loads(document))

    def is_off(self, repo_id: int) -> bool:
        """Whether somebody has switched the repository off."""
        config = self.config(repo_id)
        return config is not None and config.mode is Mode.OFF

    def close_state(self, challenge_id: UUID) -> CloseState:
        """How far its close has come; once that action is pruned, what is kept of it."""
        closes = [
            action
            for action in self.actions.values()
            if action.challenge_id == challenge_id and action.action_type is ActionType.CLOSE_PR_WITH_COMMENT
        ]
        close = max(closes, key=lambda action: action.seq, default=None)
        if close is None:
            return self.pruned_closes.get(challenge_id, CloseState.NONE)
        if close.status is ActionStatus.CANCELED:
            return CloseState.NONE
        if close.status is ActionStatus.FAILED:  # refused, or given up without an answer
            return CloseState.NONE if close.last_outcome is Outcome.FAILED else CloseState.UNKNOWN
        if close.status is ActionStatus.DONE:
            return CloseState.NOT_BY_US if close.failure_code == ALREADY_CLOSED else CloseState.CLOSED
        if self.is_live(close):
            return CloseState.IN_FLIGHT
        return CloseState.UNKNOWN if close.attempts else CloseState.QUEUED


SUPERSEDED = "SUPERSEDED"


def apply(state: State, effects: Effects) -> None:
    """Write ``effects``. Raises Unavailable, and nothing has changed, where a guard does not hold."""
    change = effects.changed
    if change is not None and state.challenge(change.challenge.id).status is not change.expected:
        raise Unavailable("the challenge changed meanwhile; try again")
    if effects.cancel_actions is not None:
        of = effects.cancel_actions
        cancel(state, lambda action: action.challenge_id == of.challenge_id, reason=of.reason)
    if change is not None:
        state.put_challenge(change.challenge)
    if effects.created is not None:
        state.put_challenge(effects.created)
    for new in effects.actions:
        enqueue(state, new)
    state.audit.extend(effects.audit)


def cancel_queued(state: State, which: Callable[[Action], bool], *, reason: str, limit: int | None = None) -> int:
    """Cancel what ``which`` picks among the actions that no live lease holds; returns how many."""
    picked = [action for action in state.queued() if which(action)][:limit]
    for action in picked:
        state.put_action(outbox.cancel(action, reason=reason, now=state.now()))
    return len(picked)


def cancel(state: State, which: Callable[[Action], bool], *, reason: str) -> None:
    """Cancel what ``which`` picks: at once, or when it comes back from the worker that holds it."""
    cancel_queued(state, which, reason=reason)
    for action in state.outstanding():
        if which(action):
            state.put_action(outbox.request_cancel(action, reason=reason))


def enqueue(state: State, new: NewAction) -> Action:
    """Queue an action behind the others; it replaces unexecuted older ones with its marker on its pull request."""
    pr_key = (new.repo_id, new.pr_number)
    cancel(state, lambda old: old.pr_key == pr_key and old.marker == new.marker, reason=SUPERSEDED)
    action = Action(
        id=new.id,
        seq=state.next_seq(),
        action_type=new.action_type,
        installation_id=new.installation_id,
        repo_id=new.repo_id,
        repo_full_name=new.repo_full_name,
        pr_number=new.pr_number,
        challenge_id=new.challenge_id,
        marker=new.marker,
        markdown=new.markdown,
        reason=new.reason,
        comment_id=new.comment_id,
        created_at=state.now(),
        run_at=state.now() + timedelta(seconds=new.delay_s),
    )
    state.put_action(action)
    return action


def cancel_for_removed_repositories(
    state: State, which: Callable[[Challenge | Action], bool], why: CancelReason
) -> None:
    """Cancel the pending challenges and the queued actions of what left: an installation, or a repository in it."""
    for challenge in [c for c in state.challenges.values() if c.status is ChallengeStatus.PENDING and which(c)]:
        _cancel_challenge(state, challenge, why)
    cancel_queued(state, which, reason=why)


def cancel_unnoticed(state: State, comment: Action, why: CancelReason) -> None:
    """A comment that goes astray takes the challenge with it that nobody was told of."""
    challenge = None if comment.challenge_id is None else state.challenges.get(comment.challenge_id)
    if challenge is not None and challenge.status is ChallengeStatus.PENDING and challenge.deadline_at is None:
        _cancel_challenge(state, challenge, why)


def _cancel_challenge(state: State, challenge: Challenge, why: CancelReason) -> None:
    after = transition(challenge, ChallengeEvent.CANCEL, reason=why, now=state.now())
    state.put_challenge(after)
    audit(state, "challenge.canceled", challenge=after, why=why.value, was=challenge.status.value)


def bury_notice(state: State, dead: Action) -> None:
    """A gate comment that can never be posted cancels the challenge that nobody was told of (invariant 1)."""
    if dead.action_type is ActionType.UPSERT_PR_COMMENT and dead.challenge_id is not None:
        challenge = state.challenges.get(dead.challenge_id)
        if challenge is not None:
            apply(state, on_notice_failed(state.gate, state.facts(challenge)))


def rechallenge(action: Action, challenge: Challenge, comment: NewAction) -> Action:
    """The action, now carrying another challenge's comment, of which nothing was said yet."""
    return replace(
        action,
        attempts=0,
        challenge_id=challenge.id,
        marker=comment.marker,
        markdown=comment.markdown,
        reason=comment.reason,
        comment_id=comment.comment_id,
    )


def audit(
    state: State,
    event: str,
    *,
    actor: str = SYSTEM,
    challenge: Challenge | None = None,
    action: Action | None = None,
    repo_id: int | None = None,
    facts: Mapping[str, str | int | bool | None] | None = None,
    **detail: str | int | bool | None,
) -> None:
    """Record what somebody did, to a challenge, an action or a repository."""
    of = challenge or action
    challenge_id = challenge.id if challenge is not None else action.challenge_id if action is not None else None
    state.audit.append(
        AuditEvent(
            id=state.ids.new_id(),
            at=state.now(),
            event=event,
            actor=actor,
            installation_id=None if of is None else of.installation_id,
            repo_id=repo_id if of is None else of.repo_id,
            pr_number=None if of is None else of.pr_number,
            challenge_id=challenge_id,
            detail={**(facts or {}), **detail},
        )
    )
