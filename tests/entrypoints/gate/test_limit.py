"""The limit on guesses."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Request

from centralbot.domain.errors import RateLimited
from centralbot.entrypoints.guard import RateLimiter, client_of
from tests.doubles.memory.clock import ManualClock


def a_request(host: str | None) -> Request[Any, Any, Any]:
    client = None if host is None else (host, 40000)
    scope: Any = {"type": "http", "client": client, "headers": [], "path": "/", "query_string": b""}
    return Request(scope)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unix socket", "unix socket"),
        ("x" * 60_000, "x" * 64),
        (None, ""),
    ],
)
def test_clients_are_counted_by_address_or_network(host: str | None, counted: str) -> None:
    """An IPv6 client has 2^64 addresses, so its network counts."""
    assert client_of(a_request(host)) == counted


def test_the_window_begins_with_the_first_miss() -> None:
    """Three are allowed a minute here; then the rest of the minute is waited out, and the count starts anew."""
    clock = ManualClock()
    guesses = RateLimiter(clock.monotonic_s, allowed=3)
    for _ in range(3):
        guesses.check("a")
        guesses.missed("a")
        clock.advance(10)
    with pytest.raises(RateLimited) as refused:
        guesses.check("a")
    assert refused.value.retry_after_s == 31
    guesses.check("b")
    clock.advance(30)
    guesses.check("a")
    guesses.missed("a")
    guesses.check("a")


def test_a_flood_of_addresses_fills_no_memory() -> None:
    """The address that was heard of longest ago is forgotten."""
    guesses = RateLimiter(ManualClock().monotonic_s, allowed=1, max_addresses=100)
    for i in range(10_000):
        guesses.missed(f"2001:db8:{i:x}::/64")
    assert len(guesses) == 100
    with pytest.raises(RateLimited):
        guesses.check("2001:db8:270f::/64")
    guesses.check("2001:db8:0::/64")
