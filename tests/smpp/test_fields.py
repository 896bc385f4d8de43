"""Each kind of field on good, short and hostile octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.fields import COctetString, Field, FieldValue, Integer, OctetString
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

DESTINATION_ADDR = COctetString("destination_addr", 21, CommandStatus.ESME_RINVDSTADR)
SHORT_MESSAGE = OctetString("short_message", CommandStatus.ESME_RINVMSGLEN)
STATUS = Integer("error_status_code", 4, CommandStatus.ESME_RINVCMDLEN)
PORT = Integer("source_port", 2, CommandStatus.ESME_RINVPARLEN)
FIELDS: list[Field] = [
    DESTINATION_ADDR,
    SHORT_MESSAGE,
    STATUS,
    PORT,
    Integer("esm_class", 1, CommandStatus.ESME_RINVESMCLASS),
]


@given(st.sampled_from(FIELDS), st.binary(max_size=64), st.integers(0, 70), st.integers(0, 64))
def test_any_octets_decode_or_raise_decode_error(
    field: Field, body: bytes, at: int, end: int
) -> None:
    end = min(end, len(body))
    try:
        value, past = field.read(body, at, end)
    except DecodeError as error:
        assert error.field == field.name
    else:
        assert at < past <= end
        assert field.write(value) == body[at:past]


def test_a_string_ends_at_its_nul() -> None:
    assert DESTINATION_ADDR.read(b"xx13800138000\0rest", 2, 18) == (b"13800138000", 14)


def test_the_longest_string_counts_its_nul() -> None:
    longest = b"1" * 20

    assert DESTINATION_ADDR.read(longest + b"\0", 0, 21) == (longest, 21)
    assert DESTINATION_ADDR.write(longest) == longest + b"\0"


@pytest.mark.parametrize(
    ("body", "end"),
    [(b"", 0), (b"138", 3), (b"1" * 21 + b"\0", 22), (b"138\0", 3)],
    ids=["empty", "no NUL", "NUL too late", "NUL beyond the end"],
)
def test_a_string_without_its_nul_earns_its_own_status(body: bytes, end: int) -> None:
    with pytest.raises(DecodeError) as caught:
        DESTINATION_ADDR.read(body, 0, end)
    assert caught.value.status is CommandStatus.ESME_RINVDSTADR


def test_a_short_message_of_255_octets_is_read_though_3_4_allows_254() -> None:
    body = b"\xff" + bytes(255)

    assert SHORT_MESSAGE.read(body, 0, 256) == (bytes(255), 256)
    assert SHORT_MESSAGE.write(bytes(255)) == body


@pytest.mark.parametrize("body", [b"", b"\x05text", b"\xff"])
def test_sm_length_beyond_the_body_is_the_peers_fault(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        SHORT_MESSAGE.read(body, 0, len(body))
    assert caught.value.status is CommandStatus.ESME_RINVMSGLEN


@pytest.mark.parametrize("field", [SHORT_MESSAGE, STATUS, DESTINATION_ADDR])
def test_the_next_pdu_in_the_buffer_is_not_read_into(field: Field) -> None:
    with pytest.raises(DecodeError):
        field.read(b"\x03abc\0next pdu", 0, 3)


def test_integers_are_big_endian() -> None:
    assert STATUS.read(b"\x00\x00\x00\x45", 0, 4) == (0x45, 4)
    assert PORT.write(0x1234) == b"\x12\x34"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (PORT, -1),
        (PORT, 0x10000),
        (PORT, b"12"),
        (DESTINATION_ADDR, b"1" * 21),
        (DESTINATION_ADDR, b"1\x002"),
        (DESTINATION_ADDR, 13800138000),
        (SHORT_MESSAGE, bytes(256)),
        (SHORT_MESSAGE, 1),
    ],
)
def test_a_value_that_does_not_fit_is_our_fault(field: Field, value: FieldValue) -> None:
    with pytest.raises(EncodeError, match=field.name):
        field.write(value)
