"""The door through the whole backend: PostgreSQL, real HTTP, real work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from centralbot.domain.signing import gate_token
from tests.builders import AUTHOR
from tests.entrypoints.api.people import People, serving_people
from tests.entrypoints.gate.world import EVERY_KIND, proofs


@pytest.fixture
async def people(database: str) -> AsyncIterator[People]:
    async with serving_people(database) as running:
        running.github.add_user(AUTHOR.login, AUTHOR.id)
        yield running


async def asked(people: People, *kinds: str) -> str:
    """A pull request of AUTHOR's whose comment is posted; the path of its door as JSON."""
    await people.configure(verification=kinds or EVERY_KIND)
    challenge_id = await people.challenged()
    for action in await people.bot.claimed():
        await people.bot.result(action["id"], "SUCCEEDED", claim_token=action["claim_token"], comment_id=7)
    return f"/api/v1/gate/{gate_token(people.backend.gate_key, UUID(challenge_id))}"


def bearer(people: People) -> dict[str, str]:
    return {"authorization": f"Bearer {people.github.issue(AUTHOR.login).access_token}"}


async def test_the_author_passes_and_the_comment_is_on_its_way_at_once(people: People) -> None:
    """Every proof, then an action for the bot and the evidence in the store."""
    door, who = await asked(people), bearer(people)
    seen = await people.call("GET", door, by=None, headers=who)
    assert (seen.status, seen.body["is_author"], seen.body["deadline_at"][-1]) == (200, True, "Z")
    done = await people.call("POST", f"{door}/verify", {"proofs": proofs(seen.body["steps"])}, by=None, headers=who)
    assert (done.status, done.body) == (200, {"status": "VERIFIED"})
    (action,) = await people.bot.claimed()
    assert (action["action_type"], action["payload"]["reason"]) == ("UPSERT_PR_COMMENT", "VERIFIED")
    stored = await people.backend.store.reports.proofs(UUID(action["challenge_id"]))
    assert sorted(it.kind for it in stored) == sorted(EVERY_KIND)


async def test_one_solution_sent_many_times_at_once_verifies_once(people: People) -> None:
    """Ten requests in the same moment: one action, no error of ours, nobody passes twice."""
    door, who = await asked(people, "proof-of-work"), bearer(people)
    seen = await people.call("GET", door, by=None, headers=who)
    body = {"proofs": proofs(seen.body["steps"])}
    answers = await asyncio.gather(
        *(people.call("POST", f"{door}/verify", body, by=None, headers=who) for _ in range(10))
    )
    assert {it.status for it in answers} <= {200, 400}
    assert 200 in {it.status for it in answers}
    assert len(await people.bot.claimed()) == 1


async def test_late_the_door_is_still_open(people: People) -> None:
    """After the close it reopens, and says so."""
    door, who = await asked(people, "github-login"), bearer(people)
    await people.advance(1801)
    await people.backend.sweep.once()
    (close,) = await people.bot.claimed()
    await people.bot.result(close["id"], "SUCCEEDED", claim_token=close["claim_token"])
    page = await people.call("GET", door.replace("/api/v1/gate", "/g"), by=None, headers=who)
    assert (page.status, "Verify and reopen" in page.body) == (200, True)
    done = await people.call("POST", f"{door}/verify", by=None, headers=who)
    assert done.body == {"status": "VERIFIED"}
    reopen = (await people.bot.claimed(action_types=["REOPEN_PR_WITH_COMMENT", "UPSERT_PR_COMMENT"]))[0]
    assert reopen["action_type"] == "REOPEN_PR_WITH_COMMENT"
    page = await people.call("GET", door.replace("/api/v1/gate", "/g"), by=None, headers=who)
    assert "is being reopened" in page.body


async def test_somebody_else_is_recorded(people: People) -> None:
    """Row 50, in the table."""
    door = await asked(people, "github-login")
    refused = await people.call("POST", f"{door}/verify", by="owner")
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    events = await people.backend.store.reports.audit(999)
    assert events[0].event == "challenge.refused"


async def test_the_document_describes_the_door(people: People) -> None:
    """With its answers and refusals."""
    document = (await people.call("GET", "/schema/openapi.json", by=None)).body
    verify = document["paths"]["/api/v1/gate/{gate_token}/verify"]["post"]
    assert set(verify["responses"]) == {"200", "400", "401", "403", "404", "409", "413", "429", "503"}
    assert "/g/{gate_token}" not in document["paths"]
