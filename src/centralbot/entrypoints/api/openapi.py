"""OpenAPI of the internal endpoints, whose raw handlers Litestar cannot describe by itself."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.connection import Request
from litestar.openapi.plugins import JsonRenderPlugin

from centralbot.entrypoints.api import wire

_REF = "#/components/schemas/{name}"


class ErrorDetail(msgspec.Struct):
    code: str
    message: str


class ErrorAnswer(msgspec.Struct):
    error: ErrorDetail


# path → (operation, summary, request, answer, statuses beside 200)
_PATHS: dict[str, tuple[str, str, type, type, tuple[int, ...]]] = {
    "/internal/v2/github/events/pull-request": (
        "ingestPullRequest",
        "Take a pull request delivery, once",
        wire.PullRequestRequest,
        wire.PullRequestAnswer,
        (400, 403, 413, 503),
    ),
    "/internal/v2/github/events/installation-sync": (
        "ingestInstallation",
        "Take an installation delivery, once",
        wire.InstallationRequest,
        wire.InstallationAnswer,
        (400, 403, 413, 503),
    ),
    "/internal/v2/bot-actions/claim": (
        "claimActions",
        "Lease actions to a worker",
        wire.ClaimBody,
        wire.ClaimAnswer,
        (400, 403, 413, 503),
    ),
    "/internal/v2/bot-actions/{action_id}/result": (
        "settleAction",
        "Take the result of a leased action",
        wire.ResultBody,
        wire.ResultAnswer,
        (400, 403, 404, 409, 413, 503),
    ),
}
_HEADERS = (("x-sitg-key-id", True), ("x-sitg-timestamp", True), ("x-sitg-signature", True), ("x-sitg-nonce", False))


class InternalPathsPlugin(JsonRenderPlugin):
    """Serves the application's OpenAPI with the internal endpoints added."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_internal_paths(openapi_schema))


def with_internal_paths(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``document`` that describes the internal endpoints too."""
    types = [model for path in _PATHS.values() for model in path[2:4]]
    refs, components = msgspec.json.schema_components([*types, ErrorAnswer], ref_template=_REF)
    schema_of = dict(zip([*types, ErrorAnswer], refs, strict=True))
    error = schema_of[ErrorAnswer]
    paths = {}
    for path, (operation, summary, request, answer, statuses) in _PATHS.items():
        parameters = [
            {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}
            for name, required in _HEADERS
        ]
        if "{action_id}" in path:
            parameters.append({"name": "action_id", "in": "path", "required": True, "schema": {"type": "string"}})
        responses = {"200": _response("Done", schema_of[answer])}
        responses |= {str(status): _response("Refused", error) for status in statuses}
        paths[path] = {
            "post": {
                "operationId": operation,
                "summary": summary,
                "tags": ["internal"],
                "parameters": parameters,
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of[request]}}},
                "responses": responses,
            }
        }
    known = document.get("components", {})
    return {
        **document,
        "paths": {**document.get("paths", {}), **paths},
        "components": {**known, "schemas": {**known.get("schemas", {}), **components}},
    }


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
