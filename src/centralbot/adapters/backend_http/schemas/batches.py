"""Many events in one request (contract section 10), each with its name beside its body, and taken for itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar, Union

import msgspec
from msgspec import Meta, Raw, Struct

from centralbot.adapters.backend_http.schemas.events import EVENTS, EventBody, EventSchema

R = TypeVar("R")

MAX_EVENTS = 200
"""In one batch."""


class SignedEvents(Struct, gc=False):
    """What the signature of a batch names: how many events."""

    events: list[Raw]


class Events(SignedEvents, gc=False):
    """Many events at once, each still to be read: one that is malformed fails alone."""

    events: Annotated[list[Raw], Meta(max_length=MAX_EVENTS)]


class EventHead(Struct, gc=False):
    """What tells which body an event of a batch has; the rest of that stands beside it."""

    event: str


class Results(Struct, Generic[R], gc=False):
    """What became of a batch's events, in their order: each its answer, or an error."""

    results: list[R]


def batch(events: Iterable[tuple[EventSchema, EventBody[Any]]]) -> bytes:
    """The body of a batch."""
    encode = msgspec.json.encode
    named = [b'{"event":%b,%b' % (encode(schema.name), encode(body)[1:]) for schema, body in events]
    return b'{"events":[%b]}' % b",".join(named)


_TEXT = {"type": "string"}
_FAILED = {
    "type": "object",
    "properties": {
        "error": {"type": "object", "properties": {"code": _TEXT, "message": _TEXT}, "required": ["code", "message"]}
    },
    "required": ["error"],
}


def described() -> tuple[type[Struct], type[Struct]]:
    """A batch's body and answer as they are to be described: with all that an event, and its result, can be."""
    kinds = [
        msgspec.defstruct(f"Batched{it.body.__name__}", [], bases=(it.body,), tag_field="event", tag=it.name)
        for it in EVENTS
    ]
    one: Any = Union[tuple(kinds)]  # noqa: UP007 - of as many as there are
    bodies = Annotated[list[one], Meta(max_length=MAX_EVENTS)]
    answers = list(dict.fromkeys(it.answer for it in EVENTS))
    _, schemas = msgspec.json.schema_components(answers, ref_template="#/components/schemas/{name}")
    results = [*(schemas[it.__name__] for it in answers), _FAILED]
    result = Annotated[Any, Meta(extra_json_schema={"anyOf": results})]
    return (
        msgspec.defstruct("Events", [("events", bodies)]),
        msgspec.defstruct("EventResults", [("results", list[result])]),
    )
