"""The rules: each one's table, its words on every surface, and what unknown facts may and may not do."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain import comments, rules, trace
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import ExemptPermission
from centralbot.domain.effects import AuditEvent
from centralbot.domain.events import GHOST_USER_ID, Actor, AuthorAssociation, UserType
from centralbot.domain.facts import Fact, Facts, Permission
from centralbot.domain.rules import (
    ASSOCIATION,
    BOT,
    DRAFT,
    EXEMPTIONS,
    GHOST,
    LABELED,
    MAINTAINER_REOPENED,
    PERMISSION,
    RULES,
    WHITELISTED,
    Rule,
    Subject,
    Veto,
    evaluate,
    recorded,
    unmet,
)
from centralbot.domain.rules.rule import NO_FACTS, Gate, Words, always, unsaid
from centralbot.entrypoints.web.labels import outcome, why_exempt
from tests.builders import AUTHOR, MAINTAINER, SHA, T0, a_challenge, a_config, a_pull_request_event, no_id

LABEL = a_config().exempt_label
GHOSTLY, APP = Actor(id=GHOST_USER_ID, login="ghost"), Actor(id=5, login="renovate[bot]")
PREDICATES: list[Rule | Gate] = [*(rule for rule in RULES if isinstance(rule, Rule)), DRAFT]


def a_subject(config: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **known: Any) -> Subject:
    """An author of whom nothing is known but the account, before acting."""
    subject = Subject(
        now=T0,
        config=a_config(**(config or {})),
        author=AUTHOR,
        whitelisted=False,
        action=None,
        sender=None,
        label=None,
        facts=Facts(**(facts or {})),
    )
    return replace(subject, **known)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (a_subject(author=GHOSTLY), True),
        (a_subject(author=GHOSTLY, facts={"author_association": AuthorAssociation.NONE}), True),
        (a_subject(), None),
        *[
            (a_subject(facts={"author_association": known}), known is AuthorAssociation.MANNEQUIN)
            for known in AuthorAssociation
        ],
    ],
)
def test_a_ghost_is_a_deleted_account_or_a_mannequin(subject: Subject, expected: bool | None) -> None:
    """Either is enough."""
    assert GHOST.applies(subject) is expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (a_subject(facts={"author_type": UserType.BOT}), True),
        (a_subject(facts={"author_type": UserType.USER}), False),
        (a_subject(facts={"author_type": UserType.ORGANIZATION}), False),
        (a_subject(), None),
        (a_subject(author=APP), True),
        (a_subject(author=APP, facts={"author_type": UserType.USER}), True),
        (a_subject({"exempt_bots": False}, facts={"author_type": UserType.BOT}), False),
        (a_subject({"exempt_bots": False}, author=APP), False),
        (a_subject({"exempt_bots": False}), False),
    ],
)
def test_a_bot_is_told_by_its_type_or_its_login(subject: Subject, expected: bool | None) -> None:
    """Where the repository exempts bots."""
    assert BOT.applies(subject) is expected


@pytest.mark.parametrize("whitelisted", [True, False])
def test_the_whitelist_is_always_known(whitelisted: bool) -> None:
    """It is ours."""
    assert WHITELISTED.applies(a_subject(whitelisted=whitelisted)) is whitelisted


@pytest.mark.parametrize("exempt", [frozenset(), frozenset({AuthorAssociation.MEMBER}), frozenset(AuthorAssociation)])
@pytest.mark.parametrize("known", [None, *AuthorAssociation])
def test_an_association_exempts_where_it_is_listed(
    exempt: frozenset[AuthorAssociation], known: AuthorAssociation | None
) -> None:
    """Where none is listed there is nothing to be known."""
    subject = a_subject({"exempt_associations": exempt}, facts={"author_association": known})
    expected = None if known is None and exempt else known in exempt
    assert ASSOCIATION.applies(subject) is expected


ENOUGH = {
    ExemptPermission.ADMIN: {Permission.ADMIN},
    ExemptPermission.MAINTAIN: {Permission.ADMIN, Permission.MAINTAIN},
    ExemptPermission.WRITE: {Permission.ADMIN, Permission.MAINTAIN, Permission.WRITE},
    ExemptPermission.TRIAGE: {Permission.ADMIN, Permission.MAINTAIN, Permission.WRITE, Permission.TRIAGE},
}


@pytest.mark.parametrize("least", ExemptPermission)
@pytest.mark.parametrize("permission", [None, *Permission])
def test_a_permission_exempts_from_the_configured_one_on(
    permission: Permission | None, least: ExemptPermission
) -> None:
    """Never ``read``, which everybody has in a public repository."""
    expected = None if permission is None else permission in ENOUGH[least]
    assert PERMISSION.applies(a_subject({"exempt_permission": least}, {"author_permission": permission})) is expected


def test_write_exempts_where_nothing_else_is_configured() -> None:
    """The contract's default."""
    assert a_config().exempt_permission is ExemptPermission.WRITE


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (a_subject(), None),
        (a_subject(facts={"labels": ()}), False),
        (a_subject(facts={"labels": ("bug",)}), False),
        (a_subject(facts={"labels": ("bug", LABEL.upper())}), True),
        (a_subject(label=LABEL), True),
        (a_subject(label=LABEL, facts={"labels": ()}), True),
        (a_subject(label="bug"), None),
        (a_subject({"exempt_label": ""}), False),
        (a_subject({"exempt_label": ""}, label="", facts={"labels": ("",)}), False),
    ],
)
def test_the_exempting_label_counts_in_any_case(subject: Subject, expected: bool | None) -> None:
    """Just added or there already."""
    assert LABELED.applies(subject) is expected


