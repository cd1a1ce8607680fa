"""Templates and Markdown for people."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import jinja2
from markupsafe import Markup

from github_simulator.http import Response
from github_simulator.schemas import timestamp

_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"(#{1,6}) +(.+)")
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\((https?://[^\s()<>\"']+)\)")
_BARE = re.compile(r"(?<![\w/(\"'])(https?://[^\s()<>\"'*]+[^\s()<>\"'*.,;:!?])")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")


def render_markdown(text: str) -> Markup:
    """Safe HTML: every piece of text is escaped before a tag of ours is put around it."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", _HIDDEN.sub("", text))]
    return Markup("\n".join(_block(block) for block in blocks if block))  # noqa: S704 - of escaped pieces alone


def _block(block: str) -> str:
    heading = _HEADING.fullmatch(block)
    if heading is not None:
        return f"<h3>{_inline(heading[2])}</h3>"
    return f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    """Code first: nothing in it means anything. What lies between is searched for links, then for bold."""
    pieces = _CODE.split(text)
    return "".join(f"<code>{escape(piece)}</code>" if index % 2 else _bold(piece) for index, piece in enumerate(pieces))


def _bold(text: str) -> str:
    pieces = _BOLD.split(text)
    return "".join(
        f"<strong>{_links(piece)}</strong>" if index % 2 else _links(piece) for index, piece in enumerate(pieces)
    )


def _links(text: str) -> str:
    done, at = "", 0
    for link in _LINK.finditer(text):
        done += _bare(text[at : link.start()]) + _anchor(link[2], link[1])
        at = link.end()
    return done + _bare(text[at:])


def _bare(text: str) -> str:
    pieces = _BARE.split(text)
    return "".join(
        _anchor(piece, piece) if index % 2 else escape(piece).replace("\n", "<br>\n")
        for index, piece in enumerate(pieces)
    )


def _anchor(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" rel="nofollow">{escape(text)}</a>'


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
