"""The gate's decision order, row by row of the contract."""

from __future__ import annotations

import pytest

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.effects import NOTHING, CancelActions
from centralbot.domain.events import Actor, AuthorAssociation, IngestStatus, PullRequestEvent, UserType
from centralbot.domain.gating import Gate, GateFacts, Reason, decide
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.policy import Exemption, Mode, RepoConfig
from tests.builders import (
    AUTHOR,
    MAINTAINER,
    a_challenge,
    a_config,
    a_gate,
    a_pull_request_event,
    at,
    gate_facts,
)

GATE = a_gate()
PENDING = a_challenge()
E = a_pull_request_event
UNGATED = a_config(draft_prs_gated=False)


@pytest.mark.parametrize(
    ("event", "facts", "reason"),
    [
        (E("edited"), gate_facts(installation=None), Reason.IRRELEVANT_ACTION),
        (E(), gate_facts(installation=None, repository_active=False), Reason.INSTALLATION_NOT_ACTIVE),
        (E(), gate_facts(installation=InstallationStatus.SUSPENDED), Reason.INSTALLATION_NOT_ACTIVE),
        (E(), gate_facts(installation=InstallationStatus.DELETED), Reason.INSTALLATION_NOT_ACTIVE),
        (E(), gate_facts(repository_active=False, config=None), Reason.REPOSITORY_NOT_ACTIVE),
        (E(), gate_facts(config=None), Reason.MODE_OFF),
        (E("closed"), gate_facts(config=a_config(Mode.OFF), challenge=PENDING), Reason.MODE_OFF),
        (E("closed"), gate_facts(), Reason.NOTHING_PENDING),
        (E("closed"), gate_facts(challenge=a_challenge(ChallengeStatus.VERIFIED)), Reason.NOTHING_PENDING),
        (E("closed", seconds=-1), gate_facts(challenge=PENDING), Reason.STALE),
        (E("opened", seconds=5), gate_facts(last_closed_at=at(5)), Reason.STALE),
        (E("reopened", seconds=4), gate_facts(last_closed_at=at(5)), Reason.STALE),
        (E("converted_to_draft"), gate_facts(config=UNGATED), Reason.NOTHING_PENDING),
        (E(is_draft=True), gate_facts(config=UNGATED, whitelisted=True), Reason.DRAFT_NOT_GATED),
    ],
)
def test_what_is_ignored_says_why_and_changes_nothing(
    event: PullRequestEvent, facts: GateFacts, reason: Reason
) -> None:
    """In the contract's order: the first reason counts."""
    decision = decide(GATE, event, facts)
    assert (decision.status, decision.reason, decision.challenge_id) == (IngestStatus.IGNORED, reason, None)
    assert decision.effects == NOTHING


@pytest.mark.parametrize(
    ("event", "facts", "reason"),
    [
        (E("closed"), gate_facts(challenge=PENDING), Reason.CLOSED),
        (E("converted_to_draft"), gate_facts(config=UNGATED, challenge=PENDING), Reason.DRAFTED),
        (E("converted_to_draft"), gate_facts(challenge=PENDING), Reason.ALREADY_PENDING),
        (E("opened"), gate_facts(whitelisted=True), Reason.EXEMPT),
        (E("opened"), gate_facts(challenge=PENDING, whitelisted=True), Reason.EXEMPT),
        (E(), gate_facts(challenge=a_challenge(ChallengeStatus.VERIFIED), whitelisted=True), Reason.ALREADY_VERIFIED),
        (E(), gate_facts(challenge=a_challenge(ChallengeStatus.EXEMPT)), Reason.ALREADY_EXEMPT),
        (E("synchronize"), gate_facts(challenge=PENDING), Reason.ALREADY_PENDING),
        (
            E("synchronize"),
            gate_facts(challenge=a_challenge(ChallengeStatus.TIMED_OUT_CLOSED)),
            Reason.ALREADY_TIMED_OUT,
        ),
        (E("reopened"), gate_facts(challenge=a_challenge(ChallengeStatus.TIMED_OUT_CLOSED)), Reason.CHALLENGED),
        (E("reopened", sender=MAINTAINER), gate_facts(), Reason.EXEMPT),
        (E("reopened", sender=AUTHOR), gate_facts(), Reason.CHALLENGED),
        (E(), gate_facts(challenge=a_challenge(ChallengeStatus.CANCELED)), Reason.CHALLENGED),
        (E("reopened", seconds=5), gate_facts(last_closed_at=at(5)), Reason.CHALLENGED),
        (E(is_draft=True), gate_facts(), Reason.CHALLENGED),
        (E("ready_for_review"), gate_facts(config=UNGATED), Reason.CHALLENGED),
    ],
)
def test_what_is_accepted_says_why(event: PullRequestEvent, facts: GateFacts, reason: Reason) -> None:
    """Each with the challenge that it is about."""
    decision = decide(GATE, event, facts)
    assert (decision.status, decision.reason) == (IngestStatus.ACCEPTED, reason)
    assert decision.challenge_id is not None


