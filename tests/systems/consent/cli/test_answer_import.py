"""Lists of answers go in by the file, whatever is wrong with them."""

import csv
import gzip
import io
import json
import os
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores
from gateway.systems.consent.answer_lines import MAX_LINE_OCTETS
from gateway.systems.consent.cli import answer_import
from gateway.systems.consent.cli.answer_import import SortedAnswers, SpoolError, numbered_lines

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
OnRecord = Callable[[], list[ConsentAnswer]]
Record = Callable[[int, str, Answer], None]
Put = Callable[..., str]

NUMBER = "13800138000"
MSISDN = 8613800138000
WRITTEN = datetime(2025, 11, 4, 1, 30, tzinfo=UTC)
ALL_REFUSED = ("--all-senders", "--answer", "refused")


@pytest.fixture
def consent(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)

    def consent(*arguments: str) -> CompletedProcess[str]:
        return cli("consent", *arguments, "--config", str(deployment / "config"))

    return consent


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Return a function that writes a list as of WRITTEN; it returns the list's path."""

    def put(content: str | bytes, name: str = "list.txt") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
        return str(path)

    return put


@pytest.fixture
def on_record(in_store: InStore) -> OnRecord:
    def on_record() -> list[ConsentAnswer]:
        found: list[ConsentAnswer] = []

        async def look(stores: Stores) -> None:
            found.extend([one async for page in stores.consent_lists.listed() for one in page])

        in_store(look)
        return found

    return on_record


