"""A repository's configuration: one table of its fields, and everything that is read from it.

A field is one row of :class:`RepoConfig`: its name, its kind (type and bounds), its default, and the words that explain
it. The store's document, the API, the owner's page, the command line and the audit's sentence are made from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from centralbot.domain.errors import ValidationError
from centralbot.domain.events import AuthorAssociation
from centralbot.domain.fields import Fact, Flag, Json, Kind, Line, OneOf, Proofs, Seconds, SomeOf, Text, Unreadable

T = TypeVar("T")

DOCUMENT_VERSION = 1
"""Of the store's document. A new field needs no new one; one that changes its meaning does."""

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


class ExemptPermission(StrEnum):
    """The least permission that may exempt. Never ``read``, which everybody has in a public repository."""

    ADMIN = "admin"
    MAINTAIN = "maintain"
    WRITE = "write"
    TRIAGE = "triage"


class Section(StrEnum):
    """The parts of the owner's page, by their titles, in its order."""

    MODE = "Mode"
    ASKED = "What new authors must do"
    EXEMPT = "Exempt authors"
    DETAILS = "Details"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A field of the configuration. ``kind`` says what its values are.

    ``label`` and ``hint`` stand on the owner's page, in its ``section``. ``option`` is the command line's name for it
    and ``help`` what that says of it. ``audit`` names it in the sentence that tells a change. ``is_extension``: clients
    of the API need not know it, so it is told only where it is not the default, and kept where a change does not name
    it.
    """

    name: str
    kind: Kind[Any]
    default: Any
    section: Section
    label: str
    hint: str
    option: str
    help: str
    audit: str
    is_extension: bool


def row(
    kind: Kind[T],
    default: T,
    *,
    section: Section,
    label: str,
    hint: str = "",
    option: str,
    help: str,
    audit: str,
    is_extension: bool = False,
) -> T:
    """Declare a field (:class:`Row`)."""
    words = {"section": section, "label": label, "hint": hint, "option": option, "help": help, "audit": audit}
    metadata = {"row": {"kind": kind, "default": default, "is_extension": is_extension, **words}}
    declared: T = field(default=default, metadata=metadata)
    return declared


MODES: Mapping[Mode, tuple[str, str]] = {
    Mode.OFF: ("Off", "Nothing is checked or recorded."),
    Mode.SHADOW: ("Shadow", "Records what it would have done, without touching GitHub. Start here."),
    Mode.ENFORCE: (
        "Enforce",
        "Asks new authors to verify, and closes pull requests whose time runs out. Verifying later reopens them.",
    ),
}
ASSOCIATIONS: Mapping[AuthorAssociation, tuple[str, str]] = {
    AuthorAssociation.OWNER: ("Owner", "Owns the repository."),
    AuthorAssociation.MEMBER: ("Member", "A public member of the organization; private ones look like contributors."),
    AuthorAssociation.COLLABORATOR: ("Collaborator", "Was invited to the repository."),
    AuthorAssociation.CONTRIBUTOR: ("Contributor", "Has had a commit merged here before."),
    AuthorAssociation.FIRST_TIME_CONTRIBUTOR: ("First-time contributor", "Has never had a commit merged here."),
    AuthorAssociation.FIRST_TIMER: ("First-timer", "Has never had a commit merged anywhere on GitHub."),
    AuthorAssociation.MANNEQUIN: ("Mannequin", "A placeholder for somebody without an account; always exempt."),
    AuthorAssociation.NONE: ("None", "Has no connection to the repository yet."),
}
"""The closest first: the contract's order."""
PERMISSIONS: Mapping[ExemptPermission, tuple[str, str]] = {
    ExemptPermission.ADMIN: ("Admin", "Only those who administer the repository."),
    ExemptPermission.MAINTAIN: ("Maintain", "Those who maintain it, too."),
    ExemptPermission.WRITE: ("Write", "Whoever can push to it; private members of the organization as well."),
    ExemptPermission.TRIAGE: ("Triage", "Those who manage its issues and pull requests, too."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoConfig:
    """A repository's configuration, and the table of its fields, in the contract's order."""

    mode: Mode = row(
        OneOf(MODES),
        Mode.OFF,
        section=Section.MODE,
        label="Mode",
        option="mode",
        help="off: nobody is closed; shadow only records what it would do; enforce acts.",
        audit="mode",
    )
    draft_prs_gated: bool = row(
        Flag(),
        True,
        section=Section.DETAILS,
        label="Check drafts too",
        hint="Otherwise a draft is checked once it is ready for review.",
        option="gate-drafts",
        help="Check drafts too.",
        audit="drafts are asked",
    )
    window_s: int = row(
        Seconds(MIN_WINDOW_S, MAX_WINDOW_S),
        1800,
        section=Section.ASKED,
        label="Time to pass",
        hint="Starts when the comment is posted. At most 30 days.",
        option="window-s",
        help="Time to verify, in seconds.",
        audit="time to pass",
    )
    verification: tuple[str, ...] = row(
        Proofs(),
        (VerificationKind.GITHUB_LOGIN.value, VerificationKind.PROOF_OF_WORK.value),
        section=Section.ASKED,
        label="Proofs",
        hint="New authors must pass every one that you choose.",
        option="verification",
        help="A proof to pass, such as github-login; repeat for several.",
        audit="proofs",
    )
    exempt_associations: frozenset[AuthorAssociation] = row(
        SomeOf(ASSOCIATIONS, usual=4),
        frozenset({AuthorAssociation.OWNER, AuthorAssociation.MEMBER, AuthorAssociation.COLLABORATOR}),
        section=Section.EXEMPT,
        label="Associations",
        option="exempt-association",
        help="Exempt authors with this association; repeat for several.",
        audit="exempt associations",
    )
    exempt_bots: bool = row(
        Flag(),
        True,
        section=Section.EXEMPT,
        label="Bots",
        hint="Accounts of GitHub Apps, such as those that update dependencies.",
        option="exempt-bots",
        help="Exempt bots.",
        audit="bots are exempt",
    )
    comment_on_exempt: bool = row(
        Flag(),
        True,
        section=Section.DETAILS,
        label="Comment on exemptions",
        hint="One short comment that says why.",
        option="comment-on-exempt",
        help="Explain an exemption in a comment.",
        audit="comment on exemptions",
    )
    exempt_label: str = row(
        Line(MAX_LABEL_CHARS, what="a label of GitHub"),
        DEFAULT_EXEMPT_LABEL,
        section=Section.EXEMPT,
        label="Exempting label",
        hint="A pull request with this label is exempt, so do not choose a label that is set automatically. "
        "Leave it empty to have no such label.",
        option="exempt-label",
        help="Pull requests with this label are exempt; '' for none.",
        audit="exempting label",
        is_extension=True,
    )
    exempt_permission: ExemptPermission = row(
        OneOf(PERMISSIONS),
        ExemptPermission.WRITE,
        section=Section.EXEMPT,
        label="Exempting permission",
        hint="Authors with this permission in the repository, or a higher one, are exempt.",
        option="exempt-permission",
        help="Exempt authors with this permission or a higher one.",
        audit="exempting permission",
        is_extension=True,
    )
    rules: str = row(
        Text(MAX_RULES_CHARS),
        "",
        section=Section.ASKED,
        label="Rules to confirm",
        hint="Shown as plain text if the proof “Attestation” is chosen. Leave it empty for a general statement. "
        "At most 4,000 characters.",
        option="rules-file",
        help="The rules that an attestation confirms; an empty file for none.",
        audit="rules",
        is_extension=True,
    )


FIELDS: tuple[Row, ...] = tuple(Row(name=it.name, **it.metadata["row"]) for it in fields(RepoConfig))
BY_NAME: Mapping[str, Row] = {it.name: it for it in FIELDS}


def fields_with(proofs: Mapping[str, str]) -> tuple[Row, ...]:
    """The table where ``proofs`` are registered: each kind, and what an owner reads of it."""
    return tuple(replace(it, kind=Proofs(proofs)) if isinstance(it.kind, Proofs) else it for it in FIELDS)


def validate(config: RepoConfig, proofs: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a configuration, by field; empty where nothing is. ``proofs``: as for :func:`fields_with`."""
    problems = {it.name: it.kind.problem(getattr(config, it.name)) for it in fields_with(proofs)}
    return {name: problem for name, problem in problems.items() if problem is not None}


def to_document(config: RepoConfig, kept: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """The store's document. Of the document ``kept`` so far, fields that this version does not know stay."""
    return {**(kept or {}), **{it.name: it.kind.write(getattr(config, it.name)) for it in FIELDS}}


def from_document(document: Mapping[str, Json]) -> RepoConfig:
    """The configuration in a document of the store, which may be of an older or a newer version.

    What is missing takes its default, and so does a value that this version cannot read. Bounds are not looked at.
    """
    values: dict[str, Any] = {}
    for it in FIELDS:
        if it.name in document:
            try:
                values[it.name] = it.kind.read(document[it.name])
            except Unreadable:
                continue
    return RepoConfig(**values)


def updated(config: RepoConfig, given: Mapping[str, Json]) -> RepoConfig:
    """``config`` with the fields that are ``given`` as JSON. Raises ValidationError for one of another type."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = BY_NAME[name].kind.read(value)
        except Unreadable as exc:
            raise ValidationError(f"{name}: {exc}") from exc
    return replace(config, **values)


def described(config: RepoConfig) -> dict[str, Fact]:
    """A configuration as flat facts for the audit."""
    return {key: fact for it in FIELDS for key, fact in it.kind.facts(it.name, getattr(config, it.name)).items()}


def change(before: RepoConfig | None, after: RepoConfig) -> dict[str, Fact]:
    """What the audit says of a new configuration: all of it, and as ``was_…`` each part that was different before.

    ``was_mode`` is None where there was no configuration.
    """
    now = described(after)
    if before is None:
        return {**now, "was_mode": None}
    return {**now, **{f"was_{name}": was for name, was in described(before).items() if was != now[name]}}


def changes(detail: Mapping[str, Fact]) -> list[str]:
    """What the audit's ``detail`` says of each field that was changed, in words."""
    said = [it.kind.say_change(it.name, it.audit, detail) for it in FIELDS]
    return [change for change in said if change is not None]
