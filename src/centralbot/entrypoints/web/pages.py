"""Pages from templates, with the headers that keep them to themselves, their files, and pages for failures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response, get
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from centralbot import __version__
from centralbot.domain.errors import CentralbotError, Unauthenticated
from centralbot.domain.words import duration
from centralbot.entrypoints import http as failures
from centralbot.entrypoints.http import error_parts, loggable
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.web.labels import ERROR_TITLES, FAILED, MISSING, UNEXPECTED, Flash, name, utc, when
from centralbot.ports.use_cases.accounts import Caller

log = structlog.get_logger("centralbot.web")

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # Not "no-referrer": browsers then hide the origin of our own forms too (https://fetch.spec.whatwg.org/#origin-header).
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Static:
    """The files under ``static/``, in memory; a file's URL changes with its content, so it may be kept for ever."""

    contents: Mapping[str, bytes]
    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Static:
        found = {
            item.name: item.read_bytes()
            for item in files("centralbot.entrypoints.web").joinpath("static").iterdir()
            if item.name.rpartition(".")[2] in TYPES
        }
        version = hashlib.sha256(b"".join(found[name] for name in sorted(found))).hexdigest()[:12]
        return cls(found, {name: f"/static/{version}/{name}" for name in found})

    def route(self) -> Any:
        """Serves them."""

        @get("/static/{version:str}/{name:str}", include_in_schema=False, sync_to_thread=False)
        def static(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
            body = self.contents.get(name)
            if body is None:
                raise NotFoundException
            current = self.urls[name] == f"/static/{version}/{name}"
            return Response(
                body,
                media_type=f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8",
                headers={
                    "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
                    "x-content-type-options": "nosniff",
                    "content-security-policy": "default-src 'none'",
                },
            )

        return static


class Pages:
    """Renders templates under ``templates/``; every text is escaped.

    In each of them: ``static(name)``, ``caller`` (or None), ``can_sign_in``, ``flash`` (or None), ``here`` (the path,
    to come back to), and the filters ``name`` (for every name from outside), ``utc``, ``when`` and ``duration``.
    """

    def __init__(self, *, public_url: str, can_sign_in: bool) -> None:
        self.static = Static.load()
        self._headers = dict(HEADERS)
        if public_url.startswith("https://"):
            self._headers["strict-transport-security"] = "max-age=31536000"
        self._environment = Environment(
            loader=PackageLoader("centralbot.entrypoints.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "static": lambda name: self.static.urls[name],
            "can_sign_in": can_sign_in,
            "version": __version__,
        }
        self._environment.filters |= {"name": name, "utc": utc, "when": when, "duration": duration}

    def page(
        self,
        template: str,
        *,
        here: str,
        caller: Caller | None = None,
        flash: Flash | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[Cookie] = (),
        **context: object,
    ) -> Response[str]:
        """One page as an answer."""
        text = self._environment.get_template(template).render(here=here, caller=caller, flash=flash, **context)
        return Response(
            text,
            status_code=status,
            media_type=MediaType.HTML,
            headers={**self._headers, **(headers or {})},
            cookies=list(cookies),
        )

    def redirect(self, to: str, *, cookies: Iterable[Cookie] = ()) -> Redirect:
        """After a form: the browser GETs ``to``, so that reloading repeats nothing (303)."""
        return Redirect(
            to, status_code=303, headers={"cache-control": "no-store", "referrer-policy": "same-origin"},
            cookies=list(cookies),
        )  # fmt: skip


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
        title=ERROR_TITLES.get(status, FAILED),
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
