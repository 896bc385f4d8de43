"""Sign in at an OpenID Connect provider: authorization code with PKCE, the ID token verified.

joserfc verifies, httpx asks. What a browser needs to come back lies in its own cookie, so that
strangers who begin and never come back use up nothing here.
"""

import asyncio
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from math import inf
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.domain.oidc_client import CLAIMED_ROLES, OidcClient
from gateway.domain.permissions import UserRole
from gateway.storage.errors import logged
from gateway.systems.users.credentials import new_token, token_digest
from gateway.systems.users.model import (
    NewSession,
    RoleGrant,
    SessionLimits,
    SignInLink,
    UserAct,
    UserError,
    checked_name,
)
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import RefusalQuota, SignedIn
from gateway.systems.users.sql import UserStore

log = structlog.get_logger()

# Asymmetric ones alone: a secret that the provider shares is none that signs.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
PENDING_S = 600
_LEEWAY_S = 60
_TIMEOUT_S = 5.0
_MOST_OCTETS = 256 * 1024
_GOOD_FOR_S, _ASK_AGAIN_S = 3600.0, 60.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class OidcRefusal(StrEnum):
    """Why a sign-in at the provider was refused."""

    STATE = "state"  # begun in another browser, or too long ago
    DENIED = "denied"  # by the provider
    PROVIDER = "provider"  # it does not answer, or otherwise than it must
    TOKEN = "token"  # noqa: S105 - what it answers proves nothing
    NO_USER = "no_user"
    NO_ROLE = "no_role"


