"""The application's OpenAPI: the described operations beside what Litestar finds by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.connection import Request
from litestar.openapi.plugins import JsonRenderPlugin

from centralbot.entrypoints.api.operations import ErrorAnswer, Operation

_REF = "#/components/schemas/{name}"
SECURITY_SCHEMES = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-centralbot_session",
        "description": "From the sign-in with GitHub; without the prefix where the public URL is not https",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "A GitHub user token of this App"},
}


class DescribedPathsPlugin(JsonRenderPlugin):
    """Serves the application's OpenAPI with the described operations added."""

    def __init__(self, operations: Sequence[Operation], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._operations = operations

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_operations(openapi_schema, self._operations))


def with_operations(document: dict[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """A copy of ``document`` that describes ``operations`` too."""
    types = [
        ErrorAnswer,
        *(it.request for it in operations if it.request is not None),
        *(it.answer for it in operations if it.answer is not None),
    ]
    refs, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(types, refs, strict=True))
    paths: dict[str, Any] = {path: dict(item) for path, item in document.get("paths", {}).items()}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, schema_of)
    known = document.get("components", {})
    return {
        **document,
        "paths": paths,
        "components": {
            **known,
            "schemas": {**known.get("schemas", {}), **components},
            "securitySchemes": {**known.get("securitySchemes", {}), **SECURITY_SCHEMES},
        },
    }


def _described(operation: Operation, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    responses = {str(operation.status): _done(operation, schema_of)}
    for status in operation.refusals:
        if status < 400 or operation.html:
            responses[str(status)] = {"description": "To another page" if status < 400 else "A page that says why"}
        else:
            responses[str(status)] = _json("Refused", schema_of[ErrorAnswer])
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [
            {
                "name": it.name,
                "in": it.place,
                "required": it.required,
                "schema": dict(it.schema),
                **({"description": it.text} if it.text else {}),
            }
            for it in operation.parameters
        ],
        "responses": responses,
    }
    if operation.request is not None:
        content = {"application/json": {"schema": schema_of[operation.request]}}
        described["requestBody"] = {"required": operation.request_required, "content": content}
    if operation.security:
        described["security"] = [{scheme: []} for scheme in operation.security]
    return described


def _done(operation: Operation, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if operation.answer is not None:
        return _json("Done", schema_of[operation.answer])
    return {"description": "On to another page" if 300 <= operation.status < 400 else "Done"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
