"""An agreement that was given for a time ends in the tick (R20)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.runtime.clock import utcnow
from gateway.systems.consent import follower
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION, SUBSCRIBER = "10690001", "13800138000", 8613800138000
AGREED_ONLY = """\
version: 1
rules:
  - id: R20
    check: no_consent
    title: {zh: 同意, en: Consent}
    article: test
    mode: enforce
    applies_to: [commercial]
"""


async def answer_that(esme: RawEsme, *, is_ok: bool) -> int:
    """Submit adverts until one is answered like that; return its status."""
    async with asyncio.timeout(60):
        while True:
            answer = await esme.submit(SOURCE, DESTINATION, "周末大促，满99减20，拒收请回复R")
            if answer.is_ok is is_ok:
                return answer.command_status


async def test_r20_no_advert_passes_any_more_once_the_agreement_has_ended(
    start: Start, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_ENDS_EVERY_S", 0.0)
    gateway = await start({"policies/rules/consent.yaml": AGREED_ONLY})
    esme = await attach(gateway)
    now = utcnow()
    until = now + timedelta(seconds=1)
    await gateway.stores.consent.record(
        [ConsentAnswer(SUBSCRIBER, "sp1", Answer.AGREED, now, "web", "form 117", until)]
    )

    await answer_that(esme, is_ok=True)
    status = await answer_that(esme, is_ok=False)
    passed = len(smsc.journal)
    after = await esme.submit(SOURCE, DESTINATION, "周末大促，满99减20，拒收请回复R")

    assert status == CommandStatus.ESME_RSUBMITFAIL
    assert utcnow() >= until
    assert not after.is_ok
    assert len(smsc.journal) == passed
