"""Repositories and their configuration, without the web."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centralbot.domain.errors import NotFound
from centralbot.domain.events import AuthorAssociation
from centralbot.domain.policy import (
    MAX_LABEL_CHARS,
    MAX_RULES_CHARS,
    MAX_WINDOW_S,
    MIN_WINDOW_S,
    Mode,
    RepoConfig,
    VerificationKind,
)
from centralbot.entrypoints.cli.arguments import HIGHEST_ID
from centralbot.entrypoints.cli.output import AsJson, emit_fields, emit_json, emit_table
from centralbot.entrypoints.cli.repository import Repository, note_unknown, repo_id_of
from centralbot.entrypoints.cli.running import open_store, operator, run

if TYPE_CHECKING:
    from centralbot.ports.driven.admin import Repositories, RepositoryRecord

app = typer.Typer(help="Repositories and their configuration.", no_args_is_help=True)


def _full_name(value: str | None) -> str | None:
    if value is not None and not all(value.partition("/")):
        raise typer.BadParameter("expected owner/name")
    return value


@app.command("set")
def set_repo(
    repository: Repository,
    installation_id: Annotated[
        int | None, typer.Option(min=1, max=HIGHEST_ID, help="Record that it is in this installation.")
    ] = None,
    full_name: Annotated[
        str | None, typer.Option(callback=_full_name, help="owner/name, with --installation-id.")
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            case_sensitive=False, help="off: nobody is closed; shadow only records what it would do; enforce acts."
        ),
    ] = None,
    window_s: Annotated[
        int | None, typer.Option(min=MIN_WINDOW_S, max=MAX_WINDOW_S, help="Seconds to verify in.")
    ] = None,
    gate_drafts: Annotated[
        bool | None, typer.Option("--gate-drafts/--no-gate-drafts", help="Check drafts too.")
    ] = None,
    verification: Annotated[
        list[VerificationKind] | None, typer.Option(help="What to pass; repeat for several.")
    ] = None,
    exempt_association: Annotated[
        list[AuthorAssociation] | None,
        typer.Option(case_sensitive=False, help="Let these through; repeat for several."),
    ] = None,
    no_exempt_associations: Annotated[bool, typer.Option("--no-exempt-associations", help="Let none through.")] = False,
    exempt_bots: Annotated[
        bool | None, typer.Option("--exempt-bots/--no-exempt-bots", help="Let bots through.")
    ] = None,
    comment_on_exempt: Annotated[
        bool | None,
        typer.Option("--comment-on-exempt/--no-comment-on-exempt", help="Say in a comment why somebody need not pass."),
    ] = None,
    exempt_label: Annotated[
        str | None, typer.Option(help="Pull requests with this label need not pass; '' for none.")
    ] = None,
    rules_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The rules that an attestation confirms; an empty file: none."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, keep the rest. It reaches new challenges only."""
    if no_exempt_associations and exempt_association:
        raise typer.BadParameter("give --exempt-association or --no-exempt-associations, not both")
    associations = frozenset(exempt_association) if exempt_association else None
    wanted: dict[str, Any] = {
        "mode": mode,
        "window_s": window_s,
        "draft_prs_gated": gate_drafts,
        "verification": tuple(dict.fromkeys(verification)) if verification else None,
        "exempt_associations": frozenset[AuthorAssociation]() if no_exempt_associations else associations,
        "exempt_bots": exempt_bots,
        "comment_on_exempt": comment_on_exempt,
        "exempt_label": None if exempt_label is None else _label(exempt_label),
        "rules": None if rules_file is None else _rules(rules_file),
    }
    changes = {name: value for name, value in wanted.items() if value is not None}

    async def work() -> None:
        async with open_store() as backend:
            repositories, defaults = backend.store.repositories, backend.gate.defaults
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


def _label(text: str) -> str:
    label = text.strip()
    if len(label) > MAX_LABEL_CHARS:
        raise typer.BadParameter(f"--exempt-label is longer than GitHub's {MAX_LABEL_CHARS} characters")
    return label


def _rules(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"--rules-file {path} is not UTF-8 text") from exc
    if len(text) > MAX_RULES_CHARS or "\0" in text:
        raise typer.BadParameter(f"--rules-file {path} must be text of at most {MAX_RULES_CHARS} characters")
    return text


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


@app.command("show")
def show(repository: Repository, as_json: AsJson = False) -> None:
    """One repository with its configuration."""

    async def work() -> None:
        async with open_store() as backend:
            repositories = backend.store.repositories
            record = await _get(repositories, await repo_id_of(repositories, repository))
            _print(record, backend.gate.defaults, as_json)

    run(work())


@app.command("list")
def list_repos(as_json: AsJson = False) -> None:
    """All known repositories."""

    async def work() -> None:
        async with open_store() as backend:
            found = await backend.store.repositories.list()
            defaults = backend.gate.defaults
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
    config["exempt_associations"] = sorted(config["exempt_associations"])
    return fields | {"configured": record.config is not None, "config": config}


def _print(record: RepositoryRecord, defaults: RepoConfig, as_json: bool) -> None:
    fields = _plain(record, defaults)
    if as_json:
        emit_json(fields)
        return
    config = fields.pop("config")
    assert isinstance(config, dict)
    emit_fields(fields | config)
