"""The outbox and the challenges, for operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from centralbot.domain.challenge import Challenge, ChallengeStatus
from centralbot.domain.errors import ChallengeNotPending, IllegalTransition, NotFound
from centralbot.domain.outbox import Action, ActionStatus
from centralbot.entrypoints.cli.output import (
    AsJson,
    age,
    as_dict,
    emit_fields,
    emit_json,
    emit_table,
    note,
    printable,
    rfc3339,
)
from centralbot.entrypoints.cli.running import HIGHEST_ID, Limit, open_store, operator, run

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend


actions_app = typer.Typer(help="What the bot has done, will do, or could not do.", no_args_is_help=True)

ActionIds = Annotated[list[UUID], typer.Argument(metavar="ID", help="Ids as 'actions list' shows them.")]
Change = Callable[["Backend", UUID], Awaitable[Action]]

ACTION_COLUMNS = ("id", "type", "status", "attempts", "repository", "pr", "created", "next try", "failure")
ACTION_FIELDS = (
    "id", "action_type", "status", "attempts", "installation_id", "repo_id", "repo_full_name", "pr_number",
    "challenge_id", "failure_code", "failure_message", "created_at", "run_at", "settled_at",
)  # fmt: skip
PAYLOAD_FIELDS = ("reason", "marker", "comment_id")
"""What a payload tells of itself, where it has that; a comment's text is not for a list."""


@actions_app.command("list")
def list_actions(
    status: Annotated[
        ActionStatus | None, typer.Option(case_sensitive=False, help="Only those with this status.")
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Actions, newest first."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.actions.search(status=status, limit=limit)
            now = await backend.store.health.now()
        if as_json:
            emit_json([_plain(action) for action in found])
        else:
            emit_table(ACTION_COLUMNS, [_row(action, now) for action in found], empty="no such actions")

    run(work())


def _plain(action: Action) -> dict[str, object]:
    """``worker_id``: who holds it, else who reported of it last."""
    told = {name: getattr(action.payload, name) for name in PAYLOAD_FIELDS if hasattr(action.payload, name)}
    return as_dict(action, *ACTION_FIELDS) | told | {"worker_id": action.worker_id or action.last_worker_id}


def _row(action: Action, now: datetime) -> tuple[object, ...]:
    failure = ": ".join(part for part in (action.failure_code, action.failure_message) if part)
    due = "" if action.settled_at is not None else "now" if action.run_at <= now else age(action.run_at, now)
    created = age(action.created_at, now)
    return (
        action.id, action.action_type, action.status, action.attempts, action.repo_full_name, action.pr_number, created,
        due, failure,
    )  # fmt: skip


@actions_app.command("retry")
def retry(action_ids: ActionIds, as_json: AsJson = False) -> None:
    """Bring dead actions back, with fresh attempts."""
    _each(action_ids, lambda b, i: b.store.actions.retry(i, context=b.context, actor=operator()), as_json)


@actions_app.command("cancel")
def cancel(action_ids: ActionIds, as_json: AsJson = False) -> None:
    """Cancel actions that are not done."""
    _each(action_ids, lambda b, i: b.store.actions.cancel(i, context=b.context, actor=operator()), as_json)


def _each(action_ids: list[UUID], change: Change, as_json: bool) -> None:
    """Change one after the other and report each; exit code 1 if any could not be."""

    async def work() -> list[dict[str, object]]:
        reports: list[dict[str, object]] = []
        async with open_store() as backend:
            for action_id in action_ids:
                try:
                    action = await change(backend, action_id)
                except (NotFound, IllegalTransition, ChallengeNotPending) as exc:
                    reports.append({"id": action_id, "status": None, "error": exc.message})
                else:
                    reports.append({"id": action_id, "status": action.status, "error": None})
                if not as_json:
                    _say(reports[-1])
        return reports

    reports = run(work())
    if as_json:
        emit_json(reports)
    if any(report["error"] for report in reports):
        raise typer.Exit(1)


def _say(report: dict[str, object]) -> None:
    if report["error"] is None:
        print(f"{report['id']}  {report['status']}", flush=True)
    else:
        note(f"error: {report['id']}: {report['error']}")


challenges_app = typer.Typer(help="Challenges of pull requests' authors.", no_args_is_help=True)

ChallengeId = Annotated[UUID, typer.Argument(metavar="ID", help="Its id as 'challenges list' shows it.")]

CHALLENGE_COLUMNS = ("id", "status", "repository", "pr", "author", "created", "deadline", "reason")
CHALLENGE_FIELDS = (
    "id", "status", "reason", "mode", "installation_id", "repo_id", "repo_full_name", "pr_number", "html_url",
    "author_id", "author_login", "head_sha", "window_s", "verification", "created_at", "updated_at", "deadline_at",
    "gate_comment_id",
)  # fmt: skip


@challenges_app.command("list")
def list_challenges(
    repo_id: Annotated[int | None, typer.Option(min=1, max=HIGHEST_ID, help="Only those of this repository.")] = None,
    status: Annotated[
        ChallengeStatus | None, typer.Option(case_sensitive=False, help="Only those with this status.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Challenges, newest first."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.challenges.search(repo_id=repo_id, status=status, limit=limit)
            now = await backend.store.health.now()
        if as_json:
            emit_json([as_dict(challenge, *CHALLENGE_FIELDS) for challenge in found])
            return
        rows = [
            (
                one.id, one.status, one.repo_full_name, one.pr_number, one.author_login, age(one.created_at, now),
                age(one.deadline_at, now), one.reason,
            )
            for one in found
        ]  # fmt: skip
        emit_table(CHALLENGE_COLUMNS, rows, empty="no such challenges")

    run(work())


@challenges_app.command("show")
def show(challenge_id: ChallengeId, as_json: AsJson = False) -> None:
    """One challenge, and what happened to it."""

    async def work() -> None:
        async with open_store() as backend:
            challenge = await backend.store.challenges.get(challenge_id)
            history = await backend.store.challenges.history(challenge_id)
        events = [as_dict(event, "at", "event", "actor") | {"detail": dict(event.detail)} for event in history]
        if as_json:
            emit_json(as_dict(challenge, *CHALLENGE_FIELDS) | {"history": events})
            return
        _describe(challenge)
        print()
        for event in history:
            detail = ", ".join(f"{name}={value}" for name, value in event.detail.items() if value is not None)
            print(printable(f"{rfc3339(event.at)}  {event.event}  by {event.actor}  {detail}".rstrip()))

    run(work())


@challenges_app.command("exempt")
def exempt(challenge_id: ChallengeId, as_json: AsJson = False) -> None:
    """Let the author of a pending challenge in."""

    async def work() -> Challenge:
        async with open_store() as backend:
            return await backend.verdicts.exempt(challenge_id, actor=operator())

    challenge = run(work())
    if as_json:
        emit_json(as_dict(challenge, *CHALLENGE_FIELDS))
    else:
        print(f"{challenge.id}  {challenge.status}")


def _describe(challenge: Challenge) -> None:
    fields = as_dict(challenge, *CHALLENGE_FIELDS)
    times = {name: rfc3339(getattr(challenge, name)) for name in ("created_at", "updated_at", "deadline_at")}
    emit_fields(fields | times)
