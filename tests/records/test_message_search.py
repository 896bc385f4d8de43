"""One message is found in the records by few of their lines, and as if all were parsed."""

import gzip
import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from gateway.records.archive import FileLines, RecordArchive, scan_hour, start_of
from gateway.records.message_search import follow_message, windows_of
from gateway.records.message_trail import MessageTrail, follow_hours, has_id
from gateway.records.sealed_values import Record, sealed
from gateway.records.traffic_counts import Patience, SessionBinds
from gateway.runtime.sealing import Sealer
from gateway.systems.quarantine.model import MessageIds, issued_at
from tests.records.finding_rows import HOUR

HELD = MessageIds(0).next_id(HOUR * 3_600_000 + 1000)
NOW = start_of(HOUR + 5)
DAY = timedelta(days=1)


def at(minute: float) -> str:
    moment = start_of(HOUR) + timedelta(minutes=minute)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def record(kind: str, minute: float, sequence: int | None = None, **more: object) -> Record:
    told = {"kind": kind, "at": at(minute), "session": 1, "system_id": "shop", "command_id": 4}
    return told | ({} if sequence is None else {"sequence_number": sequence}) | more


def decision(minute: float, sequence: int, action: str = "forward", held: int = 0) -> Record:
    return record("decision", minute, sequence, action=action, gateway_id=held)


def answer(minute: float, sequence: int, message_id: str = "") -> Record:
    return record("outcome", minute, sequence, command_status=0, message_id=message_id)


def receipt(minute: float, sequence: int, message_id: str) -> Record:
    return record("delivery", minute, sequence, message_id=message_id, what="receipt")


def release(minute: float, smsc_message_id: str) -> Record:
    return record("release", minute, gateway_id=HELD, smsc_message_id=smsc_message_id)


RELEASED = [
    decision(0.1, 1, "quarantine", HELD),
    decision(1, 2),
    answer(2, 2, "a2"),
    answer(180.9, 90, "b7"),  # to the release, which is written behind it
    release(181, "b7"),
    receipt(239.9, 5, "b7"),
    answer(240.1, 5),
]


class Place:
    """Records of some hours, and which of these were read."""

    def __init__(self, directory: Path) -> None:
        self.archive = RecordArchive(directory)
        self.read: list[int] = []

    def write(self, records: Iterable[Record], sealer: Sealer | None = None) -> None:
        hours: dict[str, list[bytes]] = {}
        for one in records:
            stamp = str(one["at"])[:13].replace("-", "").replace("T", "-")
            shown = one if sealer is None else sealed(one, sealer)
            hours.setdefault(stamp, []).append(orjson.dumps(shown))
        for stamp, lines in hours.items():
            octets = b"\n".join((*lines, b""))
            name = f"cdr-{stamp}.jsonl"
            packed = (name, octets) if sealer is None else (f"{name}.gz", gzip.compress(octets))
            (self.archive.directory / packed[0]).write_bytes(packed[1])

    def lines(self, hour: int) -> Iterator[FileLines]:
        self.read.append(hour - HOUR)
        yield from scan_hour(self.archive, hour, bool)

    def found(self, message_id: str, since: datetime = NOW - DAY) -> list[Record]:
        windows = windows_of(since, NOW, issued_at(message_id))
        return follow_message(message_id, self.archive.hours(), windows, self.lines)

    def found_by_all_lines(self, message_id: str) -> list[Record]:
        trail, span = MessageTrail(has_id(message_id)), (NOW - DAY, NOW)
        patience = Patience(lambda: 0.0, 1.0, 10**9)
        return follow_hours(self.archive, trail, span, patience, SessionBinds({}))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def kinds(found: Iterable[Mapping[str, object]]) -> list[object]:
    return [one["kind"] for one in found]


def test_a_held_message_is_followed_over_its_release_to_the_answer_to_its_receipt(
    place: Place,
) -> None:
    place.write(RELEASED)

    found = place.found(str(HELD))

    assert kinds(found) == ["decision", "outcome", "release", "delivery", "outcome"]
    assert found == place.found_by_all_lines(str(HELD))


def test_a_request_is_found_in_the_hour_before_its_answer(place: Place) -> None:
    place.write([decision(59.99, 7), decision(59.995, 8), answer(60.01, 7, "a7")])

    found = place.found("a7")

    assert kinds(found) == ["decision", "outcome"]
    assert found == place.found_by_all_lines("a7")


def test_sealed_hours_are_searched_as_they_are(place: Place) -> None:
    sealer = Sealer({"k1": b"1" * 32}, "k1")
    place.write(RELEASED, sealer)

    assert place.found(str(HELD)) == place.found_by_all_lines(str(HELD))
    assert len(place.found(str(HELD))) == 5


def test_an_id_that_is_written_with_escapes_is_found(place: Place) -> None:
    place.write([decision(1, 1), answer(2, 1, 'a"\u00e9'), decision(3, 1), answer(4, 1, "b")])

    assert kinds(place.found('a"\u00e9')) == ["decision", "outcome"]


@pytest.mark.parametrize("seed", range(40))
def test_few_lines_tell_the_same_as_all(place: Place, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret hangs on it
    ids = ["a1", "a2", "b1", str(HELD)]
    records: list[Record] = []
    for number in range(60):
        minute, sequence = 30 + number * 0.9, draw.randrange(1, 5)
        held = draw.choice([0, 0, HELD])
        choices = (
            decision(minute, sequence, "quarantine" if held else "forward", held),
            answer(minute, sequence, draw.choice(["", *ids])),
            receipt(minute, sequence, draw.choice(ids)),
            release(minute, draw.choice(["", "b1"])),
        )
        records.append(draw.choice(choices))
    place.write(records)

    for one in ids:
        assert place.found(one) == place.found_by_all_lines(one)


def test_nothing_is_read_of_the_time_before_a_message_had_its_id(place: Place) -> None:
    place.write([decision(-60.0 * hour, 1) for hour in range(1, 20)] + RELEASED)

    place.found(str(HELD))

    assert min(place.read) == -1  # a clock may have been set back
    assert {0, 3, 4} <= set(place.read)


def test_a_message_from_before_the_time_that_was_asked_for_is_found_by_its_id(
    place: Place,
) -> None:
    middle = [decision(60.0 * hour + 30, 1) for hour in range(5)]
    place.write([*RELEASED, *middle])

    found = place.found(str(HELD), since=NOW - timedelta(minutes=119.5))

    assert kinds(found) == ["decision", "outcome", "release", "delivery", "outcome"]
    assert 2 not in place.read  # neither near the id nor asked for


def test_windows_are_what_was_asked_for_where_an_id_has_no_time() -> None:
    asked = [(NOW - DAY, NOW)]
    early = NOW - 3 * DAY

    assert windows_of(*asked[0], None) == asked
    assert windows_of(*asked[0], NOW + DAY) == asked  # an SMSC may give such an id
    assert windows_of(*asked[0], early, reaches_back=False) == asked
    reaching = [(early - timedelta(hours=1), early + DAY), *asked]
    assert windows_of(*asked[0], early) == reaching


def test_a_line_that_is_no_record_is_a_fault(place: Place) -> None:
    (place.archive.directory / "cdr-20130930-08.jsonl").write_bytes(b'["a7"]\n')

    with pytest.raises(ValueError, match="no record"):
        place.found("a7")


def test_an_id_of_ours_has_the_moment_of_its_issue() -> None:
    moment = datetime(2013, 9, 30, 8, 0, 1, tzinfo=UTC)

    assert issued_at(str(MessageIds(7).next_id(int(moment.timestamp() * 1000)))) == moment
    assert issued_at("100123456789") is None
