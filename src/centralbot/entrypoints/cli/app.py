"""The commands, and what becomes of their errors: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import inspect
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from centralbot import __version__
from centralbot.domain.errors import CentralbotError
from centralbot.entrypoints.cli import maintenance, missing_library, operations, outbox, processes, repositories
from centralbot.entrypoints.cli.output import note

WRONG_USAGE = 2


def _version(wanted: bool) -> None:
    if wanted:
        print(f"centralbot {__version__}")
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A door in front of your repository's pull requests: a GitHub App whose bot fleet serves every installation.

    Settings are environment variables, or the same names in .env (README, Settings).
    """


def build() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="centralbot",
        callback=_top,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("serve-api")(processes.serve_api)
    app.command("serve-worker")(processes.serve_worker)
    app.command("sweep")(maintenance.sweep)
    for name, group in (
        ("db", operations.db_app),
        ("keys", operations.keys_app),
        ("repos", repositories.repos_app),
        ("whitelist", repositories.whitelist_app),
        ("actions", outbox.actions_app),
        ("challenges", outbox.challenges_app),
        ("docs", operations.docs_app),
    ):
        app.add_typer(group, name=name, short_help=group.info.help)
        _summarize(group)
    app.command("doctor")(operations.doctor)
    app.command("setup")(processes.setup)
    app.command("sync")(maintenance.sync)
    app.command("replay")(maintenance.replay)
    app.command("demo")(processes.demo)
    app.command("simulator")(processes.simulator)
    _summarize(app)
    return app


def _summarize(app: typer.Typer) -> None:
    """Show whole summaries in the list of commands: what is not given as such is cut to one line."""
    for command in app.registered_commands:
        summary, *_ = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.short_help = " ".join(summary.split())


def run() -> int:
    """Do what the command line says; the exit code. Raises ModuleNotFoundError for a library that is not installed."""
    try:
        return build()(prog_name="centralbot", standalone_mode=False) or 0
    except TyperException as exc:
        return _misused(exc)
    except Exception as exc:
        if missing_library(exc):
            raise
        return _explain(exc)
    except KeyboardInterrupt:
        return 130


def _misused(exc: TyperException) -> int:
    """Say what is wrong with the command line; help, where nothing but a group was given."""
    context = getattr(exc, "ctx", None)
    message = exc.format_message().replace("Value error, ", "")
    if context is not None and message == context.get_help():
        print(message, file=sys.stderr)
    else:
        where = "centralbot" if context is None else context.command_path
        note(f"error: {_one_line(message)} (see '{where} --help')")
    return exc.exit_code


def _explain(exc: Exception) -> int:
    """Say it in one line; the exit code."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, CentralbotError):
        hint = "; 'centralbot doctor' checks what GitHub lets us do" if exc.code.startswith("GITHUB_") else ""
        note(f"error: {_one_line(exc.message)}{hint}")
        return WRONG_USAGE if exc.code == "SETTINGS" else 1
    if isinstance(exc, OSError):
        note(f"error: {_one_line(str(exc))}")
        return 1
    if os.environ.get("CENTRALBOT_LOG_LEVEL", "").lower() == "debug":
        import traceback

        traceback.print_exception(exc)
    note(
        f"error: unexpected {type(exc).__name__}: {_one_line(str(exc))} (a bug in centralbot; "
        f"CENTRALBOT_LOG_LEVEL=debug shows where)"
    )
    return 1


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1000]
