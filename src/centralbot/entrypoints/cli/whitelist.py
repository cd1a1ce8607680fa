"""Who need not pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.domain.events import Actor
from centralbot.entrypoints.cli.arguments import UserId
from centralbot.entrypoints.cli.output import AsJson, emit_json, emit_table, fail, rfc3339
from centralbot.entrypoints.cli.repository import Repository, note_unknown, repo_id_of
from centralbot.entrypoints.cli.running import open_store, operator, run

if TYPE_CHECKING:
    from centralbot.ports.driven.admin import RepositoryRecord

app = typer.Typer(help="Whom a repository lets through.", no_args_is_help=True)


def _login(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?", value):
        raise typer.BadParameter("expected a GitHub login, without @")
    return value


@app.command("add")
def add(
    repository: Repository,
    user_id: UserId,
    login: Annotated[str, typer.Argument(metavar="LOGIN", callback=_login, help="For display; the id counts.")],
    as_json: AsJson = False,
) -> None:
    """Let somebody through."""

    async def work() -> tuple[int, RepositoryRecord | None]:
        async with open_store() as backend:
            repo_id = await repo_id_of(backend.store.repositories, repository)
            await backend.store.whitelist.add(repo_id, Actor(id=user_id, login=login), actor=operator())
            return repo_id, await backend.store.repositories.get(repo_id)

    repo_id, record = run(work())
    if as_json:
        emit_json({"repo_id": repo_id, "github_user_id": user_id, "github_login": login})
    else:
        print(f"{login} ({user_id}) is on the whitelist of repository {repo_id}")
    note_unknown(repo_id, record)


@app.command("remove")
def remove(repository: Repository, user_id: UserId, as_json: AsJson = False) -> None:
    """Let somebody through no longer."""

    async def work() -> tuple[int, bool]:
        async with open_store() as backend:
            repo_id = await repo_id_of(backend.store.repositories, repository)
            return repo_id, await backend.store.whitelist.remove(repo_id, user_id, actor=operator())

    repo_id, removed = run(work())
    if not removed:
        fail(f"user {user_id} is not on the whitelist of repository {repo_id}; 'centralbot whitelist list' shows it")
    if as_json:
        emit_json({"repo_id": repo_id, "github_user_id": user_id, "removed": True})
    else:
        print(f"{user_id} is off the whitelist of repository {repo_id}")


@app.command("list")
def list_entries(repository: Repository, as_json: AsJson = False) -> None:
    """Everybody on a repository's whitelist."""

    async def work() -> None:
        async with open_store() as backend:
            repo_id = await repo_id_of(backend.store.repositories, repository)
            found = await backend.store.whitelist.entries(repo_id)
        if as_json:
            emit_json(
                [
                    {"github_user_id": entry.user.id, "github_login": entry.user.login, "added_at": entry.added_at}
                    for entry in found
                ]
            )
            return
        rows = [(entry.user.id, entry.user.login, rfc3339(entry.added_at)) for entry in found]
        emit_table(("user id", "login", "added"), rows, empty=f"nobody is on the whitelist of repository {repo_id}")

    run(work())