@pytest.mark.parametrize(
    ("fields", "whitelisted", "config", "why"),
    [
        ({"author": Actor(id=10137, login="ghost")}, True, a_config(), Exemption.GHOST),
        ({"author_association": AuthorAssociation.MANNEQUIN}, False, a_config(), Exemption.GHOST),
        ({"author_type": UserType.BOT}, True, a_config(), Exemption.BOT),
        ({"author": Actor(id=5, login="x[bot]")}, False, a_config(), Exemption.BOT),
        ({"author_type": UserType.BOT}, True, a_config(exempt_bots=False), Exemption.WHITELISTED),
        ({"author_association": AuthorAssociation.OWNER}, True, a_config(), Exemption.WHITELISTED),
        ({"author_association": AuthorAssociation.OWNER}, False, a_config(), Exemption.ASSOCIATION),
    ],
)
def test_the_first_exemption_counts(
    fields: dict[str, object], whitelisted: bool, config: RepoConfig, why: Exemption
) -> None:
    """Bot, whitelist, association: the contract's order."""
    decision = decide(GATE, E(**fields), gate_facts(whitelisted=whitelisted, config=config))
    assert decision.effects.created is not None
    assert (decision.effects.created.status, decision.effects.created.reason) == (ChallengeStatus.EXEMPT, why)


@pytest.mark.parametrize(
    ("fields", "config"),
    [
        ({"author_type": UserType.BOT}, a_config(exempt_bots=False)),
        ({"author_association": AuthorAssociation.MEMBER}, a_config(exempt_associations=frozenset())),
        ({"author_association": AuthorAssociation.CONTRIBUTOR}, a_config()),
        ({"author_association": AuthorAssociation.NONE}, a_config()),
    ],
)
def test_who_is_not_exempt_is_challenged(fields: dict[str, object], config: RepoConfig) -> None:
    """Private members look like anybody (facts.md): they get the gate, never a close without it."""
    assert decide(GATE, E(**fields), gate_facts(config=config)).reason == Reason.CHALLENGED


def test_a_repository_without_a_configuration_takes_the_default() -> None:
    """CENTRALBOT_DEFAULT_MODE."""
    gate: Gate = a_gate(a_config(Mode.SHADOW, window_s=77))
    created = decide(gate, E(), gate_facts(config=None)).effects.created
    assert created is not None
    assert (created.mode, created.window_s, created.deadline_at) == (Mode.SHADOW, 77, at(77))


def test_an_exempt_author_is_told_only_where_that_is_wanted() -> None:
    """``comment_on_exempt``, and only for the whitelist."""
    told = decide(GATE, E(), gate_facts(whitelisted=True)).effects.actions
    untold = decide(GATE, E(), gate_facts(whitelisted=True, config=a_config(comment_on_exempt=False))).effects.actions
    assert [len(told), len(untold)] == [1, 0]


@pytest.mark.parametrize(
    ("event", "whitelisted", "reason"),
    [
        (E("synchronize"), True, Reason.EXEMPT),
        (E("reopened", sender=MAINTAINER), False, Reason.EXEMPT),
        (E("reopened", sender=AUTHOR), False, Reason.CHALLENGED),
    ],
)
def test_whoever_follows_a_time_out_is_not_met_by_its_close(
    event: PullRequestEvent, whitelisted: bool, reason: Reason
) -> None:
    """Invariant 7 and fault 35: the old challenge's close, still queued, goes with the new decision."""
    old = a_challenge(ChallengeStatus.TIMED_OUT_CLOSED)
    decision = decide(GATE, event, gate_facts(challenge=old, whitelisted=whitelisted))
    assert decision.reason == reason
    assert decision.effects.cancel_actions == CancelActions.of(old, "CHALLENGE_REPLACED")
