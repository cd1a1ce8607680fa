"""Rows to domain values and back, by the names of their columns.

Writes go as JSON documents, which PostgreSQL takes apart into rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from centralbot.domain.actions import PAYLOADS, ActionType, AnyPayload
from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig, from_document
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent, ChallengeChange, Effects
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import AccountType, RepositorySelection
from centralbot.domain.installation import Installation, InstallationRepository, InstallationStatus
from centralbot.domain.outbox import SETTLED, Action, ActionStatus, Envelope, NewAction, Outcome, runs_at

_ENCODER = msgspec.json.Encoder()
# A look-up costs a seventh of an enum's call.
_MODES = {mode.value: mode for mode in Mode}
_STATUSES = {status.value: status for status in ChallengeStatus}
_TYPES = {action_type.value: action_type for action_type in ActionType}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_PAYLOADS = {action_type: msgspec.json.Decoder(payload) for action_type, payload in PAYLOADS.items()}
MAX_TEXT = 1000


def document(value: object) -> str:
    """A value as a JSON document for a query's parameter."""
    return _ENCODER.encode(value).decode()


def challenge(row: Any) -> Challenge:
    """A row with the columns ``{{columns.challenge}}``."""
    return Challenge(
        id=row.id,
        installation_id=row.installation_id,
        repo_id=row.repo_id,
        repo_full_name=row.repo_full_name,
        pr_number=row.pr_number,
        pull_request_id=row.pull_request_id,
        html_url=row.html_url,
        author_id=row.author_id,
        author_login=row.author_login,
        head_sha=row.head_sha,
        mode=_MODES[row.mode],
        window_s=row.window_s,
        verification=tuple(row.verification),
        status=_STATUSES[row.status],
        reason=row.reason,
        event_at=row.event_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deadline_at=row.deadline_at,
        gate_comment_id=row.gate_comment_id,
    )


@lru_cache(maxsize=1024)
def config(text: str) -> RepoConfig:
    """A configuration's document. Few are different from each other, so each text is read once."""
    return from_document(msgspec.json.decode(text))


def envelope(row: Any) -> dict[str, Any]:
    """The fields of a queued action, of a row with the columns ``{{columns.envelope}}``."""
    return {
        "id": row.q_action_id,
        "seq": row.q_seq,
        "action_type": _TYPES[row.q_action_type],
        "installation_id": row.q_installation_id,
        "repo_id": row.q_repo_id,
        "pr_number": row.q_pr_number,
        "challenge_id": row.q_challenge_id,
        "supersede_key": row.q_supersede_key,
        "run_at": row.q_run_at,
        "status": ActionStatus.PENDING if row.q_claim_token is None else ActionStatus.CLAIMED,
        "attempts": row.q_attempts,
        "worker_id": row.q_worker_id,
        "claim_token": row.q_claim_token,
        "last_outcome": None if row.q_last_outcome is None else _OUTCOMES[row.q_last_outcome],
        "last_token": row.q_last_token,
        "last_worker_id": row.q_last_worker_id,
        "failure_code": row.q_failure_code,
        "failure_message": row.q_failure_message,
        "settled_at": None,
        "cancel_reason": row.q_cancel_reason,
    }


def settled(row: Any) -> dict[str, Any]:
    """The fields of a settled action, of a row with the columns ``{{columns.settled}}``: nobody holds it any more."""
    return {
        "id": row.a_id,
        "seq": 0,
        "action_type": _TYPES[row.a_action_type],
        "installation_id": row.a_installation_id,
        "repo_id": row.a_repo_id,
        "pr_number": row.a_pr_number,
        "challenge_id": row.a_challenge_id,
        "supersede_key": None,
        "run_at": row.a_settled_at,
        "status": ActionStatus(row.a_settled),
        "attempts": row.a_attempts,
        "worker_id": None,
        "claim_token": None,
        "last_outcome": None if row.a_outcome is None else _OUTCOMES[row.a_outcome],
        "last_token": row.a_claim_token,
        "last_worker_id": row.a_worker_id,
        "failure_code": row.a_failure_code,
        "failure_message": row.a_failure_message,
        "settled_at": row.a_settled_at,
        "cancel_reason": None,
    }


def action(row: Any, fields: dict[str, Any]) -> Action:
    """A whole action: ``fields`` of :func:`envelope` or :func:`settled`, and the rest. Raises MalformedPayload."""
    return Action(
        **fields,
        repo_full_name=row.a_repo_full_name,
        created_at=row.a_created_at,
        payload=payload(fields["action_type"], row.a_payload).with_comment(row.a_comment_id),
        policy=None,
    )


class MalformedPayload(Exception):
    """A stored payload is not what its type says."""


def payload(action_type: ActionType, document: str) -> AnyPayload:
    """A stored payload. Raises MalformedPayload."""
    try:
        return _PAYLOADS[action_type].decode(document)
    except (msgspec.MsgspecError, ValidationError) as exc:
        raise MalformedPayload(str(exc)) from exc


def audit_event(row: Any) -> AuditEvent:
    """A row of audit_events."""
    return AuditEvent(
        id=row.id,
        at=row.at,
        event=row.event,
        actor=row.actor,
        installation_id=row.installation_id,
        repo_id=row.repo_id,
        pr_number=row.pr_number,
        challenge_id=row.challenge_id,
        detail=row.detail,
    )


