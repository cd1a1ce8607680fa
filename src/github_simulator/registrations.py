"""Apps as their owners registered them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from github_simulator.credentials import Credentials, generate_private_key
from github_simulator.deliveries import Deliverer
from github_simulator.model import Account, AppInfo

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_REDIRECT = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?")


def is_registered(redirect_uri: str, registered: Iterable[str]) -> bool:
    """Whether the address is one of the App's callback URLs; on loopback any port will do (RFC 8252, 7.3)."""
    return any(_same(redirect_uri, one) for one in registered)


def _same(given: str, registered: str) -> bool:
    if given == registered:
        return True
    if not _REDIRECT.fullmatch(given):
        return False
    try:
        ours, theirs = urlsplit(registered), urlsplit(given)
        theirs.port  # noqa: B018 - raises ValueError for what is no port
    except ValueError:
        return False
    if ours.hostname not in _LOOPBACK or "@" in theirs.netloc or theirs.fragment:
        return False
    return (theirs.scheme, theirs.hostname, theirs.path, theirs.query) == (
        ours.scheme, ours.hostname, ours.path, ours.query,
    )  # fmt: skip


def with_query(url: str, **values: str | None) -> str:
    """The address with these values added to its query; what is None is left out."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in values.items() if v is not None)]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def origin(url: str) -> str:
    """Scheme, host and port, as a CSP source; empty for what is no plain http address."""
    if not _REDIRECT.fullmatch(url):
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


CODE_LIFETIME_S = 3600
MAX_CALLBACK_URLS = 10
MAX_NAME_CHARS = 34
_URL = re.compile(r"https?://[!-~]+")
_LEVELS = ("read", "write", "admin")


class ManifestRefused(ValueError):
    """The manifest says something that GitHub does not take; the text is for the person in front of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What GitHub reads of one. ``hook_url`` None is an App without an active webhook."""

    name: str
    url: str
    redirect_url: str
    hook_url: str | None
    callback_urls: tuple[str, ...]
    setup_url: str | None
    permissions: dict[str, str]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An App and the secrets that only the conversion shows. ``webhook_secret`` None: no active webhook."""

    app: AppInfo
    client_secret: str = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    private_key_pem: str = field(repr=False)


def read_manifest(text: str) -> Manifest:
    """Raises ManifestRefused."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise ManifestRefused("The manifest is not valid JSON.") from None
    if not isinstance(given, dict):
        raise ManifestRefused("The manifest is not a JSON object.")
    hook = given.get("hook_attributes") or {}
    if not isinstance(hook, dict):
        raise ManifestRefused("hook_attributes is not an object.")
    active = bool(hook) and hook.get("active", True) is True
    callbacks = given.get("callback_urls") or []
    if not isinstance(callbacks, list) or len(callbacks) > MAX_CALLBACK_URLS:
        raise ManifestRefused("callback_urls is not a list of at most ten.")
    permissions, events = given.get("default_permissions") or {}, given.get("default_events") or []
    if not isinstance(permissions, dict) or not all(level in _LEVELS for level in permissions.values()):
        raise ManifestRefused("Default permission records resource is not included in the list.")
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ManifestRefused("Default events is not a list of names.")
    return Manifest(
        name=str(given.get("name") or ""),
        url=_url(given, "url"),
        redirect_url=_url(given, "redirect_url"),
        hook_url=_url(hook, "url") if active else None,
        callback_urls=tuple(_url({"callback_urls": one}, "callback_urls") for one in callbacks),
        setup_url=_url(given, "setup_url") if given.get("setup_url") else None,
        permissions={"metadata": "read", **permissions} if permissions else {},
        events=tuple(events),
    )


def _url(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise ManifestRefused(f"{name} must be a valid URL.")
    return value


@dataclass(slots=True, kw_only=True)
class Registrations:
    """Codes that wait for their conversion, and what a conversion makes."""

    credentials: Credentials
    deliverer: Deliverer
    clock: Callable[[], float]
    waiting: dict[str, tuple[Manifest, Account, float]] = field(default_factory=dict)

    def confirm(self, manifest: Manifest, *, name: str, owner: Account) -> str:
        """The person presses the button. Returns the code. Raises ManifestRefused for a name that cannot be had."""
        chosen = name.strip()
        if not chosen or len(chosen) > MAX_NAME_CHARS or not _slug(chosen):
            raise ManifestRefused(f"Name must have 1 to {MAX_NAME_CHARS} characters, one of them a letter or digit.")
        code = secrets.token_hex(20)
        named = Manifest(**{one: getattr(manifest, one) for one in Manifest.__slots__} | {"name": chosen})
        self.waiting[code] = (named, owner, self.clock() + CODE_LIFETIME_S)
        return code

    def convert(self, code: str) -> Registered | None:
        """Make the App, which takes the place of the simulator's own. None for a code that is used, old or unknown."""
        manifest, owner, expires_at = self.waiting.pop(code, (None, None, 0.0))
        now = self.clock()
        if manifest is None or owner is None or expires_at <= now:
            return None
        world, slug = self.credentials.world, _slug(manifest.name)
        app = AppInfo(
            id=world.shapes.app_info.id + 1,
            client_id="Iv23li" + secrets.token_hex(7),
            slug=slug,
            owner=owner,
            bot=world.add_account(f"{slug}[bot]", type="Bot"),
            permissions=manifest.permissions,
            events=manifest.events,
            created_at=now,
            name=manifest.name,
            external_url=manifest.url,
            callback_urls=manifest.callback_urls,
            setup_url=manifest.setup_url,
        )
        made = Registered(
            app=app,
            client_secret=secrets.token_hex(20),
            webhook_secret=None if manifest.hook_url is None else secrets.token_hex(20),
            private_key_pem=generate_private_key(),
        )
        self._take_over(made, manifest)
        return made

    def _take_over(self, made: Registered, manifest: Manifest) -> None:
        credentials = self.credentials
        credentials.world.shapes.app_info = made.app
        credentials.use_private_key(made.private_key_pem)
        credentials.users.client_secret = made.client_secret
        credentials.users.forget_app()
        self.deliverer.url = manifest.hook_url
        self.deliverer.secret = made.webhook_secret or secrets.token_hex(20)
        self.deliverer.app_id = made.app.id


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
