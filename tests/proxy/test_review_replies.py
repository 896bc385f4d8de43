"""A subscriber who presses TD twice in a moment hears once that it was done."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer
from gateway.domain.policy import RepliesRule
from gateway.policy.bundle import Bundle
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, SUBSCRIBER = "10690001", "13800138000"
CONFIRMED, RESTORED = "您已退订", "您已恢复"


async def test_r32_replies_in_one_breath_are_confirmed_once_each_and_the_last_holds(
    start: Start,
    bundle: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    tmp_path: Path,
) -> None:
    hearing = replace(bundle, replies=RepliesRule(CONFIRMED, RESTORED))
    gateway = await start(policy=hearing, store_url=f"sqlite:///{tmp_path / 'smsward.db'}")
    await attach(gateway)

    for number, text in enumerate(("TD", "TD", "TD", "HF", "HF")):
        smsc.inject(
            "sp1", builders.deliver_sm(SUBSCRIBER, PORT, builders.ucs2(text), sequence=90 + number)
        )
    await until(lambda: len(smsc.journal) >= 2)
    await gateway.drain()

    assert sorted(r.octets.decode("utf-16-be") for r in smsc.journal) == [RESTORED, CONFIRMED]
    answer = await gateway.stores.consent.answer_of(8613800138000, "sp1")
    assert answer is not None
    assert answer.answer is Answer.AGREED
