"""The proofs that come with centralbot."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from centralbot.adapters.verifiers.attestation import GENERAL, Attestation, digest_of
from centralbot.adapters.verifiers.github_login import GitHubLogin
from centralbot.adapters.verifiers.proof_of_work import MAX_SOLUTION_CHARS, VALID_S, ProofOfWork
from centralbot.domain.challenge import Challenge
from centralbot.domain.events import Actor
from centralbot.entrypoints.roots.verifiers import verifiers
from centralbot.ports.sessions import Nonces
from centralbot.ports.verifier import Attempt, ProofRefused
from tests.builders import AUTHOR, T0, a_challenge, a_config, at
from tests.contracts.adapters import a_memory_store
from tests.doubles.memory.clock import ManualClock, SequentialIds
from tests.entrypoints.gate.world import solve, tampered

SECRET = b"s" * 32
STRANGER = Actor(id=4004, login="somebody-else")


def an_attempt(challenge: Challenge | None = None, user: Actor | None = AUTHOR, **fields: Any) -> Attempt:
    attempt = Attempt(challenge=challenge or a_challenge(), user=user, config=a_config(), now=T0)
    return replace(attempt, **fields)


def nonces() -> Nonces:
    return a_memory_store(ManualClock(T0), SequentialIds()).store.nonces


def a_proof_of_work(once: Nonces | None = None, secret: bytes = SECRET) -> ProofOfWork:
    return ProofOfWork(secret, once or nonces(), cost=10, counters=(1, 4))


def solved(work: ProofOfWork, attempt: Attempt) -> str:
    task = work.step(attempt).parameters["task"]
    assert isinstance(task, dict)
    return solve(task)


def test_every_kind_of_the_contract_is_registered_once() -> None:
    """github-login, proof-of-work and attestation, each with a sentence for owners."""
    registered = verifiers(SECRET, nonces())
    assert [it.kind for it in registered] == ["github-login", "proof-of-work", "attestation"]
    assert all(it.summary.endswith(".") for it in registered)


@pytest.mark.parametrize(
    ("user", "done"), [(AUTHOR, True), (replace(AUTHOR, login="renamed"), True), (STRANGER, False), (None, False)]
)
async def test_the_login_is_the_authors_by_id(user: Actor | None, done: bool) -> None:
    """A renamed author is still the author; somebody else never is, nor is nobody."""
    attempt = an_attempt(user=user)
    assert done == GitHubLogin().step(attempt).done
    if done and user is not None:
        evidence = {"github_user_id": AUTHOR.id, "github_login": user.login}
        assert evidence == await GitHubLogin().check(attempt, {})
    else:
        with pytest.raises(ProofRefused, match="contrib"):
            await GitHubLogin().check(attempt, {})


async def test_a_namesake_is_not_the_author() -> None:
    """The same login under another id is another account."""
    with pytest.raises(ProofRefused):
        await GitHubLogin().check(an_attempt(user=Actor(id=9, login=AUTHOR.login)), {})


async def test_the_rules_are_confirmed_by_the_digest_of_what_was_shown() -> None:
    """The evidence is the digest, not the text."""
    attempt = an_attempt(config=a_config(rules="  Write tests.\nBe kind. "))
    (box,) = Attestation().step(attempt).fields
    assert Attestation().step(attempt).quote == "Write tests.\nBe kind."
    digest = sha256(b"Write tests.\nBe kind.").hexdigest()
    assert {"rules_sha256": digest} == await Attestation().check(attempt, {"confirmed": box.value})


async def test_without_rules_a_general_text_is_confirmed() -> None:
    """Nothing to write is needed for the proof to mean something."""
    attempt = an_attempt(config=a_config(rules=" \n "))
    assert Attestation().step(attempt).quote == GENERAL
    assert {"rules_sha256": digest_of(GENERAL)} == await Attestation().check(attempt, {"confirmed": digest_of(GENERAL)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "tick the box"),
        ({"confirmed": ""}, "tick the box"),
        ({"confirmed": True}, "tick the box"),
        ({"confirmed": ["yes"]}, "tick the box"),
        ({"confirmed": "yes"}, "have changed"),
        ({"confirmed": digest_of("the old rules")}, "have changed"),
        ({"confirmed": "\udcff"}, "have changed"),
    ],
)
async def test_other_than_the_rules_of_now_confirm_nothing(given: dict[str, object], said: str) -> None:
    """A box not ticked, and rules that changed since, are refused with what to do."""
    with pytest.raises(ProofRefused, match=said):
        await Attestation().check(an_attempt(config=a_config(rules="The new rules")), given)


async def test_a_solved_task_passes() -> None:
    """The evidence says how hard the work was, and nothing about the device."""
    work, attempt = a_proof_of_work(), an_attempt()
    evidence = await work.check(attempt, {"solution": solved(work, attempt)})
    assert {"algorithm", "cost", "task"} == set(evidence)
    assert (evidence["algorithm"], evidence["cost"]) == ("PBKDF2/SHA-256", 10)


@pytest.mark.parametrize("user", [STRANGER, None])
def test_only_the_author_gets_a_task(user: Actor | None) -> None:
    """Looking at somebody's page makes us compute nothing."""
    step = a_proof_of_work().step(an_attempt(user=user))
    assert step.parameters == {}


