"""A follower that ends although it must not takes the safe side with it."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.systems.consent.follower import ConsentFollower
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]


async def test_refusals_that_nobody_follows_any_more_stop_marketing(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    told: Told,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await start()
    marketing, codes = await attach(gateway), await attach(gateway, "sp2")

    async def broken(_self: ConsentFollower) -> int:
        raise KeyError("an answer of a newer version")

    monkeypatch.setattr(ConsentFollower, "catch_up", broken)
    await told("task.failed")
    stopped = await marketing.submit("10690001", "13800138000", "大促")
    passed = await codes.submit("10690002", "13800138000", "验证码 1234")

    assert stopped.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert passed.is_ok
    assert len(smsc.journal) == 1
    log[:] = [line for line in log if line["event"] != "task.failed"]
