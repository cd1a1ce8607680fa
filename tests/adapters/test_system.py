"""The machine's clock and ids."""

from __future__ import annotations

from datetime import UTC, timedelta

from centralbot.adapters.system import SystemClock, SystemIds


def test_ids_ascend_and_are_of_version_7() -> None:
    """However fast they are made, each is greater than the one before."""
    ids = SystemIds()
    made = [ids.new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}


def test_an_id_begins_with_the_time() -> None:
    """Its first 48 bits are milliseconds since 1970."""
    made_ms = SystemIds().new_id().int >> 80
    assert abs(made_ms / 1000 - SystemClock().now().timestamp()) < 60


def test_the_clock_is_aware_and_in_utc() -> None:
    """No local time anywhere."""
    now = SystemClock().now()
    assert (now.tzinfo, now.utcoffset()) == (UTC, timedelta(0))
