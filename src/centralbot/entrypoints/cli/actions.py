"""The outbox, dead letters included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from centralbot.domain.errors import ChallengeNotPending, IllegalTransition, NotFound
from centralbot.domain.outbox import Action, ActionStatus
from centralbot.entrypoints.cli.arguments import Limit
from centralbot.entrypoints.cli.output import AsJson, age, as_dict, emit_json, emit_table, note
from centralbot.entrypoints.cli.running import open_store, operator, run

if TYPE_CHECKING:
    from centralbot.entrypoints.roots.backend import Backend

app = typer.Typer(help="What the bot has done, will do, or could not do.", no_args_is_help=True)

ActionIds = Annotated[list[UUID], typer.Argument(metavar="ID", help="Ids as 'actions list' shows them.")]
Change = Callable[["Backend", UUID], Awaitable[Action]]

COLUMNS = ("id", "type", "status", "attempts", "repository", "pr", "created", "next try", "failure")
FIELDS = (
    "id", "action_type", "status", "reason", "attempts", "installation_id", "repo_id", "repo_full_name", "pr_number",
    "challenge_id", "marker", "comment_id", "worker_id", "failure_code", "failure_message", "created_at", "run_at",
    "settled_at",
)  # fmt: skip


@app.command("list")
def list_actions(
    status: Annotated[ActionStatus | None, typer.Option(case_sensitive=False, help="Only these.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Actions, newest first."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.actions.search(status=status, limit=limit)
            now = await backend.store.health.now()
        if as_json:
            emit_json([as_dict(action, *FIELDS) for action in found])
        else:
            emit_table(COLUMNS, [_row(action, now) for action in found], empty="no such actions")

    run(work())


def _row(action: Action, now: datetime) -> tuple[object, ...]:
    failure = ": ".join(part for part in (action.failure_code, action.failure_message) if part)
    due = "" if action.settled_at is not None else "now" if action.run_at <= now else age(action.run_at, now)
    created = age(action.created_at, now)
    return (
        action.id, action.action_type, action.status, action.attempts, action.repo_full_name, action.pr_number, created,
        due, failure,
    )  # fmt: skip


@app.command("retry")
def retry(action_ids: ActionIds, as_json: AsJson = False) -> None:
    """Bring dead actions back, with fresh attempts."""
    _each(action_ids, lambda b, i: b.store.actions.retry(i, gate=b.gate, actor=operator()), as_json)


@app.command("cancel")
def cancel(action_ids: ActionIds, as_json: AsJson = False) -> None:
    """Cancel actions that are not done."""
    _each(action_ids, lambda b, i: b.store.actions.cancel(i, gate=b.gate, actor=operator()), as_json)


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
