from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.records import DecisionRow, DeliveryRow, OutcomeRow, Row, Why
from gateway.domain.verdict import Action, Finding, Reason
from gateway.domain.warning import Severity
from gateway.policy.checks.bad_link import BadLink
from gateway.records.lines import RecordLines

Decision = Callable[..., DecisionRow]
Delivery = Callable[..., DeliveryRow]
Outcome = Callable[..., OutcomeRow]

_OTHERS = {"findings", "traffic", "classed_by"}
_WHY = tuple(name for name in Why._fields if name not in _OTHERS)
HOUR = 3600.0
NINE = 1_380_531_600.0 - HOUR  # 2013-09-30T08:00:00Z

epochs = st.floats(0, 4e9)
words = st.text(max_size=20)
uint32 = st.integers(0, 2**32 - 1)
uint63 = st.integers(0, 2**63 - 1)
decisions: st.SearchStrategy[Row] = st.tuples(
    st.just("d"),
    epochs,
    st.tuples(uint32, words, uint32),
    uint32,
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.builds(Why, **dict.fromkeys(Why._fields, words) | {"findings": st.just(())}),
    uint63,
    st.none(),
)
deliveries: st.SearchStrategy[Row] = st.tuples(
    st.just("m"),
    epochs,
    st.tuples(uint32, words, uint32),
    uint32,
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.tuples(words, words, words, words, words),
    st.none(),
)
outcomes: st.SearchStrategy[Row] = st.tuples(
    st.just("o"),
    epochs,
    st.tuples(uint32, words, uint32),
    uint32,
    uint32,
    st.binary(max_size=70),
    uint63,
    words,
)
facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
events: st.SearchStrategy[Row] = st.tuples(
    st.just("e"), epochs, words, st.dictionaries(words, facts, max_size=4)
)


def latin(octets: bytes) -> str:
    return octets.decode("latin-1")


def test_a_decision_is_told_with_its_names(decision: Decision) -> None:
    line = RecordLines().line(decision())

    assert line.endswith(b"}\n")
    assert orjson.loads(line) == {
        "kind": "decision",
        "at": "2013-09-30T08:34:56.123Z",
        "session": 12,
        "system_id": "sp1",
        "command_id": 4,
        "sequence_number": 7,
        "source": "10690001",
        "destination": "8613800138000",
        "action": "forward",
        "reason": "",
        "rule": "",
        "status": "",
        "digest": "0123456789ab",
        "category": "",
        "campaign": "",
        "gateway_id": 0,
    }


def test_a_decision_names_the_class_of_its_message_and_what_decided_about_it(
    decision: Decision,
) -> None:
    classed = Why("forward", "", "", "", "digest", traffic="commercial", classed_by="port")

    line = RecordLines().line((*decision()[:6], classed, *decision()[7:]))

    told = orjson.loads(line)
    assert (told["class"], told["classed_by"]) == ("commercial", "port")
    assert len(line) - len(RecordLines().line(decision())) < 50


def test_every_finding_is_told_with_what_it_has(decision: Decision) -> None:
    noted = Finding("R61-links", BadLink.reason, Action.QUARANTINE, "a link", shadow=True)
    word = Finding(
        "K-FRAUD",
        Reason.CONTENT,
        Action.REJECT,
        "the word",
        category="fraud_prize",
        severity=Severity.SERIOUS,
        word="0a1b2c3",
    )
    scored = Finding(
        "R61-spam", Reason.SUSPICIOUS, Action.REJECT, "0 %", campaign="c01", score=0, zh="0 %"
    )
    why = Why("reject", "CONTENT", "K-FRAUD", "", "digest", findings=(noted, word, scored))
    row = (*decision()[:6], why, *decision()[7:])

    line = RecordLines().line(row)

    assert orjson.loads(line)["findings"] == [
        {"rule": "R61-links", "mode": "shadow", "action": "quarantine", "reason": "BAD_LINK"},
        {
            "rule": "K-FRAUD",
            "mode": "enforce",
            "action": "reject",
            "reason": "CONTENT",
            "category": "fraud_prize",
            "severity": "serious",
            "list": "K-FRAUD",
            "word": "0a1b2c3",
        },
        {
            "rule": "R61-spam",
            "mode": "enforce",
            "action": "reject",
            "reason": "SUSPICIOUS",
            "campaign": "c01",
            "score": 0,
        },
    ]
    assert b"the word" not in line


