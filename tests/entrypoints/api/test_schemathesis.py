"""Schemathesis against the served OpenAPI: whatever it makes up, no 5xx, no undocumented status, no wrong shape."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.entrypoints.api.people import OTHERS, serving_people

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection"
)
TAGS = tuple(f"--include-tag={tag}" for tag in ("owner", "sign-in", "contributor"))
EXAMPLES = 6
SEED = 20261123


def known_ids(document: dict[str, Any], ids: dict[str, list[Any]]) -> dict[str, Any]:
    """The document with ids that exist: half of what is made up then gets past the rights."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["schema"] = {"anyOf": [{"enum": ids[parameter["name"]]}, parameter["schema"]]}
    return document


async def run(path: Path, url: str, token: str, *more: str) -> tuple[int, str]:
    """Run it in a process of its own, so that the server goes on here. Returns its exit code and what it printed."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", url, "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED),
        "-H", f"Authorization: Bearer {token}", "--no-color", "--continue-on-failure", "--warnings", "off", *more,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=path.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_nothing_made_up_breaks_it(database: str, tmp_path: Path) -> None:
    """Everything for people, as the owner of one repository beside one that is somebody else's."""
    async with serving_people(database) as people:
        challenges = [await people.challenged(n) for n in range(1, 5)] + [await people.challenged(repo_id=OTHERS)]
        document = (await people.bot.get("/schema/openapi.json")).body
        ids: dict[str, list[Any]] = {"repo_id": [999, OTHERS], "challenge_id": challenges, "github_user_id": [1001]}
        path = tmp_path / "openapi.json"
        path.write_text(json.dumps(known_ids(document, ids)))
        code, printed = await run(path, people.bot.url, people.tokens["owner"], *TAGS)
    assert "0 selected" not in printed
    assert code == 0, printed


async def test_every_endpoint_is_described_and_no_other(database: str) -> None:
    """Each method of each path under ``/api/v1``, with what it needs to be called and an id of its own."""
    async with serving_people(database) as people:
        document = (await people.bot.get("/schema/openapi.json")).body
        answering: Any = people.server.config.app
        served = {
            (re.sub(r":\w+}", "}", route.path).replace("{user_id}", "{github_user_id}"), method.lower())
            for route in answering.app.routes
            for method in getattr(route, "methods", ())
            if route.path.startswith("/api/v1/") and method != "OPTIONS"
        }
    operations = {
        (path, method): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/v1/")
    }
    assert set(operations) == served
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    for (path, _), operation in operations.items():
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path
