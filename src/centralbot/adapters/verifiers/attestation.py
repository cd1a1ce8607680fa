"""``attestation``: the author confirms the repository's rules.

What is confirmed is the digest of the text that was shown: where the rules change in between, they are shown again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from centralbot.ports.verifier import Attempt, Evidence, Field, ProofRefused, Step

GENERAL = """\
I have read this repository's contributing guide and code of conduct, where it has them.
I understand the changes in this pull request and can explain them; I checked that they do what I say they do.
I have the right to contribute them under this repository's license.
If a tool wrote parts of them, I reviewed every line as if it were my own.
I will answer questions about them, or close the pull request if I cannot go on."""
"""What an author confirms where the repository has written no rules of its own."""


class Attestation:
    """See :class:`~centralbot.ports.verifier.Verifier`. The evidence is the text's digest, not the text."""

    kind = "attestation"
    summary = "The author confirms your rules, or a general statement where you have written none."

    def step(self, attempt: Attempt) -> Step:
        text = rules_of(attempt)
        own = text is not GENERAL
        return Step(
            kind=self.kind,
            title="Confirm the rules",
            text=(
                "The maintainers of this repository ask every new author to confirm this:"
                if own
                else "This repository asks every new author to confirm this:"
            ),
            quote=text,
            fields=(
                Field(
                    name="confirmed",
                    label="I have read this and confirm it for this pull request",
                    type="checkbox",
                    value=digest_of(text),
                ),
            ),
        )

    async def check(self, attempt: Attempt, given: Mapping[str, object]) -> Evidence:
        digest, confirmed = digest_of(rules_of(attempt)), given.get("confirmed")
        if not isinstance(confirmed, str) or not confirmed:
            raise ProofRefused("please read the rules and tick the box below them")
        if not hmac.compare_digest(confirmed.encode("utf-8", "replace"), digest.encode()):
            raise ProofRefused("the rules have changed since you opened this page; please read and confirm them again")
        return {"rules_sha256": digest}


def rules_of(attempt: Attempt) -> str:
    """The text to confirm."""
    return attempt.config.rules.strip() or GENERAL


def digest_of(text: str) -> str:
    """What a confirmation carries: the SHA-256 of the text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
