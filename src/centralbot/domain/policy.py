"""What a repository asks of its pull requests: its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from centralbot.domain.events import AuthorAssociation

MIN_WINDOW_S = 1
MAX_WINDOW_S = 30 * 86_400
DEFAULT_EXEMPT_LABEL = "centralbot:exempt"
MAX_LABEL_CHARS = 50
"""GitHub's own limit for a label."""
MAX_RULES_CHARS = 4_000


class Mode(StrEnum):
    """``off`` does nothing, ``shadow`` decides and records but tells GitHub nothing, ``enforce`` acts."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


class VerificationKind(StrEnum):
    """The proofs that come with centralbot. Others may be registered: a configuration names kinds as plain strings."""

    GITHUB_LOGIN = "github-login"
    PROOF_OF_WORK = "proof-of-work"
    ATTESTATION = "attestation"


DEFAULT_EXEMPT_ASSOCIATIONS = frozenset(
    {AuthorAssociation.OWNER, AuthorAssociation.MEMBER, AuthorAssociation.COLLABORATOR}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoConfig:
    """A repository's rules. ``window_s`` is the time to verify, in seconds, from the posted comment on.

    ``exempt_label``: a pull request with this label need not pass ("" for none). ``rules`` is the text that the
    ``attestation`` proof has the author confirm ("" for the general one), at most ``MAX_RULES_CHARS`` characters.
    """

    mode: Mode = Mode.OFF
    draft_prs_gated: bool = True
    window_s: int = 1800
    verification: tuple[str, ...] = (VerificationKind.GITHUB_LOGIN, VerificationKind.PROOF_OF_WORK)
    exempt_associations: frozenset[AuthorAssociation] = field(default=DEFAULT_EXEMPT_ASSOCIATIONS)
    exempt_bots: bool = True
    comment_on_exempt: bool = True
    exempt_label: str = DEFAULT_EXEMPT_LABEL
    rules: str = ""


def described(config: RepoConfig) -> dict[str, str | int | bool]:
    """A configuration as flat facts for the audit; of the rules, their length and the start of their SHA-256."""
    return {
        "mode": config.mode.value,
        "window_s": config.window_s,
        "draft_prs_gated": config.draft_prs_gated,
        "verification": ", ".join(config.verification),
        "exempt_associations": ", ".join(sorted(config.exempt_associations)),
        "exempt_bots": config.exempt_bots,
        "comment_on_exempt": config.comment_on_exempt,
        "exempt_label": config.exempt_label,
        "rules_chars": len(config.rules),
        "rules_sha256": sha256(config.rules.encode()).hexdigest()[:16] if config.rules else "",
    }


def change(before: RepoConfig | None, after: RepoConfig) -> dict[str, str | int | bool | None]:
    """What the audit says of a new configuration: all of it, and as ``was_…`` each part that was different before.

    ``was_mode`` is None where there was no configuration.
    """
    now = described(after)
    if before is None:
        return {**now, "was_mode": None}
    return {**now, **{f"was_{name}": was for name, was in described(before).items() if was != now[name]}}
