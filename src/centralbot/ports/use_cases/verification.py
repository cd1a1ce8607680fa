"""The door that a pull request's author goes through: what is asked of them, and what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.config import RepoConfig
from centralbot.domain.errors import (
    ChallengeNotPending,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
    ValidationError,
)
from centralbot.domain.events import Actor
from centralbot.domain.signing import gate_challenge_id, gate_token
from centralbot.domain.verdicts import MAYBE_CLOSED
from centralbot.ports.admin import Repositories
from centralbot.ports.challenges import Challenges, Proof
from centralbot.ports.clock import Clock, Ids
from centralbot.ports.use_cases.accounts import Caller
from centralbot.ports.use_cases.challenges import ChallengeService
from centralbot.ports.verifier import Attempt, ProofRefused, Step, Verifier

OPEN = frozenset({ChallengeStatus.PENDING, ChallengeStatus.TIMED_OUT_CLOSED})
"""Where passing still changes something: in time, or late."""
NOBODY = UUID(int=0)
UNKNOWN = "this link belongs to no pull request that waits here; open the link in the pull request's comment again"

Given = Mapping[str, Mapping[str, object]]
"""Proofs as they were sent: kind, then field, then value."""


class ProofsRefused(ValidationError):
    """Some proofs do not pass. ``reasons`` says for each kind why, and what to do."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"proofs.{kind}: {why}" for kind, why in reasons.items()))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """A challenge as one person sees it, and nothing but this challenge.

    ``steps`` are empty once nothing is asked any more. ``superseded``: late, and a newer check of the same pull request
    counts instead. ``reopening``: passed late, after the close was sent, so that a reopen was sent too.
    """

    challenge: Challenge
    user: Actor | None
    now: datetime
    steps: tuple[Step, ...] = ()
    superseded: bool = False
    reopening: bool = False

    @property
    def is_author(self) -> bool:
        return self.user is not None and self.user.id == self.challenge.author_id

    @property
    def is_open(self) -> bool:
        """Whether passing still changes something."""
        return self.challenge.status in OPEN and not self.superseded


class VerificationService:
    """The use cases behind ``/g/{gate_token}``. All raise NotFound for a link that is not ours, and Unavailable.

    ``token_key`` makes the links; ``defaults`` are the rules where a repository has set none.
    """

    def __init__(
        self,
        *,
        token_key: bytes,
        challenges: Challenges,
        repositories: Repositories,
        verdicts: ChallengeService,
        verifiers: Sequence[Verifier],
        defaults: RepoConfig,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._token_key = token_key
        self._decoy = gate_token(token_key, NOBODY)
        self._challenges = challenges
        self._repositories = repositories
        self._verdicts = verdicts
        self._verifiers = {verifier.kind: verifier for verifier in verifiers}
        self._defaults = defaults
        self._clock = clock
        self._ids = ids

    async def look(self, token: str, caller: Caller | None) -> GateView:
        """What whoever is there sees. Changes nothing."""
        challenge = await self._find(token)
        user, now = None if caller is None else caller.user, self._clock.now()
        late = challenge.status is ChallengeStatus.TIMED_OUT_CLOSED or challenge.reason == "LATE"
        facts = await self._challenges.facts(challenge.id) if late else None
        view = GateView(
            challenge=challenge,
            user=user,
            now=now,
            superseded=facts is not None and facts.superseded and challenge.status is ChallengeStatus.TIMED_OUT_CLOSED,
            reopening=facts is not None and facts.close in MAYBE_CLOSED,
        )
        if not view.is_open:
            return view
        attempt = await self._attempt(challenge, user, now)
        return replace(view, steps=tuple(self._verifier(kind).step(attempt) for kind in challenge.verification))

    async def verify(self, token: str, caller: Caller | None, given: Given) -> Challenge:
        """Judge the proofs and let the author in; again, once verified, is the same answer without proofs.

        Raises Unauthenticated for nobody, Forbidden (recorded) for anybody but the author, ChallengeNotPending where
        nothing is asked any more, ProofsRefused.
        """
        challenge = await self._find(token)
        if caller is None:
            raise Unauthenticated("sign in with GitHub as the pull request's author")
        if caller.user.id != challenge.author_id:
            await self._challenges.note(
                challenge.id, "challenge.refused", actor=caller.actor, detail={"why": "NOT_THE_AUTHOR"}
            )
            raise Forbidden(
                f"only the author of the pull request can verify it, and you are signed in as {caller.user.login}"
            )
        if challenge.status is ChallengeStatus.VERIFIED:
            return challenge
        if challenge.status not in OPEN:
            raise ChallengeNotPending(f"this check is {challenge.status}: nothing more is asked of you")
        if (
            challenge.status is ChallengeStatus.TIMED_OUT_CLOSED
            and (await self._challenges.facts(challenge.id)).superseded
        ):
            raise ChallengeNotPending("a newer check of this pull request counts instead; use its link")
        attempt = await self._attempt(challenge, caller.user, self._clock.now())
        try:
            proofs = await self._judge(attempt, given)
        except ProofsRefused:
            challenge = await self._challenges.get(challenge.id)
            if challenge.status is ChallengeStatus.VERIFIED:  # sent twice, and the other was faster
                return challenge
            raise
        return await self._verdicts.verify(challenge.id, actor=caller.actor, proofs=proofs)

    async def _judge(self, attempt: Attempt, given: Given) -> list[Proof]:
        """Every kind is checked, so that the author hears of all that is wrong at once."""
        verifiers = [self._verifier(kind) for kind in attempt.challenge.verification]
        proofs, refused = [], {}
        for verifier in verifiers:
            try:
                evidence = await verifier.check(attempt, given.get(verifier.kind, {}))
            except ProofRefused as exc:
                refused[verifier.kind] = exc.message
            else:
                proofs.append(Proof(id=self._ids.new_id(), kind=verifier.kind, evidence=dict(evidence)))
        if refused:
            raise ProofsRefused(refused)
        return proofs

    async def _find(self, token: str) -> Challenge:
        """The token's challenge; a MAC compared and one look into the store, whether the token is ours or not."""
        challenge_id = gate_challenge_id(self._token_key, token)
        if challenge_id is None:
            gate_challenge_id(self._token_key, self._decoy)
        try:
            challenge = await self._challenges.get(challenge_id or NOBODY)
        except NotFound as exc:
            raise NotFound(UNKNOWN) from exc
        if challenge.is_shadow:  # such a link was never given out
            raise NotFound(UNKNOWN)
        return challenge

    async def _attempt(self, challenge: Challenge, user: Actor | None, now: datetime) -> Attempt:
        record = await self._repositories.get(challenge.repo_id)
        config = None if record is None else record.config
        return Attempt(challenge=challenge, user=user, config=config or self._defaults, now=now)

    def _verifier(self, kind: str) -> Verifier:
        """Raises Unavailable for a kind that is not registered: it is never skipped."""
        found = self._verifiers.get(kind)
        if found is None:
            raise Unavailable(
                f"this repository asks for the proof '{kind}', which this centralbot lacks; tell its maintainers",
                retry_after_s=60,
            )
        return found
