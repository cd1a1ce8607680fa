"""Rows to domain values and back. Writes go as JSON documents, which PostgreSQL takes apart into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig, from_document
from centralbot.domain.dedup import SignatureUse
from centralbot.domain.effects import AuditEvent, CancelActions, ChallengeChange, Effects
from centralbot.domain.events import AccountType, RepositorySelection
from centralbot.domain.installation import Installation, InstallationStatus
from centralbot.domain.outbox import Action, ActionReason, ActionStatus, ActionType, NewAction, Outcome

_ENCODER = msgspec.json.Encoder()
# A look-up costs a seventh of an enum's call.
_MODES = {mode.value: mode for mode in Mode}
_STATUSES = {status.value: status for status in ChallengeStatus}


def document(value: object) -> str:
    """A value as a JSON document for a query's parameter."""
    return _ENCODER.encode(value).decode()


def challenge(row: Sequence[Any]) -> Challenge:
    """A row of pr_challenges, in the order of its columns."""
    return Challenge(
        id=row[0],
        installation_id=row[1],
        repo_id=row[2],
        repo_full_name=row[3],
        pr_number=row[4],
        pull_request_id=row[5],
        html_url=row[6],
        author_id=row[7],
        author_login=row[8],
        head_sha=row[9],
        mode=_MODES[row[10]],
        window_s=row[11],
        verification=tuple(row[12]),
        status=_STATUSES[row[13]],
        reason=row[14],
        event_at=row[15],
        created_at=row[16],
        updated_at=row[17],
        deadline_at=row[18],
        gate_comment_id=row[19],
    )


@lru_cache(maxsize=1024)
def config(text: str) -> RepoConfig:
    """A configuration's document. Few are different from each other, so each text is read once."""
    return from_document(msgspec.json.decode(text))


def action(row: Sequence[Any]) -> Action:
    """A row of bot_actions_now, in the order of its columns."""
    return Action(
        id=row[0],
        seq=row[1] or 0,
        action_type=ActionType(row[2]),
        installation_id=row[3],
        repo_id=row[4],
        repo_full_name=row[5],
        pr_number=row[6],
        challenge_id=row[7],
        marker=row[8],
        markdown=row[9],
        reason=ActionReason(row[10]),
        comment_id=row[11],
        created_at=row[12],
        run_at=row[13],
        status=ActionStatus(row[14]),
        attempts=row[15],
        worker_id=row[16],
        claim_token=row[17],
        last_outcome=None if row[18] is None else Outcome(row[18]),
        last_token=row[19],
        last_worker_id=row[20],
        failure_code=row[21],
        failure_message=row[22],
        settled_at=row[23],
    )


def audit_event(row: Sequence[Any]) -> AuditEvent:
    """A row of audit_events, in the order of its columns."""
    return AuditEvent(
        id=row[0],
        at=row[1],
        event=row[2],
        actor=row[3],
        installation_id=row[4],
        repo_id=row[5],
        pr_number=row[6],
        challenge_id=row[7],
        detail=row[8],
    )


def installation(row: Sequence[Any]) -> Installation:
    """A row of id, status, changed_at, account_login, account_type, account_id, repository_selection."""
    return Installation(
        id=row[0],
        status=InstallationStatus(row[1]),
        changed_at=row[2],
        account_login=row[3],
        account_type=None if row[4] is None else AccountType(row[4]),
        account_id=row[5],
        repository_selection=None if row[6] is None else RepositorySelection(row[6]),
    )


def uses(items: Iterable[SignatureUse | None]) -> list[dict[str, object]]:
    """Signature records as rows."""
    return [{"signed_at": use.signed_at, "digest": use.digest.hex()} for use in items if use is not None]


def _change(change: ChallengeChange) -> dict[str, object]:
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


def effects_parameters(
    batch: Iterable[Effects],
    *,
    signatures: list[dict[str, object]] | None = None,
    deliveries: list[dict[str, object]] | None = None,
    proofs: list[dict[str, object]] | None = None,
) -> tuple[dict[str, str], int]:
    """The parameters of apply_effects, and how many challenges it must change."""
    created: list[Challenge] = []
    changed: list[dict[str, object]] = []
    cancels: list[CancelActions] = []
    actions: list[NewAction] = []
    audit: list[AuditEvent] = []
    for effects in batch:
        if effects.created is not None:
            created.append(effects.created)
        if effects.changed is not None:
            changed.append(_change(effects.changed))
        if effects.cancel_actions is not None:
            cancels.append(effects.cancel_actions)
        actions.extend(effects.actions)
        audit.extend(effects.audit)
    parameters = {
        "uses": document(signatures or []),
        "deliveries": document(deliveries or []),
        "created": document(created),
        "changed": document(changed),
        "cancels": document(cancels),
        "actions": document(actions),
        "audit": document(audit),
        "proofs": document(proofs or []),
    }
    return parameters, len(changed)


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
        action_type = action_reason = None
        if actions:
            action = actions[0]
            action_type, action_reason = action.action_type, action.reason
            row["action_id"] = action.id
            row["repo_full_name"] = action.repo_full_name
            row["marker"] = action.marker
            row["markdown"] = action.markdown
            row["delay_s"] = action.delay_s
        common = (change.expected, after.status, after.reason, audit.event, audit.actor, action_type, action_reason)
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


_COMMON = ("expected", "status", "reason", "event", "actor", "action_type", "action_reason")
