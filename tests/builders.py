"""Builders: values with every field filled in sensibly, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol
from uuid import UUID, uuid4

from centralbot.domain.actions import (
    PAYLOADS,
    ActionReason,
    ActionType,
    AnyPayload,
    CommentPayload,
    Payload,
    UpsertComment,
)
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig, VerificationKind
from centralbot.domain.events import (
    Actor,
    Event,
    IngestStatus,
    InstallationEvent,
    InstallationOutcome,
    OutcomeT,
    PullRequestEvent,
    PullRequestOutcome,
    RepositoryRef,
)
from centralbot.domain.gating import DecisionContext, GateFacts
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.outbox import Action, ActionStatus, NewAction, Outcome, Settlement, queued
from centralbot.domain.verdicts import ChallengeFacts, CloseState
from tests.doubles.memory.clock import START

T0 = START
INSTALLATION = 123
REPO = 999
AUTHOR = Actor(id=2002, login="contrib")
MAINTAINER = Actor(id=3003, login="maintainer")
SHA = "abc123abc123abc123abc123abc123abc123abcd"
WINDOW_S = 1800

_serial = count(1)


def at(seconds: float) -> datetime:
    """``seconds`` after the tests' beginning of time."""
    return T0 + timedelta(seconds=seconds)


def a_delivery_id() -> str:
    return f"delivery-{next(_serial)}"


def a_repository(repo_id: int = REPO) -> RepositoryRef:
    return RepositoryRef(id=repo_id, full_name=f"org/repo-{repo_id}")


def a_pull_request_event(
    action: str = "opened", *, seconds: float = 0, repo_id: int = REPO, number: int = 42, **fields: Any
) -> PullRequestEvent:
    """A delivery about pull request 42 of repository 999 by ``contrib``, ``seconds`` after T0."""
    event = PullRequestEvent(
        delivery_id=a_delivery_id(),
        event_time=at(seconds),
        installation_id=INSTALLATION,
        action=action,
        repository=a_repository(repo_id),
        number=number,
        pull_request_id=1000 + number,
        html_url=f"https://github.com/org/repo-{repo_id}/pull/{number}",
        is_draft=False,
        author=AUTHOR,
        head_sha=SHA,
        author_type=None,
        author_association=None,
        merged=None,
        updated_at=at(seconds),
        sender=None,
        labels=None,
        label=None,
    )
    return replace(event, **fields)


def an_installation_event(
    action: str = "created",
    *repos: int,
    seconds: float = -1000,
    added: tuple[int, ...] = (),
    removed: tuple[int, ...] = (),
    event_name: str | None = None,
    **fields: Any,
) -> InstallationEvent:
    """A delivery about installation 123, long before T0 by default; ``repos`` are its ``repositories``."""
    named = {"added": "installation_repositories", "removed": "installation_repositories"}
    event = InstallationEvent(
        delivery_id=a_delivery_id(),
        event_time=at(seconds),
        event_name=event_name or named.get(action, "installation"),
        action=action,
        installation_id=INSTALLATION,
        account_login="org",
        repositories=tuple(a_repository(i) for i in repos),
        added=tuple(a_repository(i) for i in added),
        removed=tuple(a_repository(i) for i in removed),
    )
    return replace(event, **fields)


def an_outcome(event: Event[OutcomeT], status: IngestStatus = IngestStatus.ACCEPTED) -> OutcomeT:
    """What a backend could have made of ``event``."""
    outcome: Any
    if isinstance(event, InstallationEvent):
        outcome = InstallationOutcome(
            status=status, installation_id=event.installation_id, updated_repositories=1, reason=""
        )
    else:
        outcome = PullRequestOutcome(status=status, challenge_id=None, enqueued_actions=1, reason="")
    return outcome  # type: ignore[no-any-return]


def a_config(mode: Mode = Mode.ENFORCE, **fields: Any) -> RepoConfig:
    return replace(RepoConfig(mode=mode, window_s=WINDOW_S), **fields)


def a_context(
    default: RepoConfig | None = None,
    *,
    new_id: Callable[[], UUID] = uuid4,
    gate_url: Callable[[UUID], str] = lambda challenge_id: f"https://bot.example/g/{challenge_id}",
) -> DecisionContext:
    return DecisionContext(defaults=default or RepoConfig(), new_id=new_id, gate_url=gate_url)


