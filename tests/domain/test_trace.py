"""The decision's trace: every audit row in one sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import centralbot
from centralbot.domain import trace
from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.config import Mode, RepoConfig, change
from centralbot.domain.effects import AuditEvent, Effects
from centralbot.domain.events import AuthorAssociation, UserType
from centralbot.domain.gating import decide
from centralbot.domain.rules import EXEMPTIONS
from centralbot.domain.verdicts import on_deadline, on_exempted, on_extended, on_verified
from tests.builders import (
    MAINTAINER,
    T0,
    a_challenge,
    a_config,
    a_context,
    a_pull_request_event,
    at,
    challenge_facts,
    gate_facts,
    no_id,
)

GATE = a_context()
E = a_pull_request_event
FIRST = AuthorAssociation.FIRST_TIME_CONTRIBUTOR
LOGINS = {MAINTAINER.id: "maintainer", 2002: "contrib"}
NOTICED = a_challenge(deadline_at=at(600))
SOURCES = Path(centralbot.__file__).parent
WRITERS = ("domain", "ports", "adapters/postgres")
NAME = re.compile(r"""["']((?:challenge|repository|whitelist|action|key|session|installation|user)s?\.[a-z_]+)["']""")


def told(effects: Effects) -> str:
    (event,) = effects.audit
    return trace.sentence(event, LOGINS)


def an_event(name: str, actor: str = "github:3003", **detail: Any) -> AuditEvent:
    return AuditEvent(id=no_id(), at=T0, event=name, actor=actor, detail=detail)


def reconfigured(before: RepoConfig | None, after: RepoConfig) -> AuditEvent:
    return replace(an_event("repository.configured"), detail=change(before, after))


def test_every_event_that_is_written_has_its_sentence() -> None:
    """Found in the source, so that a new one cannot be forgotten; and none is kept that nobody writes."""
    files = [file for part in WRITERS for kind in ("*.py", "*.sql") for file in (SOURCES / part).rglob(kind)]
    written = {name for file in files if file.name != "trace.py" for name in NAME.findall(file.read_text())}
    assert written == set(trace.SENTENCES)
    assert {name for name in written if trace.sentence(an_event(name)) == name} == set()


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        (
            decide(GATE, E(author_association=FIRST), gate_facts()).effects,
            "Opened by a first-time contributor: not a bot, not on the whitelist, and such authors "
            "are not exempt, so 30 minutes to pass.",
        ),
        (
            decide(GATE, E("synchronize"), gate_facts(config=a_config(Mode.SHADOW, window_s=3600))).effects,
            "New commits by an author of whom GitHub does not say more: not a bot, not on the whitelist, so there "
            "would be 1 hour to pass (shadow mode: nobody is told).",
        ),
        (
            decide(GATE, E(author_type=UserType.BOT), gate_facts(config=a_config(exempt_bots=False))).effects,
            "Opened by an author of whom GitHub does not say more: a bot, and bots are not exempt here, not on the "
            "whitelist, so 30 minutes to pass.",
        ),
        (decide(GATE, E(), gate_facts(whitelisted=True)).effects, "Exempt: the author is whitelisted."),
        (decide(GATE, E(author_type=UserType.BOT), gate_facts()).effects, "Exempt: the author is a bot."),
        (
            decide(GATE, E(author_association=AuthorAssociation.MEMBER), gate_facts()).effects,
            "Exempt: the author is a member of the organization.",
        ),
        (
            decide(GATE, E("labeled", label="centralbot:exempt", sender=MAINTAINER), gate_facts()).effects,
            "Exempt: labeled by maintainer.",
        ),
        (
            decide(GATE, E(labels=("centralbot:exempt",)), gate_facts()).effects,
            "Exempt: it has the exempting label.",
        ),
        (
            decide(GATE, E("reopened", sender=MAINTAINER), gate_facts()).effects,
            "Exempt: reopened by maintainer, who is not the author.",
        ),
        (
            decide(GATE, E("closed", merged=True), gate_facts(challenge=NOTICED)).effects,
            "Canceled: the pull request was merged.",
        ),
        (
            on_verified(GATE, challenge_facts(now=at(420), challenge=NOTICED), actor="github:2002"),
            "Verified by contrib, 3 minutes before the deadline.",
        ),
        (
            on_verified(GATE, challenge_facts(now=at(601), challenge=NOTICED), actor="github:2002"),
            "Verified by contrib at the deadline, just before it was closed.",
        ),
        (
            on_verified(
                GATE,
                challenge_facts(
                    now=at(4200), challenge=replace(NOTICED, status=ChallengeStatus.TIMED_OUT_CLOSED, reason="DEADLINE")
                ),
                actor="github:2002",
            ),
            "Verified by contrib 1 hour after the deadline.",
        ),
        (
            on_deadline(GATE, challenge_facts(now=at(600), challenge=NOTICED)),
            "Time ran out; the pull request was closed.",
        ),
        (
            on_deadline(GATE, challenge_facts(now=at(600), challenge=replace(NOTICED, mode=Mode.SHADOW))),
            "Time ran out; the pull request would have been closed (shadow mode: nothing is done).",
        ),
        (
            on_deadline(GATE, challenge_facts(now=at(600), challenge=NOTICED, whitelisted=True)),
            "Exempt: the author is whitelisted by now, at the deadline.",
        ),
        (
            on_exempted(GATE, challenge_facts(now=at(60), challenge=NOTICED), actor="operator:root"),
            "Exempt: let in by operator root.",
        ),
        (
            on_extended(GATE, challenge_facts(now=at(60), challenge=NOTICED), by_s=7200, actor="github:4"),
            "GitHub user 4 gave 2 hours more.",
        ),
    ],
)
def test_decisions_explain_themselves(effects: Effects, expected: str) -> None:
    """From what the decision itself recorded."""
    assert told(effects) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event("challenge.canceled", why="MAINTAINER"), "Canceled by maintainer."),
        (an_event("challenge.canceled", why="FROM_THE_FUTURE"), "Canceled: it no longer applies."),
        (
            an_event("challenge.created", renews="x"),
            "maintainer had the failed comment tried again, so the check starts anew.",
        ),
        (
            an_event("challenge.refused", "github:77", why="NOT_THE_AUTHOR"),
            "GitHub user 77 tried to verify, but is not the author.",
        ),
        (
            reconfigured(None, a_config(Mode.SHADOW)),
            "maintainer set the repository up: mode shadow, 30 minutes to pass.",
        ),
        (
            reconfigured(a_config(), a_config(window_s=3600, rules="Be kind.")),
            "maintainer changed the configuration: time to pass: 1 hour (was 30 minutes); rules is new.",
        ),
        (
            reconfigured(a_config(exempt_bots=False), a_config(Mode.OFF, exempt_bots=True, exempt_label="")),
            "maintainer changed the configuration: mode: off (was enforce); bots are exempt: yes (was no); exempting "
            "label: none (was centralbot:exempt).",
        ),
        (
            reconfigured(a_config(), a_config()),
            "maintainer saved the configuration.",
        ),
        (an_event("whitelist.added", login="alice", user_id=5), "maintainer put alice on the whitelist."),
        (an_event("whitelist.removed", user_id=5), "maintainer took GitHub user 5 off the whitelist."),
        (an_event("from.the_future"), "from.the_future"),
    ],
)
def test_what_people_did_names_them(event: AuditEvent, expected: str) -> None:
    """By their logins, where those are known."""
    assert trace.sentence(event, LOGINS) == expected


