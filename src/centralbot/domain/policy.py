"""What is judged once more right before the bot writes: with the facts that only GitHub can tell at that moment.

A claimed action carries a :class:`Policy`. The worker asks GitHub for the facts that it names, one after the other,
and asks :func:`judge`: go, cancel, or later. Where the answer is not go, it writes nothing and reports ``WITHHELD``
with what it saw, and the backend judges again (:mod:`centralbot.domain.results`). An unknown fact is asked for; it is
never taken as "no".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from centralbot.domain.actions import ActionReason, ActionType, AnyPayload, UpsertComment
from centralbot.domain.challenge import Challenge
from centralbot.domain.config import RepoConfig
from centralbot.domain.events import Actor
from centralbot.domain.facts import Fact, Facts
from centralbot.domain.rules import DRAFT, RULES, Subject, evaluate

DRAFT_RETRY_S = 600.0
"""A draft is looked at again after so many seconds, in case nobody hears that it is ready."""

TOLD_BY_EVENTS = frozenset(
    {
        Fact.AUTHOR_TYPE,
        Fact.AUTHOR_ASSOCIATION,
        Fact.LABELS,
        Fact.IS_DRAFT,
        Fact.STATE,
        Fact.MERGED,
        Fact.HEAD_SHA,
        Fact.PULL_REQUEST_UPDATED_AT,
    }
)
"""What the event that led to a gate comment has just told: there it is not asked for once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What :func:`judge` needs beside facts: the author, the repository's configuration, and which facts may matter.

    ``needs`` bounds what is asked of GitHub. ``closes``: the action closes, so a draft is let be.
    """

    author: Actor
    config: RepoConfig
    whitelisted: bool
    needs: frozenset[Fact]
    closes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Go on where ``withhold`` is None and nothing is ``missing``; ask for what is; else say no.

    ``withhold`` is why not, a rule's code; with ``retry_after_s`` not now. ``missing``: facts that may still decide.
    """

    withhold: str | None = None
    retry_after_s: float | None = None
    missing: frozenset[Fact] = frozenset()


GO = Judgement()


def policy_of(
    payload: AnyPayload, challenge: Challenge | None, config: RepoConfig, *, whitelisted: bool
) -> Policy | None:
    """The policy of an action, None for one that is not judged: those that ask an author, and those that close are."""
    closes = payload.action_type is ActionType.CLOSE_PR_WITH_COMMENT
    asks = isinstance(payload, UpsertComment) and payload.reason == ActionReason.VERIFICATION_REQUIRED
    if challenge is None or not (closes or asks):
        return None
    needs = frozenset(fact for rule in RULES for fact in rule.needs)
    return Policy(
        author=Actor(id=challenge.author_id, login=challenge.author_login),
        config=config,
        whitelisted=whitelisted,
        needs=needs | DRAFT.needs if closes else needs - TOLD_BY_EVENTS,
        closes=closes,
    )


def judge(policy: Policy, facts: Facts, *, now: datetime) -> Judgement:
    """Judge with what is known so far. Learning more never turns a cancel into a go."""
    subject = Subject(
        now=now,
        config=policy.config,
        author=policy.author,
        whitelisted=policy.whitelisted,
        action=None,
        sender=None,
        label=None,
        facts=facts,
    )
    verdict = evaluate(RULES, subject)
    if verdict.exempt is not None:
        return Judgement(withhold=verdict.exempt.code)
    missing = verdict.missing
    if policy.closes:
        is_draft = DRAFT.applies(subject)
        if is_draft:
            return Judgement(withhold=DRAFT.code, retry_after_s=DRAFT_RETRY_S)
        if is_draft is None:
            missing |= facts.unknown(DRAFT.needs)
    return Judgement(missing=missing & policy.needs)
