"""The door, as a use case over the memory store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from centralbot.domain import verdicts
from centralbot.domain.challenge import Challenge
from centralbot.domain.config import Mode
from centralbot.domain.errors import ChallengeNotPending, Forbidden, NotFound, Unauthenticated, Unavailable
from centralbot.domain.events import Actor
from centralbot.ports.use_cases.verification import GateView, ProofsRefused
from centralbot.ports.verifier import Step
from tests.builders import AUTHOR, MAINTAINER
from tests.entrypoints.gate.world import EVERY_KIND, STRANGER, GateWorld, caller, gate_world, proofs, token


@pytest.fixture
async def world() -> GateWorld:
    return await gate_world()


def given(steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """Everything that is asked."""
    return proofs(
        [
            {
                "kind": step.kind,
                "parameters": step.parameters,
                "fields": [{"name": it.name, "value": it.value} for it in step.fields],
            }
            for step in steps
        ]
    )


async def seen(world: GateWorld, challenge: Challenge, user: Actor | None = AUTHOR) -> GateView:
    return await world.verification.look(token(challenge), None if user is None else caller(user))


async def maintainer(world: GateWorld, challenge: Challenge, verdict: Any) -> None:
    """A maintainer overrules."""
    await world.under.store.challenges.decide(
        challenge.id, lambda facts: verdict(world.under.context, facts, actor=f"github:{MAINTAINER.id}")
    )


async def events(world: GateWorld, challenge: Challenge) -> list[tuple[str, str]]:
    return [(it.event, it.actor) for it in await world.under.store.challenges.history(challenge.id)]


async def test_looking_decides_nothing(world: GateWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the link may look as often as they like, so a look takes no lock: no decision is begun for it."""
    await world.asked()
    challenge = await world.under.timed_out(43)

    async def decide(challenge_id: UUID, *_: Any, **__: Any) -> Challenge:
        raise AssertionError(challenge_id)

    monkeypatch.setattr(world.under.store.challenges, "decide", decide)
    assert (await seen(world, challenge, None)).is_open


async def test_the_author_passes_with_every_proof(world: GateWorld) -> None:
    """All that is listed is checked, and what was seen is stored."""
    challenge = await world.asked()
    view = await seen(world, challenge)
    assert [step.kind for step in view.steps] == list(EVERY_KIND)
    after = await world.verification.verify(token(challenge), caller(), given(view.steps))
    assert (after.status.value, after.reason) == ("VERIFIED", "IN_TIME")
    stored = await world.under.store.reports.proofs(challenge.id)
    assert sorted(it.kind for it in stored) == sorted(EVERY_KIND)
    assert (await events(world, challenge))[-1] == ("challenge.verified", f"github:{AUTHOR.id}")


@pytest.mark.parametrize("missing", [kind for kind in EVERY_KIND if kind != "github-login"])
async def test_all_must_pass(world: GateWorld, missing: str) -> None:
    """One proof too few is a refusal that names it, and nothing is stored."""
    challenge = await world.asked()
    sent = given((await seen(world, challenge)).steps)
    del sent[missing]
    with pytest.raises(ProofsRefused, match=f"proofs.{missing}: ") as refused:
        await world.verification.verify(token(challenge), caller(), sent)
    assert set(refused.value.reasons) == {missing}
    assert await world.status(challenge) == "PENDING"
    assert list(await world.under.store.reports.proofs(challenge.id)) == []


async def test_everything_that_is_wrong_is_said_at_once(world: GateWorld) -> None:
    """Nobody fixes one thing to hear of the next."""
    challenge = await world.asked()
    with pytest.raises(ProofsRefused) as refused:
        await world.verification.verify(token(challenge), caller(), {})
    assert set(refused.value.reasons) == {"proof-of-work", "attestation"}


async def test_nobody_is_asked_to_sign_in(world: GateWorld) -> None:
    """Without a caller there is nothing to check."""
    challenge = await world.asked()
    with pytest.raises(Unauthenticated):
        await world.verification.verify(token(challenge), None, {})


