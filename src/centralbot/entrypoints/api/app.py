"""The backend's Litestar application: raw routes for the hot paths, ordinary ones for the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from litestar import Litestar, MediaType, Response, Router, asgi, get
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from centralbot import __version__
from centralbot.domain.errors import CentralbotError, Unavailable
from centralbot.entrypoints import http as failures
from centralbot.entrypoints.api.internal import Internal
from centralbot.entrypoints.http import MIB, error_body, send_json
from centralbot.entrypoints.metrics import CONTENT_TYPE, exposition
from centralbot.entrypoints.openapi import SECURITY_SCHEMES, Description
from centralbot.entrypoints.secret_key import check_secret_key
from centralbot.ports.admin import Health

log = structlog.get_logger("centralbot.api")

Handler = Callable[[Any, Any, Any], Awaitable[None]]
ACTIONS = "/internal/v2/bot-actions/"


@dataclass(frozen=True, slots=True)
class PeopleSide:
    """What people are served: routes, and what answers where there is none."""

    routes: Sequence[Any]
    exception_handlers: Mapping[int | type[Exception], Any]


class Application(Litestar):
    """Litestar, but the hot paths, which use none of its layers, go straight to their handlers (a twentieth of a call).

    Their routes stay: whatever is written another way (a slash more at the end) still finds them.
    """

    hot: Mapping[str, Handler] = {}
    result: Handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        handler: Handler = super().__call__
        if scope["type"] == "http":
            path = scope["path"]
            if path.startswith(ACTIONS) and path.endswith("/result"):
                handler = self.result
            else:
                handler = self.hot.get(path, handler)
        await handler(scope, receive, send)


def build_app(
    internal: Internal, health: Health, *, people: PeopleSide | None = None, trusted_proxies: str = "127.0.0.1"
) -> Litestar:
    """The application. Its ports are open already and stay open until it has stopped.

    Only on the people's side does it matter who the client behind a proxy is.
    """

    parts: dict[str, Callable[[], Awaitable[str]]] = {
        "store": health.check,
        "secret_key": lambda: check_secret_key(internal.keys),
    }

    @get("/healthz", summary="Alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @get("/readyz", summary="Can serve, or what cannot")
    async def readyz() -> Response[dict[str, Any]]:
        checks: dict[str, str] = {}
        ready = not internal.stopping.is_set()
        if not ready:
            checks["process"] = "stopping"
        for name, check in parts.items():
            try:
                checks[name] = await check()
            except CentralbotError as exc:
                checks[name] = exc.message
                ready = False
                break  # the next one asks the same store
        status = {"status": "ready" if ready else "not ready", "checks": checks}
        return Response(status, status_code=200 if ready else 503)

    @get("/metrics", summary="Prometheus metrics", media_type=MediaType.TEXT)
    async def metrics() -> Response[bytes]:
        try:
            internal.metrics.backlog(await health.backlog())
        except Unavailable as exc:  # the process's own counters are still worth having
            log.warning("metrics.no_backlog", error=exc.message)
        return Response(exposition(internal.metrics.registry), media_type=CONTENT_TYPE)

    described = internal.routes()
    hot = {route.path: route.handler for route in described if "{" not in route.path}

    # Mounted, because Litestar 2.25 does not find a raw route with a parameter in its path (KeyError for the method).
    async def result(scope: Any, receive: Any, send: Any) -> None:
        match scope["path"].removeprefix(ACTIONS).strip("/").split("/"):
            case [action_id, "result"]:
                scope["path_params"] = {"action_id": action_id}
                await internal.result(scope, receive, send)
            case _:
                await send_json(send, 404, error_body("NOT_FOUND", "there is no such path"))

    def behind_proxies(app: ASGIApp) -> ASGIApp:
        wrapped: Any = ProxyHeadersMiddleware(app, trusted_hosts=trusted_proxies)  # type: ignore[arg-type]
        return wrapped  # type: ignore[no-any-return]

    results = asgi(ACTIONS.rstrip("/"), is_mount=True, copy_scope=False)(result)
    routes = [healthz, readyz, metrics, results, *(_raw(path, handler) for path, handler in hot.items())]
    theirs = people.routes if people is not None else ()
    app = Application(
        route_handlers=[*routes, Router(path="/", route_handlers=theirs, middleware=[behind_proxies])],
        openapi_config=OpenAPIConfig(
            title="centralbot",
            version=__version__,
            path="/schema",
            components=SECURITY_SCHEMES,
            render_plugins=[Description(described, path=["/", "/openapi.json"])],
        ),
        exception_handlers=dict(failures.HANDLERS if people is None else people.exception_handlers),
        request_max_body_size=MIB,
        logging_config=None,
    )
    app.hot, app.result = hot, result
    return app


def _raw(path: str, handler: Callable[..., Awaitable[None]]) -> Any:
    async def route(scope: Any, receive: Any, send: Any) -> None:
        await handler(scope, receive, send)

    app: ASGIApp = route
    return asgi(path, copy_scope=False)(app)
