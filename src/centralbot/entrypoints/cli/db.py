"""The schema."""

from __future__ import annotations

from dataclasses import asdict

import typer

from centralbot.entrypoints.cli.output import AsJson, Progress, emit_fields, emit_json, note
from centralbot.entrypoints.cli.running import begin

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command("migrate")
def migrate(as_json: AsJson = False) -> None:
    """Bring the schema to what this centralbot needs. Safe at any time, from several processes at once."""
    from centralbot.entrypoints.settings import load_database_settings

    settings = load_database_settings(begin())
    from centralbot.entrypoints.roots.backend import migrate_database

    progress = Progress()
    progress.step("migrating")
    report = migrate_database(settings)
    progress.done()
    if as_json:
        emit_json({"from": report.frm, "to": report.to, "applied": report.applied})
    elif report.applied:
        print(f"schema {report.to}: applied {', '.join(report.applied)}")
    else:
        print(f"schema {report.to}: nothing to do")


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Say what the schema is at; exit code 1 when migrations are pending."""
    from centralbot.entrypoints.settings import load_database_settings

    settings = load_database_settings(begin())
    from centralbot.entrypoints.roots.backend import schema_status

    found = schema_status(settings)
    if as_json:
        emit_json(asdict(found))
    else:
        emit_fields({"current": found.current, "needed": found.head, "pending": found.pending})
    if found.pending:
        note("migrations are pending: run 'centralbot db migrate'")
        raise typer.Exit(1)
