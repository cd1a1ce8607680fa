"""Forms as browsers send them, and what the owner's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from litestar.enums import RequestEncodingType

from centralbot.domain.config import RepoConfig, Row, fields_with
from centralbot.domain.errors import ValidationError
from centralbot.domain.fields import Choice, Input, Seconds, Unreadable
from centralbot.domain.words import duration
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.web.labels import UNITS, window_parts

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A field of the configuration on the page: what stands in its input, and the error beside it.

    ``typed``: what is typed or chosen; of seconds, a number and its unit.
    """

    row: Row
    typed: tuple[str, ...]
    error: str | None = None

    @property
    def choices(self) -> Sequence[Choice]:
        """What is offered: the usual, and what is chosen already."""
        return [it for it in self.row.kind.choices if it.usual or it.value in self.typed]


def settings_of(config: RepoConfig, proofs: Mapping[str, str]) -> list[Setting]:
    """The form as it first stands. ``proofs``: the registered ones."""
    return [Setting(row=row, typed=_texts(row, getattr(config, row.name))) for row in fields_with(proofs)]


def read_settings(form: Form, kept: RepoConfig, proofs: Mapping[str, str]) -> tuple[list[Setting], RepoConfig | None]:
    """What was typed, and the configuration that it means; None where something is wrong.

    An extension that a page from before it did not send stays as it is ``kept``.
    """
    settings, values = [], {}
    for row in fields_with(proofs):
        typed = _sent(form, row)
        if typed is None:
            typed = _texts(row, getattr(kept, row.name))
        values[row.name], error = _read(row, typed)
        settings.append(Setting(row=row, typed=typed, error=error))
    if any(it.error for it in settings):
        return settings, None
    return settings, RepoConfig(**values)


def _texts(row: Row, value: Any) -> tuple[str, ...]:
    if row.kind.input is Input.SECONDS:
        number, unit = window_parts(value)
        return (str(number), unit)
    return row.kind.texts(value)


def _sent(form: Form, row: Row) -> tuple[str, ...] | None:
    if row.kind.input in (Input.SOME_OF, Input.FLAG):  # a box that is not ticked is not sent
        return tuple(dict.fromkeys(form.all(row.name)))
    if row.is_extension and row.name not in form.values:
        return None
    if row.kind.input is Input.SECONDS:
        return (form.one(row.name), form.one(f"{row.name}-unit"))
    return (form.one(row.name),)


def _read(row: Row, typed: tuple[str, ...]) -> tuple[Any, str | None]:
    """The value that was meant, and what is wrong with it."""
    kind = row.kind
    if isinstance(kind, Seconds):
        seconds = read_seconds(typed[0], typed[1], kind.lowest, kind.highest)
        error = f"Enter a whole number of at least 1, and no more than {duration(kind.highest)} in all."
        return seconds, error if seconds is None else None
    try:
        value = kind.parse(typed)
    except Unreadable as exc:
        return None, _sentence(str(exc))
    problem = kind.problem(value)
    return value, None if problem is None else _sentence(problem)


def _sentence(problem: str) -> str:
    return f"{problem[:1].upper()}{problem[1:]}."


def read_seconds(number: str, unit: str, lowest: int, highest: int) -> int | None:
    """A number and its unit as seconds; None for what is no whole number, no unit or out of range."""
    if unit not in UNITS or not number.isascii() or not number.isdigit() or len(number) > 10:
        return None
    seconds = int(number) * UNITS[unit]
    return seconds if lowest <= seconds <= highest else None


def read_logins(text: str) -> list[str]:
    """Logins as people paste them: by line, comma or space, each once."""
    return list(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))
