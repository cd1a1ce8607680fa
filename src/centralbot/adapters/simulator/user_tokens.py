"""The web sign-in's memory: codes, user tokens and refresh tokens, who is signed in and who has let the App in.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
and …/refreshing-user-access-tokens (eight hours, six months, a refresh token serves once).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from .model import Account
from .pulls import World

CODE_LIFETIME_S = 600
ACCESS_LIFETIME_S = 28_800
REFRESH_LIFETIME_S = 15_897_600


class GrantRefused(Exception):
    """GitHub's refusal of a code or refresh token; ``error`` is its code for it."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True, kw_only=True)
class Code:
    """What one authorization led to. ``challenge`` is the S256 of a verifier, None without PKCE."""

    account: Account
    redirect_uri: str
    challenge: str | None
    expires_at: float


@dataclass(slots=True, kw_only=True)
class UserToken:
    """A user's access token and the refresh token that came with it."""

    account: Account
    expires_at: float
    refresh_token: str


@dataclass(slots=True, kw_only=True)
class UserTokens:
    """Hands out, takes back. ``browsers``: who is signed in by session cookie; ``authorized`` holds account ids."""

    world: World
    clock: Callable[[], float]
    client_secret: str = field(repr=False)
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, UserToken] = field(default_factory=dict)
    refreshing: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Refresh tokens: the access token of each, and when it ends."""
    browsers: dict[str, Account] = field(default_factory=dict)
    authorized: set[int] = field(default_factory=set)

    def knows_client(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the App's client credentials."""
        ours = self.world.shapes.app_info.client_id
        same = hmac.compare_digest(client_secret.encode(), self.client_secret.encode())
        return client_id == ours and same

    def authorize(self, account: Account, *, redirect_uri: str, challenge: str | None) -> str:
        """The user lets the App in. Returns the code of the redirect."""
        self.authorized.add(account.id)
        code = secrets.token_hex(10)
        self.codes[code] = Code(
            account=account,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=self.clock() + CODE_LIFETIME_S,
        )
        return code

    def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> tuple[str, UserToken]:
        """The token for a code, which serves once whatever comes of it. Raises GrantRefused."""
        found = self.codes.pop(code, None)
        if found is None or found.expires_at <= self.clock() or not self._is_there(found.account):
            raise GrantRefused("bad_verification_code")
        if redirect_uri and redirect_uri != found.redirect_uri:
            raise GrantRefused("redirect_uri_mismatch")
        if found.challenge is not None and not hmac.compare_digest(s256(verifier).encode(), found.challenge.encode()):
            raise GrantRefused("bad_verification_code")
        return self._issue(found.account, ACCESS_LIFETIME_S)

    def refresh(self, refresh_token: str) -> tuple[str, UserToken]:
        """New tokens; the old refresh token and its access token serve no more. Raises GrantRefused."""
        access_token, expires_at = self.refreshing.pop(refresh_token, ("", 0.0))
        old = self.access.pop(access_token, None)
        if old is None or expires_at <= self.clock() or not self._is_there(old.account):
            raise GrantRefused("bad_refresh_token")
        return self._issue(old.account, ACCESS_LIFETIME_S)

    def issue(self, login: str, expires_in_s: float = ACCESS_LIFETIME_S) -> str:
        """A user token as the web flow would end with."""
        return self._issue(self.world.account(login), expires_in_s)[0]

    def owner(self, access_token: str) -> Account | None:
        """Whose token this is; None when it ended, was revoked or never was."""
        found = self.access.get(access_token)
        if found is None or found.expires_at <= self.clock() or not self._is_there(found.account):
            return None
        return found.account

    def revoke(self, access_token: str) -> bool:
        """Forget one token with its refresh token. False when it is not known (any more)."""
        found = self.access.pop(access_token, None)
        if found is not None:
            self.refreshing.pop(found.refresh_token, None)
        return found is not None

    def expire(self, login: str) -> int:
        """Let a user's access tokens end now; refreshing still works. Returns how many there were."""
        found = [token for token in self.access.values() if token.account.login.lower() == login.lower()]
        for token in found:
            token.expires_at = min(token.expires_at, self.clock())
        return len(found)

    def revoke_all(self, login: str) -> int:
        """The user takes the authorization back on GitHub: every token dies. Returns how many there were."""
        doomed = [value for value, token in self.access.items() if token.account.login.lower() == login.lower()]
        for value in doomed:
            self.revoke(value)
        self.authorized.discard(self.world.account(login).id)
        return len(doomed)

    def forget_browsers(self) -> int:
        """Sign everybody out of the simulated GitHub, so that it asks again who they are. Returns how many."""
        count = len(self.browsers)
        self.browsers.clear()
        return count

    def forget_app(self) -> None:
        """Another App takes the place of the one that all of these were for."""
        for kept in (self.codes, self.access, self.refreshing, self.authorized):
            kept.clear()

    def _issue(self, account: Account, lifetime_s: float) -> tuple[str, UserToken]:
        value, refresh_token = "ghu_" + secrets.token_hex(18), "ghr_" + secrets.token_hex(38)
        now = self.clock()
        token = UserToken(account=account, expires_at=now + lifetime_s, refresh_token=refresh_token)
        self.access[value] = token
        self.refreshing[refresh_token] = (value, now + REFRESH_LIFETIME_S)
        return value, token

    def _is_there(self, account: Account) -> bool:
        return account.id in self.world.accounts


def s256(verifier: str) -> str:
    """RFC 7636, 4.2: base64url of SHA-256, without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
