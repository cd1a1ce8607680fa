"""The owner's forms: what was typed, what it means, and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from centralbot.domain.events import AuthorAssociation
from centralbot.domain.policy import MAX_WINDOW_S, Mode, RepoConfig
from centralbot.entrypoints.web.forms import Form
from centralbot.entrypoints.web.owner_words import UNITS, window_parts
from centralbot.ports.driving.configuring import problems

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The settings as texts, as they stand in the form's inputs, and the errors beside them."""

    mode: str
    window: str
    unit: str
    verification: tuple[str, ...]
    associations: tuple[str, ...]
    drafts: bool
    bots: bool
    comment: bool
    label: str
    rules: str
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: RepoConfig) -> SettingsForm:
        """The form as it first stands."""
        window, unit = window_parts(config.window_s)
        return cls(
            mode=config.mode.value,
            window=str(window),
            unit=unit,
            verification=config.verification,
            associations=tuple(config.exempt_associations),
            drafts=config.draft_prs_gated,
            bots=config.exempt_bots,
            comment=config.comment_on_exempt,
            label=config.exempt_label,
            rules=config.rules,
        )


def read_settings(form: Form, kinds: Collection[str]) -> tuple[SettingsForm, RepoConfig | None]:
    """What was typed, and the configuration that it means; None where something is wrong."""
    errors: dict[str, str] = {}
    typed = SettingsForm(
        mode=form.one("mode"),
        window=form.one("window"),
        unit=form.one("unit"),
        verification=tuple(dict.fromkeys(form.all("verification"))),
        associations=tuple(dict.fromkeys(form.all("associations"))),
        drafts=form.checked("drafts"),
        bots=form.checked("bots"),
        comment=form.checked("comment"),
        label=form.one("label"),
        rules=form.one("rules"),
        errors=errors,
    )
    mode = _word(Mode, typed.mode)
    if mode is None:
        errors["mode"] = "Choose off, shadow or enforce."
    window_s = read_seconds(typed.window, typed.unit, 1, MAX_WINDOW_S)
    if window_s is None:
        errors["window"] = "Give a whole number from 1 on, and at most 30 days in all."
    associations = [_word(AuthorAssociation, text) for text in typed.associations]
    if None in associations:
        errors["associations"] = "One of these is not known; reload the page."
    config = RepoConfig(
        mode=mode or Mode.OFF,
        draft_prs_gated=typed.drafts,
        window_s=window_s or 1,
        verification=typed.verification,
        exempt_associations=frozenset(it for it in associations if it is not None),
        exempt_bots=typed.bots,
        comment_on_exempt=typed.comment,
        exempt_label=typed.label,
        rules=typed.rules,
    )
    for name, problem in problems(config, kinds).items():
        errors[{"exempt_label": "label"}.get(name, name)] = f"{problem[:1].upper()}{problem[1:]}."
    if not typed.verification:
        errors["verification"] = "Choose at least one: without any, everybody would pass."
    return typed, None if errors else config


def read_seconds(number: str, unit: str, lowest: int, highest: int) -> int | None:
    """A number and its unit as seconds; None for what is no whole number, no unit or out of range."""
    if unit not in UNITS or not number.isascii() or not number.isdigit() or len(number) > 10:
        return None
    seconds = int(number) * UNITS[unit]
    return seconds if lowest <= seconds <= highest else None


def read_logins(text: str) -> list[str]:
    """Logins as people paste them: by line, comma or space, each once."""
    return list(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


def _word(words: type[Word], text: str) -> Word | None:
    try:
        return words(text)
    except ValueError:
        return None
