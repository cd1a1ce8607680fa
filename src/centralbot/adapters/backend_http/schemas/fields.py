"""What the schemas of events and of actions share: bounded fields, the rule of what is sent, the error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

T = TypeVar("T")

GitHubId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Time = Annotated[datetime, Meta(tz=True)]
Login = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]


def sent(make: Callable[[], T]) -> T:
    """The default of a field that a caller may leave out and that we always send.

    ``omit_defaults`` omits what *is* the default; what a factory made it omits only for ``list``, ``dict`` and ``set``.
    """
    return msgspec.field(default_factory=lambda: make())


class Failure(Struct, frozen=True, gc=False):
    code: str = ""
    message: str = ""


class Failed(Struct, gc=False):
    """The contract's error envelope, read tolerantly: a proxy's answer may be JSON too."""

    error: Failure = Failure()
