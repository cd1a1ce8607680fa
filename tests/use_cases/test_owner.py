"""The owner's services over memory: rights before anything else, and what its parts decide by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from centralbot.domain import gating
from centralbot.domain.challenge import Challenge
from centralbot.domain.config import MAX_RULES_CHARS, Mode, RepoConfig, validate
from centralbot.domain.errors import Forbidden, NotFound, Unauthenticated, ValidationError
from centralbot.domain.events import Actor
from centralbot.ports.people import RepoRole
from centralbot.ports.use_cases.accounts import Accounts, Caller, Rights
from centralbot.ports.use_cases.challenges import ChallengeService
from centralbot.ports.use_cases.owner_challenges import OwnerServices, open_owner_services
from centralbot.ports.use_cases.validation import cleaned_login, whitelist_problem
from tests.builders import REPO, a_config, a_pull_request_event, an_installation_event
from tests.contracts.adapters import a_memory_store
from tests.contracts.driver import UnderTest
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.people import MemoryPeople

KINDS = {"github-login": "Signs in.", "proof-of-work": "Computes."}
UNKNOWN, THEIRS = REPO + 7, REPO + 1


class NoSeal:
    """Seals nothing: no sign-in happens here."""

    def encrypt(self, value: bytes) -> bytes:
        return value

    def decrypt(self, value: bytes) -> bytes:
        return value


class CountingPeople(MemoryPeople):
    """Says how many logins were asked for at once, at most."""

    at_once = most = 0

    async def account(self, access_token: str, login: str) -> Actor | None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return await super().account(access_token, login)


@dataclass
class World:
    """The services over a memory store with the App on two repositories; ``owner`` is admin of the first."""

    under_test: UnderTest
    people: CountingPeople
    services: OwnerServices
    owner: Caller

    async def challenged(self, repo_id: int = REPO, number: int = 42) -> Challenge:
        event = a_pull_request_event(number=number, repo_id=repo_id)
        outcome = await self.under_test.take(event)
        assert outcome.reason == gating.Reason.CHALLENGED
        assert outcome.challenge_id is not None
        return await self.under_test.store.challenges.get(outcome.challenge_id)


@pytest.fixture
async def world() -> World:
    clock, ids = ManualClock(), SequentialIds()
    under_test = a_memory_store(clock, ids)
    store, context = under_test.store, under_test.context
    people = CountingPeople(clock.now)
    for repo_id in (REPO, THEIRS):
        people.add_repository(repo_id, f"org/repo-{repo_id}", installation_id=123)
        await store.repositories.configure(repo_id, a_config(), actor="test")
    await under_test.install(an_installation_event("created", REPO, THEIRS))
    people.set_role(REPO, "owner", RepoRole.ADMIN)
    accounts = Accounts(
        sign_in=None,
        people=people,
        sessions=store.sessions,
        nonces=store.nonces,
        seal=NoSeal(),
        redirect_uri="https://bot.example/callback",
        clock=clock,
        ids=ids,
        random_token=lambda: uuid4().hex,
    )
    services = open_owner_services(
        repositories=store.repositories,
        whitelist=store.whitelist,
        challenges=store.challenges,
        reports=store.reports,
        verdicts=ChallengeService(store.challenges, context),
        context=context,
        accounts=accounts,
        people=people,
        rights=Rights(accounts, people, clock),
        kinds=KINDS,
    )
    owner = await accounts.of_bearer(people.issue("owner").access_token)
    return World(under_test, people, services, owner)


Call = Callable[[OwnerServices, Caller, int], Coroutine[Any, Any, object]]
CALLS: dict[str, Call] = {
    "repository": lambda services, caller, repo: services.owner.repository(caller, repo),
    "configure": lambda services, caller, repo: services.owner.configure(caller, repo, RepoConfig(window_s=0)),
    "shadow": lambda services, caller, repo: services.owner.shadow(caller, repo),
    "outcomes": lambda services, caller, repo: services.owner.outcomes(caller, repo),
    "audit": lambda services, caller, repo: services.owner.audit(caller, repo),
    "entries": lambda services, caller, repo: services.whitelist.entries(caller, repo),
    "replace": lambda services, caller, repo: services.whitelist.replace(caller, repo, [Actor(id=0, login="")]),
    "add": lambda services, caller, repo: services.whitelist.add(caller, repo, ["x"] * 999),
    "remove": lambda services, caller, repo: services.whitelist.remove(caller, repo, 1),
    "resolve": lambda services, caller, repo: services.whitelist.resolve(caller, repo, ["x"] * 999),
    "challenges": lambda services, caller, repo: services.challenges.of_repository(caller, repo, before=uuid4()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_rights_come_before_anything_else(world: World, call: Call) -> None:
    """The same refusal for a known repository and an unknown one, even where the question itself is wrong."""
    refused = []
    for repo_id in (THEIRS, UNKNOWN):
        with pytest.raises(Forbidden) as caught:
            await call(world.services, world.owner, repo_id)
        refused.append(caught.value.message)
    assert refused[0] == refused[1]


async def test_a_challenge_of_somebody_elses_does_not_exist(world: World) -> None:
    """In the same words as one that does not; it stays as it was."""
    theirs = await world.challenged(THEIRS)
    challenges = world.services.challenges
    for call in (challenges.story, challenges.exempt, challenges.cancel, challenges.extend):
        said = []
        for challenge_id in (theirs.id, uuid4()):
            with pytest.raises(NotFound) as caught:
                await call(world.owner, challenge_id)
            said.append(caught.value.message)
        assert said[0] == said[1]
    assert await world.under_test.store.challenges.get(theirs.id) == theirs


async def test_who_is_signed_out_at_github_may_nothing(world: World) -> None:
    """A token that GitHub refuses is nobody's."""
    world.people.withdraw("owner")
    with pytest.raises(Unauthenticated):
        await world.services.owner.repositories(world.owner)
    with pytest.raises(Unauthenticated):
        await world.services.owner.repository(world.owner, REPO)


