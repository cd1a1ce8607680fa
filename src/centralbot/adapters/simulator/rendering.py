"""Templates into answers. Everything is escaped; a form leads to the simulator and, by redirect, to one other site."""

from __future__ import annotations

from pathlib import Path

import jinja2

from .http import Response
from .markup import render_markdown
from .shapes import timestamp

_FOLDER = Path(__file__).parent / "templates"


def headers(form_action: str = "'none'") -> dict[str, str]:
    """The headers of a page. Browsers hold the redirect after a form against ``form-action`` too."""
    csp = f"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action {form_action}"
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": csp,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


class Templates:
    """The templates beside this module."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["time"] = timestamp
        self._environment.filters["markdown"] = render_markdown
        self.style = (_FOLDER / "simulator.css").read_bytes()

    def page(self, name: str, *, status: int = 200, form_action: str = "'none'", **values: object) -> Response:
        body = self._environment.get_template(name).render(values).encode()
        return Response(status, body, headers(form_action))

    def problem(self, title: str, message: str, *, status: int = 400) -> Response:
        """A page that says why there is nothing to see."""
        return self.page("problem.html", status=status, title=title, message=message)


def redirect(location: str, cookie: str | None = None) -> Response:
    """302, with a cookie where one is given."""
    sent = {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(302, None, sent if cookie is None else {**sent, "set-cookie": cookie})
