import gzip
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.records import DecisionRow
from gateway.records.archive import RecordArchive, start_of
from gateway.records.lines import RecordLines
from gateway.records.sealed_values import RecordScope, opened
from gateway.records.upkeep import FilePurge, plan_purge, purge, seal_closed
from gateway.records.writer import HourFiles
from gateway.runtime.sealing import Sealer

Decision = Callable[..., DecisionRow]

SEALER = Sealer({"k1": bytes(64)}, "k1")
OTHER = Sealer({"k9": bytes(range(64))}, "k9")
HOUR = 383_480  # 2013-09-30, 08 UTC
BEFORE = start_of(HOUR + 24)
HELD = 8613800138007


@pytest.fixture
def archive(tmp_path: Path) -> RecordArchive:
    return RecordArchive(tmp_path)


@pytest.fixture
def write(archive: RecordArchive, decision: Decision) -> Callable[[int], None]:
    """Return a function that writes an hour of ten messages, two of them to one subscriber."""

    def write(hour: int) -> None:
        files, lines = HourFiles(archive.directory), RecordLines()
        rows = [
            decision(
                epoch=hour * 3600.0 + number,
                sequence_number=number,
                destination=b"13800138007" if number in {3, 8} else b"1390013900%d" % number,
            )
            for number in range(10)
        ]
        files.append(hour, b"".join(map(lines.line, rows)))
        files.close()

    return write


def scope(hour: int = HOUR, **changes: object) -> RecordScope:
    usual = {"since": start_of(hour), "until": start_of(hour + 1), "msisdn": HELD}
    return RecordScope(**{**usual, **changes})  # type: ignore[arg-type]


def purged(
    archive: RecordArchive, *holds: RecordScope, sealer: Sealer | None = SEALER
) -> tuple[list[FilePurge], int]:
    with archive.alone():
        plans = plan_purge(archive, BEFORE, holds, sealer, lambda *_: None)
        return plans, purge(archive, plans, holds, sealer)


def seal(archive: RecordArchive) -> None:
    seal_closed(archive, SEALER, HOUR + 1_000, lambda _: None)


def sequences(archive: RecordArchive, hour: int = HOUR) -> Sequence[object]:
    return [opened(record, SEALER)["sequence_number"] for record in archive.read(hour)]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_r72_of_ten_expired_rows_two_in_an_open_case_eight_go(
    archive: RecordArchive, write: Callable[[int], None], *, is_sealed: bool
) -> None:
    write(HOUR)
    if is_sealed:
        seal(archive)

    plans, gone = purged(archive, scope())

    assert [(plan.goes, plan.stays) for plan in plans] == [(8, 2)]
    assert gone == 8
    assert sequences(archive) == [3, 8]
    assert purged(archive, scope())[1] == 0
    assert sequences(archive) == [3, 8]
    assert purged(archive)[1] == 2
    assert list(archive.directory.iterdir()) == []


def test_what_is_not_past_keeping_stays(
    archive: RecordArchive, write: Callable[[int], None]
) -> None:
    for hour in (HOUR, HOUR + 23, HOUR + 24):
        write(hour)

    assert purged(archive)[1] == 20

    assert archive.hours() == [HOUR + 24]


def test_a_hold_of_another_time_keeps_nothing(
    archive: RecordArchive, write: Callable[[int], None]
) -> None:
    write(HOUR)

    assert purged(archive, scope(HOUR + 1))[1] == 10


def test_a_hold_on_a_whole_hour_keeps_it_as_it_is(
    archive: RecordArchive, write: Callable[[int], None]
) -> None:
    write(HOUR)
    seal(archive)
    (path,) = archive.directory.iterdir()
    before = path.read_bytes()

    assert purged(archive, scope(msisdn=None))[1] == 0

    assert path.read_bytes() == before


@pytest.mark.parametrize("sealer", [None, OTHER])
def test_without_the_key_nothing_in_the_period_of_a_hold_goes(
    archive: RecordArchive, write: Callable[[int], None], sealer: Sealer | None
) -> None:
    write(HOUR)
    seal(archive)

    assert purged(archive, scope(), sealer=sealer)[1] == 0

    assert len(sequences(archive)) == 10


def test_an_answer_that_came_in_the_next_hour_stays_with_its_request(
    archive: RecordArchive, write: Callable[[int], None]
) -> None:
    write(HOUR)
    hold = scope(until=start_of(HOUR) + timedelta(hours=2))
    assert purged(archive, hold)[1] == 8
    files = HourFiles(archive.directory)
    files.append(
        HOUR + 1,
        b"".join(
            RecordLines().line(
                ("o", (HOUR + 1) * 3600.0, (12, "sp1", 4), number, 0, b"1", 1, "answered")
            )
            for number in range(10)
        ),
    )
    files.close()

    plans, gone = purged(archive, hold)

    # The file of the first hour stays as it is, and yet tells which answers are meant.
    assert [(plan.goes, plan.stays) for plan in plans] == [(0, 2), (8, 2)]
    assert gone == 8
    assert sequences(archive, HOUR + 1) == [3, 8]


def test_a_file_that_a_gateway_writes_stays_for_another_day(
    archive: RecordArchive, decision: Decision
) -> None:
    files = HourFiles(archive.directory)
    files.append(HOUR, RecordLines().line(decision()))

    assert purged(archive)[1] == 0
    files.close()
    assert purged(archive)[1] == 1


def test_an_empty_file_goes(archive: RecordArchive) -> None:
    (archive.directory / "cdr-20130930-08.jsonl").touch()

    assert purged(archive)[1] == 0

    assert list(archive.directory.iterdir()) == []


def test_a_file_that_cannot_be_read_is_not_deleted(archive: RecordArchive) -> None:
    path = archive.directory / "cdr-20130930-08.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"kind":"x"}\n')[:-9])

    with pytest.raises(EOFError):
        purged(archive)

    assert path.exists()


def test_a_purge_that_fails_half_way_is_done_again(
    archive: RecordArchive, write: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(HOUR)
    seal(archive)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            purged(archive, scope())

    assert len(sequences(archive)) == 10
    assert purged(archive, scope())[1] == 8
    assert sequences(archive) == [3, 8]
