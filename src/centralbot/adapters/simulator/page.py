"""The plain pages: what GitHub would show of installations, pull requests and comments. Everything is escaped."""

from __future__ import annotations

from pathlib import Path

import jinja2

from .http import Response
from .model import PullRequest, Repository
from .routing import Services
from .shapes import timestamp
from .state import UnknownThing

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
SHOWN_PULLS = 200


class Pages:
    """Renders the pages from the templates beside this module."""

    def __init__(self, services: Services) -> None:
        self._services = services
        folder = Path(__file__).parent / "templates"
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["time"] = timestamp
        self._style = (folder / "simulator.css").read_bytes()

    def answer(self, segments: list[str]) -> Response | None:
        """The page at ``/``, ``/{owner}/{repo}`` or ``/{owner}/{repo}/pull/{n}``; None where there is none."""
        match segments:
            case [""]:
                return self._home()
            case ["simulator.css"]:
                return Response(200, self._style, {**_HEADERS, "content-type": "text/css; charset=utf-8"})
            case [owner, repo]:
                found = self._repository(owner, repo)
                return None if found is None else self._home(found)
            case [owner, repo, "pull", number] if number.isdecimal():
                found = self._repository(owner, repo)
                pull = None if found is None else found.pulls.get(int(number))
                return None if pull is None else self._html("pull.html", pull=pull)
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
        return self._html(
            "home.html",
            title=world.shapes.app_info.slug if only is None else only.full_name,
            installations=[(one, world.repositories_of(one)) for one in world.installations.values()],
            pulls=pulls[:SHOWN_PULLS],
            hidden=max(0, len(pulls) - SHOWN_PULLS),
            deliveries=[
                delivery for _, delivery in zip(range(15), self._services.deliverer.log.newest_first(), strict=False)
            ],
        )

    def _html(self, name: str, **values: object) -> Response:
        return Response(200, self._templates.get_template(name).render(values).encode(), dict(_HEADERS))
