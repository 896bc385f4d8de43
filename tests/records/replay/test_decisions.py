"""Decisions read from lines of records, whatever stands in them."""

from base64 import b64encode
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.records import DecisionRow, OutcomeRow, Why
from gateway.records import replay_reader
from gateway.records.lines import RecordLines
from gateway.records.replay_reader import (
    Decision,
    DecisionReader,
    ReplayOutcome,
    UnchangedReason,
)
from gateway.records.sealed_values import sealed
from gateway.runtime.sealing import Sealer

AT = 1_700_000_000.0
SEALER = Sealer({"k1": bytes(64)}, "k1")
STRANGER = Sealer({"k2": bytes(64)}, "k2")
SAID = "会员日".encode("utf-16-be")
OUTCOME: OutcomeRow = ("o", AT, (1, "sp1", 4), 7, 0, b"41", 1500, "answered")


def row(
    text: bytes = b"", source: bytes = b"10690001", to: bytes = b"13800138000", reason: str = ""
) -> DecisionRow:
    action = "reject" if reason else "forward"
    why = Why(action, reason, "R21", "", "digest")
    return ("d", AT, (1, "sp1", 4), 7, source, to, why, 0, (8, text))


def lines_of(*rows: DecisionRow | OutcomeRow) -> list[bytes]:
    lines = RecordLines()
    return [line for one in rows for line in lines.line(one).splitlines()]


def sealed_lines(lines: Iterable[bytes]) -> list[bytes]:
    return [orjson.dumps(sealed(orjson.loads(line), SEALER)) for line in lines]


def read(lines: list[bytes], sealer: Sealer | None = None) -> list[Decision | UnchangedReason]:
    return list(DecisionReader(sealer).read(1, lines))


def decision(found: Decision | UnchangedReason) -> Decision:
    assert isinstance(found, Decision)
    return found


def changed(**fields: object) -> bytes:
    """Return a decision's line with other fields; None leaves one out."""
    record = orjson.loads(lines_of(row())[0]) | fields
    return orjson.dumps({name: value for name, value in record.items() if value is not None})


def test_a_decision_is_read_with_the_text_it_names() -> None:
    found = [decision(one) for one in read(lines_of(row(SAID), OUTCOME, row(SAID), row()))]

    one = found[0]
    assert (one.head.system_id, one.head.command_id, one.at) == ("sp1", 4, AT)
    assert (one.source, one.destination) == (b"10690001", b"13800138000")
    assert one.head.recorded == ReplayOutcome("forward", "R21")
    assert (one.head.reason, one.head.digest) == ("", "digest")
    assert [each.text for each in found] == [(8, SAID), (8, SAID), None]


def test_a_decision_says_on_which_line_it_stands() -> None:
    reader = DecisionReader(None)

    found = list(reader.read(10, lines_of(row(SAID), OUTCOME, row(SAID))))

    assert [decision(one).number for one in found] == [11, 13]


def test_addresses_are_octets_and_no_characters() -> None:
    (found,) = read(lines_of(row(source=b'\xff"\\\0', to=b"\x80")))

    assert decision(found).source == b'\xff"\\\0'
    assert decision(found).destination == b"\x80"


def test_what_is_sealed_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = sealed_lines(lines_of(row(SAID), row(SAID), row(reason="SOURCE_NOT_OWNED")))
    reader = DecisionReader(SEALER)
    found = [decision(one) for one in reader.read(1, lines)]

    assert [one.text for one in found] == [(8, SAID), (8, SAID), None]
    assert {one.destination for one in found} == {b"13800138000"}
    assert found[2].source == b"10690001"

    # A number is opened once.
    monkeypatch.setattr(Sealer, "open", None)
    assert [one.destination for one in reader.read(1, lines[1:2])] == [b"13800138000"]  # type: ignore[union-attr]


@pytest.mark.parametrize("sealer", [None, STRANGER])
def test_without_its_key_a_number_is_not_made_up(sealer: Sealer | None) -> None:
    assert read(sealed_lines(lines_of(row(SAID))), sealer) == [UnchangedReason.KEY_MISSING]


def test_opened_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_reader, "_MAX_OPENED", 2)
    lines = sealed_lines(lines_of(*(row(to=b"1380013800%d" % n) for n in range(5))))
    reader = DecisionReader(SEALER)

    found = [decision(one).destination[-1:] for one in reader.read(1, lines)]

    assert found == [b"0", b"1", b"2", b"3", b"4"]
    assert len(reader._numbers) == 1


