"""The diagrams of the docs, drawn from the domain's transition tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from centralbot.domain.challenge import TRANSITIONS as CHALLENGE
from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.installation import TRANSITIONS as INSTALLATION
from centralbot.domain.installation import InstallationStatus
from centralbot.domain.machine import mermaid
from centralbot.domain.outbox import TRANSITIONS as ACTION
from centralbot.domain.outbox import ActionStatus
from centralbot.entrypoints.cli.output import fail

app = typer.Typer(help="What the docs are made from.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``diagrams`` a command of its own."""


@app.command("diagrams")
def diagrams(
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when the file is out of date.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the file.")] = False,
    path: Annotated[Path, typer.Option(help="The file.")] = Path("docs/states.md"),
) -> None:
    """Draw the state machines from their transition tables; prints them unless --check or --write is given."""
    if check and write:
        raise typer.BadParameter("give --check or --write, not both")
    text = page()
    if check:
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            fail(f"{path} is not what the transition tables say: run 'centralbot docs diagrams --write'")
    elif write:
        path.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def page() -> str:
    """The whole file."""
    machines = (
        ("Challenge", "challenge", mermaid(CHALLENGE, start=ChallengeStatus.PENDING)),
        ("Action", "outbox", mermaid(ACTION, start=ActionStatus.PENDING)),
        ("Installation", "installation", mermaid(INSTALLATION, start=InstallationStatus.ACTIVE)),
    )
    head = (
        "# State machines\n\n"
        "Drawn from the transition tables by `centralbot docs diagrams --write`; change the tables, not this file.\n"
    )
    return head + "".join(
        f"\n## {title}\n\n`centralbot.domain.{module}.TRANSITIONS`\n\n```mermaid\n{diagram}```\n"
        for title, module, diagram in machines
    )
