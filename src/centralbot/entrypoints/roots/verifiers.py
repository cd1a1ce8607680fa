"""The kinds of proof that a repository can ask for. To add one: its module, and its line here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from centralbot.adapters.verifiers.attestation import Attestation
from centralbot.adapters.verifiers.github_login import GitHubLogin
from centralbot.adapters.verifiers.proof_of_work import ProofOfWork
from centralbot.ports.sessions import Nonces
from centralbot.ports.verifier import Verifier


def verifiers(secret: bytes, nonces: Nonces) -> tuple[Verifier, ...]:
    """Every kind, in the order in which an owner reads them. ``secret`` (32 bytes) signs what is asked."""
    return (
        GitHubLogin(),
        ProofOfWork(secret, nonces),
        Attestation(),
    )


def registered() -> Mapping[str, str]:
    """The name of every kind, and what an owner reads of it: for whoever chooses proofs and judges none."""
    return {it.kind: it.summary for it in verifiers(bytes(32), _NothingIsUsed())}


class _NothingIsUsed:
    """See :class:`~centralbot.ports.sessions.Nonces`."""

    async def use(self, kind: str, digest: bytes, *, expires_at: datetime) -> bool:
        raise NotImplementedError
