"""The API and a gateway on one store: orders and codes go out, and what they open holds."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import time
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from gateway.app import followers
from gateway.app.console import ConsoleProcess, routers_of
from gateway.app.gateway import Gateway
from gateway.console.application import build_api
from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.subscription import Hub
from gateway.policy.checks.outside_window import usual_hours
from gateway.policy.hours import Window, WindowSet
from gateway.settings.console import ConsoleSettings
from gateway.settings.schema import Address
from gateway.settings.services import load_offered
from gateway.stores import open_store
from gateway.web.access import ClientAccess
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Deploy = Callable[..., tuple[Path, Path]]
Ask = Callable[..., Awaitable[httpx.Response]]

NUMBER, PORT, HUB = "13800138000", "10690001", "10086"
HOUSES = "江景新房盛大开盘，首付二十万"
SERVICES = """\
version: 1
services:
  - {system_id: sp1, id: weather, name: 天气, port: "10690001", price_fen: 500, order_words: [DY]}
"""
REPLIES = 'version: 1\nopted_out: "您已退订"\nrestored: "您已恢复"\n'
PREFERENCES = """\
version: 1
rules:
  - id: R50
    check: user_preference
    title: {zh: 用户接收设置, en: What the subscriber wants}
    article: SEED
    mode: enforce
    applies_to: [verification, service, commercial]
"""
# Tests run at any hour, and their subscribers never sleep.
HOURS = """\
version: 1
rules:
  - id: R40
    check: outside_window
    title: {zh: 时段, en: Hours}
    article: SEED
    mode: enforce
    applies_to: [commercial]
    open: ["00:00-24:00"]
    action: defer
"""
ALL_DAY = replace(usual_hours(), windows=WindowSet((Window(time(0), time(0)),)))
KEYWORDS = """\
version: 1
id: K-HOUSES
category: real_estate
action: shadow
words: [首付]
"""


@pytest.fixture
async def gateway(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    config, _ = deploy(smsc.port)
    written = (config / "gateway.yaml").read_text(encoding="utf-8")
    gateway = await start(
        {
            "config/gateway.yaml": f'{written}hub: {{codes: ["{HUB}"]}}\n',
            "config/services.yaml": SERVICES,
            "policies/replies.yaml": REPLIES,
            "policies/rules/preferences.yaml": PREFERENCES,
            "policies/rules/hours.yaml": HOURS,
            "policies/keywords/houses.yaml": KEYWORDS,
        }
    )
    gateway.policies.offer(load_offered(config))
    monkeypatch.setattr(followers, "_EVERY_S", 0.25)  # as in earnest
    return gateway


@pytest.fixture
async def ask(gateway: Gateway, tmp_path: Path) -> AsyncIterator[Ask]:
    """Ask the API, which has the store open for itself, as the app or the SP."""
    stores = await open_store(gateway.settings.store.url)
    clients = [
        ApiClient("app", ApiRole.APP, sha256(b"app").digest()),
        ApiClient("shop", ApiRole.SP, sha256(b"shop").digest(), system_id="sp1"),
    ]
    settings = ConsoleSettings(version=1, address=Address("127.0.0.1", 0), clients=())
    console = ConsoleProcess(
        settings,
        {"sp1"},
        gateway.settings.store.url,
        services=load_offered(tmp_path / "config"),
        hub=Hub(frozenset({HUB})),
    )
    console.hours = ALL_DAY
    app = build_api(ClientAccess(clients, lambda: 0.0), routers_of(stores, console))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api"
    ) as client:

        async def ask(
            name: str, method: str, path: str, body: object = None, session: str = ""
        ) -> httpx.Response:
            headers = {"Authorization": f"Bearer {name}", "Subscriber-Session": session}
            return await client.request(method, path, json=body, headers=headers)

        yield ask
    await stores.close()


def told(smsc: SimulatedSmsc) -> list[tuple[str, str]]:
    """Return what the gateway itself wrote: from where, and what."""
    journal = [one for one in smsc.journal if one.destination == f"86{NUMBER}"]
    return [(one.source, one.octets.decode("utf-16-be")) for one in journal]


async def test_r51_a_code_by_sms_opens_preferences_that_hold_within_a_second(
    gateway: Gateway, attach: Attach, ask: Ask, smsc: SimulatedSmsc, until: Until
) -> None:
    esme = await attach(gateway)

    await ask("app", "POST", "/v1/subscribers/codes", {"number": NUMBER})
    await until(lambda: len(told(smsc)) == 1)
    ((source, text),) = told(smsc)
    (code,) = re.findall(r"\d{6}", text)
    proof = {"number": NUMBER, "code": code}
    opened = await ask("app", "POST", "/v1/subscribers/sessions", proof)
    session = opened.json()["token"]
    wish = {"kind": "category", "value": "房产", "action": "block"}
    assert (await esme.submit(PORT, NUMBER, HOUSES)).is_ok
    await ask("app", "POST", "/v1/subscribers/me/preferences", wish, session)

    async with asyncio.timeout(60):
        while (await esme.submit(PORT, NUMBER, HOUSES)).is_ok:
            pass
    assert source == HUB
    assert len(session) > 40


async def test_r24_an_order_by_api_is_active_after_the_subscribers_yes(
    gateway: Gateway, attach: Attach, ask: Ask, smsc: SimulatedSmsc, until: Until
) -> None:
    await attach(gateway)
    order = {"number": NUMBER, "service": "weather", "channel": "web"}

    async def until_asked() -> None:
        """Wait until the store knows that the request has gone."""
        async with asyncio.timeout(60):
            while True:
                found = await ask("shop", "POST", "/v1/orders/query", {"number": NUMBER})
                # Who asks without a pause is told to wait for a moment now and then.
                if found.is_success and found.json()["orders"][0]["asked_until"] is not None:
                    break

    ordered = await ask("shop", "POST", "/v1/orders", order)
    await until(lambda: len(told(smsc)) == 1)
    ((source, text),) = told(smsc)
    await until_asked()
    await smsc.deliver("sp1", NUMBER, PORT, "是".encode("utf-16-be"), data_coding=8)

    async def state() -> tuple[str, bool]:
        found = await ask("shop", "POST", "/v1/orders/query", {"number": NUMBER})
        (one,) = found.json()["orders"]
        return one["state"], one["may_be_charged"]

    assert ordered.json()["state"] == "pending"
    assert source == PORT
    assert "示例商城“天气”" in text
    assert "5元/月" in text
    async with asyncio.timeout(60):
        while await state() != ("active", True):
            pass
