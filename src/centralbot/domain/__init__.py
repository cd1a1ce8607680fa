"""The pure core as a library: events and facts in, decisions and their effects out.

Standard library only, synchronous, no clock, no I/O: times, ids and chance are arguments. What is named here is what
another program can rely on: ``docs/domain.md`` says what each is for, ``examples/embed.py`` embeds it over a store of
its own.
"""

from __future__ import annotations

from centralbot.domain.actions import (
    ALREADY_CLOSED,
    DEFAULT_ACTION_TYPES,
    PAYLOADS,
    ActionReason,
    ActionType,
    AnyPayload,
    CloseWithComment,
    ReopenWithComment,
    UpsertComment,
)
from centralbot.domain.challenge import CancelReason, Challenge, ChallengeStatus, counting, is_due
from centralbot.domain.config import Mode, RepoConfig, VerificationKind, from_document, to_document
from centralbot.domain.effects import AuditEvent, ChallengeChange, Effects
from centralbot.domain.errors import (
    ActionNotHeld,
    CentralbotError,
    ChallengeNotPending,
    IllegalTransition,
    ValidationError,
)
from centralbot.domain.events import (
    AccountType,
    Actor,
    AuthorAssociation,
    IngestStatus,
    InstallationEvent,
    PullRequestEvent,
    RepositoryRef,
    RepositorySelection,
    UserType,
)
from centralbot.domain.facts import UNKNOWN, Fact, Facts, Permission, PullState
from centralbot.domain.gating import CLOSING, Decision, DecisionContext, GateFacts, Reason, decide, decide_found
from centralbot.domain.installation import (
    Installation,
    InstallationEffects,
    InstallationFacts,
    InstallationRepository,
    InstallationStatus,
    gated_since,
    hands_out,
    paused_until,
)
from centralbot.domain.installation import decide as decide_installation
from centralbot.domain.outbox import (
    SETTLED,
    Action,
    ActionStatus,
    Envelope,
    NewAction,
    OutboxRules,
    Outcome,
    Settlement,
    cancel_removed,
    is_live,
    is_ready,
    needs_rescue,
    queued,
)
from centralbot.domain.policy import GO, Judgement, Policy, judge, policy_of
from centralbot.domain.results import (
    ActionDecision,
    Standing,
    hand_out,
    on_malformed,
    on_operator_cancel,
    on_operator_retry,
    on_orphaned,
    on_rescue,
    on_result,
    orphaned,
)
from centralbot.domain.rules import EXEMPTIONS, RULES, Exemption, Rule, Subject, Verdict, Veto, evaluate
from centralbot.domain.trace import sentence
from centralbot.domain.verdicts import (
    ChallengeFacts,
    CloseState,
    close_state,
    facts_of,
    on_canceled,
    on_deadline,
    on_exempted,
    on_extended,
    on_gone,
    on_verified,
    on_withheld,
    worth_keeping,
)
from centralbot.domain.withdrawals import CancelActions, withdrawn

__all__ = [  # noqa: RUF022 - in the order of docs/domain.md
    # What GitHub told
    "Actor",
    "RepositoryRef",
    "PullRequestEvent",
    "InstallationEvent",
    "UserType",
    "AuthorAssociation",
    "AccountType",
    "RepositorySelection",
    "IngestStatus",
    # Facts that an event may lack
    "Fact",
    "Facts",
    "Permission",
    "PullState",
    "UNKNOWN",
    # A repository's configuration
    "Mode",
    "RepoConfig",
    "VerificationKind",
    "from_document",
    "to_document",
    # Who is exempt
    "RULES",
    "EXEMPTIONS",
    "Exemption",
    "Rule",
    "Veto",
    "Subject",
    "Verdict",
    "evaluate",
    # Deciding an event
    "DecisionContext",
    "GateFacts",
    "Decision",
    "Reason",
    "decide",
    "decide_found",
    "CLOSING",
    # Challenges
    "Challenge",
    "ChallengeStatus",
    "CancelReason",
    "counting",
    "is_due",
    # What becomes of a challenge
    "ChallengeFacts",
    "CloseState",
    "facts_of",
    "on_deadline",
    "on_verified",
    "on_exempted",
    "on_canceled",
    "on_extended",
    "on_gone",
    "on_withheld",
    "close_state",
    "worth_keeping",
    # What a decision changes
    "Effects",
    "ChallengeChange",
    "AuditEvent",
    # What the bot shall do
    "ActionType",
    "ActionReason",
    "UpsertComment",
    "CloseWithComment",
    "ReopenWithComment",
    "AnyPayload",
    "PAYLOADS",
    "DEFAULT_ACTION_TYPES",
    "ALREADY_CLOSED",
    # The outbox
    "NewAction",
    "Envelope",
    "Action",
    "ActionStatus",
    "SETTLED",
    "OutboxRules",
    "Settlement",
    "Outcome",
    "CancelActions",
    "queued",
    "withdrawn",
    "is_live",
    "is_ready",
    "needs_rescue",
    "cancel_removed",
    # Judging once more, right before acting
    "Policy",
    "Judgement",
    "GO",
    "judge",
    "policy_of",
    # What became of an action
    "ActionDecision",
    "Standing",
    "hand_out",
    "on_result",
    "on_rescue",
    "orphaned",
    "on_orphaned",
    "on_malformed",
    "on_operator_cancel",
    "on_operator_retry",
    # Installations
    "Installation",
    "InstallationRepository",
    "InstallationStatus",
    "InstallationFacts",
    "InstallationEffects",
    "decide_installation",
    "hands_out",
    "paused_until",
    "gated_since",
    # Errors
    "CentralbotError",
    "ValidationError",
    "ChallengeNotPending",
    "ActionNotHeld",
    "IllegalTransition",
    # In words
    "sentence",
]
