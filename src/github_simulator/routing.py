"""Which operation a request means, what it needs, and what a handler gets to answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from github_simulator.credentials import Caller, CallerKind, Credentials
from github_simulator.deliveries import Deliverer
from github_simulator.faults import RateLimits
from github_simulator.http import ApiError, Request, Response, not_found
from github_simulator.model import Installation, Json, Repository
from github_simulator.pulls import World
from github_simulator.registrations import Registrations
from github_simulator.schemas import Shapes

Permissions = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with."""

    world: World
    credentials: Credentials
    limits: RateLimits
    deliverer: Deliverer
    registrations: Registrations


@dataclass(slots=True, kw_only=True)
class Call:
    """One authenticated request for one operation. ``shapes`` renders addresses as the caller sees them."""

    services: Services
    request: Request
    params: dict[str, str]
    caller: Caller
    shapes: Shapes
    repository: Repository | None

    @property
    def world(self) -> World:
        return self.services.world

    @property
    def repo(self) -> Repository:
        """The repository in the path. Raises ApiError 404 where the path has none."""
        if self.repository is None:
            raise not_found()
        return self.repository

    @property
    def actor(self) -> str:
        """The login that an act is done under: the App's bot, or the user."""
        return self.caller.user.login if self.caller.user is not None else self.shapes.app_info.bot.login

    def number(self, name: str) -> int:
        """A number in the path; anything else is a 404."""
        value = self.params[name]
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise not_found()
        return int(value)

    def installation(self) -> Installation:
        """The installation behind the token. Raises ApiError 403 for other callers."""
        if self.caller.installation is None:
            raise ApiError(403, "Resource not accessible by integration")
        return self.caller.installation


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. Any one of ``permissions`` is enough; ``content`` counts as content creation."""

    operation: str
    method: str
    path: str
    callers: tuple[CallerKind, ...]
    handler: Handler
    permissions: tuple[Permissions, ...] = ()
    content: bool = False
    limited: bool = True
    """Whether it counts against the caller's hour."""

    @property
    def accepted(self) -> str:
        """The value of ``X-Accepted-GitHub-Permissions``."""
        return "; ".join(", ".join(f"{name}={level}" for name, level in one.items()) for one in self.permissions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route with the values of its path. ``repository_id`` is set for the ``/repositories/{id}`` form."""

    route: Route
    params: dict[str, str]
    repository_id: int | None
    tail: str


@dataclass(slots=True)
class Router:
    """Finds routes by method and number of segments, then segment by segment."""

    routes: dict[tuple[str, int], list[tuple[list[str], Route]]] = field(default_factory=dict)

    def add(self, routes: Sequence[Route]) -> None:
        for route in routes:
            parts = route.path.strip("/").split("/")
            self.routes.setdefault((route.method, len(parts)), []).append((parts, route))

    def match(self, method: str, segments: list[str]) -> Match | None:
        repository_id = None
        if segments[0] == "repositories" and len(segments) > 1 and segments[1].isdecimal():
            repository_id = int(segments[1])
            segments = ["repos", "", "", *segments[2:]]
        for parts, route in self.routes.get((method, len(segments)), ()):
            params: dict[str, Any] = {}
            for part, segment in zip(parts, segments, strict=True):
                if part[0] == "{":
                    params[part[1:-1]] = segment
                elif part != segment:
                    break
            else:
                return Match(route=route, params=params, repository_id=repository_id, tail="/".join(segments[3:]))
        return None


def paginate(call: Call, items: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """The page that the query asks for, and its ``Link`` header. ``per_page`` is 30 by default and 100 at most."""
    query = call.request.query
    per_page = min(_positive(query.get("per_page"), 30), 100)
    page = _positive(query.get("page"), 1)
    last = max(1, -(-len(items) // per_page))
    wanted: dict[str, int] = {}
    if page > 1:
        wanted |= {"prev": page - 1, "first": 1}
    if page < last:
        wanted |= {"next": page + 1, "last": last}
    links = [
        f'<{call.request.base}{call.request.path}?{urlencode({**query, "page": number})}>; rel="{rel}"'
        for rel, number in wanted.items()
    ]
    return items[(page - 1) * per_page : page * per_page], {"link": ", ".join(links)} if links else {}


def counted(call: Call, name: str, items: Sequence[Any], render: Callable[[Any], Json], **extra: Any) -> Response:
    """A page in GitHub's form with ``total_count``."""
    page, headers = paginate(call, items)
    return Response(200, {"total_count": len(items), **extra, name: [render(item) for item in page]}, headers)


def listed(call: Call, items: Sequence[Any], render: Callable[[Any], Json]) -> Response:
    """A page as a plain list."""
    page, headers = paginate(call, items)
    return Response(200, [render(item) for item in page], headers)


def _positive(value: str | None, default: int) -> int:
    return int(value) if value and value.isdecimal() and 0 < len(value) < 10 and int(value) > 0 else default