def test_a_receipt_is_told_with_its_names(delivery: Delivery) -> None:
    assert orjson.loads(RecordLines().line(delivery())) == {
        "kind": "delivery",
        "at": "2013-09-30T08:34:56.250Z",
        "session": 13,
        "system_id": "sp1",
        "command_id": 5,
        "sequence_number": 9,
        "source": "8613800138000",
        "destination": "10690001",
        "message_id": "0042",
        "what": "receipt",
        "stat": "DELIVRD",
        "err": "000",
        "submitted": "1309300834",
        "done": "1309300835",
    }


def test_a_reply_is_told_without_what_only_receipts_say(delivery: Delivery) -> None:
    row = delivery(told=("reply", "", "", "", ""), text=(8, b"TD"))

    text, told = map(orjson.loads, RecordLines().line(row).splitlines())

    assert (text["kind"], text["octets"]) == ("text", b64encode(b"TD").decode())
    assert told["what"] == "reply"
    assert told["text"] == text["id"]
    assert not told.keys() & {"stat", "err", "submitted", "done"}


def test_rows_of_all_kinds_in_turn_keep_what_is_theirs(
    decision: Decision, delivery: Delivery, outcome: Outcome
) -> None:
    lost = ("receipt", "UNDELIV", "011", "", "")
    at = 1_380_530_096.5
    rows: list[Row] = [
        delivery(epoch=at),
        outcome(epoch=at),
        delivery(epoch=at, told=lost),
        delivery(epoch=at + 1, told=lost),
        decision(epoch=at + 1),
        delivery(epoch=at + 1),
    ]

    ((_, _, lines),) = RecordLines().by_hour(rows)

    alone = [RecordLines().line(row) for row in rows]
    assert lines == b"".join(alone)


def test_an_outcome_is_told_with_its_names(outcome: Outcome) -> None:
    assert orjson.loads(RecordLines().line(outcome())) == {
        "kind": "outcome",
        "at": "2013-09-30T08:34:56.500Z",
        "session": 12,
        "system_id": "sp1",
        "command_id": 4,
        "sequence_number": 7,
        "command_status": 0,
        "message_id": "0042",
        "latency_us": 1500,
        "how": "answered",
    }


def test_a_rare_fact_is_told_under_its_own_kind() -> None:
    row: Row = ("e", 0.0, "bind", {"system_id": b"sp\xff", "at": "never", "port": 2775})

    assert orjson.loads(RecordLines().line(row)) == {
        "kind": "bind",
        "at": "1970-01-01T00:00:00.000Z",
        "system_id": "spÿ",
        "port": 2775,
    }


@given(st.lists(decisions, max_size=6))
def test_any_octets_in_a_decision_give_valid_lines_that_keep_them(rows: list[Row]) -> None:
    lines = RecordLines()

    for row in rows:
        assert row[0] == "d"
        line = lines.line(row)
        told = orjson.loads(line)
        assert line.count(b"\n") == 1
        assert told["source"] == latin(row[4])
        assert told["destination"] == latin(row[5])
        assert tuple(told[name] for name in ("session", "system_id", "command_id")) == row[2]
        classed = (told.get("class", ""), told.get("classed_by", row[6].classed_by))
        assert (*(told[name] for name in _WHY), (), *classed) == row[6]
        assert "findings" not in told
        assert (told["sequence_number"], told["gateway_id"]) == (row[3], row[7])
        assert abs(datetime.fromisoformat(told["at"]).timestamp() - row[1]) < 0.0011
    assert lines.malformed == 0


@given(st.lists(deliveries, max_size=6))
def test_any_octets_in_a_delivery_give_valid_lines_that_keep_them(rows: list[Row]) -> None:
    lines = RecordLines()

    for row in rows:
        assert row[0] == "m"
        line = lines.line(row)
        told = orjson.loads(line)
        assert line.count(b"\n") == 1
        names = ("source", "destination", "message_id")
        assert tuple(told[name] for name in names) == tuple(map(latin, row[4:7]))
        assert tuple(told[name] for name in ("session", "system_id", "command_id")) == row[2]
        assert (told["sequence_number"], told["what"]) == (row[3], row[7][0])
        said = tuple(told.get(name, "") for name in ("stat", "err", "submitted", "done"))
        assert said == row[7][1:]
    assert lines.malformed == 0


