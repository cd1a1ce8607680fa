"""Checks requests and responses against GitHub's own OpenAPI description in ``tests/data/github-openapi.json``.

``validate_request`` and ``validate_response`` take the real path (``/repos/octo/hello/pulls/1``) and raise
:class:`NotAsDescribed` with every deviation; both return the operation's id, such as ``pulls/get``.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_DESCRIPTION = Path(__file__).parent / "data" / "github-openapi.json"
_URI = "urn:github"


class NotAsDescribed(AssertionError):
    """A request or response that GitHub's description does not allow."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description, its path as a pattern."""

    id: str
    method: str
    pattern: re.Pattern[str]
    literals: int
    description: Mapping[str, Any]


def _modern(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema 2020-12: ``nullable`` becomes a type, references point into the registry."""
    if isinstance(node, list):
        return [_modern(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _modern(value) for key, value in node.items() if key not in ("nullable", "example", "examples")}
    if isinstance(schema.get("$ref"), str):
        return {"$ref": _URI + schema["$ref"]}
    if node.get("nullable") is not True:
        return schema
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


@functools.cache
def _document() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(_DESCRIPTION.read_text("utf-8"))
    return {key: _modern(copy.deepcopy(value)) for key, value in raw.items()}


@functools.cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(_document()))
    return registry


@functools.cache
def operations() -> tuple[Operation, ...]:
    """Every operation, those with more literal segments first."""
    found = []
    for path, methods in _document()["paths"].items():
        pattern = re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))
        literals = sum(not part.startswith("{") for part in path.split("/"))
        for method in set(methods) & {"get", "post", "put", "patch", "delete"}:
            description = methods[method]
            found.append(Operation(description["operationId"], method.upper(), pattern, literals, description))
    return tuple(sorted(found, key=lambda operation: -operation.literals))


def operation_of(method: str, path: str) -> Operation:
    """The operation that a request means. ``/repositories/{id}/…``, undescribed, is read as ``/repos``."""
    described = re.sub(r"^/repositories/\d+(?=/|$)", "/repos/by/id", path.partition("?")[0])
    for operation in operations():
        if operation.method == method.upper() and operation.pattern.fullmatch(described):
            return operation
    raise NotAsDescribed(f"GitHub has no {method} {path}")


def _resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        target: Any = _document()
        for part in node["$ref"].removeprefix(f"{_URI}#/").split("/"):
            target = target[part]
        node = target
    return node


def _errors(schema: Mapping[str, Any], value: Any) -> list[str]:
    validator = Draft202012Validator(dict(schema), registry=_registry(), format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def _query_errors(operation: Operation, query: Mapping[str, Any]) -> list[str]:
    parameters = [_resolve(parameter) for parameter in operation.description.get("parameters", [])]
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    errors = [f"query {name}: unknown" for name in query if name not in known]
    errors += [f"query {name}: missing" for name, one in known.items() if one.get("required") and name not in query]
    for name, value in query.items():
        if name in known:
            schema = _resolve(known[name].get("schema", {}))
            typed = int(value) if schema.get("type") == "integer" and str(value).lstrip("-").isdigit() else value
            errors += [f"query {name}{error}" for error in _errors(schema, typed)]
    return errors


def validate_request(method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> str:
    """Check what a client sends: ``body`` is decoded JSON or None. Returns the operation's id."""
    operation = operation_of(method, path)
    errors = _query_errors(operation, query or {})
    described = operation.description.get("requestBody")
    if described is None:
        errors += ["body: none is described"] if body is not None else []
    elif body is None:
        errors += ["body: missing"] if described.get("required") else []
    else:
        schema = described["content"]["application/json"]["schema"]
        errors += _errors(schema, body)
        properties = _resolve(schema).get("properties")
        if properties is not None and isinstance(body, dict):
            errors += [f"body {name}: unknown" for name in body if name not in properties]
    _refuse(f"{method} {path}", errors)
    return operation.id


def validate_response(method: str, path: str, status: int, body: Any) -> str:
    """Check an answer: its status must be described, its decoded JSON body (None: no body) must match."""
    operation = operation_of(method, path)
    # GitHub may answer these to anything; it describes them for some operations only.
    common = {401: "requires_authentication", 403: "forbidden", 404: "not_found", 301: "moved_permanently"}
    common |= {307: "moved_permanently", 429: "forbidden", 400: "bad_request", 422: "validation_failed_simple"}
    common |= dict.fromkeys((500, 502, 503), "internal_error")
    described = operation.description["responses"].get(str(status))
    if described is None and status in common:
        described = _document()["components"]["responses"][common[status]]
    if described is None:
        raise NotAsDescribed(f"{method} {path}: status {status} is not described")
    content = _resolve(described).get("content")
    if content is None:
        _refuse(f"{method} {path} {status}", ["a body where none is described"] if body is not None else [])
    else:
        _refuse(f"{method} {path} {status}", _errors(content["application/json"]["schema"], body))
    return operation.id


def _refuse(what: str, errors: list[str]) -> None:
    if errors:
        raise NotAsDescribed(f"{what}: " + "; ".join(errors[:8]))
