"""The plain pages: what GitHub would show of installations, pull requests and comments. Everything is escaped."""

from __future__ import annotations

from .http import Request, Response
from .model import PullRequest, Repository
from .pages_apps import AppPages
from .pages_sign_in import SignInPages
from .rendering import Templates, headers
from .routing import Services
from .state import UnknownThing

SHOWN_PULLS = 200


class Pages:
    """Everything for people's browsers, from the templates beside this module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Templates()
        self._sign_in = SignInPages(services, self._templates)
        self._apps = AppPages(services, self._templates, self._sign_in.signed_in)

    def answer(self, request: Request) -> Response | None:
        """The answer to a person's browser; None where there is nothing at that address."""
        found = self._sign_in.answer(request) or self._apps.answer(request)
        if found is None and request.method == "GET":
            found = self._shown(request.segments)
        return found

    def _shown(self, segments: list[str]) -> Response | None:
        """The page at ``/``, ``/{owner}/{repo}`` or ``/{owner}/{repo}/pull/{n}``; None where there is none."""
        match segments:
            case [""]:
                return self._home()
            case ["simulator.css"]:
                return Response(200, self._templates.style, {**headers(), "content-type": "text/css; charset=utf-8"})
            case [owner, repo]:
                found = self._repository(owner, repo)
                return None if found is None else self._home(found)
            case [owner, repo, "pull", number] if number.isdecimal():
                found = self._repository(owner, repo)
                pull = None if found is None else found.pulls.get(int(number))
                return None if pull is None else self._templates.page("pull.html", pull=pull)
            case _:
                return None

    def _repository(self, owner: str, repo: str) -> Repository | None:
        try:
            return self._services.world.repository(f"{owner}/{repo}")
        except UnknownThing:
            return None

    def _home(self, only: Repository | None = None) -> Response:
        world = self._services.world
        repositories = [only] if only is not None else list(world.repositories.values())
        pulls: list[PullRequest] = [pull for repository in repositories for pull in repository.pulls.values()]
        pulls.sort(key=lambda pull: pull.id, reverse=True)
        return self._templates.page(
            "home.html",
            title=world.shapes.app_info.slug if only is None else only.full_name,
            installations=[(one, world.repositories_of(one)) for one in world.installations.values()],
            pulls=pulls[:SHOWN_PULLS],
            hidden=max(0, len(pulls) - SHOWN_PULLS),
            deliveries=[
                delivery for _, delivery in zip(range(15), self._services.deliverer.log.newest_first(), strict=False)
            ],
        )
