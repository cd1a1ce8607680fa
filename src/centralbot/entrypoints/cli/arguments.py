"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

HIGHEST_ID = 2**63 - 1

UserId = Annotated[int, typer.Argument(min=1, max=HIGHEST_ID, metavar="USER_ID", help="GitHub's user id.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
