"""The port ``Reports``: what an owner reads about a repository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from centralbot.adapters.postgres.database import OPTIONS
from centralbot.adapters.postgres.queries import sql
from centralbot.domain import verdicts
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.events import Actor
from centralbot.ports.challenges import Proof, StoredProof
from tests.builders import AUTHOR, REPO, WINDOW_S, a_config, a_pull_request_event
from tests.contracts.driver import UnderTest

DAY_S = 86_400


class TestAudit:
    """What happened, and who did it."""

    async def test_pages_are_newest_first_and_of_one_repository(self, store: UnderTest) -> None:
        """The next page goes on where this one ended."""
        await store.connect(REPO, REPO + 1)
        for number in range(1, 5):
            await store.opened(number)
            await store.opened(number, repo_id=REPO + 1)
        first = await store.store.reports.audit(REPO, limit=3)
        second = await store.store.reports.audit(REPO, before=first[-1].id, limit=3)
        assert [event.pr_number for event in (*first, *second)] == [4, 3, 2, 1, None]
        assert {REPO} == {event.repo_id for event in (*first, *second)}
        assert await store.store.reports.audit(REPO, before=second[-1].id) == []

    async def test_a_new_configuration_is_told_whole(self, store: UnderTest) -> None:
        """Who set it, to what; the rules by their length and digest alone."""
        config = a_config(Mode.SHADOW, window_s=600, rules="Be kind.", exempt_label="let-in")
        await store.store.repositories.configure(REPO, config, actor="github:7")
        (event,) = await store.store.reports.audit(REPO)
        assert (event.event, event.actor) == ("repository.configured", "github:7")
        assert event.detail == {
            "mode": "shadow",
            "window_s": 600,
            "draft_prs_gated": True,
            "verification": "github-login, proof-of-work",
            "exempt_associations": "COLLABORATOR, MEMBER, OWNER",
            "exempt_bots": True,
            "comment_on_exempt": True,
            "exempt_label": "let-in",
            "exempt_permission": "write",
            "rules_chars": 8,
            "rules_sha256": "5499befb38dbf3fc",
            "was_mode": None,
        }

    async def test_a_changed_configuration_tells_what_it_was(self, store: UnderTest) -> None:
        """Only what is different now."""
        await store.store.repositories.configure(REPO, a_config(), actor="test")
        await store.store.repositories.configure(REPO, a_config(Mode.OFF, exempt_label=""), actor="test")
        event = (await store.store.reports.audit(REPO))[0]
        was = {name: value for name, value in event.detail.items() if name.startswith("was_")}
        assert was == {"was_mode": "enforce", "was_exempt_label": "centralbot:exempt"}


class TestShadow:
    """What shadow mode would have done."""

    async def test_closes_and_those_that_were_merged_are_counted(self, store: UnderTest) -> None:
        """One would have been closed rightly, one wrongly; one is waiting, one was let through, one closed in time."""
        await store.connect(config=a_config(Mode.SHADOW))
        for number in (1, 2, 5):
            await store.challenged(number)
        await store.take(a_pull_request_event("closed", number=5, seconds=10, merged=True))
        await store.advance(WINDOW_S + 1)
        assert await store.sweep() == (2, 0)
        await store.take(a_pull_request_event("closed", number=1, seconds=9000, merged=True))
        await store.take(a_pull_request_event("closed", number=2, seconds=9000, merged=False))
        await store.challenged(3)
        await store.store.whitelist.add(REPO, AUTHOR, actor="test")
        await store.opened(4)
        report = await store.store.reports.shadow(REPO)
        counts = (report.challenged, report.would_close, report.would_close_merged, report.passed)
        assert counts == (4, 2, 1, 1)
        assert await store.statuses() == []

    async def test_other_modes_repositories_and_weeks_do_not_count(self, store: UnderTest) -> None:
        """Only shadow mode's, here, in the days asked for."""
        await store.connect(REPO, REPO + 1, config=a_config(Mode.SHADOW))
        await store.challenged(1)
        await store.challenged(2, repo_id=REPO + 1)
        await store.store.repositories.configure(REPO, a_config(Mode.ENFORCE), actor="test")
        await store.challenged(3)
        await store.advance(DAY_S * 2)
        reports = [await store.store.reports.shadow(REPO, days=days) for days in (1, 3, 99)]
        assert [report.challenged for report in reports] == [0, 1, 1]
        spans = [reports[0].since - report.since for report in reports]
        assert [round(span / timedelta(days=1)) for span in spans] == [0, 2, 6]


