"""What we ask GitHub for, and what the person has to say for it.

https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from centralbot.entrypoints.settings.oauth import CALLBACK_PATH

PERMISSIONS: Mapping[str, str] = {"pull_requests": "write", "metadata": "read"}
"""To read pull requests, comment on them, close and reopen them."""
EVENTS = ("pull_request", "repository")
"""Installation events come by themselves."""

WEBHOOK_PATH = "/webhooks/github"
MAX_NAME_CHARS = 34
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The App as the person wants it. ``org`` is empty for their own account; addresses have no slash at their end."""

    name: str
    org: str
    public_url: str
    webhook_url: str
    anybody: bool = False

    def manifest(self, redirect_url: str) -> dict[str, Any]:
        """GitHub's manifest; it sends the browser back to ``redirect_url``."""
        return {
            "name": self.name,
            "url": self.public_url,
            "description": "A door in front of pull requests.",
            "public": self.anybody,
            "redirect_url": redirect_url,
            "callback_urls": [self.public_url + CALLBACK_PATH],
            "setup_url": f"{self.public_url}/",
            "hook_attributes": {"url": self.webhook_url, "active": True},
            "default_permissions": dict(PERMISSIONS),
            "default_events": list(EVENTS),
        }

    def register_url(self, web_url: str, state: str) -> str:
        """Where the manifest is sent."""
        owner = f"/organizations/{self.org}" if self.org else ""
        return f"{web_url}{owner}/settings/apps/new?state={state}"


def problems(wanted: Wanted, *, web_url: str) -> dict[str, str]:
    """What is wrong, by field; empty where GitHub can be asked."""
    found: dict[str, str] = {}
    if not 1 <= len(wanted.name) <= MAX_NAME_CHARS or not wanted.name.isprintable():
        found["name"] = f"Give a name of 1 to {MAX_NAME_CHARS} characters; it must be free on GitHub."
    if wanted.org and not _LOGIN.fullmatch(wanted.org):
        found["org"] = "Give the organization's login as in its address on GitHub, or leave it empty."
    if not _is_url(wanted.public_url) or urlsplit(wanted.public_url).path:
        found["public_url"] = "Give an address such as https://gate.example.org, without path, query or fragment."
    if not _is_url(wanted.webhook_url):
        found["webhook_url"] = f"Give an address such as https://gate.example.org{WEBHOOK_PATH}."
    elif is_loopback(wanted.webhook_url) and not is_loopback(web_url):
        found["webhook_url"] = (
            "GitHub cannot reach this machine's own address: give one that leads to the worker from the internet, "
            "such as your reverse proxy's or a tunnel's."
        )
    return found


def default_webhook_url(public_url: str, worker_url: str, *, web_url: str) -> str:
    """Where GitHub reaches the worker, as far as that can be known; empty where the person has to say it."""
    if not is_loopback(public_url):
        return public_url + WEBHOOK_PATH
    return worker_url + WEBHOOK_PATH if is_loopback(web_url) else ""


def is_loopback(url: str) -> bool:
    """Whether an address leads to the machine of whoever uses it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    return good and plain and re.fullmatch(r"[A-Za-z0-9_.:/%+~\[\]-]{1,500}", value) is not None
