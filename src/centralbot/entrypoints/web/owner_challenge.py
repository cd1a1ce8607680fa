"""The page of one challenge: what it is, what happened to it and why, and the maintainer's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.errors import ChallengeNotPending, ValidationError
from centralbot.entrypoints.api.owner import our_id
from centralbot.entrypoints.web.forms import read_form
from centralbot.entrypoints.web.guard import AnyRequest
from centralbot.entrypoints.web.owner_forms import read_seconds
from centralbot.entrypoints.web.owner_frame import Frame
from centralbot.entrypoints.web.owner_words import MODES, UNITS, window_parts
from centralbot.entrypoints.web.render import Flash
from centralbot.ports.driving.accounts import Caller
from centralbot.ports.driving.configuring import MAX_EXTEND_S, MIN_EXTEND_S
from centralbot.ports.driving.owner_challenges import ChallengeStory

CHALLENGE = "/challenges/{challenge_id:str}"
WORDS = ("exempt", "extend", "cancel")
TOO_LATE = Flash("bad", "It was too late for that: the check is not waiting any more. Nothing was changed.")


def challenge_pages(frame: Frame) -> list[Any]:
    """Show it, and overrule it. ``?confirm=`` asks once more before anything is done."""
    desk = frame.desks.challenges

    def page(
        request: AnyRequest,
        caller: Caller,
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
            caller,
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
    async def show(request: AnyRequest, challenge_id: FromPath[str]) -> Response[str]:
        caller = await frame.enter(request)
        story = await desk.story(caller, our_id(challenge_id))
        return page(request, caller, story, confirm=frame.asked(request, "confirm"))

    @post(CHALLENGE, status_code=200)
    async def overrule(request: AnyRequest, challenge_id: FromPath[str]) -> Response[Any]:
        caller, ours = await frame.enter(request), our_id(challenge_id)
        story = await desk.story(caller, ours)
        form = await read_form(request)
        action = form.one("action")
        if action not in WORDS:
            raise ValidationError("action: choose exempt, extend or cancel; go back, reload the page and try again")
        try:
            if action == "extend":
                typed = (form.one("by"), form.one("unit"))
                by_s = read_seconds(*typed, MIN_EXTEND_S, MAX_EXTEND_S)
                if by_s is None:
                    errors = {"by": "Give a whole number: at least a minute, at most 30 days."}
                    return page(request, caller, story, confirm=action, typed=typed, errors=errors, status=400)
                await desk.extend(caller, ours, by_s=by_s)
            elif action == "exempt":
                await desk.exempt(caller, ours)
            else:
                await desk.cancel(caller, ours)
        except ChallengeNotPending:
            return page(request, caller, await desk.story(caller, ours), status=409, flash=TOO_LATE)
        return frame.pages.redirect(f"/challenges/{ours}?done={action}")

    return [show, overrule]
