"""Contract section 3: the decision order and the installations' life, through HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.events import Actor
from tests.entrypoints.api.caller import at, installed, opened
from tests.entrypoints.api.serving import Api, serving

NOTHING = {"ingest_status": "IGNORED", "challenge_id": None, "enqueued_actions": 0}
NULLS = {"updated_installation_id": None, "updated_repositories": 0}


async def take(api: Api, number: int = 42, **changes: Any) -> dict[str, Any]:
    answer = await api.bot.pull_request(opened(number, **changes))
    assert answer.status == 200, answer
    return dict(answer.body)


async def sync(api: Api, *args: Any, **changes: Any) -> dict[str, Any]:
    answer = await api.bot.installation(installed(*args, **changes))
    assert answer.status == 200, answer
    return dict(answer.body)


async def test_an_accepted_event_answers_with_its_challenge(api: Api) -> None:
    """Exactly the three fields, and one comment is queued."""
    body = await take(api)
    assert set(body) == {"ingest_status", "challenge_id", "enqueued_actions"}
    assert (body["ingest_status"], body["enqueued_actions"]) == ("ACCEPTED", 1)
    assert str(UUID(body["challenge_id"])) == body["challenge_id"]
    assert await api.statuses() == [(42, "UPSERT_PR_COMMENT", "PENDING")]


async def test_fifty_equal_deliveries_have_one_effect(api: Api) -> None:
    """One is accepted; the others answer with what it made."""
    event = opened()
    bodies = [answer.body for answer in await asyncio.gather(*(api.bot.pull_request(event) for _ in range(50)))]
    assert sorted(body["ingest_status"] for body in bodies) == ["ACCEPTED"] + ["DUPLICATE"] * 49
    assert len({body["challenge_id"] for body in bodies}) == 1
    assert sum(body["enqueued_actions"] for body in bodies) == 1
    assert len(await api.statuses()) == 1


async def test_the_same_event_under_new_delivery_ids_has_one_challenge(api: Api) -> None:
    """In parallel: no second challenge, no second comment."""
    bodies = await asyncio.gather(*(take(api) for _ in range(20)))
    assert {body["ingest_status"] for body in bodies} == {"ACCEPTED"}
    assert len({body["challenge_id"] for body in bodies}) == 1
    assert sum(body["enqueued_actions"] for body in bodies) == 1


async def test_the_same_delivery_id_of_another_event_is_no_duplicate(api: Api) -> None:
    """Deliveries are told apart by id and event."""
    await sync(api, "unsuspend", delivery_id="d")
    assert (await take(api, delivery_id="d"))["ingest_status"] == "ACCEPTED"
    assert (await take(api, delivery_id="d"))["ingest_status"] == "DUPLICATE"


async def test_an_ignored_delivery_sent_again_is_a_duplicate(api: Api) -> None:
    """It was taken; nothing changes."""
    await take(api, action="labeled", delivery_id="d")
    assert await take(api, action="labeled", delivery_id="d") == {**NOTHING, "ingest_status": "DUPLICATE"}


async def test_what_is_no_business_of_ours_is_ignored(api: Api) -> None:
    """Irrelevant actions, foreign repositories and installations, repositories that are off."""
    for action in ("labeled", "edited", "auto_merge_enabled", "from the future", "OPENED"):
        assert await take(api, action=action) == NOTHING
    assert await take(api, repository={"id": 998, "full_name": "org/other"}) == NOTHING
    assert await take(api, installation_id=124) == NOTHING
    await api.configure(Mode.OFF)
    assert await take(api) == NOTHING
    assert await api.statuses() == []


async def test_the_repositorys_label_exempts(api: Api) -> None:
    """On a pending challenge, at the opening, in any case; another label does nothing."""
    pending = await take(api, 1)
    assert await take(api, 1, action="labeled", label="bug", pull_request={"labels": ["bug"]}) == NOTHING
    labeled = await take(api, 1, action="labeled", label="Centralbot:EXEMPT", sender={"id": 3003, "login": "m"})
    assert labeled == {"ingest_status": "ACCEPTED", "challenge_id": pending["challenge_id"], "enqueued_actions": 1}
    opened = await take(api, 2, label=None, pull_request={"labels": ["centralbot:exempt"]})
    assert (opened["ingest_status"], opened["enqueued_actions"]) == ("ACCEPTED", 0)
    assert (await take(api, 3, pull_request={"labels": None}))["enqueued_actions"] == 1
    assert await api.statuses() == [
        (1, "UPSERT_PR_COMMENT", "CANCELED"),
        (1, "UPSERT_PR_COMMENT", "PENDING"),
        (3, "UPSERT_PR_COMMENT", "PENDING"),
    ]


async def test_a_repository_without_a_configuration_takes_the_default_mode(database: str) -> None:
    """Which is off, unless the operator says otherwise."""
    async with serving(database, default_mode="off") as api:
        await api.bot.install()
        assert await take(api) == NOTHING
        await api.configure(Mode.ENFORCE)
        assert (await take(api))["enqueued_actions"] == 1


async def test_shadow_decides_and_sends_nothing(api: Api) -> None:
    """There is a challenge, and no action, not even once its time is over."""
    await api.configure(Mode.SHADOW)
    body = await take(api)
    assert (body["ingest_status"], body["enqueued_actions"]) == ("ACCEPTED", 0)
    await api.advance(1801)
    await api.backend.sweep.once()
    assert (await api.challenge(body["challenge_id"])).status is ChallengeStatus.TIMED_OUT_CLOSED
    assert await api.bot.claimed(limit=100) == []


async def test_who_is_exempt(api: Api) -> None:
    """Bots, exempt associations and the whitelisted; the latter are told."""
    await api.backend.store.whitelist.add(999, Actor(id=7, login="alice"), actor="test")
    exempt: list[tuple[dict[str, Any], int]] = [
        ({"user": {"id": 1, "login": "dependabot[bot]", "type": "Bot"}}, 0),
        ({"user": {"id": 1, "login": "renovate", "type": "Bot"}}, 0),
        ({"author_association": "OWNER"}, 0),
        ({"author_association": "MEMBER"}, 0),
        ({"author_association": "COLLABORATOR"}, 0),
        ({"user": {"id": 7, "login": "renamed"}}, 1),
    ]
    for number, (pull_request, comments) in enumerate(exempt, start=1):
        body = await take(api, number, pull_request=pull_request)
        assert (body["ingest_status"], body["enqueued_actions"]) == ("ACCEPTED", comments), pull_request
        assert (await api.challenge(body["challenge_id"])).status is ChallengeStatus.EXEMPT, pull_request
        again = await take(api, number, action="synchronize", pull_request={})
        assert (again["challenge_id"], again["enqueued_actions"]) == (body["challenge_id"], 0)
    for number, association in enumerate(("CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "NONE"), start=20):
        body = await take(api, number, pull_request={"author_association": association})
        assert (await api.challenge(body["challenge_id"])).status is ChallengeStatus.PENDING


async def test_closing_cancels_the_challenge_and_its_actions(api: Api) -> None:
    """What was not executed is not any more; a reopen by the author starts anew."""
    first = await take(api)
    closed = await take(api, action="closed", event_time=at(10))
    assert (closed["ingest_status"], closed["challenge_id"]) == ("ACCEPTED", first["challenge_id"])
    assert (await api.challenge(first["challenge_id"])).status is ChallengeStatus.CANCELED
    assert await api.statuses() == [(42, "UPSERT_PR_COMMENT", "CANCELED")]
    assert await api.bot.claimed() == []
    again = await take(api, action="reopened", event_time=at(20), sender={"id": 2002, "login": "contrib"})
    assert (again["challenge_id"] != first["challenge_id"], again["enqueued_actions"]) == (True, 1)


async def test_a_late_opened_after_closed_asks_nothing(api: Api) -> None:
    """Compared by the pull request's own ``updated_at``."""
    await take(api, action="closed", pull_request={"updated_at": at(60)}, event_time=at(60))
    await take(api, action="opened", pull_request={"updated_at": at(0)}, event_time=at(90))
    assert await api.statuses() == []