@pytest.mark.parametrize(
    ("action", "sender", "expected"),
    [
        ("reopened", MAINTAINER, True),
        ("reopened", AUTHOR, False),
        ("reopened", replace(AUTHOR, login="renamed"), False),
        ("reopened", None, None),
        ("opened", MAINTAINER, False),
        (None, None, False),
    ],
)
def test_a_reopen_by_somebody_else_exempts(action: str | None, sender: Actor | None, expected: bool | None) -> None:
    """Told apart by the account's id."""
    assert MAINTAINER_REOPENED.applies(a_subject(action=action, sender=sender)) is expected


@pytest.mark.parametrize(
    ("gated", "action", "is_draft", "expected"),
    [
        (True, None, True, False),
        (True, "converted_to_draft", None, False),
        (False, None, None, None),
        (False, None, True, True),
        (False, "opened", False, False),
        (False, "converted_to_draft", False, True),
    ],
)
def test_a_draft_is_left_alone_where_drafts_are_not_gated(
    gated: bool, action: str | None, is_draft: bool | None, expected: bool | None
) -> None:
    """An event that says so counts before the pull request's own flag."""
    subject = a_subject({"draft_prs_gated": gated}, {"is_draft": is_draft}, action=action)
    assert DRAFT.applies(subject) is expected


def test_every_rule_has_a_table_here() -> None:
    """A new one needs its own."""
    assert {rule.code for rule in RULES} == {
        rule.code for rule in (GHOST, BOT, WHITELISTED, ASSOCIATION, PERMISSION, LABELED, MAINTAINER_REOPENED)
    }


def test_facts_have_the_names_of_their_fields() -> None:
    """One vocabulary: the field, the fact, the wire."""
    assert [field.name for field in fields(Facts)] == list(Fact)


def test_permissions_have_an_order_that_is_not_the_alphabets() -> None:
    """From ``none`` to ``admin``."""
    ranked = ["none", "read", "triage", "write", "maintain", "admin"]
    for i, one in enumerate(ranked):
        assert [Permission(one).is_at_least(Permission(other)) for other in ranked] == [j <= i for j in range(6)]


