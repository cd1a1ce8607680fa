"""JSON from outside to typed values, with errors that name the field."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from centralbot.domain.errors import ValidationError

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*) - at `\$(?P<path>.*)`", re.S)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_BYTE = re.compile(r"\(byte (?P<offset>\d+)\)")
_KEY = re.compile(rb'"([A-Za-z0-9_.-]{1,64})"\s*:\s*-?[0-9]*$')


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
        raise ValidationError(_malformed(str(exc), body)) from exc
    if b"\\u0000" in body:
        refuse_nul(value, "")
    return value


def _describe(message: str) -> str:
    """``Expected `int`, got `str` - at `$.a.b``` becomes ``a.b: expected `int`, got `str```."""
    where, what = "", message
    if found := _AT.fullmatch(message):
        where, what = found["path"].lstrip("."), found["what"]
    if missing := _MISSING.fullmatch(what):
        where = f"{where}.{missing['field']}".lstrip(".")
        what = "missing"
    what = what[:1].lower() + what[1:]
    return f"{where}: {what}" if where else f"the body: {what}"


def _malformed(message: str, body: bytes) -> str:
    found = _BYTE.search(message)
    if found is not None:
        key = _KEY.search(body[: int(found["offset"])][-100:])
        if key is not None:
            return f"{key[1].decode()}: not valid JSON (byte {found['offset']})"
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
