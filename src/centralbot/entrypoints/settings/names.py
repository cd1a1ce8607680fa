"""The names of all settings: one that is none of them was misspelt, or is of another version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

PREFIX, OF_TESTS = "CENTRALBOT_", "CENTRALBOT_TEST_"
NAMES = frozenset(
    PREFIX + name
    for name in (
        "API_HOST", "API_PORT", "BACKEND_URL", "BOT_KEY_ID", "BOT_SECRET", "CLAIM_LIMIT", "DATABASE_URL", "DATA_DIR",
        "DEFAULT_MODE", "GITHUB_API_URL", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_SLUG",
        "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "GITHUB_WEBHOOK_SECRET", "GITHUB_WEBHOOK_URL", "GITHUB_WEB_URL",
        "LEASE_S", "LOG_FORMAT", "LOG_LEVEL", "MAX_ATTEMPTS", "MAX_IN_FLIGHT", "PUBLIC_URL", "SECRET_KEY", "WINDOW_S",
        "WORKER_HOST", "WORKER_ID", "WORKER_PORT", "WRITE_INTERVAL_S",
    )
)  # fmt: skip


def unknown_names(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each name of ``environ`` that looks like a setting and is none, with what to do about it; never its value."""
    for name in sorted(environ):
        as_ours = name.upper()
        if not as_ours.startswith(PREFIX) or name in NAMES or name.startswith(OF_TESTS):
            continue
        near = get_close_matches(as_ours, NAMES, n=1, cutoff=0.8)
        yield name, f"did you mean {near[0]}?" if near else "remove it, or see README, Settings"
