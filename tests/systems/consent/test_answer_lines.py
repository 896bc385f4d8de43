"""Lists of answers, line by line, from people who make mistakes."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.systems.consent import answer_lines
from gateway.systems.consent.answer_lines import (
    MAX_LINE_OCTETS,
    AnswerLines,
    LineFault,
    LineRejectedError,
    ListRejectedError,
    Unsaid,
    microseconds,
)

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
NOON_US = microseconds(NOON)
MSISDN = 8613800138000
HEADER = b"number,system_id,answer,since,channel\r\n"
WITH_END = b"number,answer,evidence,until\n"
WITH_EVIDENCE = b"number,system_id,answer,evidence\n"
SAID = Unsaid("shop", Answer.REFUSED, NOON - timedelta(days=1), "import")
SAID_US = NOON_US - 24 * 3600 * 1_000_000


def lines(
    first: bytes = HEADER, said: Unsaid = SAID, senders: Collection[str] | None = ("shop", "bank")
) -> AnswerLines:
    return AnswerLines(first, said, senders, NOON)


@pytest.mark.parametrize(
    "line",
    [b"13800138000", b"  8613800138000\r\n", b"+8613800138000\n", b"\xef\xbb\xbf008613800138000"],
)
def test_a_list_may_have_one_number_a_line(line: bytes) -> None:
    plain = lines(first=line)

    assert not plain.has_header
    assert plain.read(line) == (MSISDN, "shop", "refused", SAID_US, "import", "", None)


def test_a_line_of_csv_says_all_itself() -> None:
    line = b"13800138000,bank,refused,2025-11-04T09:30:00+08:00,contract\n"

    since_us = microseconds(datetime(2025, 11, 4, 1, 30, tzinfo=UTC))
    assert lines().read(line) == (MSISDN, "bank", "refused", since_us, "contract", "", None)


@pytest.mark.parametrize(
    ("cells", "said", "read"),
    [
        (b"agreed,", "", ("asserted", "")),
        (b"asserted,", "", ("asserted", "")),
        (b"agreed,sha256:77", "", ("agreed", "sha256:77")),
        (b"agreed,", "contract-117", ("agreed", "contract-117")),
        (b"agreed,own", "contract-117", ("agreed", "own")),
        (b"asserted,own", "", ("asserted", "own")),
        (b"refused,", "", ("refused", "")),
    ],
)
def test_r26_an_agreement_on_a_list_is_asserted_unless_its_evidence_is_named(
    cells: bytes, said: str, read: tuple[str, str]
) -> None:
    row = lines(WITH_EVIDENCE, replace(SAID, evidence=said)).read(b"13800138000,shop," + cells)

    assert (row[2], row[5]) == read


@pytest.mark.parametrize(("evidence", "read"), [("", "asserted"), ("sha256:77", "agreed")])
def test_r26_a_list_of_bare_numbers_is_asserted_unless_its_evidence_is_named(
    evidence: str, read: str
) -> None:
    said = replace(SAID, answer=Answer.AGREED, evidence=evidence)

    row = lines(b"13800138000", said).read(b"13800138000")

    assert (row[2], row[5]) == (read, evidence)


def test_what_a_line_does_not_say_is_taken_from_the_command() -> None:
    assert lines().read(b"13800138000,,,,") == (
        MSISDN,
        "shop",
        "refused",
        SAID_US,
        "import",
        "",
        None,
    )
    assert lines(b"number").read(b"13800138000")[1:3] == ("shop", "refused")


@pytest.mark.parametrize(
    ("cell", "end"),
    [
        (b"", None),
        (b"2026-12-31", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        (b"2026-12-31T18:00:00+08:00", datetime(2026, 12, 31, 10, tzinfo=UTC)),
        (b"2020-01-01", datetime(2020, 1, 1, 16, tzinfo=UTC)),
    ],
)
def test_r26_a_line_may_say_until_when_an_agreement_is_good(
    cell: bytes, end: datetime | None
) -> None:
    reader = lines(WITH_END)

    rows = [reader.read(b"13800138000,agreed,77," + cell) for _ in range(2)]

    assert [row[6] for row in rows] == [None if end is None else microseconds(end)] * 2


def test_r26_agreements_end_as_the_command_says_where_a_line_does_not() -> None:
    end = NOON + timedelta(days=300)
    said = replace(SAID, answer=Answer.AGREED, until=end)

    assert lines(b"number", said).read(b"13800138000")[6] == microseconds(end)
    assert lines(b"13800138000", said).read(b"13800138000")[6] == microseconds(end)
    assert lines(WITH_END, said).read(b"13800138000,agreed,77,2026-12-31")[6] != microseconds(end)
    assert lines(WITH_END, said).read(b"13800138000,refused,,")[6] is None


@pytest.mark.parametrize(
    ("word", "answer"), [(b"ended", "agreed"), (b"asserted-ended", "asserted")]
)
def test_r26_an_agreement_that_has_ended_is_read_as_it_was_exported(
    word: bytes, answer: str
) -> None:
    row = lines(WITH_END).read(b"13800138000," + word + b",77,2025-11-24")

    assert row[2:] == (
        answer,
        SAID_US,
        "import",
        "77",
        microseconds(datetime(2025, 11, 24, 16, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (b"agreed,77,2026-13-01", LineFault.UNTIL),
        (b"agreed,77,2026-12-31T10:00:00", LineFault.UNTIL),
        (b"agreed,77,\xe6\x98\x8e\xe5\xb9\xb4", LineFault.UNTIL),
        (b"refused,,2026-12-31", LineFault.NO_END),
        (b"ended,77,", LineFault.NOT_ENDED),
        (b"ended,77,2026-12-31", LineFault.NOT_ENDED),
        (b"asserted-ended,77,2026-12-31", LineFault.NOT_ENDED),
    ],
)
def test_an_end_that_cannot_be_is_told(cells: bytes, fault: LineFault) -> None:
    with pytest.raises(LineRejectedError) as raised:
        lines(WITH_END).read(b"13800138000," + cells)

    assert raised.value.fault is fault


def test_a_list_that_dates_each_end_for_itself_is_read_without_keeping_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_lines, "_MAX_DATES_KNOWN", 3)
    reader = lines(WITH_END)

    ends = [reader.read(f"13800138000,agreed,77,203{n}-01-01".encode())[6] for n in range(9)]

    assert len(set(ends)) == 9
    assert len(reader._ends) == 3


def test_a_star_is_every_sender() -> None:
    assert lines().read(b"13800138000,*,,,")[1] == EVERY_SENDER


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (b"\xef\xbb\xbfNumber, Answer", b"13800138000, agreed"),
        (b"answer;number", b"agreed;13800138000"),
        (b"number\tanswer\n", b"13800138000\tagreed\n"),
        (b'"number","answer"', b'"13800138000","agreed"'),
    ],
)
def test_spreadsheets_write_csv_in_several_ways(header: bytes, line: bytes) -> None:
    assert lines(header).read(line)[:3] == (MSISDN, "shop", "asserted")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"1" * (MAX_LINE_OCTETS + 1), LineFault.TOO_LONG),
        (b"13800138000,,,,\xff", LineFault.NOT_UTF8),
        (b"13800138000,shop", LineFault.FIELDS),
        (b"13800138000,,,,,", LineFault.FIELDS),
        (b'13800138000,"shop,,,', LineFault.FIELDS),
        (b'"13800138000"x,,,,', LineFault.FIELDS),
        (b"INFO,,,,", LineFault.NUMBER),
        (b"8.6138E+12,,,,", LineFault.NUMBER),
        (b"138****8000,,,,", LineFault.NUMBER),
        (b"999999,,,,", LineFault.NUMBER),
        ("１３８００１３８０００,,,,".encode(), LineFault.NUMBER),
        (b",,,,", LineFault.NUMBER),
        (b"13800138000,shpo,,,", LineFault.UNKNOWN_SENDER),
        (b"13800138000,,no,,", LineFault.ANSWER),
        (b"13800138000,,REFUSED,,", LineFault.ANSWER),
        (b"13800138000,,,2025-11-04,", LineFault.SINCE),
        (b"13800138000,,,yesterday,", LineFault.SINCE),
        (b"13800138000,,,2025-11-25T12:00:00.000001Z,", LineFault.FUTURE),
        (b"13800138000,,,1989-12-31T23:59:59Z,", LineFault.TOO_OLD),
        (b"13800138000,,,0001-01-01T00:00:00+14:00,", LineFault.TOO_OLD),
        (b"13800138000,,,," + b"c" * 65, LineFault.CHANNEL),
        (b"13800138000,,,,\x1b[2J", LineFault.CHANNEL),
    ],
)
def test_a_broken_line_is_rejected_and_says_why(line: bytes, fault: LineFault) -> None:
    with pytest.raises(LineRejectedError) as raised:
        lines().read(line)

    assert raised.value.fault is fault


@pytest.mark.parametrize("evidence", [b"c" * 1001, b"\x1b[2J"])
def test_evidence_that_cannot_be_kept_is_no_evidence(evidence: bytes) -> None:
    with pytest.raises(LineRejectedError) as raised:
        lines(WITH_EVIDENCE).read(b"13800138000,shop,agreed," + evidence)

    assert raised.value.fault is LineFault.EVIDENCE


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (replace(SAID, scope=None), LineFault.NO_SENDER),
        (replace(SAID, answer=None), LineFault.NO_ANSWER),
    ],
)
def test_what_nobody_says_is_not_guessed(changed: Unsaid, fault: LineFault) -> None:
    with pytest.raises(LineRejectedError) as raised:
        lines(said=changed).read(b"13800138000,,,,")

    assert raised.value.fault is fault


def test_senders_that_cannot_be_looked_up_are_believed_within_bounds() -> None:
    assert lines(senders=None).read(b"13800138000,who,,,")[1] == "who"
    with pytest.raises(LineRejectedError, match="no such sender"):
        lines(senders=None).read(b"13800138000,sixteencharsxxxx,,,")


@pytest.mark.parametrize(
    ("first", "said", "problem"),
    [
        (b"number,anwser", SAID, "each column must be one of"),
        (b"number,number", SAID, "each column must be one of"),
        (b"13800138000,shop", SAID, "names no column `number`"),
        (b"\xff\xfen\x00u\x00", SAID, "not UTF-8"),
        (b"number,answer", replace(SAID, scope=None), "to whom"),
        (b"number,system_id", replace(SAID, answer=None), "refused or agreed"),
        (b"13800138000", replace(SAID, answer=None), "refused or agreed"),
    ],
)
def test_a_list_that_cannot_be_meant_is_rejected_whole(
    first: bytes, said: Unsaid, problem: str
) -> None:
    with pytest.raises(ListRejectedError, match=problem):
        lines(first, said)


@given(st.binary(max_size=200), st.sampled_from([HEADER, WITH_EVIDENCE, b"number", b"13800138000"]))
def test_any_octets_are_an_answer_or_rejected(line: bytes, first: bytes) -> None:
    try:
        msisdn, scope, answer, since_us, channel, evidence, _until_us = lines(first).read(line)
    except LineRejectedError as error:
        assert error.fault in LineFault
    else:
        assert 1_000_000 <= msisdn < 10**15
        assert scope in ("", "shop", "bank")
        assert answer in list(Answer)
        assert since_us <= NOON_US
        assert channel.isprintable()
        assert evidence.isprintable()


@given(st.binary(max_size=200))
def test_any_first_line_is_a_layout_or_rejected(first: bytes) -> None:
    try:
        lines(first)
    except ListRejectedError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("cell", "scope"),
    [
        ("shop 10690001", "shop 10690001"),
        ("bank #loan", "bank #loan"),
        ("shop #房产", "shop #real_estate"),
        ("shop #fraud", LineFault.PART),
        ("shop #", LineFault.PART),
        ("shop 9 9", LineFault.PART),
        ("* 10690001", LineFault.PART),
        ("nobody 10690001", LineFault.UNKNOWN_SENDER),
    ],
)
def test_r22_a_line_may_name_a_port_or_a_category_of_an_sp(
    cell: str, scope: str | LineFault
) -> None:
    try:
        read: str | LineFault = lines().read(f"13800138000,{cell},refused,,".encode())[1]
    except LineRejectedError as error:
        read = error.fault

    assert read == scope
