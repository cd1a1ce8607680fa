"""Forms as browsers send them, and what the owner's mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qs

from litestar.enums import RequestEncodingType

from centralbot.domain.config import MAX_WINDOW_S, Mode, RepoConfig, validate
from centralbot.domain.errors import ValidationError
from centralbot.domain.events import AuthorAssociation
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.web.labels import UNITS, window_parts

Word = TypeVar("Word", bound=StrEnum)

MAX_FORM_BYTES = 128 * 1024
MAX_FORM_FIELDS = 1_200


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; a field may have several values (check boxes), or none."""

    values: Mapping[str, list[str]]

    def one(self, name: str) -> str:
        """The field's only value without the space around it, "" where it is missing. Raises ValidationError."""
        found = self.values.get(name, [])
        if len(found) > 1:
            raise ValidationError(f"{name}: sent more than once")
        return found[0].strip() if found else ""

    def all(self, name: str) -> list[str]:
        """Every value of the field, in order."""
        return list(self.values.get(name, []))

    def checked(self, name: str) -> bool:
        """Whether the check box of that name was ticked."""
        return bool(self.values.get(name))


async def read_form(request: AnyRequest) -> Form:
    """The form in the request's body, which Litestar keeps under the route's limit. Raises ValidationError."""
    if request.content_type[0] != RequestEncodingType.URL_ENCODED:
        raise ValidationError("the form was not sent as application/x-www-form-urlencoded")
    body = await request.body()
    try:
        values = parse_qs(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )  # fmt: skip
    except ValueError as exc:  # not ASCII, not UTF-8 when unescaped, or too many fields
        raise ValidationError("the form is malformed; go back, reload the page and try again") from exc
    if any("\0" in text for name, texts in values.items() for text in (name, *texts)):
        raise ValidationError("the form has a NUL character in it; remove it and try again")
    return Form({name: [text.replace("\r\n", "\n") for text in texts] for name, texts in values.items()})


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


def read_settings(form: Form, kinds: Mapping[str, str]) -> tuple[SettingsForm, RepoConfig | None]:
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
    for name, problem in validate(config, kinds).items():
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