async def test_a_solution_serves_once() -> None:
    """Sent again, also by another process, it is refused."""
    once, attempt = nonces(), an_attempt()
    work = a_proof_of_work(once)
    solution = solved(work, attempt)
    await work.check(attempt, {"solution": solution})
    with pytest.raises(ProofRefused, match="used before"):
        await a_proof_of_work(once).check(attempt, {"solution": solution})


async def test_a_solution_in_another_spelling_is_the_same_solution() -> None:
    """What serves once is the task, not the bytes of the answer."""
    work, attempt = a_proof_of_work(), an_attempt()
    solution = solved(work, attempt)
    payload = json.loads(base64.b64decode(solution))
    payload["solution"]["time"] = 1234
    await work.check(attempt, {"solution": solution})
    with pytest.raises(ProofRefused, match="used before"):
        await work.check(attempt, {"solution": base64.b64encode(json.dumps(payload, indent=2).encode()).decode()})


async def test_a_solution_for_another_challenge_is_refused_and_still_good_for_its_own() -> None:
    """A farm cannot solve one task for all."""
    work, mine, other = a_proof_of_work(), an_attempt(), an_attempt()
    solution = solved(work, other)
    with pytest.raises(ProofRefused, match="another pull request"):
        await work.check(mine, {"solution": solution})
    await work.check(other, {"solution": solution})


@pytest.mark.parametrize(("seconds", "passes"), [(VALID_S - 1, True), (VALID_S, False), (VALID_S * 100, False)])
async def test_a_solution_is_good_for_ten_minutes(seconds: int, passes: bool) -> None:
    """By the clock of whoever checks, which is an argument."""
    work, attempt = a_proof_of_work(), an_attempt()
    given, later = {"solution": solved(work, attempt)}, replace(attempt, now=at(seconds))
    if passes:
        await work.check(later, given)
    else:
        with pytest.raises(ProofRefused, match="out of date"):
            await work.check(later, given)


async def test_a_task_of_another_secret_is_not_ours() -> None:
    """Nobody makes their own easy task."""
    attempt = an_attempt()
    with pytest.raises(ProofRefused, match="wrong"):
        await a_proof_of_work().check(attempt, {"solution": solved(a_proof_of_work(secret=b"x" * 32), attempt)})


@pytest.mark.parametrize(
    "parameters",
    [
        {"cost": 1},
        {"keyPrefix": ""},
        {"data": {"challenge": "another", "until": 99_999_999_999}},
        {"data": None},
        {"expiresAt": 99_999_999_999},
        {"expiresAt": 1},
        {"algorithm": "SHA-256"},
        {"keySignature": None},
        {"nonce": 7},
        {"data": {"__proto__": 1}},
    ],
)
async def test_a_changed_task_is_refused(parameters: dict[str, Any]) -> None:
    """Every parameter is signed."""
    work, attempt = a_proof_of_work(), an_attempt()
    with pytest.raises(ProofRefused, match="wrong"):
        await work.check(attempt, {"solution": tampered(solved(work, attempt), **parameters)})


def an_answer(**solution: Any) -> str:
    work, attempt = a_proof_of_work(), an_attempt()
    payload = {"challenge": work.step(attempt).parameters["task"], "solution": solution}
    return base64.b64encode(json.dumps(payload).encode()).decode()


NOT_SOLUTIONS: list[object] = [
    an_answer(counter=0, derivedKey="00" * 32),
    an_answer(counter=2**40, derivedKey=""),
    an_answer(counter="1", derivedKey=5),
    an_answer(counter=None, derivedKey=None),
    an_answer(),
    "not base64!",
    "AAAA",
    base64.b64encode(b"[]").decode(),
    base64.b64encode(b'{"challenge": [], "solution": {}}').decode(),
    base64.b64encode(b'{"challenge": {"parameters": []}, "solution": []}').decode(),
    base64.b64encode(b'{"challenge": {"parameters": {}}, "solution": {}}').decode(),
    base64.b64encode(b"[" * 2900).decode(),
    base64.b64encode(b"\xff\xfe").decode(),
    base64.b64encode(b"1" * 2900).decode(),
    "é" * 10,
    "A" * (MAX_SOLUTION_CHARS + 1),
]


@pytest.mark.parametrize("solution", NOT_SOLUTIONS, ids=range(len(NOT_SOLUTIONS)))
async def test_what_solves_nothing_is_refused_as_wrong(solution: object) -> None:
    """Whatever comes is a refusal, never a crash."""
    with pytest.raises(ProofRefused, match="wrong"):
        await a_proof_of_work().check(an_attempt(), {"solution": solution})


@pytest.mark.parametrize("given", [{}, {"solution": ""}, {"solution": None}, {"solution": 5}, {"solution": ["x"]}])
async def test_no_solution_is_said_to_be_unfinished(given: dict[str, object]) -> None:
    """The page without JavaScript sends none."""
    with pytest.raises(ProofRefused, match="not finished"):
        await a_proof_of_work().check(an_attempt(), given)
