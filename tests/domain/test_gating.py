"""The gate's decision order, row by row of the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig
from centralbot.domain.effects import NOTHING, Effects, cancel_actions
from centralbot.domain.events import Actor, AuthorAssociation, IngestStatus, PullRequestEvent, UserType
from centralbot.domain.gating import DecisionContext, GateFacts, Reason, decide
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.rules import ASSOCIATION, BOT, GHOST, LABELED, WHITELISTED
from tests.builders import (
    AUTHOR,
    MAINTAINER,
    a_challenge,
    a_config,
    a_context,
    a_pull_request_event,
    at,
    comment_of,
    gate_facts,
)

GATE = a_context()
PENDING = a_challenge()
E = a_pull_request_event
LABEL = "centralbot:exempt"
UNLABELED = a_config(exempt_label="")
UNGATED = a_config(draft_prs_gated=False)


@pytest.mark.parametrize(
    ("event", "facts", "reason"),
    [
        (E("edited"), gate_facts(installation=None), Reason.IRRELEVANT_ACTION),
        (E("labeled"), gate_facts(challenge=PENDING), Reason.IRRELEVANT_ACTION),
        (E("labeled", label="bug"), gate_facts(challenge=PENDING), Reason.IRRELEVANT_ACTION),
        (E("labeled", label="bug", labels=(LABEL,)), gate_facts(challenge=PENDING), Reason.IRRELEVANT_ACTION),
        (E("labeled", label=""), gate_facts(config=UNLABELED, challenge=PENDING), Reason.IRRELEVANT_ACTION),
        (E("labeled", label=LABEL), gate_facts(config=a_config(exempt_label="x")), Reason.IRRELEVANT_ACTION),
        (E("labeled", label=LABEL), gate_facts(installation=None), Reason.INSTALLATION_NOT_ACTIVE),
        (E("labeled", label=LABEL), gate_facts(config=None), Reason.MODE_OFF),
        (E("labeled", label=LABEL, seconds=5), gate_facts(challenge=PENDING, last_closed_at=at(5)), Reason.STALE),
        (E("labeled", label=LABEL, is_draft=True), gate_facts(config=UNGATED), Reason.DRAFT_NOT_GATED),
        (E("unlabeled", label=LABEL), gate_facts(challenge=PENDING), Reason.IRRELEVANT_ACTION),
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
        (E("closed", merged=True), gate_facts(challenge=PENDING), Reason.MERGED),
        (E("labeled", label=LABEL), gate_facts(challenge=PENDING), Reason.EXEMPT),
        (E("labeled", label=LABEL.upper()), gate_facts(challenge=PENDING), Reason.EXEMPT),
        (E("labeled", label=LABEL, seconds=-5), gate_facts(challenge=PENDING), Reason.EXEMPT),
        (E("labeled", label=LABEL, is_draft=True), gate_facts(challenge=PENDING), Reason.EXEMPT),
        (E("labeled", label=LABEL), gate_facts(), Reason.EXEMPT),
        (E("labeled", label=LABEL), gate_facts(challenge=a_challenge(ChallengeStatus.CANCELED)), Reason.EXEMPT),
        (
            E("labeled", label=LABEL),
            gate_facts(challenge=a_challenge(ChallengeStatus.VERIFIED)),
            Reason.ALREADY_VERIFIED,
        ),
        (E("labeled", label=LABEL), gate_facts(challenge=a_challenge(ChallengeStatus.EXEMPT)), Reason.ALREADY_EXEMPT),
        (
            E("labeled", label=LABEL),
            gate_facts(challenge=a_challenge(ChallengeStatus.TIMED_OUT_CLOSED), whitelisted=True),
            Reason.ALREADY_TIMED_OUT,
        ),
        (E("opened", labels=("bug", "Centralbot:Exempt")), gate_facts(), Reason.EXEMPT),
        (E("opened", labels=("bug", "")), gate_facts(config=UNLABELED), Reason.CHALLENGED),
        (E("synchronize", labels=(LABEL,)), gate_facts(challenge=PENDING), Reason.EXEMPT),
        (E("opened", label=LABEL), gate_facts(), Reason.CHALLENGED),
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
    ("event", "whitelisted", "config", "why"),
    [
        (E(author=Actor(id=10137, login="ghost")), True, a_config(), GHOST.code),
        (E(author_association=AuthorAssociation.MANNEQUIN), False, a_config(), GHOST.code),
        (E(author_type=UserType.BOT), True, a_config(), BOT.code),
        (E(author=Actor(id=5, login="x[bot]")), False, a_config(), BOT.code),
        (E(author_type=UserType.BOT), True, a_config(exempt_bots=False), WHITELISTED.code),
        (E(author_association=AuthorAssociation.OWNER), True, a_config(), WHITELISTED.code),
        (E(author_association=AuthorAssociation.OWNER), False, a_config(), ASSOCIATION.code),
        (E(author_association=AuthorAssociation.OWNER, labels=(LABEL,)), False, a_config(), ASSOCIATION.code),
        (E("reopened", sender=MAINTAINER, labels=(LABEL,)), False, a_config(), LABELED.code),
        (E(labels=(LABEL,)), True, a_config(), WHITELISTED.code),
    ],
)
def test_the_first_exemption_counts(event: PullRequestEvent, whitelisted: bool, config: RepoConfig, why: str) -> None:
    """Bot, whitelist, association: the contract's order."""
    decision = decide(GATE, event, gate_facts(whitelisted=whitelisted, config=config))
    assert decision.effects.created is not None
    assert (decision.effects.created.status, decision.effects.created.reason) == (ChallengeStatus.EXEMPT, why)


