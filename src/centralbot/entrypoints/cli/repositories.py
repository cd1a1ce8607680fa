"""Repositories, their configuration and their whitelists, without the web."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centralbot.domain.config import RepoConfig
from centralbot.domain.errors import NotFound, ValidationError
from centralbot.domain.events import Actor
from centralbot.entrypoints.cli.config_options import with_config_options
from centralbot.entrypoints.cli.output import AsJson, emit_fields, emit_json, emit_table, fail, note, rfc3339
from centralbot.entrypoints.cli.running import HIGHEST_ID, UserId, open_store, operator, run
from centralbot.ports.use_cases.validation import LOGIN

if TYPE_CHECKING:
    from centralbot.ports.admin import Repositories, RepositoryRecord


FULL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")


def _given(value: str) -> str:
    if not (re.fullmatch(r"[0-9]{1,19}", value) and 1 <= int(value) <= HIGHEST_ID) and not FULL_NAME.fullmatch(value):
        raise typer.BadParameter(f"expected GitHub's repository id, 1 to {HIGHEST_ID}, or owner/name")
    return value


Repository = Annotated[
    str,
    typer.Argument(
        metavar="REPO_ID", callback=_given, help="GitHub's repository id, or owner/name as 'repos list' has it."
    ),
]


async def repo_id_of(repositories: Repositories, given: str) -> int:
    """The id of what was given. Raises NotFound for a name that the store does not know, ValidationError for two."""
    if given.isdecimal():
        return int(given)
    named = [one for one in await repositories.list() if (one.full_name or "").lower() == given.lower()]
    found = [one for one in named if one.connected] or named  # a name may have gone over to another repository
    if not found:
        raise NotFound(
            f"no repository {given!r} is known; 'centralbot repos list' shows all, and one that the App is not "
            f"installed on yet is named by its id: gh api repos/{given} --jq .id"
        )
    if len(found) > 1:
        ids = ", ".join(str(one.repo_id) for one in found)
        raise ValidationError(f"{given!r} was the name of several repositories; give the id of one: {ids}")
    return found[0].repo_id


def note_unknown(repo_id: int, record: RepositoryRecord | None) -> None:
    """Say that what was set has no effect yet, or never will where the id is mistyped."""
    if record is None or record.full_name is None:
        note(
            f"note: repository {repo_id} is in no installation that was heard of; this counts once the App is "
            f"installed on it (if it is already: check the id with 'centralbot repos list', or run 'centralbot sync')"
        )
    elif not record.connected:
        note(f"note: {record.full_name} is in no active installation now; this counts once the App is back on it")


repos_app = typer.Typer(help="Repositories and their configuration.", no_args_is_help=True)


def _full_name(value: str | None) -> str | None:
    if value is not None and not all(value.partition("/")):
        raise typer.BadParameter("expected owner/name")
    return value


@repos_app.command("set")
@with_config_options
def set_repo(
    repository: Repository,
    installation_id: Annotated[
        int | None, typer.Option(min=1, max=HIGHEST_ID, help="Record that it is in this installation.")
    ] = None,
    full_name: Annotated[
        str | None, typer.Option(callback=_full_name, help="owner/name, with --installation-id.")
    ] = None,
    as_json: AsJson = False,
    **changes: Any,
) -> None:
    """Change what is given, keep the rest. It reaches new challenges only."""

    async def work() -> None:
        async with open_store() as backend:
            repositories, defaults = backend.store.repositories, backend.context.defaults
            repo_id = await repo_id_of(repositories, repository)
            known = await repositories.get(repo_id)
            if installation_id is not None or full_name is not None:
                await _connect(repositories, repo_id, known, installation_id, full_name)
            if changes:
                config = defaults if known is None or known.config is None else known.config
                await repositories.configure(repo_id, replace(config, **changes), actor=operator())
            record = await _get(repositories, repo_id)
        _print(record, defaults, as_json)
        note_unknown(repo_id, record)

    run(work())


async def _connect(
    repositories: Repositories,
    repo_id: int,
    known: RepositoryRecord | None,
    installation_id: int | None,
    full_name: str | None,
) -> None:
    name = full_name or (known.full_name if known is not None else None)
    installation = installation_id or (known.installation_id if known is not None else None)
    if name is None:
        raise typer.BadParameter("--full-name owner/name is needed too: this repository was never seen")
    if installation is None:
        raise typer.BadParameter("--installation-id is needed too: this repository is in no installation")
    await repositories.connect(repo_id, installation_id=installation, full_name=name)


@repos_app.command("show")
def show(repository: Repository, as_json: AsJson = False) -> None:
    """One repository with its configuration."""

    async def work() -> None:
        async with open_store() as backend:
            repositories = backend.store.repositories
            record = await _get(repositories, await repo_id_of(repositories, repository))
            _print(record, backend.context.defaults, as_json)

    run(work())


@repos_app.command("list")
def list_repos(as_json: AsJson = False) -> None:
    """All known repositories."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.repositories.list()
            defaults = backend.context.defaults
        if as_json:
            emit_json([_plain(record, defaults) for record in found])
            return
        rows = []
        for record in found:
            config = record.config or defaults
            connected = "yes" if record.connected else "no"
            rows.append(
                (record.repo_id, record.full_name, record.installation_id, connected, config.mode, config.window_s)
            )
        columns = ("repo id", "name", "installation", "connected", "mode", "window (s)")
        emit_table(columns, rows, empty="no repositories yet; they come with the App's installation")

    run(work())


async def _get(repositories: Repositories, repo_id: int) -> RepositoryRecord:
    record = await repositories.get(repo_id)
    if record is None:
        raise NotFound(f"repository {repo_id} was never seen nor configured; 'centralbot repos list' shows all")
    return record


def _plain(record: RepositoryRecord, defaults: RepoConfig) -> dict[str, object]:
    """``config`` is what counts; ``configured`` says whether it is the repository's own."""
    fields = asdict(record)
    config = asdict(record.config or defaults)
    config |= {name: sorted(value) for name, value in config.items() if isinstance(value, frozenset)}
    return fields | {"configured": record.config is not None, "config": config}


def _print(record: RepositoryRecord, defaults: RepoConfig, as_json: bool) -> None:
    fields = _plain(record, defaults)
    if as_json:
        emit_json(fields)
        return
    config = fields.pop("config")
    assert isinstance(config, dict)
    emit_fields(fields | config)


whitelist_app = typer.Typer(help="Accounts that are exempt in a repository.", no_args_is_help=True)


def _login(value: str) -> str:
    if not LOGIN.fullmatch(value):
        raise typer.BadParameter("expected a GitHub login, without @")
    return value


@whitelist_app.command("add")
def add(
    repository: Repository,
    user_id: UserId,
    login: Annotated[str, typer.Argument(metavar="LOGIN", callback=_login, help="For display; the id is what counts.")],
    as_json: AsJson = False,
) -> None:
    """Add an account: its pull requests are exempt."""

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


@whitelist_app.command("remove")
def remove(repository: Repository, user_id: UserId, as_json: AsJson = False) -> None:
    """Remove an account: its next pull request is checked."""

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


@whitelist_app.command("list")
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
