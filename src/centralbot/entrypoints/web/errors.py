"""What a page's route answers when something fails: a page with the right status, in words for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from centralbot.domain.errors import CentralbotError, Unauthenticated
from centralbot.entrypoints import http as failures
from centralbot.entrypoints.http import error_parts, loggable
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.web.render import Pages
from centralbot.ports.use_cases.accounts import Caller

log = structlog.get_logger("centralbot.web")

TITLES: Mapping[int, str] = {
    400: "That could not be read",
    401: "Please sign in again",
    403: "Not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "It is too late for that",
    413: "That is too much at once",
    429: "Too many requests",
    503: "Not available right now",
}
FAILED = "Something went wrong"
UNEXPECTED = "This is our mistake, not yours; it was logged. Nothing of what you asked for was half done"
MISSING = "This page does not exist, or no longer. Check the address, or begin at the start page"
FOR_PROGRAMS = ("/api/", "/internal/")


def page_errors(pages: Pages) -> dict[int | type[Exception], Any]:
    """For ``exception_handlers=`` of the routes that answer with pages; all others answer JSON.

    Somebody who is not signed in is sent to sign in and comes back, where the request was a plain look (a GET); where
    GitHub has just refused a sign-in that we thought good, a page says so: sending them on could go round for ever.
    """

    def known(request: AnyRequest, exc: CentralbotError) -> Response[Any]:
        status, _, headers = error_parts(exc)
        caller = _caller(request)
        if status >= 500:
            log.warning("page.unavailable", path=loggable(request.url.path), code=exc.code, why=exc.message)
        if isinstance(exc, Unauthenticated):
            start = f"/api/v1/auth/github/start?return_to={quote(_here(request), safe='')}"
            if caller is None and request.method in ("GET", "HEAD"):
                return pages.redirect(start)
            return pages.page("sign_in_again.html", here=_here(request), status=401, start=start)
        extra = {name.decode(): value.decode() for name, value in headers}
        return _page(pages, request, status, exc.message, extra)

    def http(request: AnyRequest, exc: HTTPException) -> Response[Any]:
        return _http(pages, request, exc)

    def unexpected(request: AnyRequest, exc: Exception) -> Response[Any]:
        log.error("request.failed", path=loggable(request.url.path), exc_info=exc)
        return _page(pages, request, 500, UNEXPECTED, {})

    return {CentralbotError: known, HTTPException: http, Exception: unexpected}


def errors_without_route(pages: Pages) -> dict[int | type[Exception], Any]:
    """For ``exception_handlers=`` of the application, which answers where no route does: browsers get a page.

    Programs get the envelope, and so does whoever looks at their addresses.
    """

    def http(request: AnyRequest, exc: HTTPException) -> Response[Any]:
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page or request.url.path.startswith(FOR_PROGRAMS):
            return failures.http(request, exc)
        return _http(pages, request, exc, template="error_without_route.html")

    return {**failures.HANDLERS, HTTPException: http}


def _http(pages: Pages, request: AnyRequest, exc: HTTPException, template: str = "error.html") -> Response[Any]:
    message = MISSING if exc.status_code == 404 else exc.detail
    return _page(pages, request, exc.status_code, message, exc.headers or {}, template)


def _page(
    pages: Pages,
    request: AnyRequest,
    status: int,
    message: str,
    headers: Mapping[str, str],
    template: str = "error.html",
) -> Response[Any]:
    return pages.page(
        template,
        here=_here(request),
        caller=_caller(request),
        status=status,
        headers=headers,
        title=TITLES.get(status, FAILED),
        message=message.strip().rstrip(".") or FAILED,
    )


def _caller(request: AnyRequest) -> Caller | None:
    """Who called, as far as a guard has found out."""
    found = request.scope.get("user")
    return found if isinstance(found, Caller) else None


def _here(request: AnyRequest) -> str:
    """The path to come back to. Forms are sent to the address of their own page, so it serves for a POST too."""
    query = f"?{request.url.query}" if request.url.query and request.method in ("GET", "HEAD") else ""
    return f"{request.scope.get('raw_path', request.url.path.encode()).decode('latin-1')}{query}"
