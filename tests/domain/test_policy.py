"""What is judged right before the bot writes: go, cancel, later, or ask first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain.actions import ActionReason, ActionType
from centralbot.domain.config import RepoConfig
from centralbot.domain.events import AuthorAssociation, UserType
from centralbot.domain.facts import Fact, Facts, Permission
from centralbot.domain.policy import DRAFT_RETRY_S, TOLD_BY_EVENTS, Judgement, Policy, judge, policy_of
from tests.builders import AUTHOR, T0, a_challenge, a_config, a_payload

NOBODY = Facts(
    author_type=UserType.USER,
    author_association=AuthorAssociation.NONE,
    author_permission=Permission.READ,
    labels=(),
    is_draft=False,
)
"""Of a newcomer's open pull request: nothing exempts."""


def a_policy(config: RepoConfig | None = None, *, closes: bool = True, **fields: Any) -> Policy:
    action_type = ActionType.CLOSE_PR_WITH_COMMENT if closes else ActionType.UPSERT_PR_COMMENT
    policy = policy_of(a_payload(action_type), a_challenge(), config or a_config(), whitelisted=False)
    assert policy is not None
    return replace(policy, **fields)


def test_only_who_asks_or_closes_is_judged() -> None:
    """What is said afterwards, and a reopen, need nobody's permission."""
    judged = {
        (action_type, reason): policy_of(
            a_payload(action_type, reason=reason), a_challenge(), a_config(), whitelisted=False
        )
        for action_type in ActionType
        for reason in ActionReason
    }
    assert {key for key, policy in judged.items() if policy is not None} == {
        (ActionType.UPSERT_PR_COMMENT, ActionReason.VERIFICATION_REQUIRED),
        *((ActionType.CLOSE_PR_WITH_COMMENT, reason) for reason in ActionReason),
    }
    assert policy_of(a_payload(ActionType.CLOSE_PR_WITH_COMMENT), None, a_config(), whitelisted=False) is None


def test_a_newcomer_is_asked_and_closed() -> None:
    """Everything is known, and nothing speaks against it."""
    assert judge(a_policy(), NOBODY, now=T0) == Judgement()
    assert judge(a_policy(closes=False), NOBODY, now=T0) == Judgement()


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        ({"author_permission": Permission.MAINTAIN}, "EXEMPT_PERMISSION"),
        ({"author_permission": Permission.WRITE}, "EXEMPT_PERMISSION"),
        ({"labels": ("bug", "CentralBot:Exempt")}, "EXEMPT_LABEL"),
        ({"author_association": AuthorAssociation.MEMBER}, "EXEMPT_ASSOCIATION"),
        ({"author_type": UserType.BOT}, "BOT_AUTHOR"),
    ],
)
def test_what_exempts_by_then_withholds(fact: dict[str, Any], code: str) -> None:
    """Whatever was known when time ran out."""
    assert judge(a_policy(), replace(NOBODY, **fact), now=T0) == Judgement(withhold=code)


def test_the_whitelist_of_this_moment_counts() -> None:
    """Without a question to GitHub."""
    assert judge(a_policy(whitelisted=True), Facts(), now=T0) == Judgement(withhold="WHITELISTED")


def test_a_draft_waits_where_drafts_are_not_gated() -> None:
    """It is not closed; when it is ready the close is judged again."""
    draft = replace(NOBODY, is_draft=True)
    config = a_config(draft_prs_gated=False)
    later = Judgement(withhold="CONVERTED_TO_DRAFT", retry_after_s=DRAFT_RETRY_S)
    assert judge(a_policy(config), draft, now=T0) == later
    assert judge(a_policy(), draft, now=T0) == Judgement()


def test_what_is_unknown_is_asked_for_and_never_no() -> None:
    """Before a gate comment only what its event cannot have told."""
    asked = judge(a_policy(a_config(draft_prs_gated=False)), Facts(), now=T0).missing
    assert asked == {
        Fact.AUTHOR_TYPE, Fact.AUTHOR_ASSOCIATION, Fact.AUTHOR_PERMISSION, Fact.LABELS, Fact.IS_DRAFT,
    }  # fmt: skip
    assert judge(a_policy(closes=False), Facts(), now=T0).missing == {Fact.AUTHOR_PERMISSION}
    assert judge(a_policy(closes=False), Facts(), now=T0).missing.isdisjoint(TOLD_BY_EVENTS)


facts = st.builds(
    Facts,
    author_type=st.sampled_from([None, *UserType]),
    author_association=st.sampled_from([None, *AuthorAssociation]),
    author_permission=st.sampled_from([None, *Permission]),
    labels=st.sampled_from([None, (), ("centralbot:exempt",)]),
    is_draft=st.sampled_from([None, True, False]),
)


@given(known=facts, more=facts, drafts=st.booleans(), closes=st.booleans())
def test_learning_more_never_turns_a_cancel_into_a_go(known: Facts, more: Facts, drafts: bool, closes: bool) -> None:
    """So the order in which facts are asked for does not matter."""
    policy = a_policy(a_config(draft_prs_gated=drafts), closes=closes)
    before = judge(policy, known, now=T0)
    after = judge(policy, more.updated(known), now=T0)
    if before.withhold is not None and before.retry_after_s is None:
        assert after.withhold is not None
    if not before.missing and before.withhold is None:
        assert AUTHOR.login == policy.author.login
        assert after.missing == frozenset()
