"""The owner's pages."""

from __future__ import annotations

from typing import Any

from litestar import Response, Router, get, post
from litestar.params import FromPath

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode
from centralbot.domain.errors import NotFound, ValidationError
from centralbot.entrypoints.api.owner import challenge_status, cursor, github_id
from centralbot.entrypoints.web.errors import page_errors
from centralbot.entrypoints.web.guard import MAX_FORM_BYTES, AnyRequest, Guard, read_form
from centralbot.entrypoints.web.owner_forms import SettingsForm, challenge_pages, read_logins, read_settings
from centralbot.entrypoints.web.owner_frame import ASSOCIATIONS, MODES, UNITS, USUAL_ASSOCIATIONS, Frame
from centralbot.entrypoints.web.render import Pages
from centralbot.ports.use_cases.accounts import Caller
from centralbot.ports.use_cases.owner import Managed
from centralbot.ports.use_cases.owner_challenges import OwnerServices
from centralbot.ports.use_cases.validation import MAX_RESOLVE

REPO = "/repos/{repo_id:str}"


def owner_pages(guard: Guard, pages: Pages, desks: OwnerServices, *, web_url: str) -> Router:
    """The pages, under ``/``. ``web_url`` is GitHub's, for the link to its installations."""
    frame = Frame(guard, pages, desks, web_url)
    handlers = [*_home(frame), *_repository(frame), *_settings(frame), *_whitelist(frame), *challenge_pages(frame)]
    return Router(
        path="/",
        route_handlers=handlers,
        exception_handlers=page_errors(pages),
        request_max_body_size=MAX_FORM_BYTES,
        include_in_schema=False,
    )


def _home(frame: Frame) -> list[Any]:
    @get("/")
    async def home(request: AnyRequest) -> Response[str]:
        caller = await frame.find(request)
        if caller is None:
            return frame.page(request, "owner/welcome.html", None)
        mine = await frame.desks.owner.repositories(caller)
        return frame.page(request, "owner/home.html", caller, repositories=mine, modes=MODES)

    return [home]


def _repository(frame: Frame) -> list[Any]:
    desks = frame.desks

    @get(REPO)
    async def overview(request: AnyRequest, repo_id: FromPath[str]) -> Response[str]:
        caller, number = await frame.enter(request), github_id(repo_id, "repo_id")
        managed = await desks.owner.repository(caller, number)
        status = challenge_status(frame.asked(request, "status") or None)
        before = cursor(frame.asked(request, "cursor"))
        page = await desks.challenges.of_repository(caller, number, status=status, before=before)
        mode = managed.config.mode
        return frame.page(
            request,
            "owner/repository.html",
            caller,
            managed=managed,
            modes=MODES,
            page=page,
            first=before is None,
            chosen=status,
            statuses=tuple(ChallengeStatus),
            shadow=await desks.owner.shadow(caller, number) if mode is Mode.SHADOW else None,
            outcomes=await desks.owner.outcomes(caller, number) if mode is Mode.ENFORCE else None,
        )

    @get(f"{REPO}/audit")
    async def audit(request: AnyRequest, repo_id: FromPath[str]) -> Response[str]:
        caller, number = await frame.enter(request), github_id(repo_id, "repo_id")
        managed = await desks.owner.repository(caller, number)
        before = cursor(frame.asked(request, "cursor"))
        page = await desks.owner.audit(caller, number, before=before)
        return frame.page(
            request, "owner/audit.html", caller, managed=managed, modes=MODES, page=page,
            first=before is None,
        )  # fmt: skip

    return [overview, audit]


def _settings(frame: Frame) -> list[Any]:
    owner = frame.desks.owner

    def page(request: AnyRequest, caller: Caller, managed: Managed, form: SettingsForm) -> Response[str]:
        known = set(managed.config.exempt_associations) | set(USUAL_ASSOCIATIONS)
        return frame.page(
            request,
            "owner/settings.html",
            caller,
            status=400 if form.errors else 200,
            managed=managed,
            form=form,
            kinds=owner.kinds,
            modes=MODES,
            units=tuple(UNITS),
            associations={name: words for name, words in ASSOCIATIONS.items() if name in known},
        )

    @get(f"{REPO}/settings")
    async def show(request: AnyRequest, repo_id: FromPath[str]) -> Response[str]:
        caller = await frame.enter(request)
        managed = await owner.repository(caller, github_id(repo_id, "repo_id"))
        return page(request, caller, managed, SettingsForm.of(managed.config))

    @post(f"{REPO}/settings", status_code=200)
    async def save(request: AnyRequest, repo_id: FromPath[str]) -> Response[Any]:
        caller, number = await frame.enter(request), github_id(repo_id, "repo_id")
        managed = await owner.repository(caller, number)
        typed, config = read_settings(await read_form(request), owner.kinds)
        if config is None:
            return page(request, caller, managed, typed)
        await owner.configure(caller, number, config)
        return frame.pages.redirect(f"/repos/{number}/settings?done=saved")

    return [show, save]


def _whitelist(frame: Frame) -> list[Any]:
    desks = frame.desks

    async def page(
        request: AnyRequest, caller: Caller, number: int, typed: str = "", error: str | None = None
    ) -> Response[str]:
        managed = await desks.owner.repository(caller, number)
        entries = await desks.whitelist.entries(caller, number)
        return frame.page(
            request, "owner/whitelist.html", caller, status=400 if error else 200, managed=managed, modes=MODES,
            entries=entries, typed=typed, error=error, most=MAX_RESOLVE,
        )  # fmt: skip

    @get(f"{REPO}/whitelist")
    async def show(request: AnyRequest, repo_id: FromPath[str]) -> Response[str]:
        caller = await frame.enter(request)
        return await page(request, caller, github_id(repo_id, "repo_id"))

    @post(f"{REPO}/whitelist", status_code=200)
    async def change(request: AnyRequest, repo_id: FromPath[str]) -> Response[Any]:
        caller, number = await frame.enter(request), github_id(repo_id, "repo_id")
        await desks.owner.repository(caller, number)
        form = await read_form(request)
        if form.one("remove"):
            return await remove(caller, number, form.one("remove"))
        typed = form.one("logins")
        logins = read_logins(typed)
        if not logins:
            return await page(request, caller, number, typed, "Type at least one login.")
        try:
            resolved = await desks.whitelist.add(caller, number, logins)
        except ValidationError as exc:
            text = exc.message.removeprefix("logins: ")
            return await page(request, caller, number, typed, f"{text[:1].upper()}{text[1:]}.")
        if resolved.unresolved:
            missing = ", ".join(login[:60] for login in resolved.unresolved[:10])
            return await page(
                request, caller, number, typed, f"GitHub knows no account named {missing}. Nobody was added."
            )
        return frame.pages.redirect(f"/repos/{number}/whitelist?done=added")

    async def remove(caller: Caller, number: int, user: str) -> Response[Any]:
        try:
            await desks.whitelist.remove(caller, number, github_id(user, "remove"))
        except NotFound:
            return frame.pages.redirect(f"/repos/{number}/whitelist?done=gone")
        return frame.pages.redirect(f"/repos/{number}/whitelist?done=removed")

    return [show, change]