class TestPeople:
    """Proofs and logins."""

    async def test_proofs_come_oldest_first(self, store: UnderTest) -> None:
        """As they were passed."""
        await store.connect()
        challenge = await store.noticed()
        proofs = [
            Proof(id=store.context.new_id(), kind=kind, evidence={"user_id": 2002, "nothing": None})
            for kind in ("github-login", "proof-of-work")
        ]
        before = await store.store.health.now()
        await store.store.challenges.decide(
            challenge.id, lambda facts: verdicts.on_verified(store.context, facts, actor="github:2002"), proofs=proofs
        )
        stored = await store.store.reports.proofs(challenge.id)
        assert [
            StoredProof(kind=proof.kind, evidence=proof.evidence, passed_at=stored[0].passed_at) for proof in proofs
        ] == list(stored)
        assert stored[0].passed_at >= before
        assert list(await store.store.reports.proofs(store.context.new_id())) == []

    async def test_logins_are_of_those_who_are_whitelisted(self, store: UnderTest) -> None:
        """In any repository; who is unknown is missing."""
        await store.store.whitelist.add(REPO, Actor(id=2, login="bob"), actor="test")
        await store.store.whitelist.add(REPO + 1, Actor(id=2, login="bob"), actor="test")
        await store.store.whitelist.add(REPO, Actor(id=3, login="eve"), actor="test")
        assert await store.store.reports.logins([2, 3, 4, 2]) == {2: "bob", 3: "eve"}
        assert await store.store.reports.logins([]) == {}


class TestOutcomes:
    """What became of the enforced challenges."""

    async def test_each_status_is_counted(self, store: UnderTest) -> None:
        """Here, in the days asked for, and not those of shadow mode."""
        await store.connect(REPO, REPO + 1)
        timed_out = await store.timed_out(1)
        await store.opened(2)
        await store.opened(3)
        await store.opened(4, repo_id=REPO + 1)
        await store.store.repositories.configure(REPO, a_config(Mode.SHADOW), actor="test")
        await store.opened(5)
        outcomes = dict(await store.store.reports.outcomes(REPO))
        assert outcomes == {ChallengeStatus.TIMED_OUT_CLOSED: 1, ChallengeStatus.PENDING: 2}
        await store.verify(timed_out)
        outcomes = dict(await store.store.reports.outcomes(REPO))
        assert outcomes == {ChallengeStatus.VERIFIED: 1, ChallengeStatus.PENDING: 2}
        await store.advance(8 * DAY_S)
        assert dict(await store.store.reports.outcomes(REPO)) == {}


FILL = """
insert into pr_challenges
select centralbot_uuid7(), 123, 900 + i % 100, 'org/repo', i, i, 'https://github.com', 1, 'somebody', 'abc', 'shadow',
       1800, '{}', 'TIMED_OUT_CLOSED', 'DEADLINE', now(), now(), now(), now(), null from generate_series(1, 20000) i;
insert into audit_events
select centralbot_uuid7(), now(), 'challenge.created', 'centralbot', 123, 900 + i % 100, i, null, '{}'
  from generate_series(1, 20000) i;
analyze pr_challenges, audit_events
"""


async def generic_plan(connection: psycopg.AsyncConnection[Any], name: str, parameters: Mapping[str, object]) -> str:
    """The plan that every connection uses, whatever the parameters (``plan_cache_mode``)."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"${len(names)}"

    text = re.sub(r"%\((\w+)\)s", number, sql(name).decode())
    await connection.execute(f"prepare {name} as {text}".encode())
    arguments = SQL(", ").join(Literal(parameters[given]) for given in names)
    cursor = await connection.execute(SQL("explain execute {}({})").format(Identifier(name), arguments))
    return "\n".join([row[0] for row in await cursor.fetchall()])


@pytest.mark.parametrize("filled", [False, True])
async def test_an_owners_pages_read_ranges_of_an_index(database: str, filled: bool) -> None:
    """Their cost follows the repository, not all of them; also by a plan that was made while the tables were empty."""
    parameters = {"repo_id": REPO, "before": None, "status": None, "limit": 50, "since": "-infinity"}
    parameters |= {"mode": "shadow", "merged": "PR_MERGED"}
    async with await psycopg.AsyncConnection.connect(database, options=OPTIONS, autocommit=True) as connection:
        if filled:
            await connection.execute(FILL.encode())
        plan = await generic_plan(connection, "audit_of_repo", parameters)
        condition = next(line for line in plan.splitlines() if "Index Cond" in line)
        assert "Backward using audit_events_of_repo" in plan, plan
        assert ("repo_id =" in condition, "id <" in condition, "Sort" in plan) == (True, True, False), plan
        plan = await generic_plan(connection, "search_challenges_of_repo", parameters)
        assert ("pr_challenge_keys_pkey" in plan, "Seq Scan" in plan) == (True, False), plan
        assert "Index Scan using pr_challenges_pkey" in plan, plan
        assert "Seq Scan" not in await generic_plan(connection, "shadow_groups", parameters)
