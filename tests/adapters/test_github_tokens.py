"""Tokens, turns to write, pauses and shared work, on a clock that moves only when told."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.adapters.github.client import WritePacing
from centralbot.adapters.github.protocol import Pauses
from centralbot.adapters.github.tokens import InstallationTokens, Refusals, SingleFlight, Token
from centralbot.ports.github import GitHubRateLimited, GitHubUnavailable
from tests.doubles.memory.clock import ManualClock


class Minter:
    """Mints tokens of one hour, numbered, and fails when told to; each mint yields to the others once."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.minted: list[int] = []
        self.failure: Exception | None = None

    async def mint(self, installation_id: int) -> Token:
        self.minted.append(installation_id)
        value = f"t{len(self.minted)}"
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        now_s = self.clock.monotonic_s()
        return Token(value=value, minted_at_s=now_s, ends_at_s=now_s + 3_600)


async def test_a_token_is_minted_once_for_many() -> None:
    """Fifty callers at once cost one mint per installation."""
    clock = ManualClock()
    minter = Minter(clock)
    tokens = InstallationTokens(minter.mint, clock)
    values = await asyncio.gather(*(tokens.get(1 + n % 2) for n in range(50)))
    assert (minter.minted, len(set(values))) == ([1, 2], 2)


@pytest.mark.parametrize(("age_s", "mints"), [(0, 1), (3_299, 1), (3_300, 2), (3_601, 2)])
async def test_a_token_is_renewed_five_minutes_early(age_s: float, mints: int) -> None:
    """A token of one hour serves for 55 minutes."""
    clock = ManualClock()
    minter = Minter(clock)
    tokens = InstallationTokens(minter.mint, clock)
    await tokens.get(1)
    clock.advance(age_s)
    await tokens.get(1)
    assert mints == len(minter.minted)


async def test_a_refused_token_is_discarded_once() -> None:
    """Two requests that had the same token refused lead to one new token, not two."""
    clock = ManualClock()
    minter = Minter(clock)
    tokens = InstallationTokens(minter.mint, clock)
    old = await tokens.get(1)
    tokens.discard(1, old)
    new = await tokens.get(1)
    tokens.discard(1, old)
    assert (new, 2) == (await tokens.get(1), len(minter.minted))


async def test_a_failed_mint_is_everybodys_and_not_kept() -> None:
    """All who wait get the error of the one mint; the next caller tries again."""
    clock = ManualClock()
    minter = Minter(clock)
    tokens = InstallationTokens(minter.mint, clock)
    minter.failure = GitHubUnavailable("502")
    errors = await asyncio.gather(*(tokens.get(1) for _ in range(3)), return_exceptions=True)
    minter.failure = None
    token = await tokens.get(1)
    assert ([GitHubUnavailable] * 3, "t2") == ([type(error) for error in errors], token.value)


async def test_a_caller_who_gives_up_does_not_take_the_token_away() -> None:
    """Canceling the first caller leaves the mint to the second."""
    clock = ManualClock()
    minter = Minter(clock)
    tokens = InstallationTokens(minter.mint, clock)
    first = asyncio.create_task(tokens.get(1))
    second = asyncio.create_task(tokens.get(1))
    await asyncio.sleep(0)
    first.cancel()
    assert ((await second).value, minter.minted) == ("t1", [1])


async def test_closing_ends_what_is_under_way() -> None:
    """Work that nobody will wait for any more is canceled."""
    flights: SingleFlight[int, None] = SingleFlight()
    caller = asyncio.create_task(flights.run(1, lambda: asyncio.sleep(3_600)))
    await asyncio.sleep(0)
    await flights.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller


def test_a_token_does_not_show_itself() -> None:
    """Neither repr nor str of a token contains it."""
    token = Token(value="ghs_secret", minted_at_s=0.0, ends_at_s=1.0)
    assert "ghs_secret" not in f"{token!r} {token}"


