"""What must hold, whatever happened: invariants of a store, and three counts over a store and a simulated GitHub.

The counts that decide: deliveries answered 2xx whose effect is missing; comments beyond the first per marker and pull
request; pull requests closed that should not have been. Each is a list of what was found, so that a failure says what
it is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.comments import gate_marker
from centralbot.domain.outbox import Action
from centralbot.ports.outbox import ClaimedAction

Json = dict[str, Any]
CLOSED = (ChallengeStatus.TIMED_OUT_CLOSED, ChallengeStatus.VERIFIED)
"""Only after a time-out is anything closed; who passes late is ``VERIFIED`` and reopened."""
ASKED = (ChallengeStatus.PENDING, *CLOSED)


def at_most_one_is_active(challenges: Sequence[Challenge]) -> None:
    """Invariant 2, of all challenges of one pull request."""
    assert len([challenge for challenge in challenges if challenge.is_active]) <= 1


def may_close(challenges: Sequence[Challenge], close: Action | ClaimedAction) -> None:
    """Invariant 7, of all challenges of one pull request when a close is handed out: nothing decided overrules it."""
    assert [c.status for c in challenges if c.id == close.challenge_id] == [ChallengeStatus.TIMED_OUT_CLOSED]
    assert [c.id for c in challenges if c.is_active] == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What went wrong. All three are empty where nothing did."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def take(dsn: str, snapshot: Json) -> Counts:
    """Count, once nothing is left to do."""
    with psycopg.connect(dsn, row_factory=dict_row) as store:
        deliveries = store.execute("SELECT * FROM github_event_deliveries").fetchall()
        challenges = store.execute("SELECT * FROM pr_challenges ORDER BY created_at").fetchall()
    pulls = {(pull["repository_id"], pull["number"]): pull for pull in snapshot["pull_requests"]}
    bot = f"{snapshot['app']['slug']}[bot]"
    return Counts(
        lost=[*_untaken(snapshot, deliveries), *_without_effect(deliveries, challenges, pulls)],
        doubled=_doubled(pulls),
        closed=_closed(bot, challenges, pulls),
    )


def _untaken(snapshot: Json, deliveries: list[Json]) -> list[str]:
    """Answered 200 (202 says that there is nothing to do) and not in the store."""
    taken = {(row["delivery_id"], row["event_name"]) for row in deliveries}
    return [
        f"{one['event']}.{one['action']} {one['guid']}"
        for one in snapshot["deliveries"]["latest"]
        if one["status_code"] == 200 and (one["guid"], one["event"]) not in taken
    ]


def _without_effect(deliveries: list[Json], challenges: list[Json], pulls: dict[tuple[int, int], Json]) -> list[str]:
    """A delivery that made or found a challenge, whose author was never asked."""
    by_id = {row["id"]: row for row in challenges}
    missing = []
    for row in deliveries:
        if row["challenge_id"] is None:
            continue
        challenge = by_id.get(row["challenge_id"])
        marker = gate_marker(row["challenge_id"])
        comments = pulls[row["repo_id"], row["pr_number"]]["comments"]
        asked = any(one["marker"] == marker for one in comments)
        if challenge is None or (challenge["status"] in ASKED and not asked):
            missing.append(f"{row['action']} {row['delivery_id']} of {row['repo_id']}#{row['pr_number']}")
    return missing


def _doubled(pulls: dict[tuple[int, int], Json]) -> list[str]:
    return [
        f"{marker} {count} times on {pull['repository']}#{pull['number']}"
        for pull in pulls.values()
        for marker, count in Counter(one["marker"] for one in pull["comments"] if one["via_app"]).items()
        if count > 1
    ]


def _closed(bot: str, challenges: list[Json], pulls: dict[tuple[int, int], Json]) -> list[str]:
    """Closed by the bot without a time-out, before its author had the whole window, or still after the pass."""
    wrong = []
    for pull in pulls.values():
        name = f"{pull['repository']}#{pull['number']}"
        own = [
            row for row in challenges if (row["repo_id"], row["pr_number"]) == (pull["repository_id"], pull["number"])
        ]
        for event in pull["history"]:
            if (event["actor"], event["action"]) != (bot, "closed"):
                continue
            if not any(row["status"] in CLOSED and _had_its_window(pull, row, event["at"]) for row in own):
                wrong.append(f"{name}: {[(row['status'], row['reason']) for row in own]}")
        passed = bool(own) and own[-1]["status"] in (ChallengeStatus.VERIFIED, ChallengeStatus.EXEMPT)
        if passed and pull["closed_by"] == bot and pull["state"] == "closed":
            wrong.append(f"{name}: closed although let in")
    return wrong


def _had_its_window(pull: Json, challenge: Json, closed_at: float) -> bool:
    """By GitHub's own clock, which tells when the notice was posted in whole seconds."""
    marker = gate_marker(challenge["id"])
    posted = [datetime.fromisoformat(one["created_at"]) for one in pull["comments"] if one["marker"] == marker]
    return any(one.timestamp() + challenge["window_s"] <= closed_at for one in posted)
