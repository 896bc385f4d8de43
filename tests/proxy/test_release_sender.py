"""What the SMSC says, or does not say, of a released message."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import ROLLING_DAY, CountDimension, Enforcement, Limit
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.too_often import TooOften
from gateway.policy.ruleset import RuleSet
from gateway.runtime.clock import monotonic
from gateway.settings.smscs import Smsc
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import (
    RESPONSE,
    CommandId,
    CommandStatus,
    header_of,
    pdu,
)
from tests.proxy.people import (
    DESTINATION,
    SOURCE,
    TIMERS,
    hold,
    release,
)

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL])
async def test_an_smsc_that_is_full_is_asked_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, status: int, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=status)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await release(gateway, message_id)
    await smsc.received(2)
    smsc.behaviour = Behaviour()
    await reach(gateway, message_id, HoldState.RELEASED)

    assert smsc.counters.accepted == 1


async def test_what_the_smsc_refuses_goes_back_to_people(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=0x0B)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)

    held = await reach(gateway, message_id, HoldState.HELD)

    assert "0xB" in held.note
    assert smsc.counters.messages == 1


async def test_r42_what_the_smsc_refused_and_people_release_again_counts_once(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle, reach: Reach
) -> None:
    daily = TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),))
    terms = (Title("", ""), "[PR]", daily, Enforcement.ENFORCE)
    limited = Rule("R42", *terms, action=Action.THROTTLE)
    rules = gateway.plane.rules
    changed = replace(bundle, digest="1" * 12, rules=(*bundle.rules, limited))
    gateway.tick.pipeline.load(
        RuleSet(changed, [rules.accounts["sp1"].sender], rules.knowledge, rules)
    )
    smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RSUBMITFAIL)
    esme = await attach(gateway)
    first, second = await hold(esme), await hold(esme)
    await release(gateway, first)
    await reach(gateway, first, HoldState.HELD)
    smsc.behaviour = Behaviour()

    await release(gateway, first)
    await reach(gateway, first, HoldState.RELEASED)
    await release(gateway, second)
    refused = await reach(gateway, second, HoldState.REFUSED)

    assert "FREQUENCY" in refused.note
    assert smsc.counters.accepted == 1


@pytest.mark.parametrize(("status", "note"), [(CommandStatus.ESME_RINVCMDID, "0x3"), (0, "0x45")])
async def test_a_nack_is_a_refusal_whatever_it_says(
    start: Start, attach: Attach, serve: Serve, reach: Reach, status: int, note: str
) -> None:
    nacked = asyncio.Event()

    async def say(octets: bytes) -> bytes:
        header = header_of(octets)
        if header.command_id == CommandId.SUBMIT_SM:
            nacked.set()
            return pdu(CommandId.GENERIC_NACK, header.sequence_number, command_status=status)
        return pdu(header.command_id | RESPONSE, header.sequence_number, b"x\0")

    gateway = await start(smscs=(await serve(say),))
    message_id = await hold(await attach(gateway))
    await release(gateway, message_id)
    await asyncio.wait_for(nacked.wait(), 60)

    held = await reach(gateway, message_id, HoldState.HELD)

    assert note in held.note


async def test_a_release_the_link_was_lost_in_is_in_doubt(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)

    smsc.disconnect_all()
    await reach(gateway, message_id, HoldState.IN_DOUBT)
    await smsc.until(lambda: smsc.counters.binds == 2)
    smsc.behaviour = Behaviour()
    await esme.submit(SOURCE, DESTINATION, "您好")

    assert len(smsc.journal) == 2


async def test_a_late_answer_settles_the_doubt(
    start: Start, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    gateway = await start(timers=TIMERS)
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)
    gateway.keeper.sweep(monotonic() + TIMERS.response_s)
    await reach(gateway, message_id, HoldState.IN_DOUBT)

    smsc.release_answers()

    held = await reach(gateway, message_id, HoldState.RELEASED)
    assert held.smsc_message_id == smsc.journal[0].message_id
    assert smsc.counters.messages == 1