def test_an_event_tells_its_facts() -> None:
    """Those that it has; labels that were left out are unknown."""
    event = a_pull_request_event(
        labels=("bug",),
        is_draft=True,
        merged=False,
        author_type=UserType.USER,
        author_association=AuthorAssociation.NONE,
    )
    subject = Subject.of_event(event, config=a_config(), whitelisted=True, now=T0)
    assert subject.facts == Facts(
        author_type=UserType.USER,
        author_association=AuthorAssociation.NONE,
        labels=("bug",),
        is_draft=True,
        merged=False,
        head_sha=SHA,
        pull_request_updated_at=event.updated_at,
    )
    assert (
        Subject.of_event(replace(event, labels=None), config=a_config(), whitelisted=True, now=T0).facts.labels is None
    )


def test_a_challenge_does_not_tell_what_is_not_stored() -> None:
    """The account is known at the moment of acting, and what was asked."""
    facts = Facts(author_permission=Permission.READ)
    subject = Subject.of_challenge(a_challenge(), config=a_config(), whitelisted=False, now=T0, facts=facts)
    assert subject == a_subject(facts={"author_permission": Permission.READ})


def test_newer_facts_overrule_and_unknown_ones_do_not() -> None:
    """What is not known any more stays as it was."""
    known = Facts(labels=("bug",), is_draft=True)
    assert known.updated(Facts(is_draft=False, merged=False)) == Facts(labels=("bug",), is_draft=False, merged=False)


@pytest.mark.parametrize("why", EXEMPTIONS.values(), ids=EXEMPTIONS)
@pytest.mark.parametrize("detail", [{}, {"action": "labeled"}, {"action": "opened", "association": "MEMBER"}])
def test_every_exemption_is_explained_on_every_surface(why: rules.Exemption, detail: dict[str, str]) -> None:
    """Comment, trace, owner's page, author's page."""
    challenge = a_challenge(ChallengeStatus.EXEMPT, reason=why.code)
    row = AuditEvent(
        id=no_id(), at=T0, event="challenge.exempted", actor="github:1", detail={**detail, "why": why.code}
    )
    assert re.search(r"`contrib` [^.]+\. Nothing to do\.$", comments.exempt(challenge, why))
    assert re.fullmatch(r"Exempt: [^.]+\.", trace.sentence(row))
    assert re.fullmatch(r"[A-Z][^.]+", outcome(challenge))
    assert outcome(challenge) != outcome(replace(challenge, reason="FROM_THE_FUTURE"))
    assert re.fullmatch(r"[A-Z][^.]+\.", why_exempt(why.code))
    assert why_exempt(why.code) != why_exempt("FROM_THE_FUTURE")


WORDS: dict[str, Any] = {"comment": "a", "trace": always("b"), "owner": "c", "author": "d"}


@pytest.mark.parametrize("surface", [field.name for field in fields(Words)])
def test_a_rule_without_words_is_none(surface: str) -> None:
    """Neither with none nor with empty ones."""
    with pytest.raises(TypeError, match=surface):
        Words(**{name: words for name, words in WORDS.items() if name != surface})
    if surface != "trace":
        with pytest.raises(ValueError, match=surface):
            Words(**{**WORDS, surface: " "})


def a_veto(answer: bool | None, *over: str, code: str = "VETO", needs: frozenset[Fact] = NO_FACTS) -> Veto:
    return Veto(code=code, over=frozenset(over), needs=needs, applies=lambda _: answer, told=lambda _: "vetoed")


def a_rule(answer: bool | None, code: str = "RULE", needs: frozenset[Fact] = NO_FACTS) -> Rule:
    return Rule(code=code, needs=needs, applies=lambda _: answer, words=Words(**WORDS), unmet=unsaid)


def test_codes_are_unique() -> None:
    """They are what is stored."""
    with pytest.raises(ValueError, match="BOT_AUTHOR: two rules"):
        rules.exemptions((*RULES, BOT))


