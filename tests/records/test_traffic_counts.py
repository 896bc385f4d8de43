"""Counts of messages on record: what is counted by which filter, and how much may be read."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import orjson
import pytest

from gateway.domain.records import Row
from gateway.records.archive import RecordArchive
from gateway.records.sealed_values import sealed
from gateway.records.traffic_counts import (
    MAX_HOURS,
    MOST_ROWS,
    Binding,
    Patience,
    TrafficCounts,
    TrafficQuery,
    TrafficRecords,
)
from gateway.runtime.sealing import Sealer
from tests.records.finding_rows import AT, HOUR, answered, decided, enforced, found, lines

BEGIN = datetime.fromtimestamp(AT, UTC)
PORTS = {"shop": ("10690001", "106900017"), "bank": ("95588",)}
KEY = Sealer({"k1": bytes(32)}, "k1")


def write(place: Path, *rows: Row | bytes, hour: int = HOUR) -> None:
    made = [one if isinstance(one, bytes) else b"\n".join(lines(one)) for one in rows]
    name = f"cdr-{datetime.fromtimestamp(hour * 3600, UTC):%Y%m%d-%H}.jsonl"
    (place / name).write_bytes(b"\n".join((*made, b"")))


def counted(
    place: Path,
    *only: tuple[str, str],
    bound: dict[int, Binding] | None = None,
    keys: Sealer | None = None,
    most: int = 1_000_000,
    **more: object,
) -> TrafficCounts:
    until = BEGIN + timedelta(hours=5)
    query = TrafficQuery(BEGIN, until, only, **more)  # type: ignore[arg-type]
    patience = Patience(lambda: 0.0, 10.0, most)
    records = TrafficRecords(RecordArchive(place), keys, lambda: PORTS)
    return records.count(query, bound or {}, patience)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    bound = {"kind": "bound", "at": "2013-09-30T08:00:00.000Z", "session": 1, "smsc": "north"}
    write(
        tmp_path,
        orjson.dumps(bound),
        decided(1),
        answered(1, "ab12"),
        decided(2, enforced("K-FRAUD")),
        decided(3, found("R21"), source="1069000177"),
        decided(4, enforced("K-FRAUD"), system_id="bank", source="13900139000", gateway_id=77),
    )
    return tmp_path


def test_messages_are_counted_by_each_field(place: Path) -> None:
    found = counted(place)

    assert (found.total, found.is_cut, found.since) == (4, False, BEGIN)
    assert found.by_field["system_id"] == {"shop": 3, "bank": 1}
    assert found.by_field["port"] == {"10690001": 2, "106900017": 1, "": 1}
    assert found.by_field["action"] == {"forward": 1, "reject": 2, "shadow": 1}
    assert found.by_field["rule"] == {"": 1, "K-FRAUD": 2, "R21": 1}
    assert found.by_field["smsc"] == {"north": 4}


@pytest.mark.parametrize(
    ("only", "without", "total"),
    [
        ((("system_id", "shop"),), (), 3),
        ((("port", "106900017"),), (), 1),
        ((("rule", "K-FRAUD"), ("system_id", "bank")), (), 1),
        ((("smsc", "south"),), (), 0),
        ((("rule", "%"),), (), 0),
        ((), (("action", "forward"),), 3),
        ((), (("action", "forward"), ("rule", "K-FRAUD")), 1),
    ],
)
def test_only_this_and_without_this(
    place: Path,
    only: tuple[tuple[str, str], ...],
    without: tuple[tuple[str, str], ...],
    total: int,
) -> None:
    assert counted(place, *only, without=without).total == total


def test_rows_are_the_last_ones_masked_and_with_the_id_to_follow(place: Path) -> None:
    rows = counted(place).rows

    assert [row.message_id for row in rows] == ["77", "", "", "ab12"]
    assert {row.destination for row in rows} == {"138****8000"}
    assert rows[0].source == "139****9000"


def test_an_sp_is_not_told_what_rules_in_shadow_mode_found(place: Path) -> None:
    own = counted(place, ("system_id", "shop"), is_of_sp=True)

    assert own.by_field["action"] == {"forward": 2, "reject": 1}
    assert own.by_field["rule"] == {"": 2, "K-FRAUD": 1}


def test_a_filter_of_an_sp_looks_at_what_it_is_told(place: Path) -> None:
    own = ("system_id", "shop")

    assert counted(place, own, ("action", "forward"), is_of_sp=True).total == 2
    assert counted(place, own, ("rule", "R21"), is_of_sp=True).total == 0


def test_sealed_records_are_counted_and_shown_masked(tmp_path: Path) -> None:
    (line,) = lines(decided(1))
    write(tmp_path, orjson.dumps(sealed(orjson.loads(line), KEY)))

    (with_key,) = counted(tmp_path, keys=KEY).rows
    (without,) = counted(tmp_path).rows

    assert (with_key.destination, "8000" in without.destination) == ("138****8000", False)


def test_the_newest_hours_come_first_where_not_all_can_be_read(tmp_path: Path) -> None:
    for hour in range(5):
        rows = [decided(n, at=AT + hour * 3600) for n in range(100)]
        write(tmp_path, *rows, hour=HOUR + hour)

    found = counted(tmp_path, most=250)

    assert (found.is_cut, found.total) == (True, 300)
    assert found.since == BEGIN + timedelta(hours=2)
    assert len(found.rows) == MOST_ROWS
    assert found.rows[0].at.startswith("2013-09-30T12")


def test_of_one_hour_that_is_too_much_a_part_is_counted(tmp_path: Path) -> None:
    ticks = count(0.0, 6.0)
    write(tmp_path, *(decided(n) for n in range(30_000)))
    query = TrafficQuery(BEGIN, BEGIN + timedelta(hours=1))
    records = TrafficRecords(RecordArchive(tmp_path), None, lambda: PORTS)

    found = records.count(query, {}, Patience(lambda: next(ticks), 10.0, 1_000_000))

    assert found.is_cut
    assert 0 < found.total < 30_000


def test_where_a_session_was_bound_is_known_from_the_records_or_from_now(tmp_path: Path) -> None:
    later = {"kind": "bound", "at": "2013-09-30T08:00:01.500Z", "session": 1, "smsc": "south"}
    write(tmp_path, decided(1), decided(2000), orjson.dumps(later), decided(3000))

    unknown = counted(tmp_path)
    known = counted(tmp_path, bound={1: ("2013-09-30T07:00:00.000Z", "north")})

    assert unknown.by_field["smsc"] == {"": 2, "south": 1}
    assert known.by_field["smsc"] == {"north": 2, "south": 1}


@pytest.mark.parametrize(
    ("only", "hours", "is_sound"),
    [((), 1, True), ((("text", "x"),), 1, False), ((), 0, False), ((), MAX_HOURS + 1, False)],
)
def test_a_question_has_bounds(
    only: tuple[tuple[str, str], ...], hours: int, is_sound: object
) -> None:
    assert TrafficQuery(BEGIN, BEGIN + timedelta(hours=hours), only).is_sound is is_sound
