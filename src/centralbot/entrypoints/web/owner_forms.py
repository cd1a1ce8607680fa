"""The owner's forms, and one challenge's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from litestar import Response, get, post
from litestar.params import FromQuery

from centralbot.domain.challenge import ChallengeStatus
from centralbot.domain.config import MAX_WINDOW_S, Mode, RepoConfig, validate
from centralbot.domain.errors import ChallengeNotPending, ValidationError
from centralbot.domain.events import AuthorAssociation
from centralbot.entrypoints.guard import CallersRequest
from centralbot.entrypoints.parameters import ChallengeId, once
from centralbot.entrypoints.web.forms import Form, read_form
from centralbot.entrypoints.web.owner_frame import MODES, UNITS, Frame, window_parts
from centralbot.entrypoints.web.render import Flash
from centralbot.ports.use_cases.owner_challenges import ChallengeStory
from centralbot.ports.use_cases.validation import MAX_EXTEND_S, MIN_EXTEND_S

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The settings as texts, as they stand in the form's inputs, and the errors beside them."""

    mode: str
    window: str
    unit: str
    verification: tuple[str, ...]
    associations: tuple[str, ...]
    drafts: bool
    bots: bool
    comment: bool
    label: str
    rules: str
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: RepoConfig) -> SettingsForm:
        """The form as it first stands."""
        window, unit = window_parts(config.window_s)
        return cls(
            mode=config.mode.value,
            window=str(window),
            unit=unit,
            verification=config.verification,
            associations=tuple(config.exempt_associations),
            drafts=config.draft_prs_gated,
            bots=config.exempt_bots,
            comment=config.comment_on_exempt,
            label=config.exempt_label,
            rules=config.rules,
        )


def read_settings(form: Form, kinds: Mapping[str, str]) -> tuple[SettingsForm, RepoConfig | None]:
    """What was typed, and the configuration that it means; None where something is wrong."""
    errors: dict[str, str] = {}
    typed = SettingsForm(
        mode=form.one("mode"),
        window=form.one("window"),
        unit=form.one("unit"),
        verification=tuple(dict.fromkeys(form.all("verification"))),
        associations=tuple(dict.fromkeys(form.all("associations"))),
        drafts=form.checked("drafts"),
        bots=form.checked("bots"),
        comment=form.checked("comment"),
        label=form.one("label"),
        rules=form.one("rules"),
        errors=errors,
    )
    mode = _word(Mode, typed.mode)
    if mode is None:
        errors["mode"] = "Choose off, shadow or enforce."
    window_s = read_seconds(typed.window, typed.unit, 1, MAX_WINDOW_S)
    if window_s is None:
        errors["window"] = "Give a whole number from 1 on, and at most 30 days in all."
    associations = [_word(AuthorAssociation, text) for text in typed.associations]
    if None in associations:
        errors["associations"] = "One of these is not known; reload the page."
    config = RepoConfig(
        mode=mode or Mode.OFF,
        draft_prs_gated=typed.drafts,
        window_s=window_s or 1,
        verification=typed.verification,
        exempt_associations=frozenset(it for it in associations if it is not None),
        exempt_bots=typed.bots,
        comment_on_exempt=typed.comment,
        exempt_label=typed.label,
        rules=typed.rules,
    )
    for name, problem in validate(config, kinds).items():
        errors[{"exempt_label": "label"}.get(name, name)] = f"{problem[:1].upper()}{problem[1:]}."
    if not typed.verification:
        errors["verification"] = "Choose at least one: without any, everybody would pass."
    return typed, None if errors else config


def read_seconds(number: str, unit: str, lowest: int, highest: int) -> int | None:
    """A number and its unit as seconds; None for what is no whole number, no unit or out of range."""
    if unit not in UNITS or not number.isascii() or not number.isdigit() or len(number) > 10:
        return None
    seconds = int(number) * UNITS[unit]
    return seconds if lowest <= seconds <= highest else None


def read_logins(text: str) -> list[str]:
    """Logins as people paste them: by line, comma or space, each once."""
    return list(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


def _word(words: type[Word], text: str) -> Word | None:
    try:
        return words(text)
    except ValueError:
        return None


CHALLENGE = "/challenges/{challenge_id:str}"
WORDS = ("exempt", "extend", "cancel")
TOO_LATE = Flash("bad", "It was too late for that: the check is no longer waiting. Nothing was changed.")


def challenge_pages(frame: Frame) -> list[Any]:
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
                    errors = {"by": "Give a whole number: at least a minute, at most 30 days."}
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
