"""The files that browsers load from us."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

FOLDER = files("centralbot.entrypoints.web").joinpath("static")


def test_files_of_others_are_as_they_came() -> None:
    """Their sums are those in VENDORED.md, and each of them is named there."""
    said = dict(
        re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", FOLDER.joinpath("VENDORED.md").read_text(), re.M)
    )
    ours = {it.name: hashlib.sha256(it.read_bytes()).hexdigest() for it in FOLDER.iterdir() if "altcha" in it.name}
    assert ours == said


def test_scripts_ask_nobody_else() -> None:
    """No address of another host in what we wrote."""
    for it in FOLDER.iterdir():
        if it.name.startswith("gate") or it.name.endswith(".css"):
            assert not re.findall(r"https?://", it.read_text()), it.name
