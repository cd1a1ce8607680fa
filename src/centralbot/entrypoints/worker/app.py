"""The worker's Litestar application: the webhook as a raw route, and what operators ask."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Litestar, MediaType, Request, Response, asgi, get
from litestar.exceptions import HTTPException

from centralbot.entrypoints.http import MIB, error_body
from centralbot.entrypoints.metrics import CONTENT_TYPE, exposition
from centralbot.entrypoints.worker.metrics import WorkerMetrics
from centralbot.entrypoints.worker.readiness import Readiness
from centralbot.entrypoints.worker.webhook import Webhook

log = structlog.get_logger("centralbot.worker")

_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}


def build_app(webhook: Webhook, readiness: Readiness, metrics: WorkerMetrics) -> Litestar:
    """The application over open ports, which stay open until it has stopped."""

    @asgi("/webhooks/github", copy_scope=False)
    async def webhooks(scope: Any, receive: Any, send: Any) -> None:
        await webhook(scope, receive, send)

    @get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @get("/readyz")
    async def readyz() -> Response[dict[str, Any]]:
        ready, checks = await readiness.report()
        status = {"status": "ready" if ready else "not ready", "checks": checks}
        return Response(status, status_code=200 if ready else 503)

    @get("/metrics", media_type=MediaType.TEXT)
    async def prometheus() -> Response[bytes]:
        return Response(exposition(metrics.registry), media_type=CONTENT_TYPE)

    return Litestar(
        route_handlers=[webhooks, healthz, readyz, prometheus],
        openapi_config=None,
        exception_handlers={HTTPException: _http, Exception: _unexpected},
        request_max_body_size=MIB,
        logging_config=None,
    )


def _http(_: Request[Any, Any, Any], exc: HTTPException) -> Response[Any]:
    status = exc.status_code
    code = _CODES.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL")
    detail = "there is no such path" if status == 404 else exc.detail
    return Response(
        error_body(code, detail), status_code=status, media_type=MediaType.JSON, headers=dict(exc.headers or {})
    )


def _unexpected(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    log.error("request.failed", path=request.url.path, exc_info=exc)
    body = error_body("INTERNAL", "an unexpected error; it is in the log")
    return Response(body, status_code=500, media_type=MediaType.JSON)
