"""What a repository asks of its pull requests: its configuration, and who needs not pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from centralbot.domain.events import GHOST_USER_ID, AuthorAssociation, PullRequestEvent, UserType

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


class Exemption(StrEnum):
    """Why an author need not pass the challenge."""

    BOT = "BOT_AUTHOR"
    GHOST = "GHOST_AUTHOR"
    WHITELISTED = "WHITELISTED"
    ASSOCIATION = "EXEMPT_ASSOCIATION"
    LABELED = "EXEMPT_LABEL"
    MAINTAINER_REOPENED = "MAINTAINER_REOPENED"
    MAINTAINER = "MAINTAINER"


def is_bot(event: PullRequestEvent) -> bool:
    """A bot by GitHub's own word, or by the suffix that GitHub reserves for App accounts."""
    return event.author_type is UserType.BOT or event.author.login.endswith("[bot]")


def is_exempt_label(label: str | None, config: RepoConfig) -> bool:
    """Whether this is the label that exempts; in any case, as GitHub compares labels."""
    return bool(config.exempt_label) and label is not None and label.casefold() == config.exempt_label.casefold()


def exemption(event: PullRequestEvent, config: RepoConfig, *, whitelisted: bool) -> Exemption | None:
    """Say why the author of ``event`` is exempt under ``config``, or None. First reason in the contract's order."""
    if event.author.id == GHOST_USER_ID or event.author_association is AuthorAssociation.MANNEQUIN:
        return Exemption.GHOST  # nobody is there who could pass, so closing would be final
    if config.exempt_bots and is_bot(event):
        return Exemption.BOT
    if whitelisted:
        return Exemption.WHITELISTED
    if event.author_association in config.exempt_associations:
        return Exemption.ASSOCIATION
    labels = (*event.labels, event.label) if event.action == "labeled" else event.labels
    if any(is_exempt_label(label, config) for label in labels):
        return Exemption.LABELED
    if event.action == "reopened" and event.sender is not None and event.sender.id != event.author.id:
        return Exemption.MAINTAINER_REOPENED
    return None
