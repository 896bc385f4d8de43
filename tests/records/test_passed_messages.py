"""Which reported messages the records prove."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import orjson
import pytest

from gateway.domain.records import DecisionRow, RecordProof, ReportedMessage, Text
from gateway.domain.verdict import Action
from gateway.records import passed_messages
from gateway.records.archive import RecordArchive
from gateway.records.lines import RecordLines
from gateway.records.passed_messages import PassedMessages
from gateway.records.sealed_values import sealed
from gateway.runtime.sealing import Sealer
from tests.records.finding_rows import AT, HOUR, decided, enforced

NOON = datetime.fromtimestamp(AT, UTC)
SUBSCRIBER = 8613800138000
SPAM = "恭喜您获得万元现金大奖，请登录网站领取并提供银行卡号和密码"
KEY = Sealer({"k1": bytes(32)}, "k1")
Search: TypeAlias = Callable[..., RecordProof]


def reported(number: int = 1, **changes: object) -> ReportedMessage:
    usual = ReportedMessage(
        number, "10690001", SUBSCRIBER, SPAM, NOON, NOON + timedelta(minutes=30)
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def said(text: str, row: DecisionRow) -> DecisionRow:
    content: Text = (8, text.encode("utf-16-be"))
    return (*row[:-1], content)


def write(place: Path, *rows: DecisionRow, hour: int = HOUR, key: Sealer | None = None) -> None:
    """Write an hour as the gateway does; with a key closed and sealed."""
    octets = b"".join(octets for _, _, octets in RecordLines().by_hour(rows))
    name = f"cdr-{datetime.fromtimestamp(hour * 3600, UTC):%Y%m%d-%H}.jsonl"
    if key is None:
        (place / name).write_bytes(octets)
        return
    lines = (orjson.dumps(sealed(orjson.loads(one), key)) for one in octets.splitlines())
    (place / f"{name}.gz").write_bytes(gzip.compress(b"".join(one + b"\n" for one in lines)))


def found(
    place: Path, *reports: ReportedMessage, key: Sealer | None = None
) -> tuple[set[int], set[int]]:
    passed, unread = PassedMessages(RecordArchive(place), key).search(reports)
    return set(passed), set(unread)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_message_passed_that_a_decision_names(tmp_path: Path, key: Sealer | None) -> None:
    write(tmp_path, said(SPAM, decided(1, source="1069000112")), key=key)

    others = [
        reported(2, msisdn=SUBSCRIBER + 1),
        reported(3, port="10690002"),
        reported(4, text="您的快递已到小区门口的驿站，请凭取件码尽快来取，谢谢配合"),
        reported(5, since=NOON + timedelta(seconds=1)),
    ]
    assert found(tmp_path, reported(), *others, key=key) == ({1}, set())


def test_a_message_that_was_stopped_did_not_pass(tmp_path: Path) -> None:
    write(tmp_path, said(SPAM, decided(1, enforced("K"))))
    assert found(tmp_path, reported()) == (set(), set())

    write(tmp_path, said(SPAM, decided(1, enforced("K", Action.QUARANTINE))))
    assert found(tmp_path, reported()) == ({1}, set())  # it may have been released


@pytest.mark.parametrize(
    "text",
    [
        f"{SPAM}，验证码48213",
        "恭喜您获得万元现金大奖，请登录网站领取",  # a part of it
        f"尊敬的客户，{SPAM}，本活动由公证处全程监督，请勿告诉他人",
        "大奖",  # too few words to be compared
    ],
)
def test_a_text_need_not_be_reported_word_by_word(tmp_path: Path, text: str) -> None:
    write(tmp_path, said(SPAM, decided(1)))

    assert found(tmp_path, reported(text=text)) == ({1}, set())


def test_a_text_of_ones_own_is_not_proved_by_a_message_that_it_quotes(tmp_path: Path) -> None:
    own = "某某银行员工私下出售客户资料，价格便宜数量不限，长期有效，有意者请联系他本人办理"
    write(tmp_path, said(SPAM, decided(1)))

    assert found(tmp_path, reported(text=f"{own}{SPAM}")) == (set(), set())


def test_where_texts_are_not_kept_number_and_time_suffice(tmp_path: Path) -> None:
    write(tmp_path, decided(1))

    assert found(tmp_path, reported(), reported(2, msisdn=None)) == ({1, 2}, set())


def test_without_a_number_any_message_of_the_port_with_that_text_proves_it(tmp_path: Path) -> None:
    write(tmp_path, said(SPAM, decided(1)))
    other = "您的快递已到小区门口的驿站，请凭取件码尽快来取，谢谢配合"

    same, another = reported(1, msisdn=None), reported(2, msisdn=None, text=other)
    elsewhere = reported(3, msisdn=None, port="95588")
    assert found(tmp_path, same, another, elsewhere) == ({1}, set())


def test_what_cannot_be_read_proves_nothing_against_a_reporter(tmp_path: Path) -> None:
    none_at_all = found(tmp_path, reported())
    write(tmp_path, decided(1), key=KEY)
    (tmp_path / "cdr-20130930-09.jsonl.gz").write_bytes(b"damaged")
    later = NOON + timedelta(hours=1)

    unread = [
        reported(2, msisdn=SUBSCRIBER + 1),  # the key of it is missing
        reported(3, since=NOON - timedelta(days=1), until=NOON),  # before the first record
        reported(4, since=later, until=later + timedelta(minutes=1)),
    ]
    assert none_at_all == (set(), {1})
    assert found(tmp_path, *unread) == (set(), {2, 3, 4})
    assert found(tmp_path, unread[0], key=KEY) == (set(), set())


def test_no_more_is_read_than_the_limits_say_and_short_times_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(4):
        write(tmp_path, decided(1, at=AT + 3600 * hour), hour=HOUR + hour)
    monkeypatch.setattr(passed_messages, "_MOST_HOURS", 2)
    hours = timedelta(hours=4)

    stranger = SUBSCRIBER + 1
    long = reported(1, msisdn=stranger, until=NOON + hours)
    short = [reported(2), reported(3, msisdn=stranger)]

    assert found(tmp_path, long, *short) == ({2}, {1})
    monkeypatch.setattr(passed_messages, "_MOST_HOURS", 9)
    assert found(tmp_path, long, *short) == ({2}, set())
    monkeypatch.setattr(passed_messages, "_MOST_OCTETS", 10)
    assert found(tmp_path, long, *short) == (set(), {1, 2, 3})


def test_a_search_has_a_limit_of_comparisons_and_what_is_left_is_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "您的快递已到小区门口的驿站，请凭取件码尽快来取，谢谢配合"
    write(tmp_path, *(said(other, decided(one)) for one in range(1, 9)), said(SPAM, decided(9)))
    compared: list[int] = []
    is_like = passed_messages._ReportedText.is_like

    def note(this: object, texts: object) -> bool:
        compared.append(1)
        return is_like(this, texts)  # type: ignore[arg-type]

    monkeypatch.setattr(passed_messages._ReportedText, "is_like", note)
    wanted = [reported(one, msisdn=None) for one in range(1, 4)]

    enough = found(tmp_path, *wanted)
    count = len(compared)
    monkeypatch.setattr(passed_messages, "_MOST_LOOKS", 24)
    few = found(tmp_path, *wanted)

    assert (enough, count) == (({1, 2, 3}, set()), 6)  # each text once
    assert (few, len(compared) - count) == ((set(), {1, 2, 3}), 2)


def test_a_search_that_is_stopped_reads_nothing_more(tmp_path: Path) -> None:
    write(tmp_path, said(SPAM, decided(1)))
    records = PassedMessages(RecordArchive(tmp_path), None)
    records.stop()

    assert records.search([reported()]) == RecordProof(frozenset(), frozenset({1}))


def test_texts_past_the_limit_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, said("您的快递已到小区门口的驿站，请凭取件码来取", decided(1)))
    before = found(tmp_path, reported())
    monkeypatch.setattr(passed_messages, "_MOST_READ", 0)

    assert (before, found(tmp_path, reported())) == ((set(), set()), ({1}, set()))
    monkeypatch.setattr(passed_messages, "_MOST_READ", 9)
    monkeypatch.setattr(passed_messages, "_MOST_TEXT_OCTETS", 9)
    assert found(tmp_path, reported()) == ({1}, set())


def test_a_file_that_vanishes_while_it_is_looked_at_and_a_line_that_is_none(
    tmp_path: Path,
) -> None:
    write(tmp_path, decided(1))
    path = tmp_path / "cdr-20130930-08.jsonl"
    (line,) = path.read_bytes().splitlines()
    path.write_bytes(line[:-1] + b"\n")  # its brace is missing

    assert found(tmp_path, reported()) == (set(), {1})
    assert found(tmp_path / "nowhere", reported()) == (set(), {1})
