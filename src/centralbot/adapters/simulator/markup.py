"""As much of GitHub's Markdown as comments here need: headings, paragraphs, bold, code, links. All else stays text."""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup

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
