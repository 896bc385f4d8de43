"""Requests that need care: new texts, and fields that are malformed."""

import pytest

from gateway.dataplane.attention import Operation
from gateway.dataplane.request_reader import is_gateway_id
from gateway.smpp.commands import CommandId
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    DUBIOUS,
    PORT,
    SPAM,
    UDHI,
    World,
    advert,
    decisions,
    header,
    sent,
    slow,
    status_of,
    statuses,
    unnumbered,
    up,
)

OTHER = "13900139000"
REFUSED = CommandStatus.ESME_RSUBMITFAIL
MULTI = builders.submit_multi(PORT, [OTHER], b"R")


def test_a_new_text_is_judged(world: World) -> None:
    session = world.session()
    clean, dirty = (builders.replace_sm("17", PORT, builders.ucs2(t)) for t in ("您好", SPAM))

    first, batch = world.submit(session, clean), world.submit(session, dirty)

    assert [unnumbered(p) for p in up(first, session)] == [unnumbered(clean)]
    assert [header(p)[:2] for p in sent(batch, session)] == [(CommandId.REPLACE_SM_RESP, REFUSED)]


def test_a_new_text_needs_a_source_of_the_senders_and_costs_a_token() -> None:
    borrowed, own = (builders.replace_sm("17", s, builders.ucs2("您好")) for s in ("95588", PORT))

    assert statuses(slow(burst=1), borrowed, own, own) == [
        CommandStatus.ESME_RINVSRCADR,
        None,
        CommandStatus.ESME_RTHROTTLED,
    ]


def test_a_new_text_that_only_a_person_could_pass_fails(world: World) -> None:
    """There is nothing to hold: the message itself lies with the SMSC."""
    session = world.session()

    batch = world.submit(session, builders.replace_sm("17", PORT, builders.ucs2(DUBIOUS)))

    assert not batch.attention
    assert session.held == 0
    assert [status_of(p) for p in sent(batch, session)] == [CommandStatus.ESME_RREPLACEFAIL]
    assert [(row[8], row[11], row[13]) for row in decisions(batch)] == [
        ("reject", "ESME_RREPLACEFAIL", 0)
    ]


def test_a_new_text_for_a_message_that_may_be_held_is_handed_over(world: World) -> None:
    pdu = builders.replace_sm("8" + "0" * 18, PORT, builders.ucs2(SPAM))
    session = world.session()

    batch = world.submit(session, pdu)

    assert batch.attention == [Operation(session, pdu)]
    assert not batch.writes


@pytest.mark.parametrize(
    ("message_id", "is_ours"),
    [
        (b"8" + b"0" * 18, True),
        (b"8" + b"0" * 17, False),
        (b"7" + b"0" * 18, False),
        (b"8" + b"0" * 17 + b"a", False),
        (b"", False),
    ],
)
def test_our_ids_are_known_by_their_form(message_id: bytes, is_ours: bool) -> None:  # noqa: FBT001
    assert is_gateway_id(message_id) == is_ours


def spoilt(pdu: bytes, body: bytes) -> bytes:
    return (16 + len(body)).to_bytes(4, "big") + pdu[4:16] + body


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (spoilt(advert(), b"toolong\0"), CommandStatus.ESME_RINVSERTYP),
        (spoilt(advert(), b"\0\1\1"), CommandStatus.ESME_RINVSRCADR),
        (advert()[:-1], CommandStatus.ESME_RINVMSGLEN),
        (
            spoilt(advert(), advert()[16:] + b"\x04\x24\xff\xff"),
            CommandStatus.ESME_RINVOPTPARSTREAM,
        ),
        (advert(octets=b"\xff", esm_class=UDHI), CommandStatus.ESME_RINVESMCLASS),
        (spoilt(MULTI, MULTI[16:28] + b"\0"), CommandStatus.ESME_RINVNUMDESTS),
        (spoilt(builders.data_sm(PORT, OTHER, b""), b""), CommandStatus.ESME_RINVSERTYP),
    ],
)
def test_a_malformed_field_is_answered_with_its_own_status_and_recorded(
    pdu: bytes, status: CommandStatus
) -> None:
    world = World()
    session = world.session()
    pdu = len(pdu).to_bytes(4, "big") + pdu[4:]

    batch = world.submit(session, pdu, advert(sequence=2))

    command_id = header(pdu)[0] | 0x80000000
    assert [header(p) for p in sent(batch, session)] == [(command_id, status, 1)]
    assert len(up(batch, session)) == 1  # framing is not at stake
    row, _ = decisions(batch)
    assert row[8:12] == ("reject", "MALFORMED", "MALFORMED", status.name)
    assert row[13] == 0
    assert world.plane.tally.malformed == 1
    assert world.plane.tally.senders == {("sp1", "reject"): 1, ("sp1", "forward"): 1}
