"""JSON from outside to typed values, with errors that name the field."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.types import Empty
from litestar.typing import FieldDefinition

from centralbot.domain.errors import ValidationError

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.dto._backend import DTOBackend
    from litestar.openapi.spec import Reference, Schema

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*) - at `\$(?P<path>.*)`", re.S)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_BYTE = re.compile(r"\(byte (?P<offset>\d+)\)")
_SIGN_AND_DIGITS = b"-0123456789"
_NUMBER_LIKE = re.compile(rb"[-+.0-9A-Za-z]{1,8192}")
_TAKEN_NOWHERE = b"-0.5"
_NOT_TAKEN = ("got `float`", "Expected `float` >= 0.0")
"""An error in JSON's own form has no path, a value of the wrong type has: so the one is tried in the other's place."""
_TYPES = re.compile(r"`(?P<types>[a-z]+( \| [a-z]+)*)`")
_WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "datetime": "a time",
    "uuid": "a UUID",
}
"""A caller need not know Python; ``null`` is JSON's own word."""


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode ``body``. Raises ValidationError for anything that is not JSON in UTF-8 of the expected shape.

    A NUL is refused as well: PostgreSQL stores none in a text.
    """
    try:
        body.decode("utf-8")
        value = decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise ValidationError(_describe(str(exc))) from exc
    except UnicodeDecodeError as exc:
        raise ValidationError("the body is not valid UTF-8") from exc
    except RecursionError as exc:
        raise ValidationError("the body is nested too deep") from exc
    except msgspec.DecodeError as exc:
        raise ValidationError(_malformed(decoder, str(exc), body)) from exc
    if b"\\u0000" in body:
        refuse_nul(value, "")
    return value


def _describe(message: str) -> str:
    """``Expected `int` >= 1 - at `$.a.b``` becomes ``a.b: expected an integer >= 1``."""
    where, what = _split(message)
    what = _TYPES.sub(lambda found: " or ".join(_WORDS.get(it, it) for it in found["types"].split(" | ")), what)
    return f"{where or 'the body'}: {what[:1].lower()}{what[1:]}"


def _split(message: str) -> tuple[str, str]:
    """The path of the field, without ``$``, and what is wrong with it."""
    where, what = "", message
    if found := _AT.fullmatch(message):
        where, what = found["path"].lstrip("."), found["what"]
    if missing := _MISSING.fullmatch(what):
        return f"{where}.{missing['field']}".lstrip("."), "missing"
    return where, what


def _malformed(decoder: msgspec.json.Decoder[Any], message: str, body: bytes) -> str:
    """What is wrong with the JSON; for a number that JSON forbids (``NaN``, ``01``) the path of its field."""
    found = _BYTE.search(message)
    if found is not None:
        start = len(body[: int(found["offset"])].rstrip(_SIGN_AND_DIGITS))
        number = _NUMBER_LIKE.match(body, start)
        if number is not None:
            try:
                decoder.decode(body[:start] + _TAKEN_NOWHERE + body[number.end() :])
            except msgspec.ValidationError as exc:
                where, what = _split(str(exc))
                if where and what.endswith(_NOT_TAKEN):
                    return f"{where}: not valid JSON (byte {found['offset']})"
            except (msgspec.DecodeError, RecursionError):
                pass  # there is more that is wrong
    why = message.removeprefix("JSON is malformed: ")
    return f"the body is not valid JSON: {why[:1].lower()}{why[1:]}"


def refuse_nul(value: Any, path: str) -> None:
    """Raise ValidationError for the first text in ``value`` that has a NUL."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValidationError(f"{path.lstrip('.')}: must not contain a NUL character")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_nul(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            refuse_nul(item, f"{path}[{i}]")


class StrictBody(AbstractDTO[Any]):
    """For ``dto=`` of a router, with ``return_dto=None``: :func:`decode` decodes what its handlers take as ``data``.

    Litestar itself would take ``"30"`` for a number and ``"null"`` for nothing. An empty body is none at all:
    a handler whose ``data`` has a default gets that.
    """

    def decode_bytes(self, value: bytes) -> Any:
        """The body. Raises the contract's ValidationError."""
        field: FieldDefinition = self.asgi_connection.route_handler.parsed_data_field
        return decode(_decoder_of(field.annotation), value) if value.strip() else Empty

    # Litestar would make a model of its own of what a handler takes, and describe that; a struct is its own model.
    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: type[DTOBackend] | None = None
    ) -> None: ...

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003
        schema_creator: SchemaCreator,
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)


@functools.cache
def _decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)
