"""What `explain mo` says of a reply is what the ledger then holds (R34 to R37)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import product

import pytest

from gateway.app.gateway import Gateway
from gateway.cli.explain_peers import ReplyPlace, ledger_after, meaning_here
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.policy import RefusalScope, RepliesRule
from gateway.domain.subscription import CancelAll, Cycle, Hub, Service, Terms
from gateway.policy.bundle import Bundle
from gateway.policy.replies import NO_CONTEXT, Intent, meaning_of
from gateway.settings.gateway import GatewaySettings
from gateway.systems.subscriptions.model import Catalogue
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

PORT, HUB = "10690001", "10086"
FIRST_SUBSCRIBER = 13_800_000_000
WEATHER = Service("sp1", "weather", Terms("示例商城", "天气", PORT, 500, Cycle.MONTH), ("DY天气",))
WORDS = (
    *("TD", "退订", "00000", "0000", "STOP", "STOPALL", "全部退订", "TD天气", "TD畅听包", "QX2"),
    *("HF", "START", "HELP", "是", "R", "1,3", "怎么退订", "how do I stop this?", "DY天气"),
    *("TD房产", "退订贷款广告", "TD本端口", "退订该端口", "TD所有", "怎么才能退订你们这垃圾短信"),
    *("别再给我发短信了", "我不想退订", "please stop texting me", "屏蔽 房产", "查拦截", "你好"),
)
REPLIES = tuple(map("".join, product(("", "请"), WORDS, ("", "谢谢"))))


@pytest.fixture(params=CancelAll)
def settings(settings: GatewaySettings, request: pytest.FixtureRequest) -> GatewaySettings:
    return replace(settings, hub=Hub(frozenset({HUB}), request.param))


@pytest.mark.parametrize(
    "where",
    [
        (PORT, RefusalScope.SENDER),
        (PORT, RefusalScope.PORT),
        (HUB, RefusalScope.SENDER),
    ],
    ids=["a port", "a port that TD refuses alone", "a hub code"],
)
async def test_what_explain_mo_says_is_what_the_ledger_then_holds(
    start: Start,
    attach: Attach,
    bundle: Bundle,
    settings: GatewaySettings,
    smsc: SimulatedSmsc,
    where: tuple[str, RefusalScope],
) -> None:
    to, refuses = where
    policy = replace(bundle, replies=RepliesRule("您已退订", "您已恢复", scope=refuses))
    gateway = await start(policy=policy)
    gateway.policies.offer((WEATHER,))
    await attach(gateway)
    owner = gateway.plane.rules.accounts["sp1"].sender
    place = ReplyPlace(to, owner, settings.hub, Catalogue((WEATHER,)), refuses)

    for number, text in enumerate(REPLIES, start=FIRST_SUBSCRIBER):
        octets = text.encode("utf-16-be")
        assert await smsc.deliver("sp1", str(number), to, octets, data_coding=8) == 0

    for number, text in enumerate(REPLIES, start=FIRST_SUBSCRIBER):
        expected = None
        if meaning_here(place, text) is None:
            expected = ledger_after(place, text, NO_CONTEXT)
        async with asyncio.timeout(60):
            while (found := await answer_of(gateway, 8_600_000_000_000 + number)) is None:
                if expected is None:
                    break
        assert found == (None if expected is None else (expected.scope, expected.answer)), text


async def answer_of(gateway: Gateway, msisdn: int) -> tuple[str, object] | None:
    answers = await gateway.stores.consent.answers_of([msisdn])
    assert len(answers) <= 1
    return next(
        (("*" if one.scope == EVERY_SENDER else one.scope, one.answer) for one in answers), None
    )


def test_the_scope_of_a_meaning_is_the_sender_its_port_or_one_service() -> None:
    scopes = {
        meaning_of(text).scope for text in REPLIES if meaning_of(text).intent is Intent.OPTOUT
    }

    assert scopes == {"sender", "port", "service"}