@pytest.mark.parametrize(
    ("statuses", "fresh", "steps"),
    [
        ([401, 401], False, ["remint", "give up"]),
        ([401] * 5, True, [1.0, 2.0, 3.0, "remint", "give up"]),
        ([403] * 4, True, [1.0, 2.0, 3.0, "give up"]),
        ([403, 403], False, ["remint", "give up"]),
    ],
)
def test_refused_tokens_are_tried_so_often(statuses: list[int], fresh: bool, steps: list[object]) -> None:
    """A young token waits 1, 2, 3 s; a refusal is worth one new token; then it is over."""
    refusals = Refusals()
    assert steps == [refusals.next_step(status, fresh=fresh) for status in statuses]


@given(st.lists(st.tuples(st.sampled_from([401, 403]), st.booleans()), min_size=6, max_size=20))
def test_no_token_is_tried_for_ever(answers: list[tuple[int, bool]]) -> None:
    """At most three waits and one new token, in whatever order the refusals come."""
    refusals = Refusals()
    steps = [refusals.next_step(status, fresh=fresh) for status, fresh in answers]
    assert (steps.count("remint") <= 1, len([s for s in steps if isinstance(s, float)]) <= 3) == (True, True)


async def test_writes_of_one_installation_begin_a_second_apart() -> None:
    """The first goes at once, the others each a second after the one before, in the order in which they came."""
    clock = ManualClock()
    pacing = WritePacing(clock, 1.0)
    begun: list[tuple[int, float]] = []

    async def write(number: int) -> None:
        async with pacing.turn(1, lambda: None):
            begun.append((number, clock.monotonic_s()))
            await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(4)))
    assert begun == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


async def test_installations_do_not_wait_for_each_other() -> None:
    """While one installation's write is under way another's begins."""
    clock = ManualClock()
    pacing = WritePacing(clock, 1.0)
    async with AsyncExitStack() as turns:
        for installation_id in range(2_000):
            await turns.enter_async_context(pacing.turn(installation_id, lambda: None))
        assert clock.monotonic_s() == 0.0


async def test_a_failed_write_frees_the_turn() -> None:
    """After an exception the next write follows, a second later."""
    clock = ManualClock()
    pacing = WritePacing(clock, 1.0)
    with pytest.raises(GitHubUnavailable):
        async with pacing.turn(1, lambda: None):
            raise GitHubUnavailable("502")
    async with pacing.turn(1, lambda: None):
        assert clock.monotonic_s() == 1.0


async def test_those_who_queue_behind_a_limit_leave_at_once() -> None:
    """When a pause begins, writes already waiting are refused without being sent and without using their turns."""
    clock = ManualClock()
    pacing, pauses = WritePacing(clock, 1.0), Pauses(clock)
    async with pacing.turn(1, lambda: pauses.check(1)):
        pauses.start(1, 60.0)
    for _ in range(3):
        with pytest.raises(GitHubRateLimited) as refused:
            async with pacing.turn(1, lambda: pauses.check(1)):
                pass
    assert (clock.monotonic_s(), refused.value.pause_s) == (0.0, 60.0)


def test_a_pause_ends_and_hits_count_until_a_success() -> None:
    """Limits met one after the other count up; limits met together count once; a success starts anew."""
    clock = ManualClock()
    pauses = Pauses(clock)
    pauses.start(1, 60.0)
    pauses.start(1, 60.0)
    first = pauses.hits(1)
    clock.advance(60)
    pauses.check(1)
    pauses.start(1, 120.0)
    second = pauses.hits(1)
    clock.advance(120)
    pauses.succeeded(1)
    assert (first, second, pauses.hits(1)) == (1, 2, 0)


def test_pauses_of_installations_that_never_come_again_are_forgotten() -> None:
    """An installation that was removed has no success to end its pause."""
    clock = ManualClock()
    pauses = Pauses(clock)
    for installation_id in range(5_000):
        pauses.start(installation_id, 60)
        clock.advance(60)
    pauses.start(1, 60)
    assert (len(pauses) < 2_000, pauses.hits(4_999), pauses.hits(2)) == (True, 1, 0)
    with pytest.raises(GitHubRateLimited):
        pauses.check(1)
