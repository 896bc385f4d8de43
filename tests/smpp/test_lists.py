"""The destinations of submit_multi and the refusals of its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.fields import (
    Destinations,
    DistributionList,
    FailedDestinations,
    Field,
    FieldValue,
    SmeAddress,
    UnsuccessSme,
)
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

DESTINATIONS = Destinations("dest_address")
REFUSALS = FailedDestinations("unsuccess_sme")
SME = SmeAddress(1, 1, b"8613800138000")


def test_subscribers_and_lists_stand_side_by_side() -> None:
    octets = b"\x02\x01\x01\x018613800138000\0\x02friends\0"
    destinations = (SME, DistributionList(b"friends"))

    assert DESTINATIONS.read(octets, 0, len(octets)) == (destinations, len(octets))
    assert DESTINATIONS.write(destinations) == octets


def test_a_refusal_carries_its_status() -> None:
    octets = b"\x01\x01\x018613800138000\0\0\0\0\x0b"
    refusals = (UnsuccessSme(1, 1, b"8613800138000", CommandStatus.ESME_RINVDSTADR),)

    assert REFUSALS.read(octets, 0, len(octets)) == (refusals, len(octets))
    assert REFUSALS.write(refusals) == octets


def test_an_answer_without_refusals_is_the_usual_one() -> None:
    assert REFUSALS.read(b"\0", 0, 1) == ((), 1)
    assert REFUSALS.write(()) == b"\0"


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"", CommandStatus.ESME_RINVNUMDESTS),
        (b"\0", CommandStatus.ESME_RINVNUMDESTS),
        (b"\x01", CommandStatus.ESME_RINVDESTFLAG),
        (b"\x01\x03\x01\x01138\0", CommandStatus.ESME_RINVDESTFLAG),
        (b"\x01\x01", CommandStatus.ESME_RINVDSTTON),
        (b"\x01\x01\x01", CommandStatus.ESME_RINVDSTNPI),
        (b"\x01\x01\x01\x01138", CommandStatus.ESME_RINVDSTADR),
        (b"\x01\x02friends", CommandStatus.ESME_RINVDLNAME),
        (b"\x02\x02friends\0", CommandStatus.ESME_RINVDESTFLAG),
    ],
)
def test_a_faulty_destination_earns_its_own_status(octets: bytes, status: CommandStatus) -> None:
    with pytest.raises(DecodeError) as caught:
        DESTINATIONS.read(octets, 0, len(octets))
    assert caught.value.status is status


def test_a_refusal_cut_off_in_its_status_is_an_error() -> None:
    octets = b"\x01\x01\x01138\0\0\0\0"

    with pytest.raises(DecodeError) as caught:
        REFUSALS.read(octets, 0, len(octets))
    assert caught.value.field == "error_status_code"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (DESTINATIONS, (SME,) * 256),
        (DESTINATIONS, b"138"),
        (DESTINATIONS, (UnsuccessSme(1, 1, b"138", 8),)),
        (REFUSALS, (UnsuccessSme(1, 1, b"138", 8),) * 256),
        (REFUSALS, 0),
        (REFUSALS, (SME,)),
        (REFUSALS, (DistributionList(b"friends"),)),
    ],
)
def test_what_is_no_such_list_is_not_written(field: Field, value: FieldValue) -> None:
    with pytest.raises(EncodeError):
        field.write(value)


@given(st.sampled_from([DESTINATIONS, REFUSALS]), st.binary(max_size=80))
def test_any_octets_decode_or_raise_decode_error(field: Field, octets: bytes) -> None:
    try:
        value, past = field.read(octets, 0, len(octets))
    except DecodeError:
        return
    assert field.write(value) == octets[:past]


@given(
    st.lists(
        st.builds(SmeAddress, st.integers(0, 255), st.integers(0, 255), st.just(b"10086"))
        | st.builds(DistributionList, st.just(b"vip")),
        min_size=1,
        max_size=255,
    ).map(tuple)
)
def test_any_list_survives_the_wire(destinations: tuple[SmeAddress | DistributionList]) -> None:
    octets = DESTINATIONS.write(destinations)

    assert DESTINATIONS.read(octets, 0, len(octets)) == (destinations, len(octets))
