"""The kinds of proof that a repository can ask for. To add one: its module, and its line here."""

from __future__ import annotations

from centralbot.adapters.verifiers.attestation import Attestation
from centralbot.adapters.verifiers.github_login import GitHubLogin
from centralbot.adapters.verifiers.proof_of_work import ProofOfWork
from centralbot.ports.sessions import SingleUse
from centralbot.ports.verifier import Verifier


def verifiers(secret: bytes, single_use: SingleUse) -> tuple[Verifier, ...]:
    """Every kind, in the order in which an owner reads them. ``secret`` (32 bytes) signs what is asked."""
    return (
        GitHubLogin(),
        ProofOfWork(secret, single_use),
        Attestation(),
    )
