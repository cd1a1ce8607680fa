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


FOR_BROWSERS = re.compile(r"/|/(repos|challenges|g|static|schema)(/.*)?")


async def test_every_endpoint_is_described_and_no_other(database: str) -> None:
    """Each method of each path but the pages and their files, with what it needs to be called and an id of its own."""
    async with serving_people(database) as people:
        document = (await people.bot.get("/schema/openapi.json")).body
        answering: Any = people.server.config.app
        served = {
            (re.sub(r":\w+}", "}", route.path), method.lower())
            for route in answering.app.routes
            for method in getattr(route, "methods", ()) or ["POST"]  # a raw route takes POST alone
            if not FOR_BROWSERS.fullmatch(route.path) and method != "OPTIONS"
        }
    mounted = "/internal/v2/bot-actions"  # Litestar finds no raw route with a parameter in its path
    served = served - {(mounted, "post")} | {(f"{mounted}/{{action_id}}/result", "post")}
    operations = {(path, method): it for path, item in document["paths"].items() for method, it in item.items()}
    assert set(operations) == served
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(ids) == len(set(ids))
    for (path, _), operation in operations.items():
        named = {it["name"] for it in operation.get("parameters", ()) if it["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


async def test_every_described_operation_answers(database: str) -> None:
    """Its path is known, and takes its method."""
    async with serving_people(database) as people:
        document = (await people.bot.get("/schema/openapi.json")).body
        for path, item in document["paths"].items():
            answer = await people.bot.get(re.sub(r"{\w+}", "1", path), "PATCH")
            assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED"), path
            assert {it.upper() for it in item} <= set(answer.headers["allow"].split(", ")), path


async def test_refusals_are_described_in_the_envelope(database: str) -> None:
    """Whatever JSON a client may be refused with, it has the contract's shape."""
    async with serving_people(database) as people:
        document = (await people.bot.get("/schema/openapi.json")).body
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values():
                    if int(status) >= 400:
                        assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}, (path, status)
