"""Pages from templates, with the headers that keep them to themselves, and the files that they load from us."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response, get
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from centralbot import __version__
from centralbot.domain.words import duration
from centralbot.ports.use_cases.accounts import Caller

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
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
class Flash:
    """One message at the top of a page: what was done (``ok``), or what was not (``bad``)."""

    kind: str
    text: str


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


def name(text: str) -> str:
    """A name of somebody else's on one line: what is invisible or turns the direction of text is shown as such."""
    return _INVISIBLE.sub("\ufffd", text)


def utc(moment: datetime) -> str:
    """For ``<time datetime>``: RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def when(moment: datetime) -> str:
    """For people, with its zone: ``23 Nov 2026, 14:05 UTC``."""
    return f"{moment.day} {moment.strftime('%b %Y, %H:%M')} UTC"