texts = st.tuples(st.integers(0, 255), st.binary(max_size=12))


@given(st.lists(st.tuples(st.floats(0, 9_000), texts), max_size=12))
def test_any_text_is_found_again_from_the_lines_of_its_own_hour(
    decision: Decision, said: list[tuple[float, tuple[int, bytes]]]
) -> None:
    rows = [decision(epoch=epoch, text=text) for epoch, text in sorted(said)]
    found: list[tuple[int, bytes]] = []

    for _, _, lines in RecordLines().by_hour(rows):
        known: dict[object, tuple[int, bytes]] = {}
        for told in map(orjson.loads, lines.splitlines()):
            if told["kind"] == "text":
                known[told["id"]] = (told["data_coding"], b64decode(told["octets"]))
            elif "text" in told:
                found.append(known[told["text"]])

    assert found == [text for _, text in sorted(said) if text[1]]


def test_a_text_is_written_once_an_hour_before_the_first_decision_that_names_it(
    decision: Decision,
) -> None:
    said = (8, "您的验证码".encode("utf-16-be"))
    rows = [decision(epoch=NINE - 1, text=said) for _ in range(2)] + [
        decision(epoch=NINE, text=said, system_id="sp2")
    ]

    before, after = (
        [orjson.loads(line) for line in lines.splitlines()]
        for _, _, lines in RecordLines().by_hour(rows)
    )

    assert [line["kind"] for line in before] == ["text", "decision", "decision"]
    assert before[0] == {
        "kind": "text",
        "at": "2013-09-30T07:59:59.000Z",
        "id": "t3599-1",
        "system_id": "sp1",
        "data_coding": 8,
        "octets": b64encode(said[1]).decode(),
    }
    assert [line["text"] for line in before[1:]] == ["t3599-1", "t3599-1"]
    assert [line["kind"] for line in after] == ["text", "decision"]
    assert after[0]["id"] == after[1]["text"] == "t0-2"


def test_a_decision_without_a_text_names_none(decision: Decision) -> None:
    assert "text" not in orjson.loads(RecordLines().line(decision(text=(8, b""))))


def test_the_same_octets_in_another_coding_are_another_text(decision: Decision) -> None:
    lines = RecordLines()

    told = [lines.line(decision(text=(coding, b"TD"))) for coding in (0, 8, 0)]

    assert [line.count(b"\n") for line in told] == [2, 2, 1]


def test_the_texts_that_are_kept_ready_are_bounded(decision: Decision) -> None:
    lines = RecordLines()
    long = bytes(60_000)

    for number in range(600):
        lines.line(decision(text=(8, long + b"%d" % number)))

    assert sum(len(octets) for _, octets in lines._texts) <= 16 * 1024 * 1024
    again = lines.line(decision(text=(8, long + b"0")))
    assert orjson.loads(again.splitlines()[0])["id"] == "t2096-601"


@given(st.lists(outcomes, max_size=6))
def test_any_octets_in_an_outcome_give_valid_lines_that_keep_them(rows: list[Row]) -> None:
    lines = RecordLines()

    for row in rows:
        assert row[0] == "o"
        line = lines.line(row)
        told = orjson.loads(line)
        assert line.count(b"\n") == 1
        assert told["message_id"] == latin(row[5])
        assert tuple(told[name] for name in ("session", "system_id", "command_id")) == row[2]
        assert (told["sequence_number"], told["command_status"]) == (row[3], row[4])
        assert (told["latency_us"], told["how"]) == (row[6], row[7])
    assert lines.malformed == 0


@given(events)
def test_any_fact_gives_one_valid_line(row: Row) -> None:
    line = RecordLines().line(row)

    assert line.count(b"\n") == 1
    assert orjson.loads(line)["kind"] in {row[2], "malformed"}


def test_a_row_that_breaks_its_form_is_kept_as_it_is_and_counted() -> None:
    lines = RecordLines()
    row: Row = ("e", 0.0, "receipt", {"too large for JSON": 2**70})

    told = orjson.loads(lines.line(row))

    assert told == {"kind": "malformed", "row": repr(row)}
    assert lines.malformed == 1


def test_a_lone_surrogate_in_a_name_does_not_break_the_line(decision: Decision) -> None:
    assert orjson.loads(RecordLines().line(decision(system_id="sp\ud800")))["system_id"] == "sp?"


