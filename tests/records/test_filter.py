from datetime import UTC, datetime
from functools import partial

import pytest

from gateway.records.sealed_values import RecordPicker, RecordScope, sealed
from gateway.runtime.sealing import Sealer

SEALER = Sealer({"k1": bytes(64)}, "k1")
NINE = datetime(2013, 9, 30, 9, tzinfo=UTC)
TEN = datetime(2013, 9, 30, 10, tzinfo=UTC)
ALL = RecordScope(NINE, TEN)
NUMBER = 8613800138000

Record = dict[str, object]


def decision(sequence: int, at: str = "09:30:00.000", **changes: object) -> Record:
    usual: Record = {
        "kind": "decision",
        "at": f"2013-09-30T{at}Z",
        "session": 1,
        "system_id": "shop",
        "sequence_number": sequence,
        "source": "10690001",
        "destination": "13800138000",
        "reason": "",
    }
    return usual | changes


def outcome(sequence: int, at: str = "09:30:01.000", **changes: object) -> Record:
    usual: Record = {
        "kind": "outcome",
        "at": f"2013-09-30T{at}Z",
        "session": 1,
        "system_id": "shop",
        "sequence_number": sequence,
    }
    return usual | changes


def picked(
    scope: RecordScope, *records: Record, in_doubt: bool = True
) -> list[tuple[object, object]]:
    picker = RecordPicker([scope], SEALER, in_doubt=in_doubt)
    return [(record["kind"], record.get("sequence_number")) for record in picker.picked(records)]


def test_a_period_includes_its_first_moment_and_not_its_end() -> None:
    times = ("08:59:59.999", "09:00:00.000", "09:59:59.999", "10:00:00.000")

    found = picked(ALL, *(decision(number, at) for number, at in enumerate(times)))

    assert found == [("decision", 1), ("decision", 2)]


def test_a_period_may_be_given_on_another_clock() -> None:
    beijing = datetime.fromisoformat("2013-09-30T17:00:00+08:00")

    assert picked(RecordScope(beijing, TEN), decision(1)) == [("decision", 1)]


def test_one_sender_is_picked_with_its_outcomes_and_events() -> None:
    found = picked(
        RecordScope(NINE, TEN, "shop"),
        decision(1),
        decision(2, system_id="bank"),
        outcome(1),
        outcome(2, system_id="bank"),
        {"kind": "bound", "at": "2013-09-30T09:30:00.000Z", "system_id": "shop"},
        {"kind": "odd", "at": "2013-09-30T09:30:00.000Z"},
    )

    assert found == [("decision", 1), ("outcome", 1), ("bound", None)]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_one_subscriber_is_picked_with_the_outcomes_that_name_nobody(*, is_sealed: bool) -> None:
    records = [
        decision(1),
        decision(2, destination="13900139000"),
        decision(3, destination="+8613800138000"),
        outcome(1),
        outcome(2),
        outcome(3),
        outcome(1, session=9),
    ]
    if is_sealed:
        records = [sealed(record, SEALER) for record in records]

    found = picked(RecordScope(NINE, TEN, msisdn=NUMBER), *records)

    assert found == [("decision", 1), ("decision", 3), ("outcome", 1), ("outcome", 3)]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_r70_a_delivery_is_held_by_its_number_with_its_outcome_and_text(*, is_sealed: bool) -> None:
    to_port = partial(decision, kind="delivery", destination="10690001")
    records: list[Record] = [
        {"kind": "text", "id": "t1", "sequence_number": 0, "octets": "VEQ="},
        to_port(1, source="13800138000", text="t1"),
        to_port(2, source="13900139000"),
        outcome(1),
        outcome(2),
    ]
    if is_sealed:
        records = [sealed(record, SEALER) for record in records]

    found = picked(RecordScope(NINE, TEN, msisdn=NUMBER), *records)

    assert found == [("text", 0), ("delivery", 1), ("outcome", 1)]


def test_r70_a_cancel_of_a_subscribers_message_is_held_with_its_outcome() -> None:
    record = decision(10_000_001, kind="operation", message_id="41")

    found = picked(
        RecordScope(NINE, TEN, msisdn=NUMBER), sealed(record, SEALER), outcome(10_000_001)
    )

    assert found == [("operation", 10_000_001), ("outcome", 10_000_001)]


def test_an_answer_of_the_next_hour_belongs_to_its_request_and_no_later_one() -> None:
    picker = RecordPicker([RecordScope(NINE, TEN, msisdn=NUMBER)], SEALER, in_doubt=True)

    hours = [
        list(picker.picked([decision(1)])),
        list(picker.picked([outcome(1, "10:00:00.001")])),
        list(picker.picked([outcome(1, "11:00:00.001")])),
    ]

    assert [len(hour) for hour in hours] == [1, 1, 0]


def test_a_text_comes_once_before_the_first_picked_decision_that_names_it() -> None:
    def text(number: str) -> Record:
        return {"kind": "text", "id": number, "at": "2013-09-30T08:00:00.000Z"}

    picker = RecordPicker([RecordScope(NINE, TEN, msisdn=NUMBER)], SEALER, in_doubt=True)

    found = picker.picked(
        [
            text("t1"),
            text("t2"),
            decision(1, destination="13900139000", text="t1"),
            decision(2, text="t2"),
            decision(3, text="t2"),
        ]
    )

    assert [record.get("id", record.get("text")) for record in found] == ["t2", "t2", "t2"]


@pytest.mark.parametrize(("in_doubt", "kinds"), [(True, ["malformed"]), (False, [])])
def test_a_record_without_a_time_is_in_doubt(*, in_doubt: bool, kinds: list[str]) -> None:
    malformed: Record = {"kind": "malformed", "row_sealed": "k1:AA"}

    found = picked(RecordScope(NINE, TEN, "shop"), malformed, in_doubt=in_doubt)

    assert [kind for kind, _ in found] == kinds


def test_who_asks_for_everything_gets_what_is_malformed_too() -> None:
    assert picked(ALL, {"kind": "malformed", "row": "x"}, in_doubt=False) == [("malformed", None)]


def test_scopes_touch_where_they_overlap() -> None:
    eight = datetime(2013, 9, 30, 8, tzinfo=UTC)

    assert ALL.touches(eight, datetime(2013, 9, 30, 9, 0, 1, tzinfo=UTC))
    assert not ALL.touches(eight, NINE)
    assert not ALL.touches(TEN, datetime(2013, 9, 30, 11, tzinfo=UTC))


def test_a_scope_does_not_tell_its_subscriber_where_it_is_printed() -> None:
    assert "13800138000" not in repr(RecordScope(NINE, TEN, msisdn=NUMBER))