def test_what_repeats_from_record_to_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_reader, "_MAX_HEADS", 2)
    reader = DecisionReader(None)

    lines = [changed(rule=f"R{number % 4}") for number in range(9)]
    found = [decision(one).head.recorded.rule for one in reader.read(1, lines)]

    assert found == [f"R{number % 4}" for number in range(9)]
    assert len(reader._heads) <= 2


def test_texts_are_remembered_as_long_as_their_writer_may_name_them() -> None:
    lines, reader = RecordLines(), DecisionReader(None)
    texts = [b"%06d" % number + bytes(30_000) for number in range(1500)]

    for text in (*texts, *texts[-500:]):  # more than the writer remembers, and what it does
        written = lines.line(row(text)).splitlines()
        assert [decision(one).text for one in reader.read(1, written)] == [(8, text)]
    assert len(reader._texts) + len(reader._texts_before) < 1200


def test_a_gateway_that_starts_again_within_the_hour_may_name_its_texts_as_long() -> None:
    reader = DecisionReader(None)
    texts = [b"%06d" % number + bytes(30_000) for number in range(800)]

    for begun, upto in ((0, 300), (300, 800)):
        lines = RecordLines()  # which remembers 550 of them
        for text in texts[begun:upto] * 2:
            written = lines.line(row(text)).splitlines()
            assert [decision(one).text for one in reader.read(1, written)] == [(8, text)]


def test_a_text_of_another_hour_is_none_of_this_one() -> None:
    text, named = lines_of(row(SAID))
    reader = DecisionReader(None)
    list(reader.read(1, [text]))

    reader.begin_hour()

    assert [decision(one).text for one in reader.read(2, [named])] == [None]


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"decision","at":"2013',
        b"not JSON",
        b"[]",
        b"{}",
        b'{"kind":"malformed","row":"?"}',
        b'{"kind":"text","id":"t1","data_coding":8,"octets":"?"}',
        b'{"kind":"text","id":"t1","data_coding":"8","octets":""}',
        b'{"kind":"text","id":"t1","octets":""}',
        changed(at="2013-09-30T08:00:00"),
        changed(at="yesterday"),
        changed(at="1960-01-01T00:00:00Z"),
        changed(at="2300-01-01T00:00:00Z"),
        changed(at=5),
        changed(system_id=None),
        changed(system_id="x" * 1000),
        changed(action="explode"),
        changed(command_id="4"),
        changed(source="€"),
        changed(source="1" * 100),
        changed(source=None),
        changed(destination=None),
        changed(text=7),
    ],
)
def test_what_is_no_decision_but_may_have_been_one_is_said(line: bytes) -> None:
    assert read([line]) == [UnchangedReason.MALFORMED]


def test_other_records_are_passed_over() -> None:
    assert (
        read([b'{"kind":"released","at":"x"}', b'{"kind":"outcome","at":"x"}', *lines_of()]) == []
    )
    assert read([b'{ "kind": "bound" }']) == []


def test_deliveries_are_passed_over_unread() -> None:
    assert read([b'{"kind":"delivery","at":']) == []


def test_a_line_that_others_have_written_anew_is_read() -> None:
    record = orjson.loads(changed())
    moved = {name: record[name] for name in sorted(record)}

    (found,) = read([orjson.dumps(moved)])

    assert decision(found).head.system_id == "sp1"


def test_a_sealed_text_without_its_key_is_no_text() -> None:
    text, named = lines_of(row(SAID))

    (found,) = read([*sealed_lines([text]), named])

    assert decision(found).text is None
    (other,) = read([*sealed_lines([text]), named], STRANGER)
    assert decision(other).text is None


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_read_or_passed_over(octets: bytes, is_decision: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    line = (b'{"kind":"decision",' if is_decision else b"") + octets

    assert all(found is UnchangedReason.MALFORMED for found in read([line]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from((*orjson.loads(changed()), "text", "kind"))


@given(st.dictionaries(FIELDS, JSON, max_size=4))
def test_any_values_are_read_or_said_to_be_none(fields: dict[str, object]) -> None:
    try:
        line = orjson.dumps(orjson.loads(changed()) | fields)
    except TypeError:  # integers that are no JSON to it
        return

    assert len(read([line])) <= 1


@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_text_comes_back(octets: bytes, data_coding: int) -> None:
    text = b'{"kind":"text","id":"t","data_coding":%d,"octets":"%b"}' % (
        data_coding,
        b64encode(octets),
    )

    found = read([text, changed(text="t")])

    assert decision(found[0]).text == (data_coding, octets)