def installation(row: Any) -> Installation:
    """A row of github_installations."""
    return Installation(
        id=row.installation_id,
        status=InstallationStatus(row.status),
        changed_at=row.changed_at,
        account_login=row.account_login,
        account_type=None if row.account_type is None else AccountType(row.account_type),
        account_id=row.account_id,
        repository_selection=None
        if row.repository_selection is None
        else RepositorySelection(row.repository_selection),
    )


def repository(row: Any) -> InstallationRepository:
    """A row of github_installation_repositories, with the columns ``{{columns.repository}}``."""
    return InstallationRepository(
        installation_id=row.r_installation_id,
        repo_id=row.repo_id,
        full_name=row.full_name,
        active=row.active,
        changed_at=row.r_changed_at,
        active_since=row.active_since,
    )


def used(use: SignatureUse) -> dict[str, object]:
    """A signature record as a row of ``used``."""
    return {"signed_at": use.signed_at, "digest": use.digest.hex()}


def change(change: ChallengeChange) -> dict[str, object]:
    """What a change may touch, which is less than half of the row."""
    after = change.challenge
    return {
        "expected": change.expected,
        "id": after.id,
        "installation_id": after.installation_id,
        "status": after.status,
        "reason": after.reason,
        "head_sha": after.head_sha,
        "event_at": after.event_at,
        "window_s": after.window_s,
        "deadline_at": after.deadline_at,
        "gate_comment_id": after.gate_comment_id,
        "updated_at": after.updated_at,
    }


def _check_status(action: Envelope) -> None:
    """Raise ValueError for a status that would be read as another: the queue keeps none, but says who holds what."""
    if action.settled_at is not None:
        kept = action.status in SETTLED
    else:
        kept = action.status is (ActionStatus.PENDING if action.claim_token is None else ActionStatus.CLAIMED)
    if not kept:
        raise ValueError(f"action {action.id} is {action.status}, which its other fields contradict")


def put(action: Envelope, comment_id: int | None) -> dict[str, object]:
    """A queued action as it shall be, as a row of ``put``."""
    _check_status(action)
    return {
        "id": action.id,
        "status": action.status,
        "run_at": action.run_at,
        "attempts": action.attempts,
        "worker_id": action.worker_id,
        "claim_token": action.claim_token,
        "last_outcome": action.last_outcome,
        "last_token": action.last_token,
        "last_worker_id": action.last_worker_id,
        "failure_code": action.failure_code and action.failure_code[:MAX_TEXT],
        "failure_message": action.failure_message and action.failure_message[:MAX_TEXT],
        "settled_at": action.settled_at,
        "cancel_reason": action.cancel_reason,
        "comment_id": comment_id,
    }


def new_action(new: NewAction, now: datetime) -> dict[str, object]:
    """A new action as a row of ``queued``."""
    payload = new.payload
    return {
        "id": new.id,
        "action_type": payload.action_type,
        "installation_id": new.installation_id,
        "repo_id": new.repo_id,
        "repo_full_name": new.repo_full_name,
        "pr_number": new.pr_number,
        "challenge_id": new.challenge_id,
        "supersede_key": payload.supersede_key,
        "payload": payload,
        "created_at": now,
        "run_at": runs_at(new, now=now),
        "attempts": 0,
        "revived": False,
    }


def revived(action: Action) -> dict[str, object]:
    """A dead action that is queued again, as a row of ``queued``."""
    _check_status(action)
    return {
        "id": action.id,
        "action_type": action.action_type,
        "installation_id": action.installation_id,
        "repo_id": action.repo_id,
        "repo_full_name": action.repo_full_name,
        "pr_number": action.pr_number,
        "challenge_id": action.challenge_id,
        "supersede_key": action.supersede_key,
        "payload": action.payload,
        "created_at": action.created_at,
        "run_at": action.run_at,
        "attempts": action.attempts,
        "failure_code": action.failure_code,
        "failure_message": action.failure_message,
        "revived": True,
    }


class TimeOuts:
    """Decisions that time_out.sql can write, a short row each: what they have in common goes along once."""

    def __init__(self) -> None:
        self._alike: list[tuple[tuple[str | None, ...], list[dict[str, object]]]] = []

    def add(self, effects: Effects) -> bool:
        """Take a decision, or leave it alone (False) where it writes more than that statement can."""
        change, actions = effects.changed, effects.actions
        if change is None or effects.cancel_actions is not None or len(actions) > 1 or len(effects.audit) != 1:
            return False
        after, audit = change.challenge, effects.audit[0]
        row: dict[str, object] = {
            "id": after.id,
            "installation_id": after.installation_id,
            "audit_id": audit.id,
            "detail": audit.detail,
        }
        action_type = None
        if actions:
            action = actions[0]
            action_type = action.action_type
            row["action_id"] = action.id
            row["repo_full_name"] = action.repo_full_name
            row["supersede_key"] = action.payload.supersede_key
            row["payload"] = action.payload
            row["run_at"] = runs_at(action, now=after.updated_at)
        common = (change.expected, after.status, after.reason, audit.event, audit.actor, action_type)
        for known, rows in self._alike:
            if known == common:
                rows.append(row)
                return True
        self._alike.append((common, [row]))
        return True

    def parameters(self) -> Iterator[tuple[dict[str, str | None], int]]:
        """What time_out.sql is to be run with, and how many challenges each run must change."""
        for common, rows in self._alike:
            yield {**dict(zip(_COMMON, common, strict=True)), "rows": document(rows)}, len(rows)


_COMMON = ("expected", "status", "reason", "event", "actor", "action_type")
