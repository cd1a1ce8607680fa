"""Keys, App JWTs, and the tokens of installations and people."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from github_simulator.http import ApiError, Request
from github_simulator.model import Account, Installation, Repository
from github_simulator.pulls import World
from github_simulator.state import UnknownThing

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


TOKEN_LIFETIME_S = 3600
JWT_LIFETIME_S = 600
CLOCK_LEEWAY_S = 60

CallerKind = Literal["app", "installation", "user", "anonymous"]


def generate_private_key() -> str:
    """A fresh RSA key in PEM, as GitHub hands one out for an App."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_key(private_key_pem: str) -> rsa.RSAPublicKey:
    """The key that checks what ``private_key_pem`` signed. Raises ValueError when it is no RSA key."""
    key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the App's private key must be an RSA key in PEM")
    return key.public_key()


@dataclass(slots=True, kw_only=True)
class Token:
    """An installation token. ``repository_ids`` None means all that the installation reaches."""

    installation_id: int
    permissions: dict[str, str]
    repository_ids: frozenset[int] | None
    expires_at: float
    refusals: list[int] = field(default_factory=list)
    """Statuses that its first requests get, to play a token that has not reached every replica yet."""


@dataclass(slots=True, kw_only=True)
class Caller:
    """Who a request comes from, once its credentials have been checked."""

    kind: CallerKind
    rate_key: str
    installation: Installation | None = None
    token: Token | None = None
    user: Account | None = None

    def may_reach(self, repository: Repository, world: World) -> bool:
        """Whether this repository exists for the caller; where not, GitHub says 404."""
        if self.kind == "app":
            return True
        if self.installation is not None and self.token is not None:
            allowed = self.token.repository_ids
            return world.reaches(self.installation, repository) and (allowed is None or repository.id in allowed)
        return not repository.private or (self.user is not None and world.role(self.user, repository) != "none")

    def has(self, needed: Mapping[str, str]) -> bool:
        """Whether an installation token carries all of these permissions."""
        if self.token is None or self.installation is None:
            return True
        levels = {"read": 1, "write": 2, "admin": 3}
        held = {
            name: min(levels[level], levels.get(self.installation.permissions.get(name, ""), 0))
            for name, level in self.token.permissions.items()
        }
        return all(held.get(name, 0) >= levels[level] for name, level in needed.items())


@dataclass(slots=True, kw_only=True)
class Credentials:
    """Checks JWTs, mints and checks tokens."""

    private_key_pem: str = field(repr=False)
    world: World
    users: UserTokens
    clock: Callable[[], float]
    tokens: dict[str, Token] = field(default_factory=dict)
    key: rsa.RSAPublicKey = field(init=False)

    def __post_init__(self) -> None:
        self.use_private_key(self.private_key_pem)

    def mint(
        self, installation: Installation, permissions: Mapping[str, str], repositories: frozenset[int] | None
    ) -> str:
        """A new installation token of today's length, some 520 characters, to be treated as opaque."""
        self._forget_expired()
        value = "ghs_" + secrets.token_urlsafe(387)
        self.tokens[value] = Token(
            installation_id=installation.id,
            permissions=dict(permissions),
            repository_ids=repositories,
            expires_at=self.clock() + TOKEN_LIFETIME_S,
        )
        return value

    def use_private_key(self, pem: str) -> None:
        """Take JWTs that this key signed from now on, and no others."""
        self.private_key_pem, self.key = pem, public_key(pem)

    def revoke_installation_tokens(self, installation_id: int) -> int:
        """Make every token of the installation 401 from now on. Returns how many there were."""
        doomed = [value for value, token in self.tokens.items() if token.installation_id == installation_id]
        for value in doomed:
            del self.tokens[value]
        return len(doomed)

    def installation_id(self, request: Request) -> int | None:
        """Which installation a request speaks for, without judging it; for faults and the log."""
        token = self.tokens.get(_bearer(request))
        return None if token is None else token.installation_id

    def check(self, request: Request) -> Caller:
        """Who this is. Raises ApiError 401 or 403."""
        value = _bearer(request)
        if not value:
            return Caller(kind="anonymous", rate_key="anonymous")
        if value.count(".") == 2 and not value.startswith("gh"):
            self._check_jwt(value)
            return Caller(kind="app", rate_key="app")
        user = self.users.owner(value)
        if user is not None:
            return Caller(kind="user", rate_key=f"user {user.id}", user=user)
        token = self.tokens.get(value)
        if token is None or token.expires_at <= self.clock():
            raise ApiError(401, "Bad credentials")
        try:
            installation = self.world.installation(token.installation_id)
        except UnknownThing:
            raise ApiError(401, "Bad credentials") from None
        if installation.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        if token.refusals:
            status = token.refusals.pop(0)
            raise ApiError(status, "Bad credentials" if status == 401 else "Resource not accessible by integration")
        return Caller(
            kind="installation", rate_key=f"installation {installation.id}", installation=installation, token=token
        )

    def _check_jwt(self, value: str) -> None:
        try:
            claims = jwt.decode(
                value,
                self.key,
                algorithms=["RS256"],
                # Times are compared below with the simulator's own clock.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
            )
        except jwt.InvalidIssuerError:
            raise ApiError(401, "'Issuer' claim ('iss') must be a string") from None
        except jwt.PyJWTError:
            raise ApiError(401, "A JSON web token could not be decoded") from None
        now, expires_at, issued_at = self.clock(), claims.get("exp"), claims.get("iat")
        app = self.world.shapes.app_info
        if claims.get("iss") not in (str(app.id), app.client_id):
            raise ApiError(401, "'Issuer' claim ('iss') must be an Integer or the client ID of this App")
        if not isinstance(expires_at, int | float) or expires_at <= now - CLOCK_LEEWAY_S:
            raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value in the future")
        if not isinstance(issued_at, int | float) or issued_at > now + CLOCK_LEEWAY_S:
            raise ApiError(401, "'Issued at' claim ('iat') must be an Integer in the past")
        if expires_at > now + JWT_LIFETIME_S + CLOCK_LEEWAY_S or expires_at - issued_at > JWT_LIFETIME_S + 60:
            raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")

    def _forget_expired(self) -> None:
        now = self.clock()
        for value in [value for value, token in self.tokens.items() if token.expires_at <= now]:
            del self.tokens[value]


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() in ("bearer", "token") else ""
