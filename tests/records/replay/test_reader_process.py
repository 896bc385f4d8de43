"""What is read in a process beside is what would be read here, and the process goes away."""

import os
import signal
from multiprocessing import active_children

import pytest

from gateway.records import replay_reader
from gateway.records.replay_reader import Block, BlockReader, HourUnreadableError
from gateway.records.upkeep import seal_closed
from gateway.runtime.sealing import Keys, Sealer
from tests.records.replay.conftest import AT, CLEAN, SPAM, Traffic, advert

HOUR = int(AT // 3600)
KEYS = Keys({"k1": bytes(64)}, "k1")


@pytest.fixture
def recorded(traffic: Traffic) -> Traffic:
    """Give a sealed hour, one that is open, and a line that is no record."""
    traffic.send(advert(CLEAN), advert(SPAM))
    traffic.send(advert(CLEAN), after_s=3600)
    seal_closed(traffic.archive, Sealer(KEYS.by_id, "k1"), HOUR + 1, lambda _octets: None)
    traffic.write(b"{}")
    return traffic


def read_beside(traffic: Traffic) -> list[Block]:
    with replay_reader.reading_beside(traffic.archive, KEYS) as read:
        return list(read([HOUR, HOUR + 1]))


def test_what_is_read_beside_is_what_is_read_here(recorded: Traffic) -> None:
    found = read_beside(recorded)

    assert found == list(BlockReader(recorded.archive, KEYS).read([HOUR, HOUR + 1]))
    assert [len(block.decisions) for block in found] == [2, 1]
    assert found[0].decisions[0].head.recorded.passes
    assert active_children() == []


def test_an_hour_that_cannot_be_read_beside_is_said_as_here(recorded: Traffic) -> None:
    (recorded.directory / "cdr-20231114-23.jsonl").write_bytes(b"x" * (5 << 20))
    with pytest.raises(HourUnreadableError) as here:
        list(BlockReader(recorded.archive, KEYS).read([HOUR, HOUR + 1]))

    with pytest.raises(HourUnreadableError) as beside:
        read_beside(recorded)

    assert (beside.value.hour, str(beside.value)) == (here.value.hour, str(here.value))


def test_who_stops_reading_ends_the_process(recorded: Traffic) -> None:
    with replay_reader.reading_beside(recorded.archive, KEYS) as read:
        next(read([HOUR, HOUR + 1]))
        assert len(active_children()) == 1

    assert active_children() == []


def test_ctrl_c_is_not_for_the_process_beside(recorded: Traffic) -> None:
    with replay_reader.reading_beside(recorded.archive, KEYS) as read:
        (process,) = active_children()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)

        assert len(list(read([HOUR, HOUR + 1]))) == 2


def test_a_process_that_is_killed_is_no_end_of_the_records(recorded: Traffic) -> None:
    with replay_reader.reading_beside(recorded.archive, KEYS) as read:
        (process,) = active_children()
        process.kill()

        with pytest.raises(replay_reader.ReaderLostError, match=r"^its exit code is -9$"):
            list(read([HOUR]))


@pytest.mark.parametrize(("cores", "worth"), [(2, 1 << 20), (1, 1)])
def test_few_records_and_one_core_need_no_other_process(
    recorded: Traffic, monkeypatch: pytest.MonkeyPatch, cores: int, worth: int
) -> None:
    monkeypatch.setattr(replay_reader, "_cores", lambda: cores)
    monkeypatch.setattr(replay_reader, "_WORTH_OCTETS", worth)

    with replay_reader.reading(recorded.archive, KEYS) as read:
        assert active_children() == []
        assert len(list(read([HOUR]))) == 1


def test_many_records_are_read_beside(recorded: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_reader, "_cores", lambda: 2)
    monkeypatch.setattr(replay_reader, "_WORTH_OCTETS", 1)

    with replay_reader.reading(recorded.archive, KEYS) as read:
        assert len(active_children()) == 1
        assert len(list(read([HOUR]))) == 1


def test_an_archive_without_records_is_read(traffic: Traffic) -> None:
    with replay_reader.reading(traffic.archive, None) as read:
        assert list(read([])) == []
