from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli.demo.cast import Ledger
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from simulators.smsc import Received

SENT = bytes(16) + b"what was sent"
OTHER = bytes(16) + b"something else"
GATEWAY_ID = 8_1764072000000_00_000
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def ledger(stores: Stores) -> Ledger:
    return Ledger(stores.quarantine, ["shop"])


def at_smsc(
    message_id: str, pdu: bytes = SENT, *, system_id: str = "shop", status: int = 0
) -> Received:
    return Received(0.0, 1, system_id, 4, "", ("",), 8, 0, 0, b"", pdu, message_id, status)


def held(pdu: bytes = SENT, **changes: object) -> HeldMessage:
    usual = HeldMessage(
        GATEWAY_ID,
        "shop",
        "",
        "",
        pdu,
        "CONTENT",
        "K",
        "",
        "",
        "",
        False,
        NOON,
        NOON + timedelta(1),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


async def test_what_was_accepted_and_arrived_balances(ledger: Ledger) -> None:
    ledger.promise("shop", "100001", SENT)
    ledger.deliver([at_smsc("100001", b"\xff" * 16 + SENT[16:])])

    audit = await ledger.audit()

    assert audit.is_balanced
    assert (audit.at_smsc, audit.in_quarantine) == (1, 0)


async def test_what_is_held_under_the_id_the_sp_was_given_balances(
    ledger: Ledger, stores: Stores
) -> None:
    await stores.quarantine.hold([held()])
    ledger.promise("shop", str(GATEWAY_ID), SENT)

    audit = await ledger.audit()

    assert audit.is_balanced
    assert (audit.at_smsc, audit.in_quarantine) == (0, 1)


async def test_an_answer_may_come_after_the_message_arrived(ledger: Ledger) -> None:
    ledger.deliver([at_smsc("100001")])
    await ledger.strike_out()
    ledger.promise("shop", "100001", None)

    assert (await ledger.audit()).is_balanced


@pytest.mark.parametrize("message_id", ["100001", str(GATEWAY_ID)])
async def test_what_was_accepted_and_is_nowhere_is_missing(ledger: Ledger, message_id: str) -> None:
    ledger.promise("shop", message_id, SENT)

    audit = await ledger.audit()

    assert (audit.missing, audit.is_balanced) == (1, False)


async def test_what_another_sp_has_in_quarantine_is_no_proof(
    ledger: Ledger, stores: Stores
) -> None:
    await stores.quarantine.hold([held(system_id="bank")])
    ledger.promise("shop", str(GATEWAY_ID), SENT)

    assert (await ledger.audit()).missing == 1


async def test_what_arrived_though_no_sp_was_told_is_unasked(ledger: Ledger) -> None:
    ledger.deliver([at_smsc("100001")])

    audit = await ledger.audit()

    assert (audit.unasked, audit.is_balanced) == (1, False)


async def test_what_is_held_though_no_sp_was_told_is_unasked(
    ledger: Ledger, stores: Stores
) -> None:
    await stores.quarantine.hold([held()])

    assert (await ledger.audit()).unasked == 1


@pytest.mark.parametrize(
    "received", [at_smsc("100001", system_id="guest"), at_smsc("", status=0x45)]
)
async def test_what_the_smsc_refused_or_others_sent_is_left_out(
    ledger: Ledger, received: Received
) -> None:
    ledger.deliver([received])

    assert (await ledger.audit()).is_balanced


async def test_other_octets_at_the_smsc_are_found(ledger: Ledger) -> None:
    ledger.promise("shop", "100001", SENT)
    ledger.deliver([at_smsc("100001", OTHER)])

    audit = await ledger.audit()

    assert (audit.altered, audit.is_balanced) == (1, False)


async def test_other_octets_in_quarantine_are_found(ledger: Ledger, stores: Stores) -> None:
    await stores.quarantine.hold([held(OTHER)])
    ledger.promise("shop", str(GATEWAY_ID), SENT)

    assert (await ledger.audit()).altered == 1


@pytest.mark.parametrize(
    "enter",
    [
        lambda ledger: ledger.promise("shop", "100001", SENT),
        lambda ledger: ledger.deliver([at_smsc("100001")]),
    ],
)
async def test_the_same_message_twice_is_found(
    ledger: Ledger, enter: Callable[[Ledger], None]
) -> None:
    enter(ledger)
    enter(ledger)

    audit = await ledger.audit()

    assert (audit.doubled, audit.is_balanced) == (1, False)


async def test_what_a_person_released_is_no_surprise_at_the_smsc(
    ledger: Ledger, stores: Stores
) -> None:
    await stores.quarantine.hold([held(state=HoldState.RELEASED, smsc_message_id="100007")])
    ledger.promise("shop", str(GATEWAY_ID), SENT)
    ledger.deliver([at_smsc("100007")])

    audit = await ledger.audit()

    assert audit.is_balanced


async def test_what_a_person_released_must_arrive_as_it_was_sent(
    ledger: Ledger, stores: Stores
) -> None:
    await stores.quarantine.hold([held(state=HoldState.RELEASED, smsc_message_id="100007")])
    ledger.promise("shop", str(GATEWAY_ID), SENT)
    ledger.deliver([at_smsc("100007", OTHER)])

    assert (await ledger.audit()).altered == 1


async def test_more_than_a_page_is_counted(ledger: Ledger, stores: Stores) -> None:
    await stores.quarantine.hold([held(message_id=GATEWAY_ID + n) for n in range(1001)])
    for n in range(1001):
        ledger.promise("shop", str(GATEWAY_ID + n), SENT)

    audit = await ledger.audit()

    assert (audit.in_quarantine, audit.is_balanced) == (1001, True)
