"""The contributor's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from litestar import Response, Router, get, post
from litestar.params import FromPath

from centralbot.domain.challenge import CancelReason, ChallengeStatus
from centralbot.domain.errors import (
    ChallengeNotPending,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    ValidationError,
)
from centralbot.domain.rules import DRAFT, EXEMPTIONS
from centralbot.entrypoints.api.gate import gate_api_routes
from centralbot.entrypoints.http import error_parts
from centralbot.entrypoints.web.errors import page_errors, remember
from centralbot.entrypoints.web.guard import MAX_FORM_BYTES, AnyRequest, Form, Guard, RateLimiter, client_of, read_form
from centralbot.entrypoints.web.render import Pages
from centralbot.ports.clock import Clock
from centralbot.ports.use_cases.accounts import Caller
from centralbot.ports.use_cases.verification import GateView, Given, ProofsRefused, VerificationService

CANCELED: Mapping[str, str] = {
    CancelReason.PR_CLOSED: "The pull request was closed before the check was passed. Reopened, it gets a new one.",
    CancelReason.PR_MERGED: "The pull request was merged, so there is nothing left to check. Congratulations!",
    CancelReason.DRAFTED: DRAFT.words.author,
    CancelReason.UNINSTALLED: "The repository no longer uses centralbot.",
    CancelReason.REPOSITORY_REMOVED: "The repository no longer uses centralbot.",
    CancelReason.NOTICE_FAILED: "We could not comment on the pull request, so nothing is asked of you.",
    CancelReason.MAINTAINER: "A maintainer canceled the check.",
    CancelReason.SWITCHED_OFF: "The repository no longer requires verification.",
}


def why_exempt(reason: str | None) -> str:
    why = EXEMPTIONS.get(reason or "")
    return why.words.author if why else "Nothing is asked of its author."


def why_canceled(reason: str | None) -> str:
    return CANCELED.get(reason or "", "The check no longer matters for this pull request.")


log = structlog.get_logger("centralbot.gate")

TEMPLATES = {
    ChallengeStatus.VERIFIED: "gate/verified.html",
    ChallengeStatus.EXEMPT: "gate/exempt.html",
    ChallengeStatus.CANCELED: "gate/canceled.html",
}
NOTHING_GIVEN: Given = {}


def gate_routes(guard: Guard, pages: Pages, keeper: VerificationService, clock: Clock) -> list[Any]:
    """Everything of the contributor's side: the page and its JSON, with one limit on guesses for both."""
    guesses = RateLimiter(clock.monotonic_s)
    return [*gate_api_routes(guard, keeper, guesses), gate_pages(guard, pages, keeper, guesses)]


def gate_pages(guard: Guard, pages: Pages, keeper: VerificationService, guesses: RateLimiter) -> Router:
    """``GET`` and ``POST /g/{gate_token}``."""

    def show(
        view: GateView,
        caller: Caller | None,
        here: str,
        *,
        status: int = 200,
        errors: Mapping[str, str] | None = None,
        given: Given = NOTHING_GIVEN,
    ) -> Response[str]:
        challenge = view.challenge
        template = TEMPLATES.get(challenge.status, "gate/waiting.html")
        if view.superseded:
            template = "gate/superseded.html"
        elif view.is_open and view.user is not None and not view.is_author:
            template = "gate/wrong_account.html"
        start = f"/api/v1/auth/github/start?return_to={quote(here, safe='')}"
        return pages.page(
            template,
            here=here,
            caller=caller,
            status=status,
            view=view,
            challenge=challenge,
            late=challenge.status is ChallengeStatus.TIMED_OUT_CLOSED or challenge.reason == "LATE",
            pull_url=challenge.html_url if challenge.html_url.startswith(("https://", "http://")) else None,
            sign_in_url=start,
            switch_url=f"{start}&select_account=true",
            state_url=f"/api/v1/gate/{here.removeprefix('/g/')}",
            errors=errors or {},
            given=given,
            by_itself=all(step.done or step.widget is not None for step in view.steps),
            why=why_canceled(challenge.reason)
            if challenge.status is ChallengeStatus.CANCELED
            else why_exempt(challenge.reason),
        )

    async def view_of(request: AnyRequest, token: str, caller: Caller | None) -> GateView:
        try:
            return await keeper.look(token, caller)
        except NotFound:
            guesses.missed(client_of(request))
            raise

    @get("/g/{gate_token:str}", include_in_schema=False)
    async def look(request: AnyRequest, gate_token: FromPath[str]) -> Response[str]:
        guesses.check(client_of(request))
        caller = await guard.find(request)
        remember(request, caller)
        return show(await view_of(request, gate_token, caller), caller, _here(gate_token))

    @post("/g/{gate_token:str}", include_in_schema=False, request_max_body_size=MAX_FORM_BYTES)
    async def verify(request: AnyRequest, gate_token: FromPath[str]) -> Response[Any]:
        guesses.check(client_of(request))
        guard.same_origin(request)
        caller, here = await guard.find(request), _here(gate_token)
        remember(request, caller)
        given = proofs_of(await read_form(request))
        try:
            await keeper.verify(gate_token, caller, given)
        except NotFound:
            guesses.missed(client_of(request))
            raise
        except Unauthenticated:  # the page says so; a form may not lead to another site, by our own policy
            return pages.redirect(here)
        except ProofsRefused as exc:
            log.info("gate.refused", kinds=sorted(exc.reasons))
            view = await view_of(request, gate_token, caller)
            return show(view, caller, here, status=400, errors=exc.reasons, given=given)
        except Forbidden:
            log.info("gate.wrong_account")
            return show(await view_of(request, gate_token, caller), caller, here, status=403)
        except ChallengeNotPending:
            return show(await view_of(request, gate_token, caller), caller, here, status=409)
        return pages.redirect(here)

    def problem(template: str) -> Any:
        def answer(request: AnyRequest, exc: NotFound | RateLimited | Unavailable) -> Response[str]:
            status, _, headers = error_parts(exc)
            if status == 503:
                log.warning("gate.unavailable", why=exc.message)
            return pages.page(
                template,
                here=_here(str(request.path_params.get("gate_token", ""))),
                caller=getattr(request.state, "centralbot_caller", None),
                status=status,
                headers={name.decode(): value.decode() for name, value in headers},
                message=exc.message,
            )

        return answer

    own: dict[int | type[Exception], Any] = {
        NotFound: problem("gate/unknown.html"),
        RateLimited: problem("gate/slow_down.html"),
        Unavailable: problem("gate/away.html"),
    }
    return Router(path="/", route_handlers=[look, verify], exception_handlers={**page_errors(pages), **own})


def proofs_of(form: Form) -> Given:
    """The form's fields, named ``kind.field``, as proofs. Raises ValidationError for a field that came twice."""
    given: dict[str, dict[str, object]] = {}
    for name in form.values:
        kind, dot, field = name.partition(".")
        if not dot:
            raise ValidationError(f"{name[:80]}: there is no such field in this form; reload the page and try again")
        given.setdefault(kind, {})[field] = form.one(name)
    return given


def _here(token: str) -> str:
    return f"/g/{quote(token, safe='')}"
