"""What a refusal of GitHub means for us: from status, headers and body to one of the port's errors.

Sources: https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api; the words of locked, archived
and suspended answers are as people met them (renovatebot/renovate#6215, r-universe-org/help#247, octokit.rb#1307).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from centralbot.adapters.github.protocol import ApiResponse, error_message, is_foreign, is_rate_limited, pause_s
from centralbot.ports.github import (
    GitHubError,
    GitHubInstallationUnavailable,
    GitHubRateLimited,
    GitHubRefused,
    GitHubUnavailable,
)

MINT: Final = "apps/create-installation-access-token"
"""The operation whose 403 and 404 speak of the installation, not of a repository."""

INSTALLATION_PAUSE_S: Final = 300.0
"""How long an installation that refuses us rests. An unsuspend event ends the wait earlier."""

_FORBIDDEN: Final = ((re.compile(r"\blocked\b"), "LOCKED"), (re.compile(r"\barchived\b"), "ARCHIVED"))
_REFUSED: Final = {404: "NOT_FOUND", 410: "GONE", 422: "UNPROCESSABLE"}
_TRANSIENT: Final = frozenset({408, 409, 425})


def classify(operation: str, response: ApiResponse, *, now: datetime, hits: int, jitter: float) -> GitHubError:
    """The error that stands for an answer other than 2xx. A proxy's own page may be another one the next time.

    ``operation`` is the OpenAPI operation id, ``hits`` the rate limits met in a row before, ``jitter`` in [0, 1).
    """
    status = response.status
    message = error_message(status, response.body)
    if is_rate_limited(status, response.headers, message):
        quiet_s = pause_s(response.headers, now=now, hits=hits, jitter=jitter)
        return GitHubRateLimited(message, pause_s=quiet_s, reason="RATE_LIMITED", status=status)
    if (reason := _installation_reason(operation, status, message)) is not None:
        return GitHubInstallationUnavailable(message, pause_s=INSTALLATION_PAUSE_S, reason=reason, status=status)
    if status >= 500 or status < 400 or status in _TRANSIENT or is_foreign(response.body):
        return GitHubUnavailable(message, reason=f"HTTP_{status}", status=status)
    if status == 403:
        words = message.lower()
        reason = next((reason for word, reason in _FORBIDDEN if word.search(words)), "FORBIDDEN")
        return GitHubRefused(message, reason=reason, status=status)
    return GitHubRefused(message, reason=_REFUSED.get(status, f"HTTP_{status}"), status=status)


def _installation_reason(operation: str, status: int, message: str) -> str | None:
    if status == 401:
        return "BAD_CREDENTIALS"
    if status == 403 and (operation == MINT or "installation has been suspended" in message.lower()):
        return "SUSPENDED"
    if status == 404 and operation == MINT:
        return "INSTALLATION_NOT_FOUND"
    return None