@pytest.mark.parametrize("why", CancelReason)
def test_every_cancellation_has_its_words(why: CancelReason) -> None:
    """None is told as unknown."""
    assert trace.sentence(an_event("challenge.canceled", why=why.value)) != "Canceled: it no longer applies."


@pytest.mark.parametrize("why", EXEMPTIONS)
def test_every_exemption_has_its_words(why: str) -> None:
    """None is told as one that this version does not know."""
    assert trace.sentence(an_event("challenge.exempted", why=why)).startswith("Exempt: ")


def test_an_exemption_of_another_version_is_told_by_who_decided() -> None:
    """Its rule is gone or not there yet."""
    assert trace.sentence(an_event("challenge.exempted", why="FROM_THE_FUTURE"), LOGINS) == (
        "Exempt, as maintainer decided."
    )


values = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5)
details = st.dictionaries(
    st.sampled_from(
        [
            "why",
            "action",
            "mode",
            "was_mode",
            "association",
            "sender",
            "bot",
            "window_s",
            "was_window_s",
            "left_s",
            "by_s",
            "login",
            "user_id",
            "rules_sha256",
            "was_rules_sha256",
            "renews",
            "exempt_label",
            "was_exempt_label",
        ]
    ),
    values,
)


@given(name=st.sampled_from(sorted(trace.SENTENCES)), actor=st.text(max_size=20), detail=details)
def test_any_row_can_be_told(name: str, actor: str, detail: dict[str, Any]) -> None:
    """Also one that another version wrote."""
    told = trace.sentence(AuditEvent(id=no_id(), at=T0 + timedelta(0), event=name, actor=actor, detail=detail))
    assert told.endswith(".")
