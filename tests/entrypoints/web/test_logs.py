"""What the pages' failures leave in the log."""

from __future__ import annotations

import pytest

from centralbot.entrypoints.http import loggable


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/g/secret-token", "/g/***"),
        ("/api/v1/gate/secret-token", "/api/v1/gate/***"),
        ("/api/v1/gate/secret-token/verify", "/api/v1/gate/***/verify"),
        ("/repos/1/settings", "/repos/1/settings"),
    ],
)
def test_a_gate_links_token_does_not_get_into_a_log(path: str, logged: str) -> None:
    """Who can read logs can pass nobody's gate."""
    assert loggable(path) == logged
