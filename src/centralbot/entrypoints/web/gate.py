"""The contributor's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from litestar import Response, Router, get, post
from litestar.params import FromPath

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import (
    ChallengeNotPending,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    ValidationError,
)
from centralbot.entrypoints.guard import AnyonesRequest, Guard, RateLimiter
from centralbot.entrypoints.http import error_parts
from centralbot.entrypoints.parameters import AnyRequest
from centralbot.entrypoints.web.forms import MAX_FORM_BYTES, Form, read_form
from centralbot.entrypoints.web.labels import why_canceled, why_exempt
from centralbot.entrypoints.web.pages import Pages, page_errors
from centralbot.ports.use_cases.verification import GateView, Given, ProofsRefused, VerificationService

log = structlog.get_logger("centralbot.gate")

TEMPLATES = {
    ChallengeStatus.VERIFIED: "gate/verified.html",
    ChallengeStatus.EXEMPT: "gate/exempt.html",
    ChallengeStatus.CANCELED: "gate/canceled.html",
}
NOTHING_GIVEN: Given = {}


def gate_pages(guard: Guard, pages: Pages, verification: VerificationService, limiter: RateLimiter) -> Router:
    """``GET`` and ``POST /g/{gate_token}``."""

    def show(
        request: AnyonesRequest,
        view: GateView,
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
            caller=request.user,
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

    @get()
    async def look(request: AnyonesRequest, gate_token: FromPath[str]) -> Response[str]:
        with limiter.counting(request, NotFound):
            view = await verification.look(gate_token, request.user)
        return show(request, view, _here(gate_token))

    @post()
    async def verify(request: AnyonesRequest, gate_token: FromPath[str]) -> Response[Any]:
        guard.same_origin(request)
        here = _here(gate_token)
        given = proofs_of(await read_form(request))
        status, errors = 200, dict[str, str]()
        try:
            with limiter.counting(request, NotFound):
                await verification.verify(gate_token, request.user, given)
        except Unauthenticated:  # the page says so; a form may not lead to another site, by our own policy
            return pages.redirect(here)
        except ProofsRefused as exc:
            log.info("gate.refused", kinds=sorted(exc.reasons))
            status, errors = 400, dict(exc.reasons)
        except Forbidden:
            log.info("gate.wrong_account")
            status = 403
        except ChallengeNotPending:
            status = 409
        else:
            return pages.redirect(here)
        view = await verification.look(gate_token, request.user)
        return show(request, view, here, status=status, errors=errors, given=given if errors else NOTHING_GIVEN)

    def problem(template: str) -> Any:
        def answer(request: AnyRequest, exc: NotFound | RateLimited | Unavailable) -> Response[str]:
            status, _, headers = error_parts(exc)
            if status == 503:
                log.warning("gate.unavailable", why=exc.message)
            return pages.page(
                template,
                here=_here(str(request.path_params.get("gate_token", ""))),
                caller=request.scope.get("user"),
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
    return Router(
        path="/g/{gate_token:str}",
        route_handlers=[look, verify],
        guards=[limiter.check_caller, guard.find_caller],
        exception_handlers={**page_errors(pages), **own},
        request_max_body_size=MAX_FORM_BYTES,
        include_in_schema=False,
    )


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
