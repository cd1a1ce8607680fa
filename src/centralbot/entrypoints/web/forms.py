"""Forms as browsers send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from litestar.enums import RequestEncodingType

from centralbot.domain.errors import ValidationError
from centralbot.entrypoints.parameters import AnyRequest

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