def test_a_veto_is_over_rules_that_there_are() -> None:
    """A misspelled one would let everybody in."""
    with pytest.raises(ValueError, match="a veto over NOBODY"):
        rules.exemptions((*RULES, a_veto(True, "NOBODY", ASSOCIATION.code)))


AGE, PERM = frozenset({Fact.ACCOUNT_CREATED_AT}), frozenset({Fact.AUTHOR_PERMISSION})


@pytest.mark.parametrize("rule", [True, False, None])
@pytest.mark.parametrize("veto", [True, False, None])
def test_a_veto_turns_off_the_rules_that_it_names(rule: bool | None, veto: bool | None) -> None:
    """Unknown, it keeps them unknown; of what can still matter the facts are missing."""
    listed = (a_veto(veto, "RULE", needs=AGE), a_rule(rule, needs=PERM))
    verdict = evaluate(listed, a_subject())
    exempt = rule is True and veto is False
    open_ = rule is not False and veto is not True and not exempt
    missing = (AGE if veto is None else NO_FACTS) | (PERM if rule is None else NO_FACTS) if open_ else NO_FACTS
    assert (verdict.exempt is not None, verdict.missing) == (exempt, missing)
    assert [it.code for it in verdict.vetoes] == (["VETO"] if veto is True and rule is not False else [])
    assert [it.code for it in verdict.doubts] == (["VETO"] if veto is None and rule is not False else [])


def test_a_veto_leaves_other_rules_alone() -> None:
    """An author on the whitelist is exempt whatever the account's age."""
    listed = (a_rule(True, "ONE"), a_veto(True, "ONE"), a_rule(True, "OTHER"))
    verdict = evaluate(listed, a_subject())
    assert verdict.exempt is listed[2]


@pytest.mark.parametrize(("answer", "where"), [(True, "vetoes"), (None, "doubts")])
def test_a_veto_over_several_rules_is_told_once(answer: bool | None, where: str) -> None:
    """However many it turned off."""
    veto = a_veto(answer, "ONE", "OTHER")
    verdict = evaluate((a_rule(True, "ONE"), a_rule(True, "OTHER"), veto), a_subject())
    assert getattr(verdict, where) == (veto,)


@pytest.mark.parametrize(
    ("answer", "clauses"),
    [
        (False, ["not a bot", "not on the whitelist", "and such authors are not exempt"]),
        (None, ["not a bot", "not on the whitelist"]),
        (True, ["not a bot", "not on the whitelist", "vetoed"]),
    ],
)
def test_a_veto_is_told_in_place_of_what_it_turned_off(answer: bool | None, clauses: list[str]) -> None:
    """In doubt, neither is."""
    listed = (*RULES, a_veto(answer, ASSOCIATION.code))
    verdict = evaluate(listed, a_subject(facts={"author_association": AuthorAssociation.MEMBER}))
    assert list(unmet(listed, {"association": "MEMBER", **recorded(verdict)})) == clauses


def test_a_fact_that_is_known_is_not_missing() -> None:
    """A rule may be unknown for want of another."""
    rule = a_rule(None, needs=AGE | PERM)
    assert evaluate((rule,), a_subject(facts={"author_permission": Permission.READ})).missing == AGE


def answering(rule: Rule | Veto, answer: bool | None) -> Rule | Veto:
    return replace(rule, applies=lambda _: answer)


answers = st.sampled_from([True, False, None])
needs = st.sampled_from([NO_FACTS, AGE, PERM, AGE | PERM])


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Rule | Veto]:
    """Rules whose answers are drawn; vetoes over some of them, in any place."""
    listed: list[Rule | Veto] = [
        a_rule(draw(answers), f"RULE_{i}", draw(needs)) for i in range(draw(st.integers(0, 5)))
    ]
    codes = [rule.code for rule in listed]
    for i in range(draw(st.integers(0, 3)) if codes else 0):
        over = draw(st.lists(st.sampled_from(codes), min_size=1))
        listed.append(a_veto(draw(answers), *over, code=f"VETO_{i}", needs=draw(needs)))
    return draw(st.permutations(listed))


