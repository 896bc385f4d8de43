"""What held messages say, whatever they carry."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.carriers import place_of, text_together
from gateway.domain.quarantine import HeldMessage
from simulators import builders

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


def held(pdu: bytes) -> HeldMessage:
    return HeldMessage(
        message_id=8_1764072000000_01_000,
        system_id="sp1",
        source="10690001",
        destination="13800138000",
        pdu=pdu,
        reason="USER_PREF",
        rule="R50",
        category="",
        evidence="",
        digest="0123456789ab",
        receipt_asked=False,
        held_at=NOON,
        expires_at=NOON,
    )


def message(text: str) -> HeldMessage:
    return held(builders.submit_sm("10690001", "13800138000", builders.ucs2(text)))


def part(number: int, octets: bytes, data_coding: int = 8) -> HeldMessage:
    text = bytes((5, 0, 3, 7, 2, number)) + octets
    return held(
        builders.submit_sm("10690001", "13800138000", text, data_coding=data_coding, esm_class=0x40)
    )


def test_a_message_of_one_part_is_read_as_its_phone_would() -> None:
    one = message("江景新房盛大开盘")

    assert place_of(one) is None
    assert text_together([one]) == "江景新房盛大开盘"
    assert text_together([message("")]) == ""


def test_the_parts_of_a_long_message_are_read_as_one_though_a_character_is_torn() -> None:
    octets = builders.ucs2("江景🎉开盘")
    parts = [part(2, octets[6:]), part(1, octets[:6])]

    places = [place_of(one) for one in parts]

    assert [(p.reference, p.total, p.number) for p in places if p is not None] == [
        (7, 2, 2),
        (7, 2, 1),
    ]
    assert text_together(parts) == "江景🎉开盘"


def test_parts_in_different_alphabets_are_read_each_in_its_own() -> None:
    parts = [part(2, b" sale", data_coding=0), part(1, builders.ucs2("开盘"))]

    assert text_together(parts) == "开盘 sale"


OCTETS = st.binary(max_size=64)
SUBMITTED = st.builds(
    lambda text, coding, esm_class: builders.submit_sm(
        "10690001", "13800138000", text, data_coding=coding, esm_class=esm_class
    ),
    OCTETS | OCTETS.map(lambda text: bytes((5, 0, 3, 7, 2, 1)) + text),
    st.integers(0, 255),
    st.sampled_from((0, 0x40)),
)


@given(OCTETS | SUBMITTED)
def test_any_octets_are_read_or_say_nothing(pdu: bytes) -> None:
    one = held(pdu)

    place = place_of(one)

    assert place is None or 1 <= place.number <= place.total
    text_together([one, message("开盘")]).encode()
    text_together([one]).encode()
