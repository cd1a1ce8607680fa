"""Actions on the wire, handed out and reported (contract section 4), and their way to and from the domain.

To add an action type: the struct of its payload, and its row in :data:`WIRE_PAYLOADS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from centralbot.adapters.backend_http.schemas.fields import GitHubId, Time, sent
from centralbot.domain.actions import DEFAULT_ACTION_TYPES, PAYLOADS, ActionType, CommentPayload
from centralbot.domain.config import from_document, to_document
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import Actor, AuthorAssociation, UserType
from centralbot.domain.facts import UNKNOWN, Fact, Facts, Permission, PullState
from centralbot.domain.outbox import Action, ActionStatus, Outcome, Settlement
from centralbot.domain.policy import Policy
from centralbot.ports.outbox import MALFORMED_ACTION, UNKNOWN_ACTION_TYPE, ClaimedAction, ClaimRequest, MalformedAction

T = TypeVar("T")
P = TypeVar("P")

WorkerId = Annotated[str, Meta(min_length=1, max_length=128)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class SignedClaim(Struct, omit_defaults=True, gc=False):
    """What the signature of a claim names."""

    worker_id: WorkerId


class ClaimBody(SignedClaim, gc=False):
    limit: Annotated[int, Meta(ge=1, le=100)] = sent(lambda: 25)
    wait_s: Annotated[float, Meta(ge=0, le=30)] = 0.0
    action_types: Annotated[list[ActionType], Meta(min_length=1, max_length=16)] = sent(
        lambda: list(DEFAULT_ACTION_TYPES)
    )
    max_per_installation: Annotated[int, Meta(ge=1, le=100)] | None = None


class SignedResult(Struct, omit_defaults=True, gc=False):
    """What the signature of a result names, beside the action."""

    worker_id: WorkerId
    outcome: Outcome


class ResultBody(SignedResult, gc=False):
    failure_code: Annotated[str, Meta(max_length=256)] | None = sent(lambda: None)
    failure_message: Annotated[str, Meta(max_length=65_536)] | None = sent(lambda: None)
    claim_token: UUID | None = None
    retry_after_s: Seconds | None = None
    pause_installation_s: Seconds | None = None
    comment_id: GitHubId | None = None
    facts: WireFacts | None = None


class WireFacts(Struct, omit_defaults=True, gc=False):
    """What a worker saw (contract section 10); what it leaves out is unknown."""

    author_type: UserType | None = None
    author_association: AuthorAssociation | None = None
    author_permission: Permission | None = None
    author_role: Annotated[str, Meta(max_length=256)] | None = None
    labels: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(max_length=1000)] | None = None
    is_draft: bool | None = None
    state: PullState | None = None
    merged: bool | None = None
    closed_by: Annotated[str, Meta(max_length=256)] | None = None
    head_sha: Annotated[str, Meta(max_length=64)] | None = None
    auto_merge: bool | None = None
    queued: bool | None = None
    approved_by: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(max_length=1000)] | None = None
    pull_request_updated_at: Time | None = None
    account_created_at: Time | None = None
    merged_before: Annotated[int, Meta(ge=0)] | None = None

    @classmethod
    def of(cls, facts: Facts) -> Self | None:
        """None where nothing is known."""
        known = facts.known()
        return cls(**{fact.value: value for fact, value in known.items()}) if known else None

    def facts(self) -> Facts:
        return Facts(**{name: getattr(self, name) for name in self.__struct_fields__})


class WirePolicy(Struct, omit_defaults=True, gc=False):
    """What the worker judges with right before it writes (contract section 10). A plain worker ignores it."""

    needs: list[str]
    author_id: int
    author_login: str
    config: dict[str, Any]
    whitelisted: bool = False
    closes: bool = False

    @classmethod
    def of(cls, policy: Policy) -> Self:
        return cls(
            needs=sorted(policy.needs),
            author_id=policy.author.id,
            author_login=policy.author.login,
            config=to_document(policy.config),
            whitelisted=policy.whitelisted,
            closes=policy.closes,
        )

    def policy(self) -> Policy:
        """What this worker knows of it; a fact of a newer backend's cannot be asked for here."""
        return Policy(
            author=Actor(id=self.author_id, login=self.author_login),
            config=from_document(self.config),
            whitelisted=self.whitelisted,
            needs=frozenset(Fact(name) for name in self.needs if name in set(Fact)),
            closes=self.closes,
        )


class WireComment(Struct, gc=False):
    """A text under a marker."""

    comment_markdown: str
    comment_marker: str
    reason: str = ""

    @classmethod
    def of(cls, payload: CommentPayload) -> Self:
        return cls(payload.markdown, payload.marker, payload.reason)

    def fields(self) -> dict[str, Any]:
        return {"marker": self.comment_marker, "markdown": self.comment_markdown, "reason": self.reason}


AnyWirePayload = WireComment

WIRE_PAYLOADS: Mapping[ActionType, type[Any]] = {
    ActionType.UPSERT_PR_COMMENT: WireComment,
    ActionType.CLOSE_PR_WITH_COMMENT: WireComment,
    ActionType.REOPEN_PR_WITH_COMMENT: WireComment,
}
"""The payload of each action type on the wire, made of the domain's (``of``), and its ``fields`` there."""


