from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import filings
from gateway.settings.filings import load_provinces
from gateway.settings.yaml import SettingsError

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]


def test_r04_a_number_is_of_the_province_that_its_head_was_given_to(write: Write) -> None:
    path = write(
        "provinces.csv", "\ufeff# 号段,省份\n1380591,福建\r\n\n 1380200 , 广东 \n1380591,福建\n"
    )

    table = load_provinces(path)

    assert table.province_of(8613805910000) == "福建"
    assert table.province_of(8613802009999) == "广东"
    assert table.province_of(8613800138000) == ""


def test_without_the_file_no_province_is_known(tmp_path: Path) -> None:
    assert load_provinces(tmp_path / "provinces.csv").province_of(8613805910000) == ""


def test_every_line_that_gives_no_head_to_a_province_is_named(
    write: Write, faults_of: FaultsOf
) -> None:
    lines = [
        "138059,福建",
        "２380591,福建",
        "1380591",
        "1380591,福建",
        "1380591,广东",
        "1380592,a,b",
    ]
    path = write("provinces.csv", "\n".join(lines))

    faults = faults_of(lambda: load_provinces(path))

    assert [fault.split(":")[1] for fault in faults] == ["1", "2", "3", "5", "6"]
    assert "1380591 is given to 福建 already" in faults[3]


def test_there_are_not_more_provinces_than_a_country_has(write: Write, faults_of: FaultsOf) -> None:
    lines = [f"{1_000_000 + number},省{number}" for number in range(256)]
    path = write("provinces.csv", "\n".join(lines))

    assert faults_of(lambda: load_provinces(path)) == [
        "provinces.csv:256:1 names more than 255 provinces"
    ]


def test_a_file_that_is_no_table_is_refused_whole(
    write: Write, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filings, "_MAX_TABLE_OCTETS", 8)
    path = write("provinces.csv", "1380591,福建\n")

    assert faults_of(lambda: load_provinces(path)) == ["provinces.csv:1:1 is larger than 8 octets"]


@given(st.binary(max_size=60))
def test_any_octets_are_a_table_or_have_faults(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes
) -> None:
    path = tmp_path_factory.mktemp("table") / "provinces.csv"
    path.write_bytes(octets)

    try:
        table = load_provinces(path)
    except SettingsError as error:
        assert error.faults
    else:
        assert isinstance(table.province_of(8613800138000), str)
