"""The example of docs/verifiers.md works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import centralbot
from centralbot.domain.config import RepoConfig
from centralbot.ports.verifier import Attempt, ProofRefused
from tests.builders import AUTHOR, T0, a_challenge
from tests.entrypoints.api import test_owner as api

DOC = Path(__file__).parents[3] / "docs" / "verifiers.md"


def the_code() -> list[str]:
    """The page's Python blocks: the module, and how it is registered."""
    return re.findall(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.S)


def the_example() -> Any:
    """The class in the page's first Python block."""
    names: dict[str, Any] = {}
    exec(compile(the_code()[0], str(DOC), "exec"), names)
    return names["Color"]()


async def test_the_example_of_a_proof_is_one() -> None:
    """It asks, takes the right answer and refuses a wrong one."""
    color = the_example()
    attempt = Attempt(challenge=a_challenge(), user=AUTHOR, config=RepoConfig(), now=T0)
    (field,) = color.step(attempt).fields
    assert await color.check(attempt, {field.name: " Blue "}) == {"answered": "blue"}
    with pytest.raises(ProofRefused, match="try again"):
        await color.check(attempt, {field.name: "green"})


def follow_the_page(directory: Path) -> None:
    """A copy of centralbot in ``directory`` with the kind added."""
    package = directory / "centralbot"
    shutil.copytree(Path(centralbot.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    module, registration = the_code()
    imported, *_, line, _ = registration.splitlines(keepends=True)
    (package / "adapters/verifiers/color.py").write_text(module)
    registered = package / "entrypoints/roots/verifiers.py"
    text = registered.read_text()
    for before, added in (("from centralbot.adapters.verifiers.github_login", imported), ("    )\n", line)):
        assert text.count(before) == 1, before
        text = text.replace(before, added + before)
    registered.write_text(text)


OVER_HTTP = """
import asyncio, json, sys
from tests.entrypoints.api.people import serving_people


async def main(dsn, config):
    async with serving_people(dsn) as people:
        put = await people.call("PUT", "/api/v1/repos/999/config", config)
        headers = {"cookie": await people.sign_in(), "accept": "text/html"}
        page = await people.call("GET", "/repos/999/settings", by=None, headers=headers)
        print(json.dumps([put.status, put.body, "The author names the color of a clear sky." in page.body]))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


def test_an_added_proof_is_accepted_everywhere(tmp_path: Path, database: str) -> None:
    """By the command line, the API and the page, after the page's own steps and nothing else."""
    follow_the_page(tmp_path)
    ours = {
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{DOC.parents[1]}",
        "CENTRALBOT_DATABASE_URL": database,
        "CENTRALBOT_SECRET_KEY": "k" * 40,
    }

    def run(*arguments: str) -> str:
        command, environ = [sys.executable, *arguments], {**os.environ, **ours}
        done = subprocess.run(command, cwd=tmp_path, env=environ, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    shown = json.loads(run("-m", "centralbot", "repos", "set", "999", "--verification", "color", "--json"))
    assert shown["config"]["verification"] == ["color"]
    config = {**api.CONFIG, "verification": ["color", "github-login"]}
    *_, told = run("-c", OVER_HTTP, database, json.dumps(config)).splitlines()
    assert json.loads(told) == [200, config, True]