@given(listed=rule_sets(), data=st.data())
def test_learning_more_never_takes_an_exemption_back(listed: list[Rule | Veto], data: st.DataObject) -> None:
    """Nor does it exempt anybody when no rule was in doubt: an unknown fact counts neither as yes nor as no."""
    before = evaluate(listed, a_subject())
    learned = [answering(rule, data.draw(answers)) if rule.applies(a_subject()) is None else rule for rule in listed]
    after = evaluate(learned, a_subject())
    if before.exempt is not None:
        assert after.exempt is not None
    in_doubt = any(rule.applies(a_subject()) is None for rule in listed)
    assert in_doubt or after == before


SUBJECTS = st.builds(
    a_subject,
    st.fixed_dictionaries(
        {
            "exempt_bots": st.booleans(),
            "exempt_label": st.sampled_from(["", LABEL]),
            "exempt_permission": st.sampled_from(ExemptPermission),
            "exempt_associations": st.frozensets(st.sampled_from(AuthorAssociation)),
        }
    ),
    author=st.sampled_from([AUTHOR, GHOSTLY, APP]),
    whitelisted=st.booleans(),
    action=st.sampled_from([None, "opened", "reopened", "labeled"]),
    sender=st.sampled_from([AUTHOR, MAINTAINER]),
    facts=st.fixed_dictionaries(
        {
            "author_type": st.sampled_from(UserType),
            "author_association": st.sampled_from(AuthorAssociation),
            "author_permission": st.sampled_from(Permission),
            "labels": st.sampled_from([(), ("bug",), (LABEL,)]),
            "is_draft": st.booleans(),
        }
    ),
)
UNKNOWN = {"sender"}


@given(whole=SUBJECTS, forgotten=st.sets(st.sampled_from([*sorted(UNKNOWN), *Fact])))
def test_who_is_exempt_by_part_of_what_is_known_is_exempt_by_all_of_it(whole: Subject, forgotten: set[str]) -> None:
    """Forgetting exempts nobody, and turns no answer of a rule into another: only into unknown."""
    facts = replace(whole.facts, **dict.fromkeys(forgotten & set(Fact)))
    unknown: dict[str, Any] = dict.fromkeys(forgotten & UNKNOWN)
    part = replace(whole, facts=facts, **unknown)
    for rule in PREDICATES:
        assert rule.applies(part) in (None, rule.applies(whole))
    all_known, some_known = evaluate(RULES, whole), evaluate(RULES, part)
    assert all_known.missing == NO_FACTS
    assert some_known.exempt is None or all_known.exempt is not None
    assert some_known.missing <= forgotten & set(Fact)


@given(whole=SUBJECTS, forgotten=st.sets(st.sampled_from(Fact)))
def test_facts_that_are_not_missing_do_not_matter(whole: Subject, forgotten: set[Fact]) -> None:
    """Asking for those that are is enough to decide."""
    part = replace(whole, facts=replace(whole.facts, **{name.value: None for name in forgotten}))
    missing = evaluate(RULES, part).missing
    asked = replace(part, facts=replace(part.facts, **{name.value: getattr(whole.facts, name) for name in missing}))
    assert (evaluate(RULES, asked).exempt is None) == (evaluate(RULES, whole).exempt is None)


@given(subject=SUBJECTS)
def test_a_rule_that_needs_a_fact_says_so(subject: Subject) -> None:
    """What only a fact can leave unknown names that fact."""
    for rule in PREDICATES:
        known = {fact: getattr(subject.facts, fact) for fact in rule.needs}
        only = replace(subject, facts=Facts(**known))
        assert rule.applies(only) is rule.applies(subject)
