"""Sign-in with GitHub: start, callback, sign-out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from centralbot.domain.errors import CentralbotError, RateLimited, Unavailable
from centralbot.entrypoints.http import error_parts
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.web.guard import AnyRequest, Guard, client_of
from centralbot.entrypoints.web.render import Pages
from centralbot.ports.people import SignInRefused
from centralbot.ports.use_cases.accounts import safe_return_to

log = structlog.get_logger("centralbot.signin")

MAX_TEXT = 2_000
_ERROR = re.compile(r"[a-z_]{1,60}")


def sign_in_routes(guard: Guard, pages: Pages) -> list[Any]:
    """The routes of contract §5; each answers a person's browser, so failures are pages."""
    accounts = guard.accounts

    def failed(exc: CentralbotError, *, status: int, again: str = "/", cookies: Iterable[Cookie] = ()) -> Response[str]:
        log.warning("sign_in.failed", code=exc.code, why=exc.message)
        headers = {name.decode(): value.decode() for name, value in error_parts(exc)[2]}
        return pages.page(
            "sign_in_failed.html", here=again, status=status, headers=headers, cookies=cookies,
            why=exc.message, again=again,
        )  # fmt: skip

    @get("/api/v1/auth/github/start", summary="Go to GitHub to sign in", tags=["sign-in"], status_code=302)
    async def start(request: AnyRequest) -> Response[Any]:
        if not accounts.can_sign_in:
            return pages.page("sign_in_off.html", here="/", status=503)
        other = _text(request, "select_account").lower() in ("true", "1", "yes")
        begun = accounts.begin(_text(request, "return_to"), select_account=other)
        return Redirect(
            begun.url,
            status_code=302,
            headers={"cache-control": "no-store"},
            cookies=guard.begun_cookies(request, begun),
        )

    @get(CALLBACK_PATH, summary="Where GitHub sends the browser back", tags=["sign-in"], status_code=303)
    async def callback(request: AnyRequest) -> Response[Any]:
        if not accounts.can_sign_in:
            return pages.page("sign_in_off.html", here="/", status=503)
        state = _text(request, "state")
        name = guard.sign_in_name(state)
        sealed = request.cookies.get(name)
        error = _text(request, "error")
        if error and sealed is not None:
            return failed(_ended(error), status=403, again=accounts.wanted(sealed), cookies=[guard.gone(name)])
        client = client_of(request)
        try:
            guard.refused.check(client)
            signed_in = await accounts.finish(sealed, state=state, code=_text(request, "code"))
        except RateLimited as exc:
            return failed(exc, status=429, again=accounts.wanted(sealed))
        except Unavailable as exc:
            return failed(exc, status=503, again=accounts.wanted(sealed))
        except SignInRefused as exc:
            guard.refused.missed(client)
            return failed(exc, status=403, again=accounts.wanted(sealed))
        except CentralbotError as exc:
            return failed(exc, status=403, again=accounts.wanted(sealed))
        before = request.cookies.get(guard.session_cookie)
        if before is not None:  # its cookie is about to be replaced: nobody could sign it out any more
            with suppress(Unavailable):
                await accounts.sign_out(before)
        log.info("sign_in.done", user_id=signed_in.user.id)
        cookies = [guard.gone(name), guard.signed_in_cookie(signed_in)]
        return pages.redirect(signed_in.return_to, cookies=cookies)

    @post("/api/v1/auth/logout", summary="Sign out", tags=["sign-in"], status_code=200)
    async def logout(request: AnyRequest) -> Response[Any]:
        guard.same_origin(request)
        cookie = request.cookies.get(guard.session_cookie)
        if cookie is not None:
            await accounts.sign_out(cookie)
        gone = [guard.gone(guard.session_cookie)]
        if "text/html" in request.headers.get("accept", ""):
            return pages.redirect(safe_return_to(_text(request, "return_to")), cookies=gone)
        return Response(None, status_code=204, cookies=gone)

    return [start, callback, logout]


def _ended(error: str) -> SignInRefused:
    """Why GitHub sent somebody back without a code.

    https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors
    """
    if error == "access_denied":
        return SignInRefused("you canceled the sign-in at GitHub")
    return SignInRefused(f"GitHub ended the sign-in ({error if _ERROR.fullmatch(error) else 'unknown'})")


def _text(request: AnyRequest, name: str) -> str:
    """A value of the query, "" where it is missing or longer than anything that GitHub or we would send."""
    value = str(request.query_params.get(name, ""))
    return value if len(value) <= MAX_TEXT else ""
