"""Releases that were asked for while no gateway ran: however many, all are found at a start."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.proxy import release_follower
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

PORT, DESTINATION = "10690001", "13800138000"


async def test_more_releases_than_are_read_at_a_time_all_go_out_after_a_start(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release_follower, "_FOUND_AT_ONCE", 2)
    now = utcnow()
    asked = HeldMessage(
        message_id=8_000_000_000_000_000_000,
        system_id="sp1",
        source=PORT,
        destination=DESTINATION,
        pdu=builders.submit_sm(PORT, DESTINATION, builders.ucs2("您好")),
        reason="CONTENT",
        rule="K",
        category="",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=now,
        expires_at=now + timedelta(hours=4),
        state=HoldState.RELEASE_REQUESTED,
        is_reviewed=True,
    )
    held = [replace(asked, message_id=asked.message_id + number) for number in range(5)]
    await stores.quarantine.hold(held)

    await attach(await start(stores=stores))

    await smsc.received(len(held))