def a_challenge(status: ChallengeStatus = ChallengeStatus.PENDING, **fields: Any) -> Challenge:
    """A challenge of pull request 42, not yet noticed."""
    challenge = Challenge(
        id=uuid4(),
        installation_id=INSTALLATION,
        repo_id=REPO,
        repo_full_name=f"org/repo-{REPO}",
        pr_number=42,
        pull_request_id=1042,
        html_url=f"https://github.com/org/repo-{REPO}/pull/42",
        author_id=AUTHOR.id,
        author_login=AUTHOR.login,
        head_sha=SHA,
        mode=Mode.ENFORCE,
        window_s=WINDOW_S,
        verification=(VerificationKind.GITHUB_LOGIN,),
        status=status,
        reason=None if status is ChallengeStatus.PENDING else "BEFORE",
        event_at=T0,
        created_at=T0,
        updated_at=T0,
        deadline_at=None,
        gate_comment_id=None,
    )
    return replace(challenge, **fields)


def gate_facts(**fields: Any) -> GateFacts:
    """An active installation and repository that enforces; nothing known of the pull request."""
    facts = GateFacts(
        now=T0,
        installation=InstallationStatus.ACTIVE,
        repository_active=True,
        config=a_config(),
        whitelisted=False,
        challenge=None,
        last_closed_at=None,
    )
    return replace(facts, **fields)


def challenge_facts(**fields: Any) -> ChallengeFacts:
    """Nothing but the challenge: nobody whitelisted, the gate on, nothing newer, no close."""
    known = {"whitelisted": False, "switched_off": False, "superseded": False, "close": CloseState.NONE}
    return ChallengeFacts(**{**known, **fields})


def a_comment(**fields: Any) -> UpsertComment:
    """The payload of a gate comment."""
    payload = UpsertComment(marker="centralbot:gate:test", markdown="Hello", reason=ActionReason.VERIFICATION_REQUIRED)
    return replace(payload, **fields)


def a_payload(action_type: ActionType, **fields: Any) -> AnyPayload:
    """A payload of any type that writes a comment."""
    comment = a_comment(**fields)
    payload: type[Any] = PAYLOADS[action_type]
    made: AnyPayload = payload(
        marker=comment.marker, markdown=comment.markdown, reason=comment.reason, comment_id=comment.comment_id
    )
    return made


class _HasPayload(Protocol):
    @property
    def payload(self) -> Payload: ...


def comment_of(action: _HasPayload) -> CommentPayload:
    """What an action says, where it writes a comment."""
    assert isinstance(action.payload, CommentPayload), action
    return action.payload


def a_new_action(number: int = 42, **fields: Any) -> NewAction:
    action = NewAction(
        id=uuid4(),
        installation_id=INSTALLATION,
        repo_id=REPO,
        repo_full_name=f"org/repo-{REPO}",
        pr_number=number,
        challenge_id=None,
        payload=a_comment(),
    )
    return replace(action, **fields)


def an_action(
    status: ActionStatus = ActionStatus.PENDING, action_type: ActionType = ActionType.UPSERT_PR_COMMENT, **fields: Any
) -> Action:
    """A queued action; a claimed one is held by ``worker-1`` until a minute after T0."""
    new = a_new_action(payload=fields.pop("payload", None) or a_payload(action_type))
    action = replace(queued(new, seq=next(_serial), now=T0), status=status)
    if status is ActionStatus.CLAIMED:
        action = replace(action, worker_id="worker-1", claim_token=uuid4(), attempts=1, run_at=at(60))
    return replace(action, **fields)


def a_settlement(action: Action, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> Settlement:
    """A result from the claim that holds ``action``."""
    settlement = Settlement(
        action_id=action.id,
        worker_id=action.worker_id or "worker-1",
        outcome=outcome,
        claim_token=action.claim_token,
        failure_code=None if outcome in (Outcome.SUCCEEDED, Outcome.RELEASED) else "BROKEN",
    )
    return replace(settlement, **fields)


def no_id() -> UUID:
    return UUID(int=0)
