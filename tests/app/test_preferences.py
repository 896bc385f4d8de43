"""What a subscriber wants to receive holds in a running gateway (R50, R51)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.app import followers
from gateway.app.gateway import Gateway
from gateway.policy.hub_words import PreferenceCommand, hub_command_of
from gateway.policy.preferences import Preferences
from gateway.runtime.clock import utcnow
from gateway.storage.errors import StoreUnavailable
from gateway.systems.preferences.service import PreferencesFollower, obey
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, CODES, DESTINATION = "10690001", "10690002", "13800138000"
SUBSCRIBER = 8613800138000
HOUSES = "江景新房盛大开盘，首付二十万"
FILES = {
    "policies/rules/consent.yaml": None,
    "policies/rules/preferences.yaml": """\
version: 1
rules:
  - id: R50
    check: user_preference
    title: {zh: 用户接收设置, en: What the subscriber wants}
    article: SEED
    mode: enforce
    applies_to: [verification, service, commercial]
""",
    "policies/keywords/houses.yaml": """\
version: 1
id: K-HOUSES
category: real_estate
action: shadow
words: [首付]
""",
}


async def command(gateway: Gateway, text: str) -> str:
    meant = hub_command_of(text)
    assert isinstance(meant, PreferenceCommand)
    return await obey(gateway.stores.preferences, SUBSCRIBER, meant, utcnow())


async def test_r51_what_a_subscriber_blocks_is_stopped_within_a_second_and_comes_back(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start(FILES)
    monkeypatch.setattr(followers, "_EVERY_S", 0.25)  # as in earnest
    esme = await attach(gateway)

    await command(gateway, "屏蔽 房产")
    async with asyncio.timeout(60):
        while (stopped := await esme.submit(SOURCE, DESTINATION, HOUSES)).is_ok:
            pass
    other = await esme.submit(SOURCE, DESTINATION, "秋季上新")
    neighbour = await esme.submit(SOURCE, "13800138001", HOUSES)
    await command(gateway, "取消屏蔽 房产")
    async with asyncio.timeout(60):
        while not (await esme.submit(SOURCE, DESTINATION, HOUSES)).is_ok:
            pass

    assert stopped.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert other.is_ok
    assert neighbour.is_ok


async def test_r50_preferences_on_record_hold_from_the_first_message(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    first = await start(FILES)
    await command(first, "屏蔽 房产")
    await command(first, "屏蔽 10690002")
    await first.stop()
    gateway = await start(FILES)
    marketing, codes = await attach(gateway), await attach(gateway, "sp2")

    stopped = await marketing.submit(SOURCE, DESTINATION, HOUSES)
    blocked = await codes.submit(CODES, DESTINATION, "您的验证码是482913")

    assert {stopped.command_status, blocked.command_status} == {CommandStatus.ESME_RSUBMITFAIL}
    assert smsc.journal == []


async def test_the_last_known_preferences_hold_while_nothing_new_can_be_read(
    start: Start,
    attach: Attach,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followers, "_STALE_S", 0.0)
    held: list[Preferences] = []

    async def failing(self: PreferencesFollower) -> int:
        held.append(vars(self)["_preferences"])
        raise StoreUnavailable("no disk")

    gateway = await start(FILES)
    await command(gateway, "屏蔽 房产")
    esme = await attach(gateway)
    async with asyncio.timeout(60):
        while (await esme.submit(SOURCE, DESTINATION, HOUSES)).is_ok:
            pass

    monkeypatch.setattr(PreferencesFollower, "catch_up", failing)
    await told("preferences.behind")
    stopped = await esme.submit(SOURCE, DESTINATION, HOUSES)

    assert not held[0].is_current
    assert stopped.command_status == CommandStatus.ESME_RSUBMITFAIL


async def test_no_line_of_the_log_names_a_subscriber(
    start: Start, attach: Attach, until: Until, log: LogLines
) -> None:
    gateway = await start(FILES)
    await command(gateway, "屏蔽 房产")
    esme = await attach(gateway)
    async with asyncio.timeout(60):
        while (await esme.submit(SOURCE, DESTINATION, HOUSES)).is_ok:
            pass
    await until(lambda: any(line["event"] == "preferences.loaded" for line in log))

    assert not any(str(value) in str(log) for value in (SUBSCRIBER, DESTINATION))