async def test_a_right_that_was_taken_away_ends_within_a_minute(world: World) -> None:
    """And one that was given counts within ten seconds."""
    await world.services.owner.repository(world.owner, REPO)
    world.people.set_role(REPO, "owner", RepoRole.READ)
    await world.under_test.advance(60)
    with pytest.raises(Forbidden):
        await world.services.owner.repository(world.owner, REPO)
    world.people.set_role(REPO, "owner", RepoRole.MAINTAIN)
    await world.under_test.advance(10)
    assert (await world.services.owner.repository(world.owner, REPO)).role is RepoRole.MAINTAIN


async def test_the_audit_names_the_caller(world: World) -> None:
    """By id, with the login where it is known."""
    await world.services.owner.configure(world.owner, REPO, a_config(Mode.SHADOW))
    await world.services.whitelist.replace(world.owner, REPO, [world.owner.user])
    page = await world.services.owner.audit(world.owner, REPO)
    assert {event.actor for event in page.events[:2]} == {f"github:{world.owner.user.id}"}
    assert page.logins == {world.owner.user.id: "owner"}


async def test_the_audit_names_who_never_signed_in_here(world: World) -> None:
    """As the event of GitHub called them that they are in the audit for."""
    maintainer = Actor(id=77, login="maintainer")
    await world.challenged()
    await world.under_test.take(a_pull_request_event("labeled", label="centralbot:exempt", sender=maintainer))
    page = await world.services.owner.audit(world.owner, REPO)
    assert (page.events[0].event, page.logins) == ("challenge.exempted", {77: "maintainer"})


async def test_logins_are_asked_a_few_at_a_time_and_each_once(world: World) -> None:
    """Whatever the spelling; at most eight at once."""
    for number in range(50):
        world.people.add_user(f"u{number}")
    logins = [f"u{number}" for number in range(50)] + [f"@U{number} " for number in range(50)]
    resolved = await world.services.whitelist.resolve(world.owner, REPO, logins)
    assert (len(resolved.found), list(resolved.unresolved), world.people.most) == (50, [], 8)