def test_one_number_a_line_is_recorded_as_of_when_the_file_was_written(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    ran = consent("import", put(f"{NUMBER}\n\n+8613800138001\r\n"), *ALL_REFUSED)

    assert (ran.returncode, ran.stdout) == (0, "recorded: 2 answers; rejected: 0 lines\n")
    assert on_record() == [
        ConsentAnswer(MSISDN + place, EVERY_SENDER, Answer.REFUSED, WRITTEN, "import")
        for place in range(2)
    ]


def test_csv_says_for_each_number_what_it_says(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    text = (
        "\ufeffnumber,system_id,answer,since,channel\r\n"
        f"{NUMBER},shop,agreed,2025-11-01T08:00:00+08:00,contract\r\n"
        f"{NUMBER},*,refused,,\r\n"
    )

    ran = consent("import", put(text), "--channel", "letter")

    assert ran.returncode == 0
    since = datetime(2025, 11, 1, tzinfo=UTC)
    assert on_record() == [
        ConsentAnswer(MSISDN, EVERY_SENDER, Answer.REFUSED, WRITTEN, "letter"),
        ConsentAnswer(MSISDN, "shop", Answer.ASSERTED, since, "contract"),
    ]


def test_r20_a_list_says_until_when_its_agreements_are_good(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    text = f"number,until\n{NUMBER},2030-06-30\n13800138001,\n"
    agreed = ("--system-id", "shop", "--answer", "agreed", "--evidence", "form 7")

    consent("import", put(text), *agreed, "--until", "2035-12-31")

    assert [answer.until for answer in on_record()] == [
        datetime(2030, 6, 30, 16, tzinfo=UTC),
        datetime(2035, 12, 31, 16, tzinfo=UTC),
    ]


def test_r26_a_hundred_rows_without_evidence_are_asserted(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    numbers = "\n".join(str(13800138000 + place) for place in range(100))

    ran = consent("import", put(numbers), "--system-id", "shop", "--answer", "agreed")

    assert ran.returncode == 0
    assert {answer.answer for answer in on_record()} == {Answer.ASSERTED}
    assert len(on_record()) == 100


def test_r26_evidence_can_be_named_for_a_list_or_a_line(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    text = f"number,evidence\n{NUMBER},call-9\n13800138001,\n"

    consent(
        "import", put(text), "--system-id", "shop", "--answer", "agreed", "--evidence", "sha256:77"
    )

    assert [(answer.answer, answer.evidence) for answer in on_record()] == [
        (Answer.AGREED, "call-9"),
        (Answer.AGREED, "sha256:77"),
    ]


def test_several_lists_may_come_at_once_and_packed(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    packed = put(gzip.compress(b"number\n13800138001\n"), "packed.csv.gz")

    ran = consent("import", packed, put(NUMBER), *ALL_REFUSED)

    assert ran.returncode == 0
    assert [answer.msisdn for answer in on_record()] == [MSISDN, MSISDN + 1]


def test_the_time_of_a_list_can_be_said(consent: Command, put: Put, on_record: OnRecord) -> None:
    consent("import", put(NUMBER), *ALL_REFUSED, "--since", "2013-11-04T09:30:00+0800")

    assert on_record()[0].since == datetime(2013, 11, 4, 1, 30, tzinfo=UTC)


def test_an_import_repeated_does_not_outlast_what_was_said_between(
    consent: Command, put: Put, on_record: OnRecord, answered: Record
) -> None:
    path = put(NUMBER)
    consent("import", path, "--system-id", "shop", "--answer", "agreed")
    answered(MSISDN, "shop", Answer.REFUSED)

    consent("import", path, "--system-id", "shop", "--answer", "agreed")

    assert [answer.answer for answer in on_record()] == [Answer.REFUSED]


BROKEN = f"""\
number,system_id,answer
{NUMBER},shop,refused
INFO,shop,refused
13800138001,shpo,refused
13800138002,shop,perhaps
13800138003,shop,
"13800138004,shop,refused
{"x" * 5000}
13800138005,shop,agreed
"""


def test_broken_lines_are_counted_by_reason_and_the_others_recorded(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    ran = consent("import", path := put(BROKEN), "--answer", "refused", "--json")

    told = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert (told["recorded"], told["rejected"]) == (3, 5)
    assert [(row["reason"], row["lines"], row["first"]) for row in told["reasons"]] == [
        ("no subscriber number", 1, f"{path}:3"),
        ("no such sender", 1, f"{path}:4"),
        (
            "the answer is none of agreed, refused, asserted, ended and asserted-ended",
            1,
            f"{path}:5",
        ),
        ("not as many fields as the header, or a stray quote", 1, f"{path}:7"),
        ("line too long", 1, f"{path}:8"),
    ]
    assert [answer.msisdn - MSISDN for answer in on_record()] == [0, 3, 5]


def test_lines_that_may_be_mistyped_are_taken_and_counted(
    consent: Command, put: Put, on_record: OnRecord
) -> None:
    numbers = "1380013800\n13800138000\n1380013800123\n85291234567\n"

    several = consent("import", path := put(numbers), *ALL_REFUSED)
    one = consent("import", put("138001380001\n"), *ALL_REFUSED)

    assert several.returncode == 0
    assert "for a mainland mobile number: 2 lines, first" in several.stderr
    assert f"first {path}:1" in several.stderr
    assert "1380013800" not in several.stderr
    assert "for a mainland mobile number: 1 line, first" in one.stderr
    assert len(on_record()) == 5


def test_the_summary_shows_no_number_and_the_file_of_rejects_is_private(
    consent: Command, put: Put, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    rejects.write_text("of yesterday")
    rejects.chmod(0o644)

    ran = consent("import", path := put(BROKEN), "--answer", "refused", "--rejects", str(rejects))

    rows = list(csv.DictReader(io.StringIO(rejects.read_text(encoding="utf-8"))))
    assert "1380013800" not in ran.stdout
    assert f"they are in {rejects}" in ran.stdout
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert [row["line"] for row in rows] == ["3", "4", "5", "7", "8"]
    assert rows[1] == {
        "file": path,
        "line": "4",
        "reason": "no such sender",
        "text": "13800138001,shpo,refused",
    }
    assert all(len(row["text"]) <= 200 for row in rows)


def test_escape_sequences_of_a_rejected_line_are_written_out(
    consent: Command, put: Put, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"

    consent("import", put(b"13800138000\n\x1b[2J\xff\n"), *ALL_REFUSED, "--rejects", str(rejects))

    assert "\\u001b[2J" in rejects.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "arguments", "problem"),
    [
        ("number,anwser\n", ALL_REFUSED, "each column must be one of"),
        (f"{NUMBER},shop\n", ALL_REFUSED, "names no column `number`"),
        (b"\xff\xfe1\x003\x00", ALL_REFUSED, "not UTF-8"),
        (NUMBER, ("--answer", "refused"), "to whom the answers were given"),
        (NUMBER, ("--all-senders",), "whether they refused or agreed"),
        (NUMBER, ("--system-id", "shpo", "--answer", "refused"), "there are: gone, shop"),
        (NUMBER, (*ALL_REFUSED, "--system-id", "shop"), "not both"),
        (NUMBER, (*ALL_REFUSED, "--since", "2999-01-01T00:00:00+0000"), "a past time"),
        (NUMBER, (*ALL_REFUSED, "--since", "2013-01-01"), "with its offset"),
        (NUMBER, (*ALL_REFUSED, "--until", "2099-12-31"), "a refusal has no end"),
        (NUMBER, ("--system-id", "shop", "--answer", "agreed", "--until", "soon"), "a last day"),
    ],
)
def test_a_list_that_cannot_be_meant_is_a_misuse(
    consent: Command,
    put: Put,
    on_record: OnRecord,
    content: str | bytes,
    arguments: tuple[str, ...],
    problem: str,
) -> None:
    ran = consent("import", put(content), *arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert on_record() == []


def test_a_file_that_is_not_there_is_a_misuse(consent: Command, tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        ran = consent("import", str(path), *ALL_REFUSED)

        assert (ran.returncode, f"there is no file {path}" in ran.stderr) == (2, True)


@pytest.mark.parametrize("damage", ["short", "wrong"])
def test_of_a_packed_file_that_ends_early_nothing_is_recorded(
    consent: Command, put: Put, on_record: OnRecord, tmp_path: Path, *, damage: str
) -> None:
    whole = gzip.compress("".join(f"{n}\n" for n in range(13800000000, 13800030000)).encode())
    broken = whole[:-20] if damage == "short" else whole[:200] + bytes(200) + whole[400:]
    rejects = tmp_path / "rejects.csv"

    ran = consent("import", put(broken), *ALL_REFUSED, "--rejects", str(rejects))

    assert ran.returncode == 1
    assert "cannot be read: " in ran.stderr
    assert "nothing was recorded" in ran.stderr
    assert on_record() == []
    assert list(tmp_path.glob("rejects*")) == []


def test_rejects_that_cannot_be_written_are_said_before_anything_is_recorded(
    consent: Command, put: Put, on_record: OnRecord, tmp_path: Path
) -> None:
    rejects = tmp_path / "none" / "rejects.csv"

    ran = consent("import", put(NUMBER), *ALL_REFUSED, "--rejects", str(rejects))

    assert ran.returncode == 1
    assert f"{rejects} cannot be written: No such file or directory" in ran.stderr
    assert on_record() == []


def test_rejects_do_not_overwrite_the_list(consent: Command, put: Put) -> None:
    path = put(NUMBER)

    ran = consent("import", path, *ALL_REFUSED, "--rejects", path)

    assert (ran.returncode, Path(path).read_text(encoding="utf-8")) == (2, NUMBER)


def test_a_disk_without_room_to_sort_is_said(
    consent: Command, put: Put, on_record: OnRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(_self: SortedAnswers, _answers: object) -> None:
        raise SpoolError("database or disk is full")

    monkeypatch.setattr(SortedAnswers, "add", add)

    ran = consent("import", put(NUMBER), *ALL_REFUSED)

    assert ran.returncode == 1
    assert "cannot be sorted: database or disk is full" in ran.stderr
    assert "hint: " in ran.stderr
    assert on_record() == []


def test_an_empty_list_is_no_fault(consent: Command, put: Put) -> None:
    ran = consent("import", put("\n\n"), *ALL_REFUSED)

    assert (ran.returncode, ran.stdout) == (0, "recorded: 0 answers; rejected: 0 lines\n")


def test_a_list_is_taken_in_pieces(
    consent: Command, put: Put, on_record: OnRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_import, "_LINES_AT_ONCE", 2)
    monkeypatch.setattr(answer_import, "ANSWERS_PER_COMMIT", 3)
    numbers = [f"1380013800{place}" for place in (4, 1, 3, 0, 2)]

    ran = consent("import", put("\n".join(numbers)), *ALL_REFUSED)

    assert ran.stdout.startswith("recorded: 5 answers")
    assert [answer.msisdn - MSISDN for answer in on_record()] == [0, 1, 2, 3, 4]


def test_a_file_without_line_ends_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"1" * 3_000_000 + b"\n13800138000")

    found = list(numbered_lines(path, lambda _octets: None))

    assert [(number, len(line)) for number, line in found] == [(1, MAX_LINE_OCTETS + 1), (2, 11)]


def test_the_progress_of_a_packed_file_is_counted_in_octets_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "list.gz"
    path.write_bytes(gzip.compress(b"13800138000\n" * 50_000))
    heard: list[int] = []

    lines = sum(1 for _ in numbered_lines(path, heard.append))

    assert lines == 50_000
    assert len(heard) == 2
    assert all(0 < octets <= path.stat().st_size for octets in heard)
