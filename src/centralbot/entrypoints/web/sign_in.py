"""Sign-in with GitHub: start, callback, sign-out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

import structlog
from litestar import Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter
from litestar.response import Redirect

from centralbot.domain.errors import CentralbotError, RateLimited, Unavailable
from centralbot.entrypoints.guard import Guard, client_of
from centralbot.entrypoints.http import STATUS_OF_CODE, error_parts
from centralbot.entrypoints.openapi import NoContent, page_answers, refusals
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.settings.backend import CALLBACK_PATH
from centralbot.entrypoints.web.pages import Pages
from centralbot.ports.people import SignInRefused
from centralbot.ports.use_cases.accounts import safe_return_to

log = structlog.get_logger("centralbot.signin")

PATH = "/api/v1/auth"
MAX_TEXT = 2_000
FromGitHub = Annotated[str, QueryParameter(description="as GitHub gives it")]
State = Annotated[str, QueryParameter(name="state", description="as GitHub gives it")]
_ERROR = re.compile(r"[a-z_]{1,60}")


def sign_in_routes(guard: Guard, pages: Pages) -> Router:
    """The routes of contract §5; each answers a person's browser, so failures are pages."""
    accounts = guard.accounts

    def failed(exc: CentralbotError, *, status: int, again: str = "/", cookies: Iterable[Cookie] = ()) -> Response[str]:
        log.warning("sign_in.failed", code=exc.code, why=exc.message)
        headers = {name.decode(): value.decode() for name, value in error_parts(exc)[2]}
        return pages.page(
            "sign_in_failed.html", here=again, status=status, headers=headers, cookies=cookies,
            why=exc.message, again=again,
        )  # fmt: skip

    @get(
        "/github/start",
        operation_id="startSignIn",
        summary="Go to GitHub to sign in",
        status_code=302,
        responses=page_answers(400, 503),
        operation_class=NoContent,
    )
    async def start(
        request: AnyRequest,
        return_to: Annotated[str, QueryParameter(description="the path of ours to come back to")] = "",
        select_account: Annotated[str, QueryParameter(description="true: have GitHub ask which account")] = "",
    ) -> Response[Any]:
        if not accounts.can_sign_in:
            return pages.page("sign_in_off.html", here="/", status=503)
        other = select_account.lower() in ("true", "1", "yes")
        begun = accounts.begin(_bounded(return_to), select_account=other)
        return Redirect(
            begun.url,
            status_code=302,
            headers={"cache-control": "no-store"},
            cookies=guard.begun_cookies(request, begun),
        )

    @get(
        CALLBACK_PATH.removeprefix(PATH),
        operation_id="finishSignIn",
        summary="Where GitHub sends the browser back",
        status_code=303,
        responses=page_answers(400, 403, 429, 503),
        operation_class=NoContent,
    )
    async def callback(
        request: AnyRequest, given: State = "", code: FromGitHub = "", error: FromGitHub = ""
    ) -> Response[Any]:
        if not accounts.can_sign_in:
            return pages.page("sign_in_off.html", here="/", status=503)
        state, code, error = _bounded(given), _bounded(code), _bounded(error)
        name = guard.sign_in_name(state)
        sealed = request.cookies.get(name)
        if error and sealed is not None:
            return failed(_ended(error), status=403, again=accounts.wanted(sealed), cookies=[guard.gone(name)])
        try:
            guard.refused.check(client_of(request))
            with guard.refused.counting(request, SignInRefused):
                signed_in = await accounts.finish(sealed, state=state, code=code)
        except CentralbotError as exc:
            status = STATUS_OF_CODE[exc.code] if isinstance(exc, RateLimited | Unavailable) else 403
            return failed(exc, status=status, again=accounts.wanted(sealed))
        before = request.cookies.get(guard.session_cookie)
        if before is not None:  # its cookie is about to be replaced: nobody could sign it out any more
            with suppress(Unavailable):
                await accounts.sign_out(before)
        log.info("sign_in.done", user_id=signed_in.user.id)
        cookies = [guard.gone(name), guard.signed_in_cookie(signed_in)]
        return pages.redirect(signed_in.return_to, cookies=cookies)

    @post(
        "/logout",
        operation_id="signOut",
        summary="Sign out: JSON callers get 204, browsers a redirect",
        status_code=204,
        responses={**page_answers(303), **refusals(400, 403, 503)},
        operation_class=NoContent,
    )
    async def logout(
        request: AnyRequest,
        return_to: Annotated[
            str,
            QueryParameter(description="a path of ours to send a browser to afterwards; default the start page"),
        ] = "",
    ) -> Response[None]:
        guard.same_origin(request)
        cookie = request.cookies.get(guard.session_cookie)
        if cookie is not None:
            await accounts.sign_out(cookie)
        gone = [guard.gone(guard.session_cookie)]
        if "text/html" in request.headers.get("accept", ""):
            return pages.redirect(safe_return_to(_bounded(return_to)), cookies=gone)
        return Response(None, status_code=204, cookies=gone)

    return Router(path=PATH, route_handlers=[start, callback, logout], tags=["sign-in"])


def _ended(error: str) -> SignInRefused:
    """Why GitHub sent somebody back without a code.

    https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors
    """
    if error == "access_denied":
        return SignInRefused("you canceled the sign-in at GitHub")
    return SignInRefused(f"GitHub ended the sign-in ({error if _ERROR.fullmatch(error) else 'unknown'})")


def _bounded(value: str) -> str:
    """A value of the query, "" where it is longer than anything that GitHub or we would send."""
    return value if len(value) <= MAX_TEXT else ""
