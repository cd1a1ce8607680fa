"""One kind of proof that a repository can ask of an author.

To add a kind: one module that implements :class:`Verifier`, and one line in ``entrypoints/roots/verifiers.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from centralbot.domain.challenge import Challenge
from centralbot.domain.config import RepoConfig
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import Actor


class ProofRefused(ValidationError):
    """A proof is missing, wrong, out of date or was used before. The message says what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of a proof on the contributor's page. ``type`` is ``checkbox`` or ``text``; ``value`` as sent back."""

    name: str
    label: str
    type: str = "checkbox"
    value: str = "yes"
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one proof asks of the author: how it is put to them, and what their page needs for it.

    ``done`` says that nothing is left to do. ``text`` is plain text, shown as paragraphs; ``quote`` is text of
    somebody else's, shown as such. ``widget`` names a script of ours that fills ``fields`` (``proof-of-work``), with
    ``parameters`` for it.
    """

    kind: str
    title: str
    text: str
    quote: str = ""
    done: bool = False
    fields: tuple[Field, ...] = ()
    widget: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody at the door: whose challenge, who is there (None: not signed in), under which rules, when."""

    challenge: Challenge
    user: Actor | None
    config: RepoConfig
    now: datetime


Evidence = Mapping[str, str | int | None]
"""What is stored of a passed proof: no personal data beyond GitHub's id and login."""


class Verifier(Protocol):
    """One kind of proof. Both methods are fast; neither changes anything but what serves once."""

    @property
    def kind(self) -> str:
        """Its name in a repository's configuration, lower case with hyphens."""
        ...

    @property
    def summary(self) -> str:
        """What an owner reads beside it when choosing proofs, one sentence."""
        ...

    def step(self, attempt: Attempt) -> Step:
        """What is asked now of who is there."""
        ...

    async def check(self, attempt: Attempt, given: Mapping[str, object]) -> Evidence:
        """Judge what was given for this kind (by field name). Raises ProofRefused, Unavailable."""
        ...
