"""A personal number over its caps is suspended, told once, and restored (R43)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import background
from gateway.app.background import Suspensions
from gateway.app.gateway import Gateway
from gateway.domain.categories import TrafficClass
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit, RepliesRule
from gateway.domain.sender import Port, Sender
from gateway.domain.subscription import Hub
from gateway.domain.suspension import SUBSCRIBER, Lift, NewSuspension, SuspensionTerms
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.proxy.routes import Routes
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.proxy.conftest import Wall

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
LogLines = list[dict[str, object]]

HUB, NUMBER, MSISDN, FRIEND = "10086", "13900000001", 8613900000001, "13800138000"
TOLD, RESTORED, REFUSED = "已暂停，回复HF恢复", "已恢复发送", "不能自助恢复"
TERMS = SuspensionTerms(3, ("HF", "恢复"), TOLD, RESTORED, REFUSED)
SUSPENDED, THROTTLED, TRY_AGAIN = 0x45, 0x58, 0x64
AT_FOUR = "2026-09-30T16:00:00+08:00"
OWN = {TOLD, RESTORED, REFUSED, "您已恢复"}
NOTICE = (HUB, f"86{NUMBER}", TOLD)
ALL = frozenset(TrafficClass)
AFTERNOON = "2026-09-30T15:00:00+08:00"


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    return replace(settings, hub=Hub(frozenset({HUB, "10088"})))


@pytest.fixture
def policy(bundle: Bundle) -> Bundle:
    """Two messages an hour from a personal number, under the holidays of 2026."""
    title = Title("个人号码", "Personal numbers")
    caps = TooOften((Limit((CountDimension.SOURCE,), 2, Clock.HOUR),), ("139",), TERMS)
    asks = Rule("R43-suspended", title, "FW09", SourceSuspension(), Enforcement.ENFORCE, ALL)
    return replace(
        bundle,
        replies=RepliesRule("您已退订", "您已恢复"),
        rules=(asks, Rule("R43", title, "FW09", caps, Enforcement.ENFORCE, ALL)),
        surroundings=RuleLocale(calendar=HolidayCalendar("none")),
    )


@pytest.fixture
def person(sender: Callable[..., Sender]) -> Sender:
    return sender(ports=(Port(NUMBER), Port("13900000002")))


@dataclass(frozen=True)
class Town:
    """Gateways under one policy, an SMSC behind them, and the number whose case it is."""

    start: Start
    attach: Attach
    until: Until
    smsc: SimulatedSmsc
    policy: Bundle
    person: Sender
    stores: Stores

    async def begin(self, **changes: object) -> Gateway:
        """Start a gateway; give what should be otherwise."""
        usual: dict[str, object] = {"policy": self.policy, "senders": (self.person,)}
        if "store_url" not in changes:
            usual["stores"] = self.stores
        return await self.start(**(usual | changes))

    async def become(self, gateway: Gateway, *, is_suspended: bool) -> None:
        """Wait until the number is suspended in a process and in the store, or is not."""
        sources = gateway._knowledge.suspended
        await self.until(lambda: (MSISDN in sources.until) is is_suspended and not sources.found)

    async def say(self, text: str) -> int:
        """Have the number write to the hub; return what the SMSC heard."""
        return await self.smsc.deliver("sp1", NUMBER, HUB, text)

    def told(self) -> list[tuple[str, str, str]]:
        """Return what the gateway itself wrote: from where, to whom, what."""
        all_ = [(one, one.octets.decode("utf-16-be")) for one in self.smsc.journal]
        return [(one.source, one.destination, text) for one, text in all_ if text in OWN]

    async def hear(self, *texts: str) -> None:
        """Wait until the gateway has written these, and nothing else."""
        await self.until(lambda: [text for *_, text in self.told()] == list(texts))


@pytest.fixture
def town(  # noqa: PLR0913, PLR0917 - what a town is made of
    start: Start,
    attach: Attach,
    until: Until,
    smsc: SimulatedSmsc,
    policy: Bundle,
    person: Sender,
    wall: Wall,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
) -> Town:
    monkeypatch.setattr(background, "_SUSPENSIONS_EVERY_S", 0.01)
    wall.set(AFTERNOON)
    return Town(start, attach, until, smsc, policy, person, stores)


async def go_over(esme: RawEsme) -> list[int]:
    """Send one more than an hour allows; return what was heard."""
    return [(await esme.submit(NUMBER, FRIEND, f"聚会 {nth}")).command_status for nth in range(3)]


def has(log: LogLines, event: str) -> bool:
    return any(line["event"] == event for line in log)


async def fail(*_args: object) -> bool:
    """Do what a store does that is down."""
    raise StoreUnavailable("no disk")


async def test_r43_a_number_over_its_cap_is_suspended_at_once_and_that_is_kept(
    town: Town, wall: Wall
) -> None:
    gateway = await town.begin()
    esme = await town.attach(gateway)

    heard = await go_over(esme)
    wall.set(AT_FOUR)
    next_hour = await esme.submit(NUMBER, FRIEND, "聚会改期")
    neighbour = await esme.submit("13900000002", FRIEND, "聚会改期")

    assert heard == [0, 0, THROTTLED]
    assert next_hour.command_status == SUSPENDED
    assert neighbour.is_ok
    await town.become(gateway, is_suspended=True)
    kept = await town.stores.suspensions.active_of(MSISDN)
    assert kept is not None
    assert (kept.system_id, kept.rule, kept.until) == (
        "sp1",
        "R43",
        datetime.fromisoformat("2026-10-06T00:00+08:00"),
    )


async def test_r43_and_is_told_once_how_to_be_restored(town: Town) -> None:
    first, second = await town.begin(), await town.begin()
    esme, other = await town.attach(first), await town.attach(second)

    await go_over(esme)
    await town.become(second, is_suspended=True)
    await go_over(other)
    await town.hear(TOLD)
    await town.say("在吗")
    await go_over(esme)

    assert town.told() == [NOTICE]


async def test_r43_hf_restores_at_once_but_only_once_in_a_month(town: Town, wall: Wall) -> None:
    gateway = await town.begin()
    esme = await town.attach(gateway)
    await go_over(esme)
    await town.hear(TOLD)

    heard = await town.say("HF")
    await town.become(gateway, is_suspended=False)
    same_hour = await esme.submit(NUMBER, FRIEND, "聚会改期")
    wall.set(AT_FOUR)
    next_hour = await esme.submit(NUMBER, FRIEND, "聚会改期")
    wall.set("2026-10-12T15:00:00+08:00")
    await go_over(esme)
    await town.hear(TOLD, RESTORED, TOLD)
    await town.say("恢复")
    await town.hear(TOLD, RESTORED, TOLD, REFUSED)
    wall.set("2026-10-12T16:00:00+08:00")
    still = await esme.submit(NUMBER, FRIEND, "聚会改期")

    assert heard == 0
    assert same_hour.command_status == THROTTLED  # its cap of the hour; it is not suspended anew
    assert next_hour.is_ok
    assert still.command_status == SUSPENDED
    second, first = await town.stores.suspensions.listed()
    assert (first.lifted_by, second.lifted_at) == (SUBSCRIBER, None)
    # Nobody took HF for a wish to hear from every SP again, nor did the SP hear of it.
    assert await town.stores.consent.answer_of(MSISDN, EVERY_SENDER) is None
    assert esme.pdus().qsize() == 0


async def test_r43_hf_of_a_number_that_is_not_suspended_is_about_adverts(town: Town) -> None:
    await town.attach(await town.begin())

    await town.say("HF")

    await town.hear("您已恢复")


async def test_r43_what_another_process_suspends_and_lifts_is_followed_within_a_second(
    town: Town, monkeypatch: pytest.MonkeyPatch, wall: Wall
) -> None:
    gateway = await town.begin()
    monkeypatch.setattr(background, "_SUSPENSIONS_EVERY_S", 0.25)  # as in earnest
    esme = await town.attach(gateway)
    since = datetime.fromisoformat(AFTERNOON)
    by_clerk = NewSuspension(MSISDN, "", "", since, since + timedelta(days=1), is_told=True)

    async with asyncio.timeout(60):
        await town.stores.suspensions.suspend(by_clerk)
        await town.become(gateway, is_suspended=True)
    stopped = await esme.submit(NUMBER, FRIEND, "聚会改期")
    async with asyncio.timeout(60):
        await town.stores.suspensions.lift(1, Lift(since, "li"))
        await town.become(gateway, is_suspended=False)
    wall.set(AT_FOUR)
    passed = await esme.submit(NUMBER, FRIEND, "聚会改期")

    assert stopped.command_status == SUSPENDED
    assert passed.is_ok
    assert town.told() == []


async def test_r43_it_holds_while_the_store_fails_and_is_kept_and_told_when_it_can_be(
    town: Town, monkeypatch: pytest.MonkeyPatch, wall: Wall, log: LogLines
) -> None:
    gateway = await town.begin()
    esme = await town.attach(gateway)
    monkeypatch.setattr(background, "_STALE_S", 0.0)

    with monkeypatch.context() as patch:
        patch.setattr(town.stores.suspensions, "suspend", fail)
        await go_over(esme)
        wall.set(AT_FOUR)
        unkept = await esme.submit(NUMBER, FRIEND, "聚会改期")
        await town.until(lambda: has(log, "suspensions.behind"))
        # The store does not know it, so nobody can lift it: the SMSC has to bring HF again.
        put_off = await town.say("HF")

    await town.hear(TOLD)
    assert unkept.command_status == SUSPENDED
    assert put_off == TRY_AGAIN
    assert town.told() == [NOTICE]
    assert sum(line["event"] == "suspensions.behind" for line in log) == 1


async def test_r43_killed_between_finding_and_keeping_it_is_found_again_and_told_once(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dead(_suspensions: Suspensions) -> None:
        """Do nothing any more."""

    url = f"sqlite:///{tmp_path}/store.db"
    with monkeypatch.context() as patch:
        patch.setattr(Suspensions, "look", dead)
        patch.setattr(Suspensions, "hand_over", dead)
        killed = await town.begin(store_url=url)
        await go_over(await town.attach(killed))
        kept = await killed.stores.suspensions.listed()
        await killed.stop()
    before = town.told()

    again = await town.begin(store_url=url)
    heard = await go_over(await town.attach(again))
    await town.hear(TOLD)

    assert (kept, before) == ([], [])
    assert heard == [0, 0, THROTTLED]
    assert len(await again.stores.suspensions.listed()) == 1
    assert town.told() == [NOTICE]


async def test_r43_what_the_last_moment_found_is_kept_at_a_stop_and_told_after_the_next_start(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(_suspensions: Suspensions) -> None:
        """Come too late."""

    url = f"sqlite:///{tmp_path}/store.db"
    with monkeypatch.context() as patch:
        patch.setattr(Suspensions, "look", late)
        first = await town.begin(store_url=url)
        await go_over(await town.attach(first))
        await first.stop()

    esme = await town.attach(await town.begin(store_url=url))
    stopped = await esme.submit(NUMBER, FRIEND, "聚会改期")
    await town.hear(TOLD)

    assert stopped.command_status == SUSPENDED
    assert town.told() == [NOTICE]


async def test_a_stop_while_the_store_fails_says_so(
    town: Town, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    gateway = await town.begin()
    monkeypatch.setattr(town.stores.suspensions, "suspend", fail)
    await go_over(await town.attach(gateway))

    await gateway.stop()

    assert has(log, "suspensions.behind")


class TestWithoutHub:
    """A carrier that has named no code of its own."""

    @pytest.fixture
    def settings(self, settings: GatewaySettings) -> GatewaySettings:
        return replace(settings, hub=Hub())

    async def test_nobody_is_told_and_the_log_says_so_once(self, town: Town, log: LogLines) -> None:
        gateway = await town.begin()

        heard = await go_over(await town.attach(gateway))
        await town.until(lambda: has(log, "suspension.notice_failed"))

        (line,) = [line for line in log if line["event"] == "suspension.notice_failed"]
        assert heard == [0, 0, THROTTLED]
        assert line["reason"] == "there is no hub code"
        assert town.told() == []
        assert NUMBER not in str(log)


async def test_who_went_over_by_a_rule_that_is_no_more_is_not_told(
    town: Town, log: LogLines
) -> None:
    since = datetime.fromisoformat(AFTERNOON)
    old = NewSuspension(MSISDN, "sp1", "OLD", since, since + timedelta(days=3))
    await town.stores.suspensions.suspend(old)

    await town.attach(await town.begin())

    await town.until(lambda: has(log, "suspension.notice_failed"))
    assert "its rule suspends no more" in str(log)


async def test_it_waits_for_a_bind_and_is_given_up_when_that_goes_at_the_last_moment(
    town: Town, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = datetime.fromisoformat(AFTERNOON)
    found = NewSuspension(MSISDN, "sp1", "R43", since, since + timedelta(days=3))
    await town.stores.suspensions.suspend(found)
    gateway = await town.begin()
    monkeypatch.setattr(Routes, "to_smsc", lambda _routes, _system_id: None)

    await town.attach(gateway)

    await town.until(lambda: has(log, "suspension.notice_failed"))
    assert "the bind was lost" in str(log)
    assert town.told() == []


async def test_what_time_ends_is_marked_as_ended(town: Town, wall: Wall) -> None:
    gateway = await town.begin()
    esme = await town.attach(gateway)
    await go_over(esme)
    await town.become(gateway, is_suspended=True)

    wall.set("2026-10-06T00:00:00+08:00")
    passed = await esme.submit(NUMBER, FRIEND, "聚会改期")
    await town.become(gateway, is_suspended=False)

    assert passed.is_ok
    async with asyncio.timeout(60):
        while await town.stores.suspensions.active_of(MSISDN) is not None:
            pass


class TestOtherWord:
    """A rule with a word of its own, which means nothing to a hub otherwise."""

    @pytest.fixture
    def policy(self, policy: Bundle) -> Bundle:
        asks, caps = policy.rules
        assert isinstance(caps.check, TooOften)
        terms = replace(TERMS, restore_words=("复机",))
        return replace(
            policy, rules=(asks, replace(caps, check=replace(caps.check, suspend=terms)))
        )

    async def test_it_restores_and_is_passed_on_where_there_is_nothing_to_restore(
        self, town: Town
    ) -> None:
        esme = await town.attach(await town.begin())
        await town.say("复机")
        await go_over(esme)
        await town.hear(TOLD)

        await town.say("复机")

        await town.hear(TOLD, RESTORED)
        assert esme.pdus().qsize() == 1
