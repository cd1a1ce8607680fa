"""The owner's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import Mode, Section
from centralbot.domain.errors import ChallengeNotPending, NotFound, ValidationError
from centralbot.domain.trace import sentence, who
from centralbot.entrypoints.guard import AnyonesRequest, CallersRequest, Guard
from centralbot.entrypoints.parameters import (
    PAGE_START,
    PATH_DECODERS,
    ChallengeId,
    RepoId,
    github_id,
    once,
    status_filter,
)
from centralbot.entrypoints.web.forms import (
    MAX_FORM_BYTES,
    Setting,
    read_form,
    read_logins,
    read_seconds,
    read_settings,
    settings_of,
)
from centralbot.entrypoints.web.labels import (
    FLASHES,
    MODES,
    STATUS,
    UNITS,
    Flash,
    outcome,
    standing,
    window_parts,
)
from centralbot.entrypoints.web.pages import Pages, page_errors
from centralbot.ports.use_cases.accounts import Caller
from centralbot.ports.use_cases.owner import ManagedRepository
from centralbot.ports.use_cases.owner_challenges import ChallengeStory, OwnerServices
from centralbot.ports.use_cases.validation import MAX_EXTEND_S, MAX_RESOLVE, MIN_EXTEND_S

REPO = "/repos/{repo_id:str}"
CHALLENGE = "/challenges/{challenge_id:str}"
WORDS = ("exempt", "extend", "cancel")
TOO_LATE = Flash("bad", "It was too late for that: the check is already over. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Frame:
    """A page of the owner's for whoever asked for it. ``web_url`` is GitHub's."""

    pages: Pages
    services: OwnerServices
    web_url: str

    def page(
        self,
        request: AnyonesRequest | CallersRequest,
        template: str,
        *,
        status: int = 200,
        flash: Flash | None = None,
        **context: Any,
    ) -> Response[str]:
        """A page; ``?done=`` names what was just done, for a message of ours."""
        if flash is None and request.method == "GET":
            flash = FLASHES.get(str(request.query_params.get("done", "")))
        return self.pages.page(
            template,
            here=request.url.path,
            caller=request.user,
            flash=flash,
            status=status,
            web_url=self.web_url,
            status_words=STATUS,
            standing=standing,
            outcome=outcome,
            who=who,
            sentence=sentence,
            **context,
        )


def owner_pages(guard: Guard, pages: Pages, services: OwnerServices, *, web_url: str) -> Router:
    """The pages, under ``/``. ``web_url`` is GitHub's, for the link to its installations."""
    frame = Frame(pages, services, web_url)

    @get("/", guards=[guard.find_caller])
    async def home(request: AnyonesRequest) -> Response[str]:
        if request.user is None:
            return frame.page(request, "owner/welcome.html")
        mine = await services.owner.repositories(request.user)
        return frame.page(request, "owner/home.html", repositories=mine, modes=MODES)

    handlers = [*_repository(frame), *_settings(frame), *_whitelist(frame), *_challenge(frame)]
    return Router(
        path="/",
        route_handlers=[home, Router(path="/", route_handlers=handlers, guards=[guard.require_caller])],
        type_decoders=PATH_DECODERS,
        dependencies={"before": PAGE_START},
        exception_handlers=page_errors(pages),
        request_max_body_size=MAX_FORM_BYTES,
        include_in_schema=False,
    )


def _repository(frame: Frame) -> list[Any]:
    owner, challenges = frame.services.owner, frame.services.challenges

    @get(REPO)
    async def overview(
        request: CallersRequest, repo_id: RepoId, before: NamedDependency[UUID | None], status: FromQuery[str] = ""
    ) -> Response[str]:
        caller = request.user
        managed = await owner.repository(caller, repo_id)
        chosen = status_filter(request, status or None)
        mode = managed.config.mode
        return frame.page(
            request,
            "owner/repository.html",
            managed=managed,
            modes=MODES,
            page=await challenges.of_repository(caller, repo_id, status=chosen, before=before),
            first=before is None,
            chosen=chosen,
            statuses=tuple(ChallengeStatus),
            shadow=await owner.shadow(caller, repo_id) if mode is Mode.SHADOW else None,
            outcomes=await owner.outcomes(caller, repo_id) if mode is Mode.ENFORCE else None,
        )

    @get(f"{REPO}/audit")
    async def audit(request: CallersRequest, repo_id: RepoId, before: NamedDependency[UUID | None]) -> Response[str]:
        managed = await owner.repository(request.user, repo_id)
        page = await owner.audit(request.user, repo_id, before=before)
        return frame.page(request, "owner/audit.html", managed=managed, modes=MODES, page=page, first=before is None)

    return [overview, audit]