def test_rows_of_one_hour_come_together(decision: Decision, outcome: Outcome) -> None:
    rows: list[Row] = [decision(epoch=NINE), outcome(epoch=NINE + 1)]

    ((hour, count, lines),) = RecordLines().by_hour(rows)

    assert (hour, count) == (NINE // HOUR, 2)
    assert [orjson.loads(line)["kind"] for line in lines.splitlines()] == ["decision", "outcome"]


def test_rows_are_parted_where_the_hour_changes(decision: Decision) -> None:
    times = [NINE - 2, NINE - 0.001, NINE, NINE + 0.001, NINE + HOUR]
    rows = [decision(epoch=epoch, sequence_number=n) for n, epoch in enumerate(times)]

    parts = list(RecordLines().by_hour(rows))

    nine = NINE // HOUR
    assert [(hour, count) for hour, count, _ in parts] == [(nine - 1, 2), (nine, 2), (nine + 1, 1)]
    lines = b"".join(lines for _, _, lines in parts).splitlines()
    assert [orjson.loads(line)["sequence_number"] for line in lines] == [0, 1, 2, 3, 4]


def test_no_rows_are_no_lines() -> None:
    assert list(RecordLines().by_hour([])) == []


def test_what_is_kept_ready_is_bounded(decision: Decision, delivery: Delivery) -> None:
    lines = RecordLines()

    for number in range(5000):
        lines.line(delivery(told=("receipt", "DELIVRD", "0", f"{number}", "")))
        lines.line(decision(system_id=f"sp{number}", action=f"action {number}"))

    assert len(lines._names) <= 4096
    assert len(lines._tails) <= 4096
    assert len(lines._told) <= 4096


@pytest.mark.parametrize("octets", [b"+8613800138000", b"", b"\x00", b'"', b"\\", b"a\nb", b"\xff"])
def test_an_address_that_is_no_plain_number_is_escaped(decision: Decision, octets: bytes) -> None:
    told = orjson.loads(RecordLines().line(decision(destination=octets)))

    assert told["destination"].encode("latin-1") == octets


def written(lines: RecordLines, *rows: Row) -> list[dict[str, object]]:
    return [orjson.loads(line) for _, _, part in lines.by_hour(rows) for line in part.splitlines()]


def test_past_the_octets_of_a_day_decisions_are_written_without_their_texts(
    decision: Decision,
) -> None:
    lines = RecordLines(max_octets_per_day=90_000)
    long, longer = (8, bytes(60_000)), (8, bytes(60_001))

    told = written(
        lines,
        decision(epoch=NINE, text=long),
        decision(epoch=NINE, text=longer),
        decision(epoch=NINE, text=long),
    )

    assert [line["kind"] for line in told] == ["text", "decision", "decision", "decision"]
    first, left_out, again = told[1:]
    assert first["text"] == again["text"] == told[0]["id"]
    assert left_out["text_left_out"] == "day_full"
    assert "text" not in left_out
    assert lines.texts_left_out == 1


def test_one_sp_uses_up_no_other_s_day(decision: Decision) -> None:
    lines = RecordLines(max_octets_per_day=90_000)
    written(lines, decision(epoch=NINE, text=(8, bytes(60_000))))

    told = written(lines, decision(epoch=NINE, system_id="sp2", text=(8, bytes(60_001))))

    assert [line["kind"] for line in told] == ["text", "decision"]


def test_the_next_day_texts_are_written_again(decision: Decision) -> None:
    lines = RecordLines(max_octets_per_day=90_000)
    written(lines, decision(epoch=NINE, text=(8, bytes(60_000))))

    for epoch, kinds in (
        (NINE + 15 * HOUR, ["decision"]),
        (NINE + 16 * HOUR, ["text", "decision"]),
    ):
        text = (8, bytes(60_000) + b"%d" % epoch)
        assert [line["kind"] for line in written(lines, decision(epoch=epoch, text=text))] == kinds


def test_what_an_sp_makes_be_written_is_counted(
    decision: Decision, delivery: Delivery, outcome: Outcome
) -> None:
    lines = RecordLines()
    rows: list[Row] = [decision(text=(8, b"TD")), outcome(), delivery(text=(8, b"TD 2"))]

    octets = b"".join(part for _, _, part in lines.by_hour(rows))

    assert sum(lines.octets.values()) == len(octets)