class OidcError(Exception):
    """A sign-in at the provider came to nothing."""

    def __init__(self, refusal: OidcRefusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class PendingSignIn(NamedTuple):
    """What a browser keeps while its user is at the provider, and where it goes then."""

    state: str
    nonce: str
    verifier: str
    path: str

    def cookie(self) -> str:
        """Return it as the value of a cookie."""
        return urlsafe_b64encode(json.dumps(self).encode()).decode()


class _Endpoints(NamedTuple):
    authorization: str
    token: str
    keys: str


class OidcProvider:
    """Asks one provider; `now` is in monotonic seconds, `utcnow` in UTC."""

    def __init__(
        self,
        client: OidcClient,
        now: Callable[[], float],
        utcnow: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.client = client
        self._now = now
        self._utcnow = utcnow
        self._transport = transport
        self._asking = asyncio.Lock()
        self._found: _Endpoints | None = None
        self._found_at = -inf
        self._keys: KeySet | None = None
        self._keys_at = -inf

    async def address(self, pending: PendingSignIn) -> str:
        """Return where a browser goes to sign in. Raises OidcError."""
        endpoints = await self._endpoints()
        challenge = urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": "openid profile",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        glue = "&" if urlsplit(endpoints.authorization).query else "?"
        return f"{endpoints.authorization}{glue}{urlencode(asked)}"

    async def claims(self, code: str, pending: PendingSignIn) -> Mapping[str, Any]:
        """Return what the provider vouches for, for a code that a browser brought.

        Raises OidcError.
        """
        endpoints = await self._endpoints()
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": pending.verifier,
        }
        answer = await self._asked("POST", endpoints.token, given)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError(OidcRefusal.TOKEN)
        return await self._verified(token, pending.nonce, endpoints)

    async def _verified(self, token: str, nonce: str, endpoints: _Endpoints) -> Mapping[str, Any]:
        try:
            claims = await self._decoded(token, endpoints)
            jwt.JWTClaimsRegistry(
                now=int(self._utcnow().timestamp()),
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self.client.issuer},
                aud={"essential": True, "value": self.client.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(dict(claims))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("user.oidc_refused", why=type(error).__name__)
            raise OidcError(OidcRefusal.TOKEN) from error
        audience = claims["aud"]
        is_shared = isinstance(audience, list) and len(audience) > 1
        authorized = claims.get("azp", None if is_shared else self.client.client_id)
        if authorized != self.client.client_id:  # Core 1.0, 3.1.3.7: given to somebody else
            raise OidcError(OidcRefusal.TOKEN)
        return claims

    async def _decoded(self, token: str, endpoints: _Endpoints) -> Mapping[str, Any]:
        """Return the claims of a signed token; keys are read again where none fits."""
        asked_at = self._now()
        try:
            return jwt.decode(token, await self._key_set(endpoints), list(ALGORITHMS)).claims
        except (JoseError, ValueError):
            if self._now() - self._keys_at < _ASK_AGAIN_S or self._keys_at >= asked_at:
                raise
        self._keys = None
        return jwt.decode(token, await self._key_set(endpoints), list(ALGORITHMS)).claims

    async def _key_set(self, endpoints: _Endpoints) -> KeySet:
        async with self._asking:
            if self._keys is None or self._now() - self._keys_at > _GOOD_FOR_S:
                found = await self._asked("GET", endpoints.keys)
                self._keys = KeySet.import_key_set({"keys": list(found["keys"])})
                self._keys_at = self._now()
            return self._keys

    async def _endpoints(self) -> _Endpoints:
        async with self._asking:
            if self._found is None or self._now() - self._found_at > _GOOD_FOR_S:
                issuer = self.client.issuer
                place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
                said = await self._asked("GET", place)
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                found = [said.get(name) for name in names]
                if said.get("issuer") != issuer or not all(map(is_safe_address, found)):
                    log.warning("user.oidc_refused", why="its configuration is another's")
                    raise OidcError(OidcRefusal.PROVIDER)
                self._found = _Endpoints(*map(str, found))
                self._found_at = self._now()
            return self._found

    async def _asked(
        self, method: str, address: str, given: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Return the JSON object that the provider answers; it is not read past its bound."""
        own = (self.client.client_id, self.client.client_secret)
        try:
            async with (
                asyncio.timeout(2 * _TIMEOUT_S),
                httpx.AsyncClient(transport=self._transport, timeout=_TIMEOUT_S) as http,
                http.stream(
                    method, address, data=given, auth=own if given is not None else None
                ) as answer,
            ):
                octets = bytearray()
                async for part in answer.aiter_bytes():
                    octets += part
                    if len(octets) > _MOST_OCTETS:
                        break
                status = answer.status_code
            said = json.loads(octets[: _MOST_OCTETS + 1])  # what is cut off is no JSON
        except (httpx.HTTPError, ValueError, TimeoutError, RecursionError) as error:
            log.warning("user.oidc_refused", why=type(error).__name__)
            raise OidcError(OidcRefusal.PROVIDER) from error
        if status != httpx.codes.OK or not isinstance(said, dict):
            log.warning("user.oidc_refused", why=f"status {status}")
            raise OidcError(OidcRefusal.PROVIDER)
        return said


def is_safe_address(address: object) -> bool:
    """Tell whether an address is https, or on this machine: a token is not sent in the clear."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


@dataclass(frozen=True, slots=True)
class OidcStores:
    """Where users and their sessions are kept, how long these last, what the audit has room for."""

    users: UserStore
    sessions: UserSessionStore
    limits: SessionLimits
    refusals: RefusalQuota


@dataclass(frozen=True, slots=True)
class ReturnedBrowser:
    """What a browser brings back from the provider: in its query, and in its cookies."""

    query: Mapping[str, str]
    cookie: str = field(repr=False)
    address: str
    session_token: str = field(repr=False, default="")
    device_token: str = field(repr=False, default="")


class OidcDesk:
    """Signs people in whom the provider vouches for. The second factor is the provider's.

    Every call may raise StoreUnavailable, and OidcError.
    """

    def __init__(
        self,
        provider: OidcProvider,
        stores: OidcStores,
        now: Callable[[], float],
        utcnow: Callable[[], datetime],
    ) -> None:
        self._provider = provider
        self._stores = stores
        self._now = now
        self._utcnow = utcnow

    @property
    def label(self) -> str:
        """Return what people call the provider."""
        return self._provider.client.label

    async def begin(self, path: str) -> tuple[str, str]:
        """Return where the browser goes, and the cookie that it brings back; it lands on `path`."""
        pending = PendingSignIn(new_token(), new_token(), secrets.token_urlsafe(48), path)
        return await self._provider.address(pending), pending.cookie()

    async def finish(self, browser: ReturnedBrowser) -> tuple[SignedIn, str]:
        """Open a session for who comes back; return it, and the path to land on."""
        try:
            return await self._finish(browser)
        except OidcError as error:
            now, at = self._now(), self._utcnow()
            why = f"oidc: {error.refusal}"
            if self._stores.refusals.admits("sign-in", why, browser.address, now):
                note = self._stores.sessions.note_refusal
                await logged(note("users", why, browser.address, at))
            raise

    async def _finish(self, browser: ReturnedBrowser) -> tuple[SignedIn, str]:
        pending = _pending_of(browser.cookie)
        state = browser.query.get("state", "")
        if pending is None or not compare_digest(state.encode(), pending.state.encode()):
            raise OidcError(OidcRefusal.STATE)
        issuer = browser.query.get("iss", self._provider.client.issuer)
        if issuer != self._provider.client.issuer:  # RFC 9207: the answer of another provider
            raise OidcError(OidcRefusal.STATE)
        code = browser.query.get("code", "")
        if "error" in browser.query or not code:
            raise OidcError(OidcRefusal.DENIED)
        claims = await self._provider.claims(code, pending)
        name = await self._user_of(claims)
        token, device = new_token(), new_token()
        new = NewSession(
            token_digest(token),
            token_digest(device),
            token_digest(browser.session_token),
            token_digest(browser.device_token),
            browser.address,
            self._utcnow(),
        )
        if not await self._stores.sessions.open_vouched(name, new, self._stores.limits, "oidc"):
            raise OidcError(OidcRefusal.NO_USER)
        log.info("user.signed_in", name=name, recovery_code=False)
        return SignedIn(name, token, device), pending.path

    async def _user_of(self, claims: Mapping[str, Any]) -> str:
        """Return the name of the user that claims are about, made or given a role as they say."""
        client = self._provider.client
        try:
            name = checked_name(str(claims.get(client.name_claim, "")))
        except UserError as error:
            raise OidcError(OidcRefusal.NO_USER) from error
        role, act = client.role_of(claims), UserAct("oidc", self._utcnow())
        user = await self._stores.users.get(name)
        if user is None:
            await self._make(name, role, act)
        elif client.role_claim and user.grant.role in CLAIMED_ROLES:
            # A role that a person has given with a limit, or that of an admin, stays.
            if role is None:
                raise OidcError(OidcRefusal.NO_ROLE)
            if role is not user.grant.role:
                await self._stores.users.give_role(name, RoleGrant(role), act)
        return name

    async def _make(self, name: str, role: UserRole | None, act: UserAct) -> None:
        if not self._provider.client.makes_users:
            raise OidcError(OidcRefusal.NO_USER)
        if role is None:
            raise OidcError(OidcRefusal.NO_ROLE)
        # The link is over, and no person has its token: the provider is the only way in.
        link = SignInLink(token_digest(new_token()), act.at)
        await self._stores.users.add(name, RoleGrant(role), link, act)


def _pending_of(cookie: str) -> PendingSignIn | None:
    try:
        found = json.loads(urlsafe_b64decode(cookie.encode()))
        pending = PendingSignIn(*found)
    except (ValueError, TypeError):
        return None
    return pending if all(isinstance(one, str) for one in pending) else None