async def test_somebody_else_is_refused_and_recorded(world: GateWorld) -> None:
    """Row 50 of the faults: whoever it was is in the audit trail, and the challenge is as it was."""
    challenge = await world.asked("attestation")
    sent = given((await seen(world, challenge)).steps)
    with pytest.raises(Forbidden, match="somebody-else"):
        await world.verification.verify(token(challenge), caller(STRANGER), sent)
    assert await world.status(challenge) == "PENDING"
    assert (await events(world, challenge))[-1] == ("challenge.refused", f"github:{STRANGER.id}")


async def test_trying_again_and_again_fills_no_table(world: GateWorld) -> None:
    """The refusals that are recorded are bounded."""
    challenge = await world.asked("github-login")
    for _ in range(100):
        with pytest.raises(Forbidden):
            await world.verification.verify(token(challenge), caller(STRANGER), {})
    refused = [name for name, _ in await events(world, challenge) if name == "challenge.refused"]
    assert 1 <= len(refused) <= 20


async def test_a_namesake_is_somebody_else(world: GateWorld) -> None:
    """Accounts are compared by id."""
    challenge = await world.asked("github-login")
    with pytest.raises(Forbidden):
        await world.verification.verify(token(challenge), caller(Actor(id=5, login=AUTHOR.login)), {})


async def test_verified_again_is_the_same_answer_without_proofs(world: GateWorld) -> None:
    """A reload or a second click is no error."""
    challenge = await world.asked("github-login")
    first = await world.verification.verify(token(challenge), caller(), {})
    assert await world.verification.verify(token(challenge), caller(), {}) == first


async def test_a_solution_for_another_challenge_does_not_pass(world: GateWorld) -> None:
    """Two pull requests are two tasks."""
    one = await world.asked("proof-of-work", number=1)
    other = await world.asked("proof-of-work", number=2)
    sent = given((await seen(world, other)).steps)
    with pytest.raises(ProofsRefused, match="another pull request"):
        await world.verification.verify(token(one), caller(), sent)
    assert await world.status(one) == "PENDING"


async def test_a_solution_that_was_sent_twice_passes_once(world: GateWorld) -> None:
    """Sent again for a challenge that passed, the answer is the same; nothing is spent on the second."""
    challenge = await world.asked("proof-of-work")
    sent = given((await seen(world, challenge)).steps)
    await world.verification.verify(token(challenge), caller(), sent)
    assert (await world.verification.verify(token(challenge), caller(), sent)).status.value == "VERIFIED"


@pytest.mark.parametrize("verdict", [verdicts.on_exempted, verdicts.on_canceled])
async def test_what_is_over_cannot_be_verified(world: GateWorld, verdict: Any) -> None:
    """Exempt and canceled challenges ask for nothing."""
    challenge = await world.asked("github-login")
    await maintainer(world, challenge, verdict)
    assert (await seen(world, challenge)).steps == ()
    with pytest.raises(ChallengeNotPending):
        await world.verification.verify(token(challenge), caller(), {})


async def test_late_is_not_lost(world: GateWorld) -> None:
    """After the close, passing still counts and sends a reopen."""
    challenge = await world.asked("github-login")
    await world.under.advance(challenge.window_s + 1)
    await world.under.sweep()
    await world.under.run_all()
    view = await seen(world, challenge)
    assert (view.challenge.status.value, view.is_open, view.superseded) == ("TIMED_OUT_CLOSED", True, False)
    after = await world.verification.verify(token(challenge), caller(), {})
    assert (after.status.value, after.reason) == ("VERIFIED", "LATE")
    assert (await seen(world, challenge)).reopening
    assert "REOPEN_PR_WITH_COMMENT" in {kind.value for kind, _ in await world.under.statuses()}


