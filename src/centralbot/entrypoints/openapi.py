"""What handlers say of themselves in OpenAPI, and the document that is made of it.

Litestar describes its handlers. Added are the raw ASGI routes, which cannot describe themselves, and every body as
msgspec describes it: Litestar's own description of a struct loses the bounds of what is nested in a field.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.openapi import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Operation, RequestBody, SecurityRequirement, SecurityScheme
from litestar.routes import HTTPRoute

from centralbot.entrypoints.http import Receive, Scope, Send

SECURITY_SCHEMES = Components(
    security_schemes={
        "session": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name="__Host-centralbot_session",
            description="From the sign-in with GitHub; without the prefix where the public URL is not https",
        ),
        "token": SecurityScheme(type="http", scheme="bearer", description="A GitHub user token of this App"),
    }
)
SIGNED_IN: list[SecurityRequirement] = [{"session": []}, {"token": []}]
"""For ``security=``: either will do."""


class ErrorDetail(msgspec.Struct):
    code: str
    message: str


class ErrorAnswer(msgspec.Struct):
    error: ErrorDetail


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """For ``responses=``: these statuses answer with the error envelope."""
    return {it: ResponseSpec(ErrorAnswer, description="Refused", generate_examples=False) for it in statuses}


def page_answers(*statuses: int) -> dict[int, ResponseSpec]:
    """For ``responses=``: these statuses answer a browser, with a page that says why or with a redirect."""
    text = {True: "To another page", False: "A page that says why"}
    return {it: ResponseSpec(None, description=text[it < 400], media_type=MediaType.HTML) for it in statuses}


@dataclass
class OptionalBody(Operation):
    """For ``operation_class=``: the body may be left out, which Litestar cannot say."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            self.request_body.required = False


@dataclass
class NoContent(Operation):
    """For ``operation_class=``: success has no body of interest, where Litestar would describe any JSON."""

    def __post_init__(self) -> None:
        for status, response in (self.responses or {}).items():
            if int(status) < 400:
                response.content = None  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRoute:
    """One raw ASGI route that takes JSON by POST. ``headers``: name, whether it is required, what it means."""

    path: str
    handler: Callable[[Scope, Receive, Send], Awaitable[None]]
    name: str
    summary: str
    request: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    refusals: tuple[int, ...]
    headers: Sequence[tuple[str, bool, str]] = ()


class Description(JsonRenderPlugin):
    """Serves the document."""

    def __init__(self, raw: Sequence[RawRoute], *, path: Sequence[str]) -> None:
        super().__init__(path=path)
        self._raw = raw
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            bodies: set[type[msgspec.Struct]] = {*_bodies(request.app), ErrorAnswer}
            self._rendered = super().render(request, complete(openapi_schema, self._raw, bodies))
        return self._rendered


def complete(document: dict[str, Any], raw: Sequence[RawRoute], bodies: set[type[msgspec.Struct]]) -> dict[str, Any]:
    """A copy of ``document`` with the raw routes, and with ``bodies`` as msgspec describes them."""
    types = [*bodies, *(it for route in raw for it in (route.request, route.answer))]
    refs, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    ref_of = dict(zip(types, refs, strict=True))
    known = document["components"]
    return {
        **document,
        "paths": {**document["paths"], **{route.path: {"post": _described(route, ref_of)} for route in raw}},
        "components": {**known, "schemas": {**known.get("schemas", {}), **schemas}},
    }


def _described(route: RawRoute, ref_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    def json(body: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": ref_of[body]}}}

    def text(name: str, place: str, required: bool, meaning: str) -> dict[str, Any]:
        schema = {"type": "string"}
        return {"name": name, "in": place, "required": required, "schema": schema, "description": meaning}

    return {
        "operationId": route.name,
        "summary": route.summary,
        "tags": ["internal"],
        "parameters": [
            *(text(name, "header", required, meaning) for name, required, meaning in route.headers),
            *(text(name, "path", True, "as it was claimed") for name in re.findall(r"{(\w+)}", route.path)),
        ],
        "requestBody": {"required": True, **json(route.request)},
        "responses": {
            "200": {"description": "Done", **json(route.answer)},
            **{str(status): {"description": "Refused", **json(ErrorAnswer)} for status in route.refusals},
        },
    }


def _bodies(app: Litestar) -> Iterator[type[msgspec.Struct]]:
    """The structs that the application's described handlers take and give."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                for field in (handler.parsed_data_field, handler.parsed_return_field):
                    kind = None if field is None else field.annotation
                    if (
                        handler.resolve_include_in_schema()
                        and isinstance(kind, type)
                        and issubclass(kind, msgspec.Struct)
                    ):
                        yield kind
