"""A subscriber who talks to a port, and what the desk keeps of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.subscription import (
    CancelAll,
    Cycle,
    MessageEvidence,
    Service,
    Subscription,
    Terms,
)
from gateway.stores import Stores
from gateway.systems.subscriptions.dialogue import Dialogue, Word, WordOutcome, digest_of
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.service import SubscriptionDesk

SUBSCRIBER = 8613800138000
NOON = datetime(2013, 9, 25, 12, tzinfo=UTC)
PORTS = {"sp1": "10690001", "sp2": "10690002", "hub": "10086"}
NAMES = {"sp1": "示例商城", "sp2": "示例资讯", "hub": "运营商"}


def service(system_id: str, name: str, price_fen: int = 500, trial_days: int = 0) -> Service:
    terms = Terms(NAMES[system_id], name, PORTS[system_id], price_fen, Cycle.MONTH, trial_days)
    return Service(system_id, name, terms, (f"DY{name}",))


SERVICES = (
    service("sp1", "天气"),
    service("sp1", "笑话", 300),
    service("sp1", "股票", 1050),
    service("sp1", "试听", 800, trial_days=5),
    service("sp2", "新闻"),
    service("sp2", "彩信", 0),
)


@dataclass
class Talk:
    """One subscriber's dialogue. Messages are numbered, and a minute passes with each."""

    stores: Stores
    desk: SubscriptionDesk
    now: datetime = NOON
    count: int = 0
    replies: list[str] = field(default_factory=list)

    async def say(
        self, text: str, to: str = "sp1", *, tokens: tuple[str, ...] = (), port: str = ""
    ) -> WordOutcome:
        self.now += timedelta(minutes=1)
        self.count += 1
        word = Word(
            msisdn=SUBSCRIBER,
            system_id=to,
            sender_name=NAMES[to],
            port=port or PORTS[to],
            text=text,
            said=MessageEvidence(f"in-{self.count}", digest_of(text), self.now),
            reply_id=f"out-{self.count}",
            tokens=tokens,
            is_hub=to == "hub",
        )
        outcome = await self.desk.hear(word, self.now)
        if outcome.reply is not None:
            self.replies.append(outcome.reply)
        return outcome

    async def order(self, *names: str) -> None:
        """Order services, each with the yes it needs."""
        for one in SERVICES:
            if one.terms.name in names:
                await self.say(f"DY{one.terms.name}", one.system_id)
                await self.say("是", one.system_id)

    async def states(self) -> dict[str, str]:
        known = await self.stores.subscriptions.known(SUBSCRIBER, "", self.now)
        return {one.service_id: one.state.value for one in known.subscriptions}

    async def subscription(self, name: str) -> Subscription:
        known = await self.stores.subscriptions.known(SUBSCRIBER, "", self.now)
        (found,) = [one for one in known.subscriptions if one.service_id == name]
        return found

    async def wait(self, pause: timedelta) -> int:
        """Let time pass, then sweep."""
        self.now += pause
        return await self.desk.sweep(self.now)


StartTalk = Callable[..., Talk]


@pytest.fixture
def talk_with(stores: Stores) -> StartTalk:
    """Begin a dialogue; give what 00000 does at the hub, and what is on offer."""

    def begin(
        at_hub: CancelAll = CancelAll.CONFIRM, services: tuple[Service, ...] = SERVICES
    ) -> Talk:
        catalogue = Catalogue(services)
        dialogue = Dialogue(lambda: catalogue, lambda: at_hub)
        return Talk(stores, SubscriptionDesk(stores.subscriptions, stores.consent, dialogue))

    return begin


@pytest.fixture
def talk(talk_with: StartTalk) -> Talk:
    return talk_with()


@pytest.fixture
def offered() -> Catalogue:
    return Catalogue(SERVICES)


@pytest.fixture
def many() -> tuple[Service, ...]:
    """More services than one message can list."""
    names = ("甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸")
    return tuple(service("sp1", f"{name}类资讯") for name in names)