class Envelope(Struct, Generic[P], kw_only=True, gc=False):
    """An action around its payload. ``attempts`` counts earlier claims, in the domain this one too."""

    id: UUID
    action_type: ActionType
    installation_id: int
    github_repo_id: int
    repo_full_name: str
    github_pr_number: int
    challenge_id: UUID | None = None
    payload: P
    attempts: int
    created_at: datetime
    claim_token: UUID | None = None
    lease_expires_at: datetime | None = None
    comment_id: int | None = None
    policy: WirePolicy | UnsetType = UNSET


class WireAction(Envelope[AnyWirePayload], gc=False):
    """An action as it is handed out."""


class ClaimAnswer(Struct, gc=False):
    actions: list[WireAction]


class ResultAnswer(Struct, gc=False):
    id: UUID
    status: ActionStatus


def claim_request(body: ClaimBody) -> ClaimRequest:
    return ClaimRequest(
        worker_id=body.worker_id,
        limit=body.limit,
        action_types=tuple(body.action_types),
        max_per_installation=body.max_per_installation,
    )


def claim_body(request: ClaimRequest, wait_s: float) -> ClaimBody:
    return ClaimBody(
        worker_id=request.worker_id,
        limit=request.limit,
        wait_s=wait_s,
        action_types=list(request.action_types),
        max_per_installation=request.max_per_installation,
    )


def settlement(action_id: UUID, body: ResultBody) -> Settlement:
    return Settlement(
        action_id=action_id,
        worker_id=body.worker_id,
        outcome=body.outcome,
        failure_code=body.failure_code,
        failure_message=body.failure_message,
        claim_token=body.claim_token,
        retry_after_s=body.retry_after_s,
        pause_installation_s=body.pause_installation_s,
        comment_id=body.comment_id,
        facts=UNKNOWN if body.facts is None else body.facts.facts(),
    )


def result_body(settlement: Settlement) -> ResultBody:
    return ResultBody(
        worker_id=settlement.worker_id,
        outcome=settlement.outcome,
        failure_code=settlement.failure_code,
        failure_message=settlement.failure_message,
        claim_token=settlement.claim_token,
        retry_after_s=settlement.retry_after_s,
        pause_installation_s=settlement.pause_installation_s,
        comment_id=settlement.comment_id,
        facts=WireFacts.of(settlement.facts),
    )


def wire_action(action: Action) -> WireAction:
    return WireAction(
        id=action.id,
        action_type=action.action_type,
        installation_id=action.installation_id,
        github_repo_id=action.repo_id,
        repo_full_name=action.repo_full_name,
        github_pr_number=action.pr_number,
        challenge_id=action.challenge_id,
        payload=WIRE_PAYLOADS[action.action_type].of(action.payload),
        attempts=action.attempts - 1,
        created_at=action.created_at,
        claim_token=action.claim_token,
        lease_expires_at=action.run_at,
        comment_id=action.payload.known_comment_id,
        policy=UNSET if action.policy is None else WirePolicy.of(action.policy),
    )


class _RawAnswer(Struct, gc=False):
    """:class:`ClaimAnswer` before its actions are looked at."""

    actions: list[Raw]


_ANSWER = msgspec.json.Decoder(_RawAnswer)
_ENVELOPE = msgspec.json.Decoder(Envelope[Raw])
_PAYLOADS = {action_type: msgspec.json.Decoder(payload) for action_type, payload in WIRE_PAYLOADS.items()}
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def claimed_actions(answer: bytes) -> list[ClaimedAction | MalformedAction]:
    """The actions of a claim's answer, each read alone: one that this worker cannot read costs the others nothing.

    Raises msgspec.MsgspecError for what is no such answer at all.
    """
    return [_claimed(raw) for raw in _ANSWER.decode(answer).actions]


def _claimed(raw: Raw) -> ClaimedAction | MalformedAction:
    try:
        row = _ENVELOPE.decode(raw)
        wire = _PAYLOADS[row.action_type].decode(row.payload)
        payload = PAYLOADS[row.action_type](**wire.fields()).with_comment(row.comment_id)
    except ValidationError as exc:
        return _malformed(raw, exc.message)
    except _UNREADABLE as exc:
        return _malformed(raw, str(exc))
    return ClaimedAction(
        id=row.id,
        installation_id=row.installation_id,
        repo_id=row.github_repo_id,
        repo_full_name=row.repo_full_name,
        pr_number=row.github_pr_number,
        challenge_id=row.challenge_id,
        payload=payload,
        policy=None if isinstance(row.policy, UnsetType) else row.policy.policy(),
        attempts=row.attempts,
        created_at=row.created_at,
        claim_token=row.claim_token,
        lease_expires_at=row.lease_expires_at,
    )


def _malformed(raw: Raw, why: str) -> MalformedAction:
    """As much as can still be read of an action that as a whole cannot."""
    try:
        fields = _FIELDS.decode(raw)
    except _UNREADABLE:
        fields = {}
    action_type = _field(fields, "action_type", str)
    code = MALFORMED_ACTION
    if action_type is not None and action_type not in WIRE_PAYLOADS:
        code, why = UNKNOWN_ACTION_TYPE, f"this worker knows no action type {action_type[:64]!r}"
    return MalformedAction(
        id=_field(fields, "id", UUID), claim_token=_field(fields, "claim_token", UUID), code=code, message=why
    )


def _field(fields: Mapping[str, Raw], name: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(fields[name], type=kind)
    except (KeyError, *_UNREADABLE):
        return None
