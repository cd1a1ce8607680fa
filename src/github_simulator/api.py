"""One API request from its first byte to the log: faults, credentials, limits, redirects, permissions, the handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import urlencode

from github_simulator import routes_app, routes_repos, routes_users
from github_simulator.credentials import Caller
from github_simulator.faults import Fault, FaultKind, Faults, Plan
from github_simulator.http import ApiError, Logged, Receive, Request, RequestLog, Response, Send, not_found
from github_simulator.model import Repository
from github_simulator.routing import Call, Match, Router, Services
from github_simulator.schemas import Shapes
from github_simulator.state import UnknownThing

Abort = Callable[[], None]


@dataclass(slots=True)
class _Progress:
    """What is known of a request so far, for its log entry and headers."""

    match: Match
    installation_id: int | None
    repository_id: int | None = None
    rate_key: str = "anonymous"
    effect_s: float | None = None
    skew_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Api:
    """GitHub's REST API over the world. ``closing`` ends hanging requests."""

    services: Services
    faults: Faults
    log: RequestLog
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    router: Router = field(default_factory=Router)

    def __post_init__(self) -> None:
        for module in (routes_app, routes_users, routes_repos):
            self.router.add(module.ROUTES)

    async def answer(self, match: Match, request: Request, receive: Receive, send: Send, abort: Abort) -> None:
        """Answer one request, or not, as the faults in force want it."""
        key = f"installation {self._installation_id(match, request)}"
        with self.services.limits.counted(key):
            await self._answer(match, request, receive, send, abort)

    async def _answer(self, match: Match, request: Request, receive: Receive, send: Send, abort: Abort) -> None:
        started_s, at = time.monotonic(), self.services.world.clock()
        progress = _Progress(match, self._installation_id(match, request))
        plan = self.faults.plan(match.route.operation, progress.installation_id)
        progress.skew_s = plan.skew_s
        if plan.latency_s:
            await asyncio.sleep(plan.latency_s)
        if plan.before is not None:
            response = await self._suffer(plan.before, receive, abort)
        else:
            response = self._perform(request, progress, plan)
            if plan.after is not None:
                response = await self._suffer(plan.after, receive, abort)
        if response is not None:
            await self._decorated(response, progress).send(send)
        self.log.add(
            Logged(
                index=self.log.total,
                at=at,
                started_s=started_s,
                effect_s=progress.effect_s,
                ended_s=time.monotonic(),
                method=request.method,
                path=request.path,
                operation=match.route.operation,
                installation_id=progress.installation_id,
                repository_id=progress.repository_id,
                status=0 if response is None else response.status,
            )
        )

    def _installation_id(self, match: Match, request: Request) -> int | None:
        in_path = match.params.get("installation_id", "")
        return int(in_path) if in_path.isdecimal() else self.services.credentials.installation_id(request)

    async def _suffer(self, fault: Fault, receive: Receive, abort: Abort) -> Response | None:
        if fault.kind is FaultKind.DROP:
            abort()
        elif fault.kind is FaultKind.HANG:
            await first_of(_disconnected(receive), self.closing.wait())
            abort()
        else:
            return fault.response()
        # Let the server notice that the connection is gone, or it would log a missing answer.
        await asyncio.sleep(0.001)
        return None

    def _perform(self, request: Request, progress: _Progress, plan: Plan) -> Response:
        credentials, limits = self.services.credentials, self.services.limits
        if plan.revoke and progress.installation_id is not None:
            credentials.revoke_installation_tokens(progress.installation_id)
        try:
            caller = credentials.check(request)
            progress.rate_key = caller.rate_key
            if progress.match.route.limited:
                limits.spend(caller.rate_key, content=progress.match.route.content)
            response = self._handle(request, progress, caller)
        except ApiError as exc:
            return exc.response()
        progress.effect_s = time.monotonic()
        if plan.refusals and response.status == 201:
            credentials.tokens[response.body["token"]].refusals.extend(plan.refusals)
        return response

    def _handle(self, request: Request, progress: _Progress, caller: Caller) -> Response:
        match = progress.match
        if caller.kind not in match.route.callers:
            raise _wrong_caller(match, caller)
        shapes = Shapes(self.services.world.shapes.app_info, request.base)
        repository = None
        if "repo" in match.params:
            repository = self._repository(match, caller)
            progress.repository_id = repository.id
            if match.repository_id is None and repository.full_name.lower() != _path_name(match):
                return _moved(request, repository, match.tail)
        if match.route.permissions and not any(caller.has(needed) for needed in match.route.permissions):
            raise ApiError(403, "Resource not accessible by integration")
        return match.route.handler(
            Call(
                services=self.services,
                request=request,
                params=match.params,
                caller=caller,
                shapes=shapes,
                repository=repository,
            )
        )

    def _repository(self, match: Match, caller: Caller) -> Repository:
        try:
            found = self.services.world.repository(
                _path_name(match) if match.repository_id is None else match.repository_id
            )
        except UnknownThing:
            raise not_found() from None
        if not caller.may_reach(found, self.services.world):
            raise not_found()
        return found

    def _decorated(self, response: Response, progress: _Progress) -> Response:
        headers = {
            "date": formatdate(self.services.world.clock() + progress.skew_s, usegmt=True),
            "server": "github.com",
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": "2022-11-28",
            **self.services.limits.bucket(progress.rate_key).headers(),
        }
        if progress.match.route.permissions:
            headers["x-accepted-github-permissions"] = progress.match.route.accepted
        return replace(response, headers={**headers, **response.headers})


def _path_name(match: Match) -> str:
    return f"{match.params['owner']}/{match.params['repo']}".lower()


def _wrong_caller(match: Match, caller: Caller) -> ApiError:
    if caller.kind == "anonymous":
        return ApiError(401, "Requires authentication")
    if "app" in match.route.callers:
        return ApiError(401, "A JSON web token could not be decoded")
    return ApiError(403, "Resource not accessible by integration")


def _moved(request: Request, repository: Repository, tail: str) -> Response:
    """A repository under a former name: 301 to a GET, 307 to the rest, to where it is found by id (18F/charlie#85)."""
    url = "/".join(part for part in (f"{request.base}/repositories/{repository.id}", tail) if part)
    if request.query:
        url += f"?{urlencode(request.query)}"
    status, message = (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
    return Response(
        status, {"message": message, "url": url, "documentation_url": "https://docs.github.com/rest"}, {"location": url}
    )


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def first_of(*waits: Awaitable[object]) -> None:
    """Wait for the first of these and give the others up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
