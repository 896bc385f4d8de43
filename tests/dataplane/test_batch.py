"""What one tick brings forth."""

from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.session.operations import Side
from gateway.smpp.pdu import header_only


def test_what_a_link_gets_stays_in_order() -> None:
    batch, one, other = Batch(), Link(1, Side.ESME, 1, 0.0), Link(2, Side.ESME, 1, 0.0)

    batch.write(one, b"a")
    batch.write(other, b"b")
    batch.write(one, bytearray(b"c"))

    assert batch.writes == {one: [b"a", b"c"], other: [b"b"]}


def test_a_refusal_has_no_body() -> None:
    batch, session = Batch(), Link(1, Side.ESME, 1, 0.0)

    batch.refuse(session, 0x80000004, 0x45, 9)

    assert batch.writes == {session: [header_only(0x80000004, 0x45, 9)]}