async def test_a_reopen_by_somebody_else_exempts(api: Api) -> None:
    """A maintainer decided."""
    await take(api)
    await take(api, action="closed", event_time=at(10))
    body = await take(api, action="reopened", event_time=at(20), sender={"id": 5, "login": "maintainer"})
    assert (await api.challenge(body["challenge_id"])).status is ChallengeStatus.EXEMPT
    await api.advance(10_000)
    await api.backend.sweep.once()
    assert await api.bot.claimed() == []


async def test_drafts_are_gated_unless_the_repository_says_no(api: Api) -> None:
    """Then they wait until they are ready, and going back to draft cancels."""
    draft = {"is_draft": True}
    assert (await take(api, 1, pull_request=draft))["enqueued_actions"] == 1
    assert (await take(api, 1, action="converted_to_draft", pull_request=draft, event_time=at(5)))[
        "enqueued_actions"
    ] == 0
    await api.configure(draft_prs_gated=False)
    assert await take(api, 2, pull_request=draft) == NOTHING
    assert await take(api, 2, action="synchronize", pull_request=draft, event_time=at(5)) == NOTHING
    ready = await take(api, 2, action="ready_for_review", event_time=at(10))
    assert (ready["ingest_status"], ready["enqueued_actions"]) == ("ACCEPTED", 1)
    back = await take(api, 2, action="converted_to_draft", pull_request=draft, event_time=at(20))
    assert (back["ingest_status"], back["challenge_id"]) == ("ACCEPTED", ready["challenge_id"])
    assert (await api.challenge(ready["challenge_id"])).status is ChallengeStatus.CANCELED
    assert (2, "UPSERT_PR_COMMENT", "CANCELED") in await api.statuses()
    assert {action["github_pr_number"] for action in await api.bot.claimed()} == {1}


