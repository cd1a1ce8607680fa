"""Which repository a command means, and whether it is one that anybody has heard of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from centralbot.domain.errors import NotFound, ValidationError
from centralbot.entrypoints.cli.arguments import HIGHEST_ID
from centralbot.entrypoints.cli.output import note

if TYPE_CHECKING:
    from centralbot.ports.driven.admin import Repositories, RepositoryRecord

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
