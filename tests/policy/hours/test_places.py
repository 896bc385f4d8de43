"""Where numbers belong, and whose time holds there."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.places import PREFIXES, ProvinceTable, Zones

ZONES = Zones("Asia/Shanghai")


def test_a_mainland_mobile_number_has_the_province_of_its_head() -> None:
    provinces = ProvinceTable([(1380013, "11"), (1380014, "35"), (1999999, "35")])

    assert provinces.province_of(8613800138000) == "11"
    assert provinces.province_of(8613800149999) == "35"
    assert provinces.province_of(8619999999999) == "35"


def test_without_its_head_on_the_table_a_province_is_unknown() -> None:
    provinces = ProvinceTable([(1380013, "11")])

    assert not provinces.province_of(8613800123456)
    assert not provinces.province_of(8621138001380)  # a long number that is no mobile one
    assert not provinces.province_of(8600138001380)


def test_a_head_may_be_listed_twice_for_one_province() -> None:
    provinces = ProvinceTable([(1380013, "11"), (1380013, "11")])

    assert provinces.province_of(8613800130000) == "11"


@pytest.mark.parametrize(
    ("heads", "problem"),
    [
        ([(138001, "11")], "138001 is no head"),
        ([(2000000, "11")], "2000000 is no head"),
        ([(999999, "11")], "999999 is no head"),
        ([(1380013, "")], "1380013 has no province"),
        ([(1380013, "11"), (1380013, "35")], "1380013 is given to two provinces"),
        ([(1300000 + n, str(n)) for n in range(256)], "more than 255 provinces"),
    ],
)
def test_a_faulty_table_of_heads_is_refused(heads: list[tuple[int, str]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ProvinceTable(heads)


def test_a_table_may_name_255_provinces() -> None:
    provinces = ProvinceTable((1300000 + n, str(n)) for n in range(255))

    assert provinces.province_of(8613002540000) == "254"


@pytest.mark.parametrize(
    ("msisdn", "zone"),
    [
        (8613800138000, "Asia/Shanghai"),
        (12125550123, "America/New_York"),
        (13125550123, "America/Chicago"),
        (16025550123, "America/Phoenix"),
        (18085550123, "Pacific/Honolulu"),
        (17095550123, "America/St_Johns"),
        (5568912345678, "America/Rio_Branco"),
        (5511912345678, "America/Sao_Paulo"),
        (447400123456, "Europe/London"),
        (97714123456, "Asia/Kathmandu"),
    ],
)
def test_r40_a_number_lives_by_the_time_of_its_area(msisdn: int, zone: str) -> None:
    assert ZONES.zone_of(msisdn) is ZoneInfo(zone)


@pytest.mark.parametrize("msisdn", [79161234567, 61412345678, 18675550123, 95588])
def test_r40_where_the_number_does_not_tell_the_profile_s_time_holds(msisdn: int) -> None:
    assert ZONES.zone_of(msisdn) is ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("name", ["Asia/Peking", "", "../etc/passwd", "/etc/passwd", "Asia"])
def test_a_time_zone_that_is_none_is_refused_when_the_policy_is_loaded(name: str) -> None:
    with pytest.raises(ValueError, match="is not in the time zone database"):
        Zones(name)


@given(st.integers(0, 10**15 - 1))
def test_every_number_has_a_time(msisdn: int) -> None:
    assert ZONES.zone_of(msisdn).key


def test_no_calling_code_begins_with_another_save_where_areas_tell_more() -> None:
    codes = {prefix for prefix in PREFIXES if prefix[0] != "1"}

    inside = {code for code in codes for other in codes if code != other and code.startswith(other)}

    assert {code[:2] for code in inside} == {"55", "76", "77"}