async def test_adding_is_all_or_nobody(world: World) -> None:
    """One login without an account, and nobody is added; a full list takes no more."""
    world.people.add_user("alice")
    resolved = await world.services.whitelist.add(world.owner, REPO, ["alice", "nobody"])
    assert list(resolved.unresolved) == ["nobody"]
    assert await world.services.whitelist.entries(world.owner, REPO) == []
    full = [Actor(id=i, login=f"u{i}") for i in range(1, 1001)]
    await world.services.whitelist.replace(world.owner, REPO, full)
    with pytest.raises(ValidationError, match="at most 1000"):
        await world.services.whitelist.add(world.owner, REPO, ["alice"])


async def test_a_cursor_is_one_of_the_lists_own(world: World) -> None:
    """Not one of another repository, nor of none."""
    mine, theirs = await world.challenged(number=1), await world.challenged(THEIRS)
    page = await world.services.challenges.of_repository(world.owner, REPO, before=mine.id)
    assert (list(page.challenges), page.cursor) == ([], None)
    for before in (theirs.id, uuid4()):
        with pytest.raises(ValidationError, match="cursor"):
            await world.services.challenges.of_repository(world.owner, REPO, before=before)


async def test_more_time_is_at_least_a_minute(world: World) -> None:
    """Also where the repository gives less."""
    await world.services.owner.configure(world.owner, REPO, a_config(window_s=5))
    ours = await world.challenged()
    assert (await world.services.challenges.extend(world.owner, ours.id)).window_s == 65


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (RepoConfig(), []),
        (RepoConfig(window_s=1, exempt_associations=frozenset(), exempt_label="", rules="a\n\tb"), []),
        (RepoConfig(window_s=0), ["window_s"]),
        (RepoConfig(window_s=2_592_001), ["window_s"]),
        (RepoConfig(verification=()), ["verification"]),
        (RepoConfig(verification=("stake",)), ["verification"]),
        (RepoConfig(verification=("github-login", "github-login")), ["verification"]),
        (RepoConfig(exempt_label="x" * 51), ["exempt_label"]),
        (RepoConfig(exempt_label="a\nb"), ["exempt_label"]),
        (RepoConfig(exempt_label="\ud800"), ["exempt_label"]),
        (RepoConfig(rules="x" * (MAX_RULES_CHARS + 1)), ["rules"]),
        (RepoConfig(rules="\x1b[31m"), ["rules"]),
        (RepoConfig(rules="\udfff"), ["rules"]),
        (RepoConfig(window_s=0, verification=(), rules="\0"), ["window_s", "verification", "rules"]),
    ],
)
def test_each_wrong_field_of_a_configuration_is_named(config: RepoConfig, fields: list[str]) -> None:
    """All at once."""
    assert list(validate(config, KINDS)) == fields


@pytest.mark.parametrize(
    ("users", "named"),
    [
        ([], None),
        ([Actor(id=1, login="a"), Actor(id=2**63 - 1, login="b[bot]")], None),
        ([Actor(id=0, login="a")], "entries[0].github_user_id"),
        ([Actor(id=2**63, login="a")], "entries[0].github_user_id"),
        ([Actor(id=1, login="a"), Actor(id=2, login="a b")], "entries[1].github_login"),
        ([Actor(id=1, login="a"), Actor(id=1, login="b")], "entries[1].github_user_id"),
        ([Actor(id=i, login="a") for i in range(1, 1002)], "entries"),
    ],
)
def test_what_is_wrong_with_a_whitelist_is_named(users: list[Actor], named: str | None) -> None:
    """By its place."""
    problem = whitelist_problem(users)
    assert (problem and problem.partition(":")[0]) == named


@pytest.mark.parametrize(
    ("given", "login"),
    [
        ("alice", "alice"),
        (" @alice\t", "alice"),
        ("dependabot[bot]", "dependabot[bot]"),
        ("octo_corp", "octo_corp"),
        ("@@alice", None),
        ("-alice", None),
        ("al ice", None),
        ("alice/../orgs", None),
        ("аlice", None),
        ("x" * 102, None),
        ("", None),
    ],
)
def test_logins_are_taken_as_people_type_them(given: str, login: str | None) -> None:
    """Nothing else gets into an address at GitHub."""
    assert cleaned_login(given) == login
