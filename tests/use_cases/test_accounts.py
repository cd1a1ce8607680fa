"""Callers: tokens that are renewed once, bearer tokens, rights that are believed for a minute."""

from __future__ import annotations

import asyncio

import pytest

from centralbot.domain.errors import Forbidden, Unauthenticated, Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.people import RepoRole, UserTokens
from centralbot.ports.use_cases.accounts import GRANTED_S, REFUSED_S, Accounts, Caller, Rights, safe_return_to
from tests.contracts.adapters import a_memory_store
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.doubles.memory.people import MemoryPeople

REPO = 999


class Plain:
    """A seal that seals nothing: these tests are not about it."""

    def encrypt(self, value: bytes) -> bytes:
        return value.hex().encode()

    def decrypt(self, value: bytes) -> bytes:
        return bytes.fromhex(value.decode())


class CountingPeople(MemoryPeople):
    """A GitHub that counts what it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.now)
        self.asked: list[str] = []

    async def refresh(self, refresh_token: str) -> UserTokens:
        self.asked.append("refresh")
        await asyncio.sleep(0)
        return await super().refresh(refresh_token)

    async def role(self, access_token: str, repo_id: int, *, full_name: str | None) -> RepoRole:
        self.asked.append("role")
        return await super().role(access_token, repo_id, full_name=full_name)

    async def who(self, access_token: str) -> Actor:
        self.asked.append("who")
        return await super().who(access_token)


class Place:
    """Accounts and rights over memory, with one repository."""

    def __init__(self) -> None:
        self.clock, ids = ManualClock(), SequentialIds()
        store = a_memory_store(self.clock, ids).store
        self.people = CountingPeople(self.clock)
        tokens = (f"token-{number:060d}" for number in range(10**6))
        self.accounts = Accounts(
            sign_in=self.people,
            people=self.people,
            sessions=store.sessions,
            nonces=store.nonces,
            seal=Plain(),
            redirect_uri="http://x/cb",
            clock=self.clock,
            ids=ids,
            random_token=lambda: next(tokens),
        )
        self.rights = Rights(self.accounts, self.people, self.clock)
        self.people.add_user("olga")
        self.people.add_repository(REPO, "org/repo", installation_id=1)

    async def signed_in(self, login: str = "olga") -> Caller:
        begun = self.accounts.begin("/")
        done = await self.accounts.finish(begun.sealed, state=begun.state, code=self.people.consent(begun.url, login))
        caller = await self.accounts.of_cookie(done.cookie)
        assert caller is not None
        self.people.asked.clear()
        return caller


@pytest.fixture
def place() -> Place:
    return Place()


async def test_a_token_about_to_run_out_is_renewed_once_however_many_ask(place: Place) -> None:
    """GitHub's refresh token serves once: a second renewal would sign the person out."""
    caller = await place.signed_in()
    place.clock.advance(28_800 - 60)
    fresh = await asyncio.gather(*(place.accounts.fresh(caller) for _ in range(5)))
    assert place.people.asked == ["refresh"]
    assert len({one.access_token for one in fresh}) == 1
    assert fresh[0].access_token != caller.access_token


async def test_a_token_with_time_left_is_not_renewed(place: Place) -> None:
    """Nothing is asked."""
    caller = await place.signed_in()
    assert await place.accounts.fresh(caller) == caller
    assert place.people.asked == []


async def test_a_token_with_time_left_waits_behind_no_renewal(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few renew at once, each with a connection of the store's: a slow GitHub must not stop those who need nothing."""
    caller = await place.signed_in()

    async def renew(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(place.accounts._sessions, "renew", renew)
    assert await place.accounts.fresh(caller) == caller


async def test_a_refused_renewal_asks_for_a_new_sign_in(place: Place) -> None:
    """After the person took the authorization back, say."""
    caller = await place.signed_in()
    place.people.withdraw("olga")
    place.clock.advance(28_800)
    with pytest.raises(Unauthenticated):
        await place.accounts.fresh(caller)


async def test_a_bearer_token_is_looked_up_once_a_minute(place: Place) -> None:
    """And again after it."""
    token = place.people.issue("olga").access_token
    for _ in range(3):
        assert (await place.accounts.of_bearer(token)).user.login == "olga"
    assert place.people.asked == ["who"]
    place.clock.advance(60)
    await place.accounts.of_bearer(token)
    assert place.people.asked == ["who", "who"]


async def test_an_unknown_bearer_token_is_nobodys(place: Place) -> None:
    """Refused, not kept."""
    with pytest.raises(Unauthenticated):
        await place.accounts.of_bearer("ghu_made-up")


@pytest.mark.parametrize("role", list(RepoRole))
async def test_write_maintain_and_admin_may_manage(place: Place, role: RepoRole) -> None:
    """The contract's three, and no other."""
    caller = await place.signed_in()
    place.people.set_role(REPO, "olga", role)
    if role in (RepoRole.WRITE, RepoRole.MAINTAIN, RepoRole.ADMIN):
        assert await place.rights.require_manage(caller, REPO, full_name="org/repo") is role
    else:
        with pytest.raises(Forbidden):
            await place.rights.require_manage(caller, REPO, full_name="org/repo")


async def test_a_right_is_believed_for_a_minute_at_most(place: Place) -> None:
    """Taken away, it is gone a minute later."""
    caller = await place.signed_in()
    place.people.set_role(REPO, "olga", RepoRole.ADMIN)
    await place.rights.require_manage(caller, REPO, full_name=None)
    place.people.set_role(REPO, "olga", RepoRole.READ)
    place.clock.advance(GRANTED_S - 1)
    await place.rights.require_manage(caller, REPO, full_name=None)
    place.clock.advance(1)
    with pytest.raises(Forbidden):
        await place.rights.require_manage(caller, REPO, full_name=None)
    assert place.people.asked == ["role", "role"]


async def test_a_refusal_is_forgotten_sooner(place: Place) -> None:
    """Whoever was just given the right need not wait a minute."""
    caller = await place.signed_in()
    with pytest.raises(Forbidden):
        await place.rights.require_manage(caller, REPO, full_name=None)
    place.people.set_role(REPO, "olga", RepoRole.WRITE)
    place.clock.advance(REFUSED_S)
    assert await place.rights.require_manage(caller, REPO, full_name=None) is RepoRole.WRITE


async def test_rights_are_kept_by_token_not_by_person(place: Place) -> None:
    """A token that may less gets nothing through what another token of the same person was granted."""
    caller = await place.signed_in()
    place.people.set_role(REPO, "olga", RepoRole.ADMIN)
    await place.rights.require_manage(caller, REPO, full_name=None)
    other = Caller(user=caller.user, access_token="made-up")
    with pytest.raises(Unauthenticated):
        await place.rights.require_manage(other, REPO, full_name=None)


async def test_github_being_away_grants_nothing(place: Place) -> None:
    """And is not kept as a refusal."""
    caller = await place.signed_in()
    place.people.set_role(REPO, "olga", RepoRole.ADMIN)
    place.people.fail_next(Unavailable("GitHub does not answer"))
    with pytest.raises(Unavailable):
        await place.rights.require_manage(caller, REPO, full_name=None)
    assert await place.rights.require_manage(caller, REPO, full_name=None) is RepoRole.ADMIN


@pytest.mark.parametrize("path", ["/", "/g/abc", "/repos/1?status=PENDING", "/challenges/x#top"])
def test_paths_of_ours_are_ways_back(path: str) -> None:
    """With query and fragment."""
    assert safe_return_to(path) == path
