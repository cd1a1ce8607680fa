"""``proof-of-work``: the author's device computes for a moment. ALTCHA's open protocol, version 2, no third party.

https://altcha.org/docs/v2/proof-of-work-captcha/. The work is known in advance (a counter is drawn, and its key's
first half is the task), so that it takes about as long for everybody: up to ``counters[1]`` keys of ``cost`` rounds.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import altcha

from centralbot.ports.sessions import Nonces
from centralbot.ports.verifier import Attempt, Evidence, Field, ProofRefused, Step

ALGORITHM = "PBKDF2/SHA-256"
VALID_S = 600
MAX_SOLUTION_CHARS = 4_000


class ProofOfWork:
    """See :class:`~centralbot.ports.verifier.Verifier`.

    A task is for one challenge, for ``VALID_S`` seconds, and serves once. ``secret`` signs it, so nothing is stored
    before it is solved. The time is in ALTCHA's ``data``, not in its ``expiresAt``: that one would be judged by the
    clocks of the author's device and of this process, where ours is an argument.
    """

    kind = "proof-of-work"
    summary = "The author's device computes for a second or two by itself: cheap for one person, expensive for a flood."

    def __init__(
        self, secret: bytes, nonces: Nonces, *, cost: int = 2_000, counters: tuple[int, int] = (4_000, 8_000)
    ) -> None:
        self._secret = secret
        self._key_secret = hmac.digest(secret, b"derived-key", "sha256")
        self._nonces = nonces
        self._cost = cost
        self._counters = counters

    def step(self, attempt: Attempt) -> Step:
        """The task goes to the author alone: making one costs us a key."""
        is_author = attempt.user is not None and attempt.user.id == attempt.challenge.author_id
        return Step(
            kind=self.kind,
            title="Let your device do a short computation",
            text="It starts by itself and takes a few seconds. Nothing about you or your device is collected.",
            fields=(Field(name="solution", label="Solution", type="text", value=""),),
            widget=self.kind,
            parameters={"task": self._task(attempt), "valid_s": VALID_S} if is_author else {},
        )

    def _task(self, attempt: Attempt) -> dict[str, object]:
        low, high = self._counters
        until = attempt.now + timedelta(seconds=VALID_S)
        task: dict[str, object] = altcha.create_challenge(
            ALGORITHM,
            self._cost,
            counter=low + secrets.randbelow(high - low + 1),
            data={"challenge": str(attempt.challenge.id), "until": int(until.timestamp())},
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        ).to_dict()
        return task

    async def check(self, attempt: Attempt, given: Mapping[str, object]) -> Evidence:
        solution = given.get("solution")
        if not isinstance(solution, str) or not solution:
            raise ProofRefused("the computation is not finished; wait for it, or reload the page to start it again")
        payload = _payload(solution)
        if payload is None or not self._is_solved(payload):
            raise ProofRefused("the computation's result is wrong; it starts again by itself")
        data = payload.challenge.parameters.data or {}  # signed by us, so of our shape
        if data["challenge"] != str(attempt.challenge.id):
            raise ProofRefused("the computation was for another pull request; it starts again by itself")
        until = datetime.fromtimestamp(data["until"], tz=UTC)
        if until <= attempt.now:
            raise ProofRefused("the computation's result is out of date; it starts again by itself")
        signature = str(payload.challenge.signature)
        if not await self._nonces.use(self.kind, hashlib.sha256(signature.encode()).digest(), expires_at=until):
            raise ProofRefused("the computation's result was used before; it starts again by itself")
        return {"algorithm": ALGORITHM, "cost": payload.challenge.parameters.cost, "task": signature[:16]}

    def _is_solved(self, payload: altcha.Payload) -> bool:
        try:
            result = altcha.verify_solution(payload, self._secret, hmac_key_secret=self._key_secret)
        except (ValueError, TypeError, AttributeError, RecursionError):  # of a shape that nobody signs
            return False
        return result.verified


def _payload(solution: str) -> altcha.Payload | None:
    if len(solution) > MAX_SOLUTION_CHARS:
        return None
    try:
        return altcha.Payload.from_base64(solution)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
