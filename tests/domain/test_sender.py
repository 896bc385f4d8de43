"""Ports and who owns them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.sender import (
    BindLimits,
    LastWriters,
    Port,
    PortOwners,
    Purpose,
    Rate,
    Route,
    RouteTable,
    Sender,
    SenderKind,
    SenderState,
    companions_of,
)


def sender(*ports: Port) -> Sender:
    return Sender(
        system_id="sp1",
        password="plain:secret",
        name="示例商城",
        state=SenderState.ACTIVE,
        binds=BindLimits(maximum=1, types=frozenset(), addresses=()),
        ports=ports,
        rate=Rate(per_s=1, burst=1),
        window=1,
    )


@pytest.mark.parametrize("source", ["10690001", "106900010", "106900019999"])
def test_a_port_owns_itself_and_its_extensions(source: str) -> None:
    assert Port("10690001", extension_digits=4).owns(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "1069000",
        "10690002",
        "1069000199999",
        "10690001a",
        "10690001 ",
        "10690001+",
        "10690001１",
        "10690001²",
        "+10690001",
        "010690001",
    ],
)
def test_a_port_owns_nothing_else(source: str) -> None:
    assert not Port("10690001", extension_digits=4).owns(source)


def test_a_port_without_extensions_owns_itself_only() -> None:
    port = Port("10690001")

    assert port.owns("10690001")
    assert not port.owns("106900010")


@given(st.from_regex("[0-9]{1,12}", fullmatch=True), st.integers(0, 8), st.text(max_size=9))
def test_an_extension_is_owned_if_it_is_digits_and_short_enough(
    number: str, digits: int, extension: str
) -> None:
    owned = Port(number, extension_digits=digits).owns(number + extension)

    assert owned == (len(extension) <= digits and all("0" <= each <= "9" for each in extension))


def test_the_longest_port_says_what_a_source_is_for() -> None:
    marketing = Port("1069", extension_digits=8, purpose=Purpose.MARKETING)
    verification = Port("10690001", extension_digits=4, purpose=Purpose.VERIFICATION)

    assert sender(marketing, verification).port_of("106900015") is verification
    assert sender(verification, marketing).port_of("106900015") is verification
    assert sender(marketing, verification).port_of("106900025") is marketing


def test_a_source_outside_all_ports_belongs_to_none() -> None:
    assert sender(Port("10690001")).port_of("10690002") is None
    assert sender().port_of("10690001") is None


def test_a_sender_is_printed_without_its_password() -> None:
    assert "secret" not in repr(sender())


def test_a_sender_overrides_no_status_unless_told() -> None:
    assert sender().statuses == {}


def test_the_companions_of_an_account_are_the_others_of_its_owner() -> None:
    owners = {"a": "licence 1", "b": "", "c": "licence 1", "d": "b", "e": "e", "f": "licence 1"}
    accounts = [
        replace(sender(), system_id=system_id, owner=owner) for system_id, owner in owners.items()
    ]

    assert companions_of(accounts) == {
        "a": ("c", "f"),
        "c": ("a", "f"),
        "f": ("a", "c"),
        "b": ("d",),
        "d": ("b",),
    }


@pytest.mark.parametrize(
    ("address", "owners"),
    [
        ("1069", ("long",)),
        ("106912", ("long",)),
        ("10691234", ("exact",)),
        ("1069123", ("long",)),
        ("1068", ("one", "other")),
        ("BANK", ("other",)),
        ("BANK1", ()),
        ("106", ()),
        ("", ()),
    ],
)
def test_the_longest_port_says_whose_an_address_is(address: str, owners: tuple[str, ...]) -> None:
    senders = (
        replace(sender(Port("1069", extension_digits=4)), system_id="long"),
        replace(sender(Port("10691234")), system_id="exact"),
        replace(sender(Port("1068")), system_id="one"),
        replace(sender(Port("1068"), Port("BANK")), system_id="other"),
    )

    assert PortOwners(senders).of(address) == owners


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("1065712345", "1065712345"),
        ("+861065712345", "1065712345"),
        ("vk-quikpy", "VK-QUIKPY"),
        ("10690001", ""),
        ("8610690001123", ""),
        ("13912345678", ""),
        ("+8613912345678", ""),
        ("", ""),
    ],
)
def test_a_port_of_another_network_is_no_person_s_number_and_none_of_an_sp_here(
    address: str, port: str
) -> None:
    owner = sender(Port("10690001"))
    peer = replace(sender(), system_id="cmcc", kind=SenderKind.PEER)

    assert PortOwners((owner, peer)).foreign_port_of(address) == port
    assert PortOwners((owner,)).foreign_port_of(address) == ""


@pytest.mark.parametrize(
    ("purposes", "is_vital"),
    [
        ([(Purpose.VERIFICATION,)], True),
        ([(Purpose.PUBLIC_INTEREST, Purpose.VERIFICATION)], True),
        ([(Purpose.VERIFICATION, Purpose.MARKETING)], False),
        ([(Purpose.SERVICE,)], False),
        ([(Purpose.VERIFICATION,), (Purpose.PUBLIC_INTEREST,)], True),
        ([(Purpose.VERIFICATION,), (Purpose.SERVICE,)], False),
        ([], False),
    ],
)
def test_a_port_is_vital_if_all_its_owners_have_it_for_codes_or_warnings_alone(
    purposes: list[tuple[Purpose, ...]], *, is_vital: bool
) -> None:
    owners = PortOwners(
        replace(sender(Port("95588", purpose=first, others=tuple(others))), system_id=f"sp{number}")
        for number, (first, *others) in enumerate(purposes)
    )

    assert owners.is_vital("95588") is is_vital
    assert not owners.is_vital("955880")


def test_there_is_a_table_of_routes_where_there_are_routes() -> None:
    table = RouteTable.of([Route("abroad", destination="852")])

    assert table is not None
    assert (table.group_of(b"1069", b"85291234567"), table.group_of(b"1069", b"861")) == (
        "abroad",
        "",
    )
    assert RouteTable.of([]) is None


def test_the_last_who_wrote_from_a_port_is_known_for_each_subscriber() -> None:
    writers = LastWriters()
    writers.note("10690001", 1, "sp1")
    writers.note("10690001", 2, "sp1")
    writers.note("10690001", 1, "sp2")

    assert [writers.last("10690001", one) for one in (1, 2, 3, None)] == ["sp2", "sp1", "", ""]
    assert writers.last("10690002", 1) == ""


def test_writers_are_bounded_and_the_oldest_go_first() -> None:
    writers = LastWriters(maximum=10)

    for number in range(25):
        writers.note("10690001", number, "sp1")

    known = [number for number in range(25) if writers.last("10690001", number)]
    assert known == list(range(10, 25))