async def test_installations_live_and_die(api: Api) -> None:
    """Each event's answer, and what a pull request then meets."""
    assert await sync(api, "suspend", event_time=at(1)) == {
        "ingest_status": "ACCEPTED",
        "updated_installation_id": 123,
        "updated_repositories": 0,
    }
    assert await take(api, 1) == NOTHING
    assert (await sync(api, "unsuspend", event_time=at(2)))["ingest_status"] == "ACCEPTED"
    assert (await take(api, 1))["ingest_status"] == "ACCEPTED"
    added = [{"id": 1000, "full_name": "org/new"}, {"id": 1001, "full_name": "org/newer"}]
    body = await sync(api, "added", "installation_repositories", event_time=at(3), repositories_added=added)
    assert body == {"ingest_status": "ACCEPTED", "updated_installation_id": 123, "updated_repositories": 2}
    assert (await take(api, 2, repository=added[0]))["ingest_status"] == "ACCEPTED"
    removed = await sync(api, "removed", "installation_repositories", event_time=at(4), repositories_removed=added[:1])
    assert removed["updated_repositories"] == 1
    assert await take(api, 3, repository=added[0]) == NOTHING
    assert (2, "UPSERT_PR_COMMENT", "CANCELED") in await api.statuses()
    assert (await sync(api, "deleted", event_time=at(5)))["updated_installation_id"] == 123
    assert await take(api, 4) == NOTHING
    assert {status for _, _, status in await api.statuses()} == {"CANCELED"}
    for late in ("created", "unsuspend"):
        await sync(api, late, event_time=at(60), repositories=[{"id": 999, "full_name": "org/repo"}])
    await sync(api, "added", "installation_repositories", event_time=at(60), repositories_added=added)
    assert await take(api, 5) == NOTHING


async def test_an_older_installation_event_undoes_nothing(api: Api) -> None:
    """Late and out of order, in every direction."""
    await sync(api, "suspend", event_time=at(100))
    await sync(api, "unsuspend", event_time=at(50))
    assert await take(api, 1) == NOTHING
    await sync(api, "unsuspend", event_time=at(200))
    await sync(api, "suspend", event_time=at(150))
    assert (await take(api, 1))["ingest_status"] == "ACCEPTED"
    repo = [{"id": 999, "full_name": "org/repo"}]
    await sync(api, "removed", "installation_repositories", event_time=at(300), repositories_removed=repo)
    await sync(api, "added", "installation_repositories", event_time=at(250), repositories_added=repo)
    assert await take(api, 2) == NOTHING


async def test_deleted_before_created_stays_deleted(api: Api) -> None:
    """Row 12 of the faults."""
    await sync(api, "deleted", installation={"id": 5}, event_time=at(10))
    repo = {"id": 555, "full_name": "o/r"}
    body = await sync(api, installation={"id": 5}, event_time=at(0), repositories=[repo])
    assert body == {"ingest_status": "IGNORED", **NULLS}
    assert await take(api, installation_id=5, repository=repo) == NOTHING


async def test_unknown_installation_events_are_ignored_and_repeated_ones_duplicates(api: Api) -> None:
    """Both with nulls."""
    for action, event_name in (("new_permissions_accepted", "installation"), ("created", "marketplace_purchase")):
        body = await sync(api, action, event_name, delivery_id=f"d-{event_name}")
        assert body == {"ingest_status": "IGNORED", **NULLS}
    await sync(api, "suspend", delivery_id="again", event_time=at(1))
    assert await sync(api, "suspend", delivery_id="again", event_time=at(1)) == {"ingest_status": "DUPLICATE", **NULLS}


async def test_a_renamed_or_transferred_repository_keeps_its_id(api: Api) -> None:
    """Actions carry the new name."""
    await take(api)
    new = [{"id": 999, "full_name": "org/renamed"}]
    body = await sync(api, "renamed", "repository", event_time=at(5), repositories=new)
    assert (body["ingest_status"], body["updated_installation_id"]) == ("ACCEPTED", 123)
    (action,) = await api.bot.claimed()
    assert action["repo_full_name"] == "org/renamed"
    new = [{"id": 999, "full_name": "elsewhere/renamed"}]
    body = await sync(api, "transferred", "repository", installation={"id": 77}, event_time=at(9), repositories=new)
    assert (body["ingest_status"], body["updated_installation_id"]) == ("ACCEPTED", 77)
    assert await take(api, 2) == NOTHING
    assert (await take(api, 3, installation_id=77, repository=new[0]))["ingest_status"] == "ACCEPTED"
