"""What every GitHub does for people: the one in memory, and the real client over HTTP."""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from centralbot.domain.errors import Unavailable
from centralbot.ports.people import RepoRole, RepositoryAccess, SignInRefused, UserTokens
from tests.people_worlds import CALLBACK, MemoryWorld, People, simulated_people

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(params=["memory", "simulator"])
async def people(request: pytest.FixtureRequest) -> AsyncIterator[People]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with simulated_people() as over_http:
        yield over_http


async def a_code(people: People, login: str = "mona") -> str:
    people.user(login)
    url = people.sign_in.authorize_url(state="s", code_challenge=CHALLENGE, redirect_uri=CALLBACK)
    return await people.consent(url, login)


async def signed_in(people: People, login: str = "mona") -> UserTokens:
    return await people.sign_in.exchange(await a_code(people, login), code_verifier=VERIFIER, redirect_uri=CALLBACK)


async def test_signing_in_gives_tokens_of_that_person(people: People) -> None:
    """With their lifetimes, by our clock: eight hours, and half a year for the refresh token."""
    tokens = await signed_in(people)
    assert people.user("mona") == await people.github.who(tokens.access_token)
    assert tokens.expires_at == people.clock.now() + timedelta(hours=8)
    assert tokens.refresh_expires_at == people.clock.now() + timedelta(days=184)
    assert (tokens.access_token in repr(tokens), str(tokens.refresh_token) in repr(tokens)) == (False, False)


async def test_a_code_serves_once_and_only_with_its_verifier(people: People) -> None:
    """A second exchange, another verifier, another address, a made-up code, one too old: refused."""
    sign_in = people.sign_in
    used = await a_code(people)
    await sign_in.exchange(used, code_verifier=VERIFIER, redirect_uri=CALLBACK)
    other = CALLBACK.replace("8080", "8081")
    for code, verifier, address in [
        (used, VERIFIER, CALLBACK),
        (await a_code(people), "w" * 43, CALLBACK),
        (await a_code(people), VERIFIER, other),
        ("made-up", VERIFIER, CALLBACK),
    ]:
        with pytest.raises(SignInRefused):
            await sign_in.exchange(code, code_verifier=verifier, redirect_uri=address)
    old = await a_code(people)
    people.clock.advance(601)
    with pytest.raises(SignInRefused):
        await sign_in.exchange(old, code_verifier=VERIFIER, redirect_uri=CALLBACK)


async def test_refreshing_replaces_both_tokens(people: People) -> None:
    """The new pair works, the old pair does not any more."""
    old = await signed_in(people)
    people.clock.advance(8 * 3600)
    with pytest.raises(SignInRefused):
        await people.github.who(old.access_token)
    new = await people.sign_in.refresh(old.refresh_token or "")
    assert people.user("mona") == await people.github.who(new.access_token)
    assert new.expires_at == people.clock.now() + timedelta(hours=8)
    for token in (old.refresh_token or "", "made-up"):
        with pytest.raises(SignInRefused):
            await people.sign_in.refresh(token)


async def test_revoking_ends_a_token_and_twice_is_no_error(people: People) -> None:
    """Also one that never was."""
    tokens = await signed_in(people)
    for token in (tokens.access_token, tokens.access_token, "ghu_neverwas"):
        await people.sign_in.revoke(token)
    with pytest.raises(SignInRefused):
        await people.github.who(tokens.access_token)
    with pytest.raises(SignInRefused):
        await people.sign_in.refresh(tokens.refresh_token or "")


@pytest.mark.parametrize("token", ["ghu_madeup", "", "with blank", "line\nbreak", "ünïcode", "x" * 5000])
async def test_a_token_that_is_none_is_refused_everywhere(people: People, token: str) -> None:
    """Whatever is asked with it."""
    repo_id = people.repository("org/repo")
    with pytest.raises(SignInRefused):
        await people.github.who(token)
    with pytest.raises(SignInRefused):
        await people.github.role(token, repo_id, full_name="org/repo")
    with pytest.raises(SignInRefused):
        await people.github.repositories(token)
    with pytest.raises(SignInRefused):
        await people.github.account(token, "mona")


async def test_a_withdrawn_authorization_ends_every_token(people: People) -> None:
    """Also the refresh token."""
    tokens = await signed_in(people)
    people.withdraw("mona")
    with pytest.raises(SignInRefused):
        await people.github.who(tokens.access_token)
    with pytest.raises(SignInRefused):
        await people.sign_in.refresh(tokens.refresh_token or "")


