"""Records come in blocks that say where they stand."""

from gateway.records.replay_reader import Block, BlockReader, UnchangedReason
from tests.records.replay.conftest import AT, CLEAN, SPAM, Traffic, advert

HOUR = int(AT // 3600)


def blocks(traffic: Traffic, *hours: int) -> list[Block]:
    return list(BlockReader(traffic.archive, None).read(hours))


def test_a_block_says_what_stands_in_which_file(traffic: Traffic) -> None:
    traffic.send(advert(CLEAN), advert(SPAM))
    traffic.write(b'{"kind":"released"}')
    traffic.write(b"{}")
    (path,) = traffic.directory.iterdir()

    (block,) = blocks(traffic, HOUR)

    assert (block.hour, block.file, block.lines) == (HOUR, path.name, 6)
    assert block.octets == path.stat().st_size
    assert [one.number for one in block.decisions] == [2, 4]
    assert block.kept == {UnchangedReason.MALFORMED: 1}


def test_hours_are_read_as_they_are_asked_for(traffic: Traffic) -> None:
    traffic.send(advert())
    traffic.send(advert(), after_s=3600)

    assert [block.hour for block in blocks(traffic, HOUR + 1, HOUR)] == [HOUR + 1, HOUR]
    assert blocks(traffic, HOUR + 2) == []
