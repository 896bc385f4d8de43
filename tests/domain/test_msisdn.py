"""One normal form for subscriber numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.msisdn import (
    has_mobile,
    is_mobile,
    masked,
    masked_mobiles,
    misread_as,
    msisdn_from,
    msisdn_of,
    other_msisdn_from,
    readings_of,
    spelled,
    spellings_of,
    with_plus,
    without_country,
    written_alike,
)

mainland = st.integers(13_000_000_000, 19_999_999_999)


PREFIXES = ["", "86", "+86", "0086", "+0086", "0", "860", "+860", "00860", "+00860"]


@given(mainland, st.sampled_from(PREFIXES))
def test_every_spelling_of_a_mainland_number_is_the_same_number(number: int, prefix: str) -> None:
    assert msisdn_of(f"{prefix}{number}".encode()) == 86 * 10**11 + number


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (b"447700900123", 447700900123),
        (b"+447700900123", 447700900123),
        (b"00447700900123", 447700900123),
        (b"85291234567", 85291234567),
        (b"10086", 10086),
        (b"123456789012345", 123456789012345),
        (b"861012345678", 861012345678),
        (b"86075512345678", 8675512345678),
        (b"+8602112345678", 862112345678),
        (b"861440012345678", 861440012345678),
        (b"8601440012345678", 861440012345678),
    ],
)
def test_other_numbers_are_taken_as_they_are(address: bytes, number: int) -> None:
    assert msisdn_of(address) == number


@pytest.mark.parametrize("address", [b"+14155550123", b"0014155550123", b"+0014155550123"])
def test_a_north_american_number_is_no_mainland_number(address: bytes) -> None:
    assert msisdn_of(address) == 14155550123
    assert not is_mobile(address)


@pytest.mark.parametrize(
    "address",
    [
        b"14155550123",  # bare, as SPs write mainland numbers
        b"014155550123",
        b"+014155550123",
        b"8614155550123",
        b"+8614155550123",
    ],
)
def test_the_same_digits_without_the_plus_are_a_mainland_number(address: bytes) -> None:
    assert msisdn_of(address) == 8614155550123


@pytest.mark.parametrize(
    ("address", "ton", "number", "other"),
    [
        (b"12125550123", 1, 12125550123, 8612125550123),
        (b"12125550123", 0, 8612125550123, None),
        (b"14155550123", 1, 8614155550123, 14155550123),
        (b"14155550123", 0, 8614155550123, None),
        (b"14155550123", 2, 8614155550123, None),
        (b"13800138000", 1, 8613800138000, None),  # no North American exchange begins with 0
        (b"8614155550123", 1, 8614155550123, None),
        (b"+14155550123", 0, 14155550123, 8614155550123),
        (b"447700900123", 1, 447700900123, None),
        (b"1415555012x", 1, None, None),
        (b"", 1, None, None),
    ],
)
def test_whoever_writes_is_a_mainland_mobile_number_where_the_digits_may_be_one(
    address: bytes, ton: int, number: int | None, other: int | None
) -> None:
    assert msisdn_from(address, ton) == number
    assert other_msisdn_from(address, ton) == other
    assert msisdn_of(with_plus(address, ton)) == number


@given(mainland, st.sampled_from(PREFIXES), st.integers(0, 6))
def test_no_type_makes_another_number_of_a_mainland_mobile_number(
    number: int, prefix: str, ton: int
) -> None:
    assert msisdn_from(f"{prefix}{number}".encode(), ton) == 86 * 10**11 + number


@pytest.mark.parametrize(
    ("number", "other"),
    [(14155550123, 8614155550123), (8613800138000, None), (447700900123, None), (10086, None)],
)
def test_a_north_american_number_may_be_read_as_a_mainland_one(
    number: int, other: int | None
) -> None:
    assert misread_as(number) == other
    if other is not None:
        assert msisdn_of(str(number).encode()) == other


def test_a_refusal_is_about_whom_a_number_may_be_read_as_too() -> None:
    numbers = [14155550123, 8613800138000, 14155550123, 447700900123]

    assert readings_of(numbers) == [14155550123, 8613800138000, 447700900123, 8614155550123]


@pytest.mark.parametrize(
    ("number", "alike"),
    [
        (14155550123, (14155550123, 8614155550123)),
        (8614155550123, (8614155550123, 14155550123)),
        (8613800138000, (8613800138000,)),
        (447700900123, (447700900123,)),
        (10086, (10086,)),
    ],
)
def test_two_numbers_may_be_written_with_the_same_digits(
    number: int, alike: tuple[int, ...]
) -> None:
    assert written_alike(number) == alike


@given(st.integers(0, 10**15 - 1))
def test_whoever_is_written_as_another_is_written_so_the_other_way_round(number: int) -> None:
    for other in written_alike(number):
        assert number in written_alike(other)


@pytest.mark.parametrize("address", [b"+13800138000", b"0013800138000", b"+11987654321"])
def test_what_no_north_american_number_can_be_is_a_mainland_number(address: bytes) -> None:
    assert msisdn_of(address) == 86 * 10**11 + int(address[-11:])


@given(st.integers(0, 10**15 - 1))
def test_a_number_is_read_again_from_how_it_is_spelled(number: int) -> None:
    known = msisdn_of(str(number).encode())

    assert known is None or msisdn_of(spelled(known).encode()) == known


def test_a_number_that_would_be_mistaken_is_written_with_its_plus() -> None:
    assert spelled(14155550123) == "+14155550123"
    assert spelled(8613800138000) == "8613800138000"
    assert spelled(447700900123) == "447700900123"


@pytest.mark.parametrize(
    "address",
    [
        b"",
        b"+",
        b"00",
        b"+00",
        b"++8613800138000",
        b"138 0013 8000",
        b"138-0013-8000",
        b"INFO",
        b"-1380013800",
        b"1380013800x",
        b"13800138000\0",
        "１３８００１３８０００".encode(),
        b"1234567890123456",
        b"0",
        b"02012345678",
        b"0138001380001",
        b"00013800138000000",
        b"868613900000001",  # the country code twice
        b"8600861390000001",
        b"86008613900000001",
        b"8600139000000001",  # two trunk zeros
        b"86139000000012",  # a digit more than a mobile number has
        b"861390000000",
        b"+86139",
        b"86",
        b"860",
    ],
)
def test_what_is_no_subscriber_number_is_none(address: bytes) -> None:
    assert msisdn_of(address) is None


@given(st.binary(max_size=24))
def test_any_octets_give_a_number_of_at_most_fifteen_digits_or_none(address: bytes) -> None:
    number = msisdn_of(address)

    assert number is None or 0 <= number < 10**15


@given(st.binary(max_size=24))
def test_a_number_read_again_is_the_same_number(address: bytes) -> None:
    number = msisdn_of(address)

    if number is not None:
        assert msisdn_of(str(number).encode()) in {number, 86 * 10**11 + number}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (8613800138000, "138****8000"),
        ("8613800138000", "138****8000"),
        (13800138000, "138****8000"),
        (447700900123, "447****0123"),
        (8602112345678, "860****5678"),
        (10086, "*****"),
        ("1234567", "*******"),
        (12345678, "******78"),
        ("123456789", "*******89"),
        ("1234567890", "123****7890"),
        ("", ""),
    ],
)
def test_a_masked_number_shows_its_ends_and_nothing_between(number: int | str, shown: str) -> None:
    assert masked(number) == shown


@given(mainland)
def test_four_digits_of_a_mobile_number_stay_hidden(number: int) -> None:
    shown = masked(86 * 10**11 + number)

    assert shown == masked(number)
    assert shown.replace("*", "") == f"{number}"[:3] + f"{number}"[-4:]
    assert str(number) not in shown


@given(st.integers(0, 10**15 - 1))
def test_no_number_is_shown_whole(number: int) -> None:
    assert str(number) not in masked(number)


@pytest.mark.parametrize(
    ("address", "is_person"),
    [
        (b"13800138000", True),
        (b"+8613800138000", True),
        (b"008619912345678", True),
        (b"8613000000000", True),
        (b"8619999999999", True),
        (b"10690001", False),
        (b"10690001234", False),
        (b"12520138000", False),
        (b"8612999999999", False),
        (b"95588", False),
        (b"447700900123", False),
        (b"BANK", False),
        (b"", False),
    ],
)
def test_a_persons_number_is_told_from_a_port(
    address: bytes,
    is_person: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_mobile(address) is is_person


ADDRESSES = st.from_regex(rb"\+?(00|0)?(86)?1?[0-9]{0,12}", fullmatch=True)


@given(ADDRESSES)
def test_every_address_that_is_a_number_is_among_its_spellings(address: bytes) -> None:
    number = msisdn_of(address)

    if number is not None:
        assert address.decode() in spellings_of(number)


@given(st.integers(0, 10**16))
def test_every_spelling_is_of_the_same_number(number: int) -> None:
    spellings = spellings_of(number)

    assert {msisdn_of(one.encode()) for one in spellings} <= {number}
    assert len(set(spellings)) == len(spellings)


def test_a_mainland_number_has_sixteen_spellings() -> None:
    spellings = spellings_of(8613800138000)

    assert len(spellings) == 16
    assert {"13800138000", "+8613800138000", "013800138000"} <= set(spellings)
    assert spellings_of(10**15) == ()


@pytest.mark.parametrize(
    ("sender", "port"),
    [
        ("8610690077", "10690077"),
        ("008610690077", "10690077"),
        ("+8610690077", "10690077"),
        ("10690077", "10690077"),
        ("8612", "8612"),
        ("85261234567", "85261234567"),
    ],
)
def test_a_country_code_before_a_port_is_dropped(sender: str, port: str) -> None:
    assert without_country(sender) == port


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("of 13800138000", "of 138****8000"),
        ("phone013800138000", "phone138****8000"),
        ("0086-138 0013 8000，１３９００１３９０００", "138****8000,139****9000"),
        ("(+86)(138)00138000", "(138****8000"),
        ("10690013800138000 2026-11-19 13:00:00，好", "10690013800138000 2026-11-19 13:00:00，好"),
        (f"sha256:{'13800138000' * 5}abcdef012", f"sha256:{'13800138000' * 5}abcdef012"),
        (
            f"13800138000 sha256:{'13800138000' * 5}abcdef012",
            f"138****8000 sha256:{'13800138000' * 5}abcdef012",
        ),
    ],
)
def test_mobile_numbers_in_a_text_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert masked_mobiles(text) == shown
    assert not has_mobile(shown)