def _settings(frame: Frame) -> list[Any]:
    owner = frame.services.owner

    def page(request: CallersRequest, managed: ManagedRepository, settings: Sequence[Setting]) -> Response[str]:
        errors = {it.row.name: it.error for it in settings if it.error is not None}
        return frame.page(
            request,
            "owner/settings.html",
            status=400 if errors else 200,
            managed=managed,
            modes=MODES,
            units=tuple(UNITS),
            sections={title: [it for it in settings if it.row.section is title] for title in Section},
            errors=errors,
            labels={it.row.name: it.row.label for it in settings},
        )

    @get(f"{REPO}/settings")
    async def show(request: CallersRequest, repo_id: RepoId) -> Response[str]:
        managed = await owner.repository(request.user, repo_id)
        return page(request, managed, settings_of(managed.config, owner.kinds))

    @post(f"{REPO}/settings", status_code=200)
    async def save(request: CallersRequest, repo_id: RepoId) -> Response[Any]:
        managed = await owner.repository(request.user, repo_id)
        typed, config = read_settings(await read_form(request), managed.config, owner.kinds)
        if config is None:
            return page(request, managed, typed)
        await owner.configure(request.user, repo_id, config)
        return frame.pages.redirect(f"/repos/{repo_id}/settings?done=saved")

    return [show, save]


def _whitelist(frame: Frame) -> list[Any]:
    owner, whitelist = frame.services.owner, frame.services.whitelist

    async def page(request: CallersRequest, repo_id: int, typed: str = "", error: str | None = None) -> Response[str]:
        managed = await owner.repository(request.user, repo_id)
        entries = await whitelist.entries(request.user, repo_id)
        return frame.page(
            request, "owner/whitelist.html", status=400 if error else 200, managed=managed, modes=MODES,
            entries=entries, typed=typed, error=error, most=MAX_RESOLVE,
        )  # fmt: skip

    @get(f"{REPO}/whitelist")
    async def show(request: CallersRequest, repo_id: RepoId) -> Response[str]:
        return await page(request, repo_id)

    @post(f"{REPO}/whitelist", status_code=200)
    async def change(request: CallersRequest, repo_id: RepoId) -> Response[Any]:
        caller = request.user
        await owner.repository(caller, repo_id)
        form = await read_form(request)
        if form.one("remove"):
            return await remove(caller, repo_id, form.one("remove"))
        typed = form.one("logins")
        logins = read_logins(typed)
        if not logins:
            return await page(request, repo_id, typed, "Enter at least one login.")
        try:
            resolved = await whitelist.add(caller, repo_id, logins)
        except ValidationError as exc:
            text = exc.message.removeprefix("logins: ")
            return await page(request, repo_id, typed, f"{text[:1].upper()}{text[1:]}.")
        if resolved.unresolved:
            missing = ", ".join(login[:60] for login in resolved.unresolved[:10])
            return await page(request, repo_id, typed, f"GitHub has no account named {missing}. Nobody was added.")
        return frame.pages.redirect(f"/repos/{repo_id}/whitelist?done=added")

    async def remove(caller: Caller, repo_id: int, user: str) -> Response[Any]:
        try:
            await whitelist.remove(caller, repo_id, github_id(user, "remove"))
        except NotFound:
            return frame.pages.redirect(f"/repos/{repo_id}/whitelist?done=gone")
        return frame.pages.redirect(f"/repos/{repo_id}/whitelist?done=removed")

    return [show, change]


def _challenge(frame: Frame) -> list[Any]:
    """Show it, and overrule it. ``?confirm=`` asks once more before anything is done."""
    challenges = frame.services.challenges

    def page(
        request: CallersRequest,
        story: ChallengeStory,
        *,
        confirm: str | None = None,
        typed: tuple[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        status: int = 200,
        flash: Flash | None = None,
    ) -> Response[str]:
        waiting = story.challenge.status is ChallengeStatus.PENDING
        number, unit = window_parts(max(MIN_EXTEND_S, story.managed.config.window_s))
        return frame.page(
            request,
            "owner/challenge.html",
            status=status,
            flash=flash,
            story=story,
            challenge=story.challenge,
            managed=story.managed,
            modes=MODES,
            waiting=waiting,
            confirm=confirm if waiting and confirm in WORDS else None,
            by=typed or (str(number), unit),
            units=tuple(UNITS)[:3],
            errors=errors or {},
        )

    @get(CHALLENGE)
    async def show(request: CallersRequest, challenge_id: ChallengeId, confirm: FromQuery[str] = "") -> Response[str]:
        once(request, "confirm")
        return page(request, await challenges.story(request.user, challenge_id), confirm=confirm)

    @post(CHALLENGE, status_code=200)
    async def overrule(request: CallersRequest, challenge_id: ChallengeId) -> Response[Any]:
        caller = request.user
        story = await challenges.story(caller, challenge_id)
        form = await read_form(request)
        action = form.one("action")
        if action not in WORDS:
            raise ValidationError("action: choose exempt, extend or cancel; go back, reload the page and try again")
        try:
            if action == "extend":
                typed = (form.one("by"), form.one("unit"))
                by_s = read_seconds(*typed, MIN_EXTEND_S, MAX_EXTEND_S)
                if by_s is None:
                    errors = {"by": "Enter a whole number: at least a minute, at most 30 days."}
                    return page(request, story, confirm=action, typed=typed, errors=errors, status=400)
                await challenges.extend(caller, challenge_id, by_s=by_s)
            elif action == "exempt":
                await challenges.exempt(caller, challenge_id)
            else:
                await challenges.cancel(caller, challenge_id)
        except ChallengeNotPending:
            return page(request, await challenges.story(caller, challenge_id), status=409, flash=TOO_LATE)
        return frame.pages.redirect(f"/challenges/{challenge_id}?done={action}")

    return [show, overrule]
