"""What is left alone, and why. Whoever adds a line here says in words why nobody could tell the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.mutants.sites import Mutant

NO_RULES: Mapping[str, str] = {
    "comments *": "words; tests/domain compares them, no store reads them",
    "trace *": "words; tests/domain compares them, no store reads them",
    "words *": "words; tests/domain compares them, no store reads them",
    "rules.* _trace": "words; tests/domain compares them, no store reads them",
    "rules.* _unmet": "words; tests/domain compares them, no store reads them",
    "rules.explanation *": "words; tests/domain compares them, no store reads them",
    "rules exemptions": "refuses a list of rules that contradicts itself when the program starts; tests/domain",
    "rules.rule Words.*": "refuses a rule without words when the program starts; tests/domain",
    "config *": "what a configuration may say and how it is told; what follows from it is decided elsewhere",
    "fields *": "what a configuration may say and how it is told; what follows from it is decided elsewhere",
    "signing *": "who may speak, not what happens then; tests/domain holds it against GitHub's own examples",
    "machine mermaid": "the diagrams of the documentation, compared with the tables by `centralbot docs diagrams`",
}
"""Modules and functions that decide nothing about a transition, as patterns."""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that does the same as the original, or differs where nobody can come."""

    where: str
    original: str
    mutated: str
    reason: str

    def is_for(self, mutant: Mutant) -> bool:
        return (self.where, self.original, self.mutated) == (mutant.where, mutant.original, mutant.mutated)


EQUIVALENT: tuple[Equivalent, ...] = (
    Equivalent(
        "outbox backoff_s", "30", "(30 * 10)",
        "keeps the power a number that a float can hold; the cap of 15 minutes comes long before either",
    ),
    Equivalent("outbox runs_at", "new.delay_s", "True", "adding no time is adding nothing; the guard is for speed"),
    Equivalent(
        "outbox settle",
        "action.status is not S.CLAIMED or action.worker_id != settlement.worker_id "
        "or settlement.claim_token not in (None, action.claim_token)",
        "(action.worker_id != settlement.worker_id or settlement.claim_token not in (None, action.claim_token))",
        "an action that is not claimed has no worker, so no worker's result is its holder's",
    ),
    Equivalent(
        "results on_result",
        "settlement.outcome is Outcome.WITHHELD and standing is not None", "(standing is not None)",
        "how a challenge stands is read for what was withheld alone",
    ),
    *(
        Equivalent(
            "results _judged_again", "action.action_type is ActionType.CLOSE_PR_WITH_COMMENT", mutated,
            "it says whether a draft delays the action, and one that is only delayed comes back as it is in any case",
        )
        for mutated in ("True", "False")
    ),
    Equivalent(
        "results on_orphaned",
        "after.status is ActionStatus.CANCELED and _is_notice(action) and challenge is not None",
        "(_is_notice(action) and challenge is not None)",
        "asked about actions that nobody holds, and those are canceled at once",
    ),
    Equivalent(
        "results on_orphaned",
        "after.status is ActionStatus.CANCELED and _is_notice(action) and challenge is not None",
        "(after.status is ActionStatus.CANCELED and challenge is not None)",
        "a challenge that waits for its comment has nothing else queued, and any other stays as it is",
    ),
    Equivalent(
        "results on_operator_cancel", "_is_notice(action) and challenge is not None", "(challenge is not None)",
        "a challenge that waits for its comment has nothing else queued, and any other stays as it is",
    ),
    Equivalent(
        "results on_operator_retry",
        "challenge.status is ChallengeStatus.CANCELED and challenge.reason == CancelReason.NOTICE_FAILED",
        "(challenge.reason == CancelReason.NOTICE_FAILED)",
        "nothing but a canceled challenge has that reason",
    ),
    Equivalent(
        "results on_operator_retry", "counts and canceled and _is_notice(action)", "(counts and canceled)",
        "a challenge that was canceled for want of its comment has nothing else queued",
    ),
    Equivalent(
        "results check_retry", "isinstance(action.payload, CommentPayload)", "True",
        "every action of today has a comment; another one comes with its own test",
    ),
    Equivalent(
        "verdicts facts_of", "close is None and kept is not None", "(kept is not None)",
        "what became of a close is kept when the close is deleted, and a challenge has but one",
    ),
    Equivalent(
        "verdicts on_verified", "late and facts.superseded", "(facts.superseded)",
        "beside an active challenge another one can only be timed out or canceled, and the table refuses the latter",
    ),
    *(
        Equivalent(
            "verdicts on_verified", "late and not after.is_shadow and facts.close in MAYBE_CLOSED", mutated,
            "only what time ran out for, and not in shadow mode, has a close",
        )
        for mutated in (
            "(not after.is_shadow and facts.close in MAYBE_CLOSED)", "(late and facts.close in MAYBE_CLOSED)",
        )
    ),
    Equivalent(
        "verdicts on_withheld", "ChallengeEvent.WITHHOLD", "ChallengeEvent.VERIFY",
        "both are legal from the same states; the table's own cells are changed besides",
    ),
)  # fmt: skip


def in_scope(mutants: Iterable[Mutant], equivalent: Sequence[Equivalent] = EQUIVALENT) -> list[Mutant]:
    """Those to be killed. Raises LookupError for an exclusion of what is no longer there."""
    rules = [mutant for mutant in mutants if not any(fnmatchcase(mutant.where, pattern) for pattern in NO_RULES)]
    if stale := [one for one in equivalent if not any(one.is_for(mutant) for mutant in rules)]:
        raise LookupError(f"excluded, but no longer there: {stale}")
    return [mutant for mutant in rules if not any(one.is_for(mutant) for one in equivalent)]
