"""What stands in paths and queries, read strictly.

Litestar's own conversion takes ``1e2`` for a number and ``null`` for a parameter that was left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from litestar import Request
from litestar.di import Provide
from litestar.params import PathParameter, QueryParameter

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import NotFound, ValidationError
from centralbot.ports.use_cases.validation import MAX_ID

AnyRequest = Request[Any, Any, Any]
_NUMBER = re.compile(r"-?[0-9]+")


def github_id(text: str, name: str) -> int:
    """An id of GitHub's. Raises NotFound for what is no number, ValidationError out of range."""
    if not _NUMBER.fullmatch(text):
        raise NotFound("there is no such path")
    if len(text) > 20 or not 1 <= int(text) <= MAX_ID:
        raise ValidationError(f"{name}: expected an integer from 1 to 2^63 - 1")
    return int(text)


class _GitHubId(int):
    name: ClassVar[str]

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(github_id(text, cls.name))


class _RepoId(_GitHubId):
    name = "repo_id"


class _UserId(_GitHubId):
    name = "github_user_id"


class _ChallengeId(UUID):
    @classmethod
    def read(cls, text: str) -> Self:
        """Raises NotFound: no other text can be the id of anything."""
        try:
            return cls(text)
        except ValueError:
            raise NotFound("there is no such challenge") from None


def _in_path(description: str, **schema: Any) -> PathParameter:
    return PathParameter(description=description, schema_extra=schema)


_ID = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
RepoId = Annotated[_RepoId, _in_path("GitHub's id of the repository", **_ID)]
GitHubUserId = Annotated[_UserId, _in_path("GitHub's id of the account", **_ID)]
ChallengeId = Annotated[_ChallengeId, _in_path("the challenge", type="string", format="uuid")]


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, _GitHubId | _ChallengeId)


PATH_DECODERS: list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]] = [
    (_is_ours, lambda kind, text: kind.read(text))
]
"""For ``type_decoders=`` of a router whose paths have such ids."""


def once(request: AnyRequest, name: str) -> None:
    """Raise ValidationError for a parameter of the query that was given twice."""
    if len(request.query_params.getall(name, [])) > 1:
        raise ValidationError(f"{name}: given more than once")


def _in_query(description: str, **schema: Any) -> QueryParameter:
    # "one_of" would list null, which no query can hold.
    return QueryParameter(description=description, schema_extra={"one_of": None, "type": "string", **schema})


_Cursor = Annotated[str | None, _in_query("next_cursor of the page before", format="uuid")]
_Status = Annotated[str | None, _in_query("only those in this status", enum=[it.value for it in ChallengeStatus])]


def page_start(request: AnyRequest, cursor: _Cursor = None) -> UUID | None:
    """Where a page of a list begins. Raises ValidationError."""
    once(request, "cursor")
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise ValidationError("cursor: not one that this list gave; leave it out to begin anew") from None


def status_filter(request: AnyRequest, status: _Status = None) -> ChallengeStatus | None:
    """The status to filter by. Raises ValidationError."""
    once(request, "status")
    try:
        return None if status is None else ChallengeStatus(status)
    except ValueError:
        raise ValidationError(f"status: expected one of {', '.join(ChallengeStatus)}") from None


PAGE_START = Provide(page_start, sync_to_thread=False)
STATUS_FILTER = Provide(status_filter, sync_to_thread=False)
"""For ``dependencies=`` of routes with lists."""
