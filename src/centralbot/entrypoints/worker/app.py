"""The worker's Litestar application: the webhook as a raw route, and what operators ask."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, MediaType, Response, asgi, get

from centralbot.entrypoints import http as failures
from centralbot.entrypoints.http import MIB
from centralbot.entrypoints.metrics import CONTENT_TYPE, exposition
from centralbot.entrypoints.worker.observability import Readiness, WorkerMetrics
from centralbot.entrypoints.worker.webhook import Webhook


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
        exception_handlers=failures.HANDLERS,
        request_max_body_size=MIB,
        logging_config=None,
    )
