import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from gateway import stores as _all_tables
from gateway.storage.open import SEALED_TABLES, sealed_tables
from gateway.storage.sealed_columns import (
    AFTER_ALL,
    BEFORE_ALL,
    Seal,
    SealedOctets,
    SealedText,
)
from gateway.storage.tables import metadata

SEAL = Seal("k1", bytes(64))
OTHER = Seal("k2", bytes(63) + b"\1")
NUMBER = 8613800138000

# What is a subscriber's, wherever it stands. `source` is a port.
OF_SUBSCRIBERS = {"destination", "pdu", "joined", "rules", "before", "after"}


@given(st.integers(0, 10**15))
def test_a_number_comes_back_from_its_seal(msisdn: int) -> None:
    assert SEAL.opened_number(SEAL.number(msisdn)) == msisdn


@given(st.text(st.characters(codec=None)), st.binary())
def test_texts_and_octets_come_back_from_their_seals(text: str, octets: bytes) -> None:
    assert SEAL.opened_text(SEAL.text(text)) == text
    assert SEAL.opened_octets(SEAL.octets(octets)) == octets


def test_texts_and_octets_open_in_the_column_alone_that_they_were_sealed_for() -> None:
    text, octets = SEAL.text("退订", "a.b"), SEAL.octets(b"pdu", "a.b")

    assert SEAL.opened_text(text, "a.b") == "退订"
    assert SEAL.opened_octets(octets, "a.b") == b"pdu"
    for place in ("", "a.c", "b.b"):
        with pytest.raises(InvalidTag):
            SEAL.opened_text(text, place)
        with pytest.raises(InvalidTag):
            SEAL.opened_octets(octets, place)


def test_every_sealed_text_is_sealed_for_the_column_that_it_stands_in() -> None:
    assert _all_tables is not None
    places = {
        f"{table.name}.{column.name}": column.type.place
        for table, columns in sealed_tables()
        for column in columns
        if isinstance(column.type, SealedText | SealedOctets)
    }

    assert len(places) >= 11
    assert all(place == where for where, place in places.items())


def test_a_number_is_sealed_alike_each_time_and_by_each_key_otherwise() -> None:
    assert SEAL.number(NUMBER) == Seal("k1", bytes(64)).number(NUMBER)
    assert SEAL.number(NUMBER) != OTHER.number(NUMBER)


@given(st.binary(max_size=64))
def test_octets_that_this_key_did_not_seal_open_with_none_of_its_ways(octets: bytes) -> None:
    for opened in (SEAL.opened_number, SEAL.opened_text, SEAL.opened_octets):
        with pytest.raises(InvalidTag):
            opened(octets)


def test_what_is_sealed_as_one_sort_cannot_be_taken_for_another() -> None:
    sealed = SEAL.octets(NUMBER.to_bytes(8, "big"))

    for opened in (SEAL.opened_number, SEAL.opened_text):
        with pytest.raises(InvalidTag):
            opened(sealed)


@given(st.integers(0, 10**15))
def test_all_numbers_lie_between_the_two_that_are_none(msisdn: int) -> None:
    sealed, after = SEAL.number(msisdn), SEAL.number(AFTER_ALL)

    assert isinstance(sealed, bytes)
    assert isinstance(after, bytes)
    assert sealed < after
    # SQLite sorts every integer before all octets.
    assert SEAL.number(BEFORE_ALL) == BEFORE_ALL


def test_every_column_of_a_subscribers_is_one_that_is_sealed() -> None:
    assert _all_tables is not None
    of_subscribers = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if "msisdn" in column.name or column.name in OF_SUBSCRIBERS
    }
    sealed = {f"{table.name}.{one.name}" for table, columns in sealed_tables() for one in columns}

    assert len(of_subscribers) > 20
    assert of_subscribers <= sealed
    assert {"changes.key", "errands.text", "authority_reports.text"} <= sealed


def test_every_table_with_sealed_columns_is_looked_at_before_a_store_is_sealed() -> None:
    assert _all_tables is not None

    assert sorted(SEALED_TABLES) == sorted(table.name for table, _ in sealed_tables())


def test_a_process_that_does_not_know_all_tables_cannot_go_through_them() -> None:
    script = "from gateway.storage.open import sealed_tables; list(sealed_tables())"

    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert ended.returncode != 0
    assert "these tables are not imported: api_answers, " in ended.stderr


def test_the_command_that_seals_a_store_anew_knows_all_tables() -> None:
    script = (
        "import gateway.stores; from gateway.storage.open import sealed_tables;"
        " print(len(list(sealed_tables())))"
    )

    told = subprocess.check_output([sys.executable, "-c", script], text=True)  # noqa: S603

    assert int(told) == len(SEALED_TABLES)
