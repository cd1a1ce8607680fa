"""Challenges: who was asked, and what became of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.entrypoints.cli.arguments import HIGHEST_ID, Limit
from centralbot.entrypoints.cli.output import (
    AsJson,
    age,
    as_dict,
    emit_fields,
    emit_json,
    emit_table,
    printable,
    rfc3339,
)
from centralbot.entrypoints.cli.running import open_store, operator, run

app = typer.Typer(help="Challenges of pull requests' authors.", no_args_is_help=True)

ChallengeId = Annotated[UUID, typer.Argument(metavar="ID", help="Its id as 'challenges list' shows it.")]

COLUMNS = ("id", "status", "repository", "pr", "author", "created", "deadline", "reason")
FIELDS = (
    "id", "status", "reason", "mode", "installation_id", "repo_id", "repo_full_name", "pr_number", "html_url",
    "author_id", "author_login", "head_sha", "window_s", "verification", "created_at", "updated_at", "deadline_at",
    "gate_comment_id",
)  # fmt: skip


@app.command("list")
def list_challenges(
    repo_id: Annotated[int | None, typer.Option(min=1, max=HIGHEST_ID, help="Only of this repository.")] = None,
    status: Annotated[ChallengeStatus | None, typer.Option(case_sensitive=False, help="Only these.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Challenges, newest first."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.challenges.search(repo_id=repo_id, status=status, limit=limit)
            now = await backend.store.health.now()
        if as_json:
            emit_json([as_dict(challenge, *FIELDS) for challenge in found])
            return
        rows = [
            (
                one.id, one.status, one.repo_full_name, one.pr_number, one.author_login, age(one.created_at, now),
                age(one.deadline_at, now), one.reason,
            )
            for one in found
        ]  # fmt: skip
        emit_table(COLUMNS, rows, empty="no such challenges")

    run(work())


@app.command("show")
def show(challenge_id: ChallengeId, as_json: AsJson = False) -> None:
    """One challenge, and what happened to it."""

    async def work() -> None:
        async with open_store() as backend:
            challenge = await backend.store.challenges.get(challenge_id)
            history = await backend.store.challenges.history(challenge_id)
        events = [as_dict(event, "at", "event", "actor") | {"detail": dict(event.detail)} for event in history]
        if as_json:
            emit_json(as_dict(challenge, *FIELDS) | {"history": events})
            return
        _describe(challenge)
        print()
        for event in history:
            detail = ", ".join(f"{name}={value}" for name, value in event.detail.items() if value is not None)
            print(printable(f"{rfc3339(event.at)}  {event.event}  by {event.actor}  {detail}".rstrip()))

    run(work())


@app.command("exempt")
def exempt(challenge_id: ChallengeId, as_json: AsJson = False) -> None:
    """Let the author of a pending challenge in."""

    async def work() -> Challenge:
        async with open_store() as backend:
            return await backend.verdicts.exempt(challenge_id, actor=operator())

    challenge = run(work())
    if as_json:
        emit_json(as_dict(challenge, *FIELDS))
    else:
        print(f"{challenge.id}  {challenge.status}")


def _describe(challenge: Challenge) -> None:
    fields = as_dict(challenge, *FIELDS)
    times = {name: rfc3339(getattr(challenge, name)) for name in ("created_at", "updated_at", "deadline_at")}
    emit_fields(fields | times)
