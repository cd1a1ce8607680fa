"""An option of the command line for every field of a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from centralbot.domain.config import FIELDS, Row, fields_with
from centralbot.domain.fields import Input, Unreadable

Command = Callable[..., None]


def with_config_options(command: Command) -> Command:
    """Give a command that takes ``**changes`` an option for every field. It gets what was given, read and checked."""
    signature = inspect.signature(command, eval_str=True)
    own = [it for it in signature.parameters.values() if it.kind is not inspect.Parameter.VAR_KEYWORD]

    def called(**given: Any) -> None:
        kept = {it.name: given[it.name] for it in own}
        changes = {it.name: _chosen(it, given) for it in FIELDS}
        command(**kept, **{name: value for name, value in changes.items() if value is not None})

    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature([*own, *(it for row in FIELDS for it in _parameters(row))])  # type: ignore[attr-defined]
    return called


def _parameters(row: Row) -> Sequence[inspect.Parameter]:
    kind, flag = row.kind, f"--{row.option}"
    match kind.input:
        case Input.FLAG:
            return [_parameter(row.name, bool | None, f"{flag}/--no-{row.option}", help=row.help)]
        case Input.SOME_OF:
            metavar = _metavar(row) or "NAME"
            some = _parameter(row.name, list[str] | None, flag, help=row.help, metavar=metavar, callback=_reader(row))
            if not kind.may_be_empty:
                return [some]
            return [
                some,
                _parameter(_none(row), bool | None, f"{flag.replace('--', '--no-', 1)}s", help="None of them."),
            ]
        case Input.TEXT:
            return [
                _parameter(
                    row.name, Path | None, flag, help=row.help, metavar="FILE", callback=_reader(row), exists=True,
                    dir_okay=False,
                )
            ]  # fmt: skip
    return [_parameter(row.name, str | None, flag, help=row.help, metavar=_metavar(row), callback=_reader(row))]


def _parameter(name: str, type_: Any, declared: str, **option: Any) -> inspect.Parameter:
    annotation = Annotated[type_, typer.Option(declared, **option)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(row: Row) -> str | None:
    """What can be given, as help shows it; None for any text."""
    if row.kind.choices:
        return f"[{'|'.join(it.value for it in row.kind.choices)}]"
    if bounds := row.kind.json_type.bounds:
        return f"[{bounds[0]}..{bounds[1]}]"
    return None


def _reader(row: Row) -> Callable[[Any], Any]:
    """Reads what was given for a field. Raises BadParameter for what it cannot be."""

    def read(given: Any) -> Any:
        if given is None or given == []:
            return None
        texts = [_file(given)] if isinstance(given, Path) else given if isinstance(given, list) else [given]
        kind = _registered()[row.name].kind
        try:
            value = kind.parse([text.strip() for text in texts])
        except Unreadable as exc:
            raise typer.BadParameter(str(exc)) from exc
        if problem := kind.problem(value):
            raise typer.BadParameter(problem)
        return value

    return read


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{path} is not UTF-8 text") from exc


def _chosen(row: Row, given: dict[str, Any]) -> Any:
    """The value of a field, None where it was not given. Raises BadParameter for some and none at once."""
    value = given[row.name]
    if not given.get(_none(row)):
        return value
    if value is not None:
        raise typer.BadParameter(f"give --{row.option} or --no-{row.option}s, not both")
    return row.kind.parse([])


def _none(row: Row) -> str:
    return f"no_{row.name}"


@cache
def _registered() -> dict[str, Row]:
    from centralbot.entrypoints.roots.verifiers import registered

    return {row.name: row for row in fields_with(registered())}