async def test_late_before_the_close_went_out_reopens_nothing(world: GateWorld) -> None:
    """The close that waits is called off, so there is nothing to reopen."""
    challenge = await world.asked("github-login")
    await world.under.advance(challenge.window_s + 1)
    await world.under.sweep()
    await world.verification.verify(token(challenge), caller(), {})
    assert not (await seen(world, challenge)).reopening


async def test_a_newer_check_counts_instead(world: GateWorld) -> None:
    """Late, where the pull request was opened again since: refused before anything is spent."""
    challenge = await world.asked("proof-of-work")
    await world.under.advance(challenge.window_s + 1)
    await world.under.sweep()
    await world.under.run_all()
    sent = given((await seen(world, challenge)).steps)
    newer = await world.under.challenged(42, action="reopened", seconds=challenge.window_s + 60, sender=AUTHOR)
    assert newer.id != challenge.id
    view = await seen(world, challenge)
    assert (view.superseded, view.is_open, view.steps) == (True, False, ())
    with pytest.raises(ChallengeNotPending, match="newer"):
        await world.verification.verify(token(challenge), caller(), sent)


async def test_a_kind_that_is_not_registered_is_never_skipped(world: GateWorld) -> None:
    """A centralbot that lacks a proof lets nobody through without it."""
    challenge = await world.asked("github-login", "stake")
    with pytest.raises(Unavailable, match="'stake'"):
        await seen(world, challenge)
    with pytest.raises(Unavailable, match="'stake'"):
        await world.verification.verify(token(challenge), caller(), {})
    assert await world.status(challenge) == "PENDING"


async def test_changed_rules_must_be_read_again(world: GateWorld) -> None:
    """What was confirmed is the text that was shown."""
    challenge = await world.asked("attestation", config={"rules": "Old"})
    sent = given((await seen(world, challenge)).steps)
    await world.configure(rules="New")
    with pytest.raises(ProofsRefused, match="have changed"):
        await world.verification.verify(token(challenge), caller(), sent)
    (step,) = (await seen(world, challenge)).steps
    assert step.quote == "New"


async def test_a_shadow_challenge_has_no_door(world: GateWorld) -> None:
    """No link to it was ever given out."""
    await world.under.store.repositories.configure(999, (await config_of(world, Mode.SHADOW)), actor="test")
    challenge = await world.under.challenged(7)
    with pytest.raises(NotFound):
        await seen(world, challenge)
    with pytest.raises(NotFound):
        await world.verification.verify(token(challenge), caller(), {})


async def config_of(world: GateWorld, mode: Mode) -> Any:
    await world.configure(mode=mode)
    record = await world.under.store.repositories.get(999)
    assert record is not None
    return record.config


@pytest.mark.parametrize("change", ["cut", "other", "empty", "text", "padded", "unicode"])
async def test_an_unknown_link_is_unknown_in_one_way(
    world: GateWorld, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forged, cut off or of another key: the same words, and one look into the store as for a link that is ours."""
    challenge = await world.asked("github-login")
    good = token(challenge)
    bad = {
        "cut": good[:-1],
        "other": ("B" if good[0] != "B" else "C") + good[1:],
        "empty": "",
        "text": "..%2f",
        "padded": good + "=",
        "unicode": "é" * 43,
    }[change]
    looks: list[UUID] = []
    challenges = world.verification._challenges
    get = challenges.get

    async def counted(challenge_id: UUID) -> Challenge:
        looks.append(challenge_id)
        return await get(challenge_id)

    monkeypatch.setattr(challenges, "get", counted)
    with pytest.raises(NotFound, match="no pull request"):
        await world.verification.look(bad, caller())
    assert len(looks) == 1
    await world.verification.look(good, caller())
    assert len(looks) == 2


async def test_only_the_author_is_given_a_task(world: GateWorld) -> None:
    """Others see what is asked, and cost no work."""
    challenge = await world.asked("proof-of-work")
    for user in (None, STRANGER):
        (step,) = (await seen(world, challenge, user)).steps
        assert (step.parameters, (await seen(world, challenge, user)).is_author) == ({}, False)
