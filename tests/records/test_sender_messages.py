"""What the records tell an SP of its own messages."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import orjson
import pytest

from gateway.domain.records import OutcomeRow, Row
from gateway.domain.verdict import Action, Finding, Reason
from gateway.records.archive import RecordArchive
from gateway.records.sealed_values import sealed
from gateway.records.sender_messages import (
    MessageQuery,
    MessageState,
    RecordsTooManyError,
    SenderRecords,
    SentMessage,
)
from gateway.runtime.sealing import Sealer
from tests.records.finding_rows import AT, HOUR, decided, enforced, found, lines

NOON = datetime.fromtimestamp(AT, UTC)
PORTS = {"shop": ("10690001", "106900017"), "bank": ("95588",)}
KEY = Sealer({"k1": bytes(32)}, "k1")


def answered(number: int, message_id: str = "", status: int = 0, how: str = "answered") -> Row:
    row: OutcomeRow
    row = ("o", AT + 1, (1, "shop", 4), number, status, message_id.encode(), 900, how)
    return row


def receipt(message_id: str, stat: str, system_id: str = "shop", minute: int = 2) -> bytes:
    """Return the record of a receipt, as the gateway writes it."""
    at = f"2013-09-30T08:0{minute}:00.000Z"
    fields = {"kind": "delivery", "at": at, "session": 9, "system_id": system_id}
    return orjson.dumps({**fields, "message_id": message_id, "what": "receipt", "stat": stat})


def records(
    place: Path,
    *written: Row | bytes,
    keys: Sealer | None = None,
    now: Iterator[float] | None = None,
) -> SenderRecords:
    rows = [one if isinstance(one, bytes) else b"\n".join(lines(one)) for one in written]
    name = f"cdr-{datetime.fromtimestamp(HOUR * 3600, UTC):%Y%m%d-%H}.jsonl"
    (place / name).write_bytes(b"\n".join((*rows, b"")))
    ticks = now or count(0.0, 0.001)
    clock = (lambda: next(ticks), lambda: NOON + timedelta(hours=9))
    return SenderRecords(RecordArchive(place), keys, lambda: PORTS, clock)


def asked(system_id: str = "shop", **more: object) -> MessageQuery:
    until = NOON + timedelta(minutes=1)
    return MessageQuery(system_id, NOON, until, **more)  # type: ignore[arg-type]


def told(place: Path, *written: Row | bytes) -> list[SentMessage]:
    return records(place, *written).messages(asked()).messages


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ((decided(1, enforced("K-FRAUD")),), MessageState.REFUSED),
        ((decided(1),), MessageState.UNANSWERED),
        ((decided(1), answered(1, status=8, how="timeout")), MessageState.UNANSWERED),
        ((decided(1), answered(1, status=0x45)), MessageState.FAILED),
        ((decided(1), answered(1, "ab12")), MessageState.ACCEPTED),
        ((decided(1), answered(1, "ab12"), receipt("ab12", "DELIVRD")), MessageState.DELIVERED),
        ((decided(1), answered(1, "ab12"), receipt("AB12", "UNDELIV")), MessageState.UNDELIVERED),
        ((decided(1), answered(1, "ab12"), receipt("ab12", "ENROUTE")), MessageState.ACCEPTED),
        ((decided(1), answered(1, "ab12"), receipt("ab13", "DELIVRD")), MessageState.ACCEPTED),
    ],
)
def test_a_message_stands_as_its_records_tell(
    tmp_path: Path, written: tuple[Row | bytes, ...], state: MessageState
) -> None:
    (message,) = told(tmp_path, *written)

    assert message.state is state


def test_a_receipt_is_of_the_message_whose_id_it_has_exactly(tmp_path: Path) -> None:
    # 10 is 16 in hexadecimal.
    own = records(
        tmp_path,
        *(decided(1), answered(1, "16"), decided(2), answered(2, "10")),
        *(receipt("16", "DELIVRD"), receipt("10", "UNDELIV")),
    )

    both = own.messages(asked()).messages
    (one,) = own.messages(asked(message_id="10")).messages

    assert [message.receipt for message in both] == ["DELIVRD", "UNDELIV"]
    assert one.receipt == "UNDELIV"


def test_a_receipt_of_another_id_is_no_receipt_of_the_message_looked_for(tmp_path: Path) -> None:
    own = records(
        tmp_path,
        *(decided(1), answered(1, "16"), decided(2), answered(2, "10"), receipt("16", "DELIVRD")),
    )

    (one,) = own.messages(asked(message_id="10")).messages

    assert one.state is MessageState.ACCEPTED


def test_a_held_message_that_was_sent_bears_its_own_id_and_the_receipt_of_the_smsc(
    tmp_path: Path,
) -> None:
    held = (decided(1, enforced("R61", Action.QUARANTINE)), answered(1, "8" * 19, how="held"))
    at = {"kind": "release", "at": "2013-09-30T08:01:00.000Z", "message_id": "8" * 19}
    sent = orjson.dumps({**at, "system_id": "shop", "status": 0, "smsc_message_id": "ab12"})

    states = [
        told(tmp_path, *rows)[0].state
        for rows in (held, (*held, sent), (*held, sent, receipt("ab12", "DELIVRD")))
    ]

    assert states == [MessageState.HELD, MessageState.ACCEPTED, MessageState.DELIVERED]


def test_what_was_accepted_and_refused_stays_refused(tmp_path: Path) -> None:
    written = (decided(1, enforced("K-FRAUD")), answered(1, "8" * 19, how="accepted"))

    (message,) = told(tmp_path, *written, receipt("8" * 19, "REJECTD"))

    assert (message.state, message.message_id, message.receipt) == (
        MessageState.REFUSED,
        "8" * 19,
        "REJECTD",
    )


def test_an_sp_sees_why_it_was_refused_and_never_what_rules_in_shadow_found(tmp_path: Path) -> None:
    refused, passed = told(tmp_path, decided(1, enforced("K-FRAUD")), decided(2, found("R61")))

    assert (refused.reason, refused.rule) == ("CONTENT", "K-FRAUD")
    assert (passed.reason, passed.rule) == ("", "")
    assert refused.destination == "138****8000"


def test_an_sp_sees_no_message_of_another(tmp_path: Path) -> None:
    own = records(tmp_path, decided(1), decided(2, system_id="bank"), receipt("1", "X", "bank"))

    assert [len(own.messages(asked(name)).messages) for name in ("shop", "bank", "ba")] == [1, 1, 0]


def test_pages_follow_each_other_and_nothing_is_left_out_nor_comes_twice(tmp_path: Path) -> None:
    # Three at one moment: a page ends between two of them.
    rows = [decided(one, at=AT - one / 1000) for one in (1, 2, 3)]
    own = records(tmp_path, *rows, decided(4), answered(3, "three"), answered(4, "four"))
    found, after = list[str](), None

    while True:
        page = own.messages(asked(limit=2, after=after))
        found += [one.message_id for one in page.messages]
        after = page.next
        if not after:
            break

    assert found == ["", "", "three", "four"]


def test_a_message_is_found_by_its_id_and_by_its_state(tmp_path: Path) -> None:
    own = records(tmp_path, decided(1), decided(2), answered(2, "ab12"))

    assert [one.message_id for one in own.messages(asked(message_id="ab12")).messages] == ["ab12"]
    assert own.messages(asked(message_id="ab13")).messages == []
    state = MessageState.UNANSWERED
    assert [one.state for one in own.messages(asked(state=state)).messages] == [state]


def test_numbers_that_begin_anew_after_a_restart_are_not_taken_for_each_other(
    tmp_path: Path,
) -> None:
    first, second = told(
        tmp_path, decided(1), answered(1, "before"), decided(1, at=AT + 1), answered(1, "after")
    )

    assert (first.message_id, second.message_id) == ("before", "after")


@pytest.mark.parametrize(("keys", "destination"), [(KEY, "138****8000"), (None, "")])
def test_a_sealed_number_is_masked_and_without_its_key_not_shown(
    tmp_path: Path, keys: Sealer | None, destination: str
) -> None:
    line = orjson.dumps(sealed(orjson.loads(lines(decided(1))[0]), KEY))

    (message,) = records(tmp_path, line, keys=keys).messages(asked()).messages

    assert (message.destination, message.source) == (destination, "10690001")


def test_a_source_that_is_not_proven_to_be_a_port_is_masked(tmp_path: Path) -> None:
    why = Finding("R02", Reason.SOURCE_NOT_OWNED, Action.REJECT, "")

    (message,) = told(tmp_path, decided(1, why, source="13900139000"))

    assert message.source == "139****9000"


def test_without_records_there_are_no_messages(tmp_path: Path) -> None:
    archive = RecordArchive(tmp_path / "none")
    own = SenderRecords(archive, None, dict, (lambda: 0.0, lambda: NOON))

    assert own.messages(asked()).messages == []


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    own = records(tmp_path, decided(1), now=count(0.0, 30.0))

    with pytest.raises(RecordsTooManyError):
        own.messages(asked())


def test_looking_for_an_id_takes_no_longer_than_any_other_look(tmp_path: Path) -> None:
    # Of its two scans each alone would be in time.
    own = records(tmp_path, decided(1), answered(1, "ab12"), now=count(0.0, 12.0))

    with pytest.raises(RecordsTooManyError):
        own.messages(asked(message_id="ab12"))


def test_messages_are_counted_by_day_port_action_and_reason(tmp_path: Path) -> None:
    own = records(
        tmp_path,
        decided(1),
        decided(2, found("R61")),
        decided(3, enforced("K-FRAUD"), source="106900017"),
        decided(4, system_id="bank", source="95588"),
        answered(1),
    )

    day = date(2013, 9, 30)
    counts = own.counts("shop", day, day)

    assert [(one.day, one.port, one.action, one.reason, one.count) for one in counts] == [
        (day, "10690001", "forward", "", 2),
        (day, "106900017", "reject", "CONTENT", 1),
    ]
    assert own.counts("shop", day + timedelta(days=1), day + timedelta(days=1)) == []


def test_what_was_counted_of_closed_hours_is_not_read_again(tmp_path: Path) -> None:
    own, day = records(tmp_path, decided(1)), date(2013, 9, 30)
    first = own.counts("shop", day, day)
    (file,) = tmp_path.iterdir()

    file.write_bytes(b"")

    assert own.counts("shop", day, day) == first