@pytest.mark.parametrize(
    ("event", "config"),
    [
        (E(author_type=UserType.BOT), a_config(exempt_bots=False)),
        (E(author_association=AuthorAssociation.MEMBER), a_config(exempt_associations=frozenset())),
        (E(author_association=AuthorAssociation.CONTRIBUTOR), a_config()),
        (E(author_association=AuthorAssociation.NONE), a_config()),
    ],
)
def test_who_is_not_exempt_is_challenged(event: PullRequestEvent, config: RepoConfig) -> None:
    """Private members look like anybody (facts.md): they get the context, never a close without it."""
    assert decide(GATE, event, gate_facts(config=config)).reason == Reason.CHALLENGED


def test_a_repository_without_a_configuration_takes_the_default() -> None:
    """CENTRALBOT_DEFAULT_MODE."""
    context: DecisionContext = a_context(a_config(Mode.SHADOW, window_s=77))
    created = decide(context, E(), gate_facts(config=None)).effects.created
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
    assert decision.effects.cancel_actions == cancel_actions(old, "CHALLENGE_REPLACED")


def test_a_label_after_the_time_ran_out_stops_the_close_and_makes_nothing_new() -> None:
    """The late pass, which reopens, stays possible; a maintainer who wants it open reopens it, which exempts."""
    old = a_challenge(ChallengeStatus.TIMED_OUT_CLOSED)
    decision = decide(GATE, E("labeled", label=LABEL, sender=MAINTAINER), gate_facts(challenge=old))
    assert decision.effects == Effects(cancel_actions=cancel_actions(old, "LABELED"))
    assert decision.challenge_id == old.id


def test_a_label_on_a_pending_challenge_says_so_on_the_pull_request_and_who_in_the_audit() -> None:
    """Its one gate comment is rewritten; what was queued goes."""
    effects = decide(GATE, E("labeled", label=LABEL, sender=MAINTAINER), gate_facts(challenge=PENDING)).effects
    assert effects.changed is not None
    assert (effects.changed.challenge.status, effects.changed.challenge.reason) == (
        ChallengeStatus.EXEMPT,
        LABELED.code,
    )
    (comment,) = effects.actions
    assert comment_of(comment).marker == f"centralbot:gate:{PENDING.id}"
    assert "by a maintainer, who labeled this pull request" in comment_of(comment).markdown
    (audit,) = effects.audit
    assert (audit.event, audit.actor, audit.detail["why"]) == ("challenge.exempted", "github:3003", "EXEMPT_LABEL")


def test_shadow_says_nothing_of_a_label() -> None:
    """It decides and records."""
    pending = a_challenge(mode=Mode.SHADOW, deadline_at=at(60))
    event = E("labeled", label=LABEL, sender=MAINTAINER)
    effects = decide(GATE, event, gate_facts(config=a_config(Mode.SHADOW), challenge=pending)).effects
    assert (effects.changed is not None, effects.actions) == (True, ())


labels = st.text(max_size=60) | st.sampled_from([LABEL, LABEL.upper(), "bug", ""])
configs = st.builds(
    a_config, mode=st.sampled_from([Mode.ENFORCE, Mode.SHADOW]), exempt_label=labels, draft_prs_gated=st.booleans()
)
currents = st.none() | st.builds(a_challenge, st.sampled_from(ChallengeStatus))


@given(config=configs, label=labels, others=st.lists(labels, max_size=3), current=currents)
def test_labeling_never_asks_anybody(
    config: RepoConfig, label: str, others: list[str], current: Challenge | None
) -> None:
    """Whatever the label and the configuration: nobody is challenged or closed for it, and what ended stays ended."""
    event = E("labeled", label=label, labels=tuple(others))
    decision = decide(GATE, event, gate_facts(config=config, challenge=current))
    effects = decision.effects
    assert decision.reason not in (Reason.CHALLENGED, Reason.ALREADY_PENDING)
    assert effects.created is None or effects.created.status is ChallengeStatus.EXEMPT
    if current is not None and current.status is not ChallengeStatus.PENDING:
        assert effects.changed is None
    if label.casefold() != config.exempt_label.casefold() or not label:
        assert (decision.reason, effects) == (Reason.IRRELEVANT_ACTION, NOTHING)


@given(label=st.text("aZ:-", min_size=1), others=st.lists(labels, max_size=3))
def test_the_label_exempts_before_and_after(label: str, others: list[str]) -> None:
    """Opened with it, or labeled later, in any case: the same end."""
    facts = gate_facts(config=a_config(exempt_label=label))
    opened = decide(GATE, E(labels=(*others, label.swapcase())), facts)
    later = decide(GATE, E("labeled", label=label.swapcase()), replace(facts, challenge=PENDING))
    assert opened.effects.created is not None
    assert later.effects.changed is not None
    ends = [(one.status, one.reason) for one in (opened.effects.created, later.effects.changed.challenge)]
    assert ends == [(ChallengeStatus.EXEMPT, LABELED.code)] * 2
