"""People sign in at a provider: what it says is verified, and nothing else opens a session."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gateway.domain.oidc_client import OidcClient
from gateway.domain.permissions import UserRole
from gateway.systems.quarantine.campaign_pages import HELD
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.oidc import OidcProvider, is_safe_address
from gateway.systems.users.service import UserDesk
from tests.console.browsing import Site, post
from tests.systems.users.people import NOON, StillClock

ISSUER = "https://id.example"
DONE = "https://console.example/sign-in/oidc/done"
CLIENT = OidcClient(ISSUER, "smsward", "a secret of the provider and us", DONE, label="Carrier ID")
ACT = UserAct("test", NOON)


@dataclass
class Provider:
    """A small provider: it signs anybody in, as the claims say."""

    clock: StillClock
    issuer: str = ISSUER
    redirect_uri: str = DONE
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "lin"})
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "k1"})
    configuration: dict[str, Any] = field(default_factory=dict)
    signer: Any = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    challenges: dict[str, str] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/authorize", self._page),
                Route("/.well-known/openid-configuration", self._about),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def authorize(self, address: str) -> str:
        """Sign somebody in at the address that a browser was sent to; return where it goes then."""
        parts = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT.client_id
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code{len(self.challenges)}"
        self.challenges[code], self.nonces[code] = asked["code_challenge"], asked["nonce"]
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"

    async def _page(self, request: Request) -> Response:
        back = escape(self.authorize(str(request.url)))
        return HTMLResponse(f"<!doctype html><title>id</title><a id=yes href='{back}'>lin</a>")

    async def _about(self, _request: Request) -> Response:
        self.asked.append("configuration")
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return JSONResponse({**usual, **self.configuration}, self.status)

    async def _keys(self, _request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        body = parse_qs((await request.body()).decode())
        given = {name: values[0] for name, values in body.items()}
        scheme, _, credentials = request.headers["authorization"].partition(" ")
        client = urlsafe_b64decode(credentials.encode()).decode().split(":", 1)
        digest = sha256(given["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        expected = self.challenges.pop(given["code"], None)  # a code is good once
        if (scheme, client) != ("Basic", [CLIENT.client_id, CLIENT.client_secret]):
            return JSONResponse({"error": "invalid_client"}, 401)
        if expected != challenge or given["redirect_uri"] != self.redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.clock.at.timestamp())
        usual = {
            "iss": self.issuer,
            "aud": CLIENT.client_id,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonces[given["code"]],
        }
        claims = {name: one for name, one in (usual | self.claims).items() if one is not None}
        if self.header["alg"] == "none":
            parts = (urlsafe_b64encode(json.dumps(one).encode()) for one in (self.header, claims))
            token = b".".join((*(one.rstrip(b"=") for one in parts), b"")).decode()
        else:
            token = jwt.encode(self.header, claims, self.signer or self.key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})


@pytest.fixture
def provider(site: Site) -> Provider:
    return Provider(site.clock)


@pytest.fixture
def client() -> OidcClient:
    return CLIENT


@pytest.fixture
async def browser(
    site: Site, provider: Provider, client: OidcClient
) -> AsyncIterator[httpx.AsyncClient]:
    clocks = site.clock.clocks
    transport = httpx.ASGITransport(provider.app())
    site.oidc = OidcProvider(client, clocks.now, clocks.utcnow, transport)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(site.app()), base_url="https://console.example"
    ) as browser:
        browser.headers["Accept-Language"] = "en"
        yield browser


async def add(site: Site, name: str = "lin", role: UserRole = UserRole.REVIEWER) -> None:
    limit = {"system_id": "sp1"} if role is UserRole.SENDER else {}
    await UserDesk(site.stores.users).add(name, role, ACT, **limit)


async def go(browser: httpx.AsyncClient, provider: Provider, path: str = "/") -> httpx.Response:
    """Go to the provider, sign in there, and come back."""
    begun = await browser.get(f"/sign-in/oidc?{urlencode({'next': path})}")
    assert begun.status_code == 303, begun.text
    return await browser.get(provider.authorize(begun.headers["location"]))


async def is_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get(HELD.path)).status_code == 200


async def test_who_is_vouched_for_is_in_and_lands_where_he_wanted(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    page = await browser.get("/sign-in?next=/held")

    answer = await go(browser, provider, "/held?state=held")

    assert 'href="/sign-in/oidc?next=/held"' in page.text
    assert "Sign in with Carrier ID" in page.text
    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/held?state=held"
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith("smsward_session="))
    assert all(word in session for word in ("HttpOnly", "SameSite=strict", "Secure"))
    assert await is_in(browser)
    (found,) = await site.stores.user_sessions.sessions_of("lin", NOON, SessionLimits())
    assert found.grant.role is UserRole.REVIEWER
    journal = await site.stores.journals.accesses(5)
    assert any(one.action == "user sign-in" and "oidc" in str(one) for one in journal)
    # Configuration and keys are read once for many.
    await go(browser, provider)
    assert provider.asked.count("keys") == provider.asked.count("configuration") == 1


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_led_to_another_site(
    browser: httpx.AsyncClient, provider: Provider, site: Site, path: str
) -> None:
    await add(site)

    answer = await go(browser, provider, path)

    assert answer.headers["refresh"] == "0; url=/"
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": ["smsward", "other"]},
        {"aud": ["smsward", "other"], "azp": "other"},
        {"azp": "other"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": int((NOON - timedelta(minutes=5)).timestamp())},
        {"exp": None},
        {"iat": None},
        {"iat": int((NOON + timedelta(hours=1)).timestamp())},
        {"nbf": int((NOON + timedelta(hours=1)).timestamp())},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_sign_in_opens_nothing(
    browser: httpx.AsyncClient, provider: Provider, site: Site, claims: Mapping[str, Any]
) -> None:
    await add(site)
    provider.claims |= claims

    answer = await go(browser, provider)

    assert answer.status_code == 502
    assert "could not be verified" in answer.text
    assert not await is_in(browser)


async def test_a_token_for_several_that_names_this_client_is_taken(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    provider.claims |= {"aud": ["other", "smsward"], "azp": "smsward"}

    assert (await go(browser, provider)).status_code == 200


async def test_only_the_keys_of_the_provider_sign(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    forged = [
        (RSAKey.generate_key(2048, {"kid": "k1"}), {"alg": "RS256", "kid": "k1"}),
        (RSAKey.generate_key(2048, {"kid": "k2"}), {"alg": "RS256", "kid": "k2"}),
        (OctKey.import_key(CLIENT.client_secret), {"alg": "HS256", "kid": "k1"}),
        (None, {"alg": "none"}),
    ]

    for provider.signer, provider.header in forged:
        assert (await go(browser, provider)).status_code == 502
    assert not await is_in(browser)


async def test_a_provider_may_change_its_keys(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    await go(browser, provider)
    provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
    provider.header = {"alg": "RS256", "kid": "k2"}

    too_soon = await go(browser, provider)
    site.clock.move(61)
    later = await go(browser, provider)

    assert (too_soon.status_code, later.status_code) == (502, 200)
    assert provider.asked.count("keys") == 2


async def test_who_comes_back_must_have_gone_from_this_browser(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    begun = await browser.get("/sign-in/oidc")
    back = provider.authorize(begun.headers["location"])
    cookie = browser.cookies["smsward_oidc"]
    browser.cookies.clear()

    stranger = await browser.get(back)
    bent = await browser.get(f"{back}x", headers={"Cookie": f"smsward_oidc={cookie}"})
    broken = await browser.get(back, headers={"Cookie": "smsward_oidc=WzEsMiwzLDRd"})
    mixed = await browser.get(
        f"{back}&iss=https://other.example", headers={"Cookie": f"smsward_oidc={cookie}"}
    )

    assert [one.status_code for one in (stranger, bent, broken, mixed)] == [400] * 4
    assert "not begun here" in stranger.text
    assert "token" not in provider.asked
    assert not await is_in(browser)


async def test_a_code_and_its_verifier_are_good_once(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site)
    begun = await browser.get("/sign-in/oidc")
    back, cookie = provider.authorize(begun.headers["location"]), browser.cookies["smsward_oidc"]

    first = await browser.get(back)
    again = await browser.get(back, headers={"Cookie": f"smsward_oidc={cookie}"})

    assert (first.status_code, again.status_code) == (200, 502)
    assert "smsward_oidc" not in browser.cookies


async def test_what_the_provider_refuses_is_told(browser: httpx.AsyncClient, site: Site) -> None:
    await add(site)
    begun = await browser.get("/sign-in/oidc")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]

    answer = await browser.get(f"/sign-in/oidc/done?error=access_denied&state={state}")

    assert answer.status_code == 401
    assert "did not sign you in" in answer.text
    journal = await site.stores.journals.accesses(3)
    assert any("oidc: denied" in str(one) for one in journal)


@pytest.mark.parametrize(
    ("configuration", "status"),
    [
        ({"issuer": "https://other.example"}, 200),
        ({"token_endpoint": "http://id.example/token"}, 200),
        ({"jwks_uri": None}, 200),
        ({"padding": "x" * 300_000}, 200),
        ({}, 500),
    ],
    ids=lambda said: str(said)[:30],
)
async def test_a_provider_that_is_not_as_it_must_be_is_not_gone_to(
    browser: httpx.AsyncClient,
    provider: Provider,
    configuration: dict[str, Any],
    status: int,
) -> None:
    provider.configuration, provider.status = configuration, status

    answer = await browser.get("/sign-in/oidc")

    assert answer.status_code == 502
    assert "does not answer as it should" in answer.text


@pytest.mark.parametrize("name", ["unknown", "Lin Wei", "", None, 7])
async def test_an_unknown_user_is_not_made_unasked(
    browser: httpx.AsyncClient, provider: Provider, site: Site, name: object
) -> None:
    await add(site)
    provider.claims["preferred_username"] = name

    answer = await go(browser, provider)

    assert answer.status_code == 403
    assert "ask an administrator" in answer.text
    assert [one.name for one in await site.stores.users.listed()] == ["lin"]


async def test_a_disabled_user_stays_out(
    browser: httpx.AsyncClient, provider: Provider, site: Site
) -> None:
    await add(site, "wu", UserRole.ADMIN)
    await add(site)
    await UserDesk(site.stores.users).disable("lin", ACT)

    assert (await go(browser, provider)).status_code == 403
    assert not await is_in(browser)


class TestUsersAreMade:
    """Where it is said so, with a default role, and no other way in."""

    @pytest.fixture
    def client(self) -> OidcClient:
        return replace(CLIENT, makes_users=True, default_role=UserRole.REVIEWER)

    async def test_a_new_user_has_the_default_role_and_no_password(
        self, browser: httpx.AsyncClient, provider: Provider, site: Site
    ) -> None:
        answer = await go(browser, provider)

        assert answer.status_code == 200
        (user,) = await site.stores.users.listed()
        assert (user.name, user.grant.role) == ("lin", UserRole.REVIEWER)
        assert (user.is_enrolled, user.created_by) == (False, "oidc")
        browser.cookies.clear()
        typed = {"name": "lin", "password": "", "code": "000000"}
        assert (await post(browser, "/sign-in", typed)).status_code == 401


class TestRolesAreClaimed:
    """The claim gives the role at each sign-in, but for those that people give."""

    @pytest.fixture
    def client(self) -> OidcClient:
        roles = {"sms-lead": UserRole.SENIOR_REVIEWER, "sms-review": UserRole.REVIEWER}
        return replace(CLIENT, role_claim="groups", roles=roles, makes_users=True)

    async def role(self, site: Site) -> UserRole:
        user = await site.stores.users.get("lin")
        assert user is not None
        return user.grant.role

    async def test_the_first_group_that_is_known_is_the_role(
        self, browser: httpx.AsyncClient, provider: Provider, site: Site
    ) -> None:
        provider.claims["groups"] = ["all", "sms-review"]
        await go(browser, provider)
        made = await self.role(site)
        provider.claims["groups"] = ["sms-review", "sms-lead"]
        await go(browser, provider)
        raised = await self.role(site)
        provider.claims["groups"] = "sms-review"
        await go(browser, provider)

        assert made is UserRole.REVIEWER
        assert raised is UserRole.SENIOR_REVIEWER
        assert await self.role(site) is UserRole.REVIEWER
        assert await is_in(browser)

    @pytest.mark.parametrize("groups", [[], ["all"], None, {"sms-lead": 1}, "sms"])
    async def test_without_a_group_there_is_no_way_in(
        self, browser: httpx.AsyncClient, provider: Provider, site: Site, groups: object
    ) -> None:
        provider.claims["groups"] = groups

        unknown = await go(browser, provider)
        nobody = await site.stores.users.listed()
        await add(site)
        known = await go(browser, provider)

        assert (unknown.status_code, known.status_code) == (403, 403)
        assert nobody == []
        assert "no role here" in known.text

    @pytest.mark.parametrize("role", [UserRole.ADMIN, UserRole.SENDER])
    async def test_a_role_that_a_person_gave_stays(
        self, browser: httpx.AsyncClient, provider: Provider, site: Site, role: UserRole
    ) -> None:
        await add(site, role=role)
        provider.claims["groups"] = ["sms-lead"]

        assert (await go(browser, provider)).status_code == 200
        assert await self.role(site) is role


async def test_without_a_provider_there_is_no_such_page(site: Site) -> None:
    transport = httpx.ASGITransport(site.app())
    async with httpx.AsyncClient(transport=transport, base_url="https://console") as browser:
        page, other = await browser.get("/sign-in"), await browser.get("/sign-in/oidc")

    assert "/sign-in/oidc" not in page.text
    assert other.status_code == 404


def test_a_token_goes_over_tls_or_stays_on_this_machine() -> None:
    assert is_safe_address("https://id.example/token")
    assert is_safe_address("http://127.0.0.1:8080/token")
    for address in ("http://id.example/", "ftp://id.example", "", None, 5, "https://["):
        assert not is_safe_address(address)


def test_a_secret_is_not_in_what_is_printed() -> None:
    assert CLIENT.client_secret not in repr(CLIENT)
    assert json.dumps(CLIENT.issuer) in f'"{CLIENT.issuer}"'