@pytest.mark.parametrize("role", [role for role in RepoRole if role is not RepoRole.NONE])
@pytest.mark.parametrize("full_name", ["org/repo", None, "org/other", "org/none", "../user", "org/repo?x=1"])
async def test_the_role_is_that_of_the_id(people: People, role: RepoRole, full_name: str | None) -> None:
    """By its name, without one, with one that is another repository's, or nobody's, or no name at all."""
    people.user("mona")
    repo_id, other = people.repository("org/repo", private=True), people.repository("org/other")
    people.give(repo_id, "mona", role)
    people.give(other, "mona", RepoRole.ADMIN if role is RepoRole.READ else RepoRole.READ)
    assert role == await people.github.role(people.token("mona"), repo_id, full_name=full_name)


async def test_strangers_can_read_what_is_public_and_nothing_else(people: People) -> None:
    """NONE for what is private, gone or never was."""
    people.user("mona")
    public, private = people.repository("org/public"), people.repository("org/private", private=True)
    gone = people.repository("org/gone")
    people.give(gone, "mona", RepoRole.ADMIN)
    people.delete(gone)
    token = people.token("mona")
    asked = [(public, "org/public"), (private, "org/private"), (gone, "org/gone"), (5, "org/public"), (5, None)]
    roles = [await people.github.role(token, repo_id, full_name=name) for repo_id, name in asked]
    assert roles == [RepoRole.READ, *[RepoRole.NONE] * 4]


async def test_a_renamed_repository_is_found(people: People) -> None:
    """Under the name it had."""
    people.user("mona")
    repo_id = people.repository("org/before", private=True)
    people.give(repo_id, "mona", RepoRole.MAINTAIN)
    people.rename(repo_id, "org/after")
    assert await people.github.role(people.token("mona"), repo_id, full_name="org/before") == RepoRole.MAINTAIN


async def test_a_role_that_changes_is_the_new_one(people: People) -> None:
    """Nothing is remembered here."""
    people.user("mona")
    repo_id, token = people.repository("org/repo"), people.token("mona")
    seen = []
    for role in (RepoRole.ADMIN, RepoRole.READ, RepoRole.WRITE):
        people.give(repo_id, "mona", role)
        seen.append(await people.github.role(token, repo_id, full_name="org/repo"))
    assert seen == [RepoRole.ADMIN, RepoRole.READ, RepoRole.WRITE]


async def test_the_listing_has_what_person_and_app_both_reach(people: People) -> None:
    """With roles, by name in any case; nothing that the App is not on, nothing of others."""
    people.user("mona")
    given = {"org/b": RepoRole.ADMIN, "org/A": RepoRole.TRIAGE, "org/c": RepoRole.READ}
    ids = {name: people.repository(name, private=True) for name in given}
    for name, role in given.items():
        people.give(ids[name], "mona", role)
    outside = people.repository("elsewhere/app-is-not-here", connected=False)
    people.give(outside, "mona", RepoRole.ADMIN)
    people.repository("org/not-hers")
    expected = [
        RepositoryAccess(
            repo_id=ids[name], full_name=name, installation_id=people.installation_of(ids[name]), role=given[name]
        )
        for name in ("org/A", "org/b", "org/c")
    ]
    assert expected == list(await people.github.repositories(people.token("mona")))
    assert list(await people.github.repositories(people.token("stranger"))) == []


async def test_the_listing_goes_on_past_the_first_page(people: People) -> None:
    """All 230 of them."""
    people.user("mona")
    for number in range(230):
        people.give(people.repository(f"org/r{number:03}"), "mona", RepoRole.WRITE)
    found = await people.github.repositories(people.token("mona"))
    assert [f"org/r{number:03}" for number in range(230)] == [one.full_name for one in found]


async def test_an_account_is_found_by_its_login_in_any_case(people: People) -> None:
    """And what is no login is nobody's, wherever it would lead as a path."""
    mona, token = people.user("Mona"), people.token("Mona")
    asked = ["mona", "MONA", "nobody", "", "..", "../user", "mona/repos", "mona?x", "mo na", "%2e%2e", "a" * 200]
    found = [await people.github.account(token, login) for login in asked]
    assert found == [mona, mona, *[None] * 9]


async def test_a_github_that_fails_is_unavailable(people: People) -> None:
    """For every call, and only for that one."""
    people.user("mona")
    repo_id, tokens = people.repository("org/repo"), await signed_in(people)
    token, code = tokens.access_token, await a_code(people)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: people.sign_in.exchange(code, code_verifier=VERIFIER, redirect_uri=CALLBACK),
        lambda: people.sign_in.refresh(tokens.refresh_token or ""),
        lambda: people.sign_in.revoke(token),
        lambda: people.github.who(token),
        lambda: people.github.role(token, repo_id, full_name="org/repo"),
        lambda: people.github.repositories(token),
        lambda: people.github.account(token, "mona"),
    ]
    for call in calls:
        people.fail_next()
        with pytest.raises(Unavailable):
            await call()
    assert people.user("mona") == await people.github.who(token)
