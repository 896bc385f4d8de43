"""Files of complaints: CSV and JSON Lines, as others write them."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.yaml import SettingsError
from gateway.systems.complaints.complaint_lines import (
    MAX_LINE_OCTETS,
    ComplaintFile,
    FileMapping,
    FileRejectedError,
    FileRow,
    load_mapping,
)
from gateway.systems.complaints.intake import ItemOrigin, complaint_of
from gateway.systems.complaints.model import ComplaintSource

NOW = datetime(2025, 11, 25, 12, tzinfo=UTC)
ORIGIN = ItemOrigin((ComplaintSource.AUTHORITY,), "clerk", NOW)
HEADER = "source_id,sender,text,reported_at,reporter\n"
OF_12321 = """\
version: 1
encoding: gb18030
time_format: "%Y/%m/%d %H:%M"
columns:
  source_id: 举报编号
  sender: 被举报号码
  text: 短信内容
  reported_at: 举报时间
  reporter: 举报人
  category: 类型
categories: {贷款广告: loan}
"""


def rows_of(
    octets: bytes | str, mapping: FileMapping | None = None, *, is_json: bool = False
) -> list[FileRow]:
    octets = octets.encode() if isinstance(octets, str) else octets
    return list(ComplaintFile(BytesIO(octets), mapping, is_json=is_json).rows())


@pytest.fixture
def mapping(tmp_path: Path) -> FileMapping:
    path = tmp_path / "map.yaml"
    path.write_text(OF_12321, encoding="utf-8")
    return load_mapping(path)


def test_r81_a_file_of_12321_is_read_with_its_mapping(mapping: FileMapping) -> None:
    file = (
        "举报编号,被举报号码,类型,短信内容,举报时间,举报人,备注\n"
        "B-1,106900010001,贷款广告,低息贷款，加微信,2025/11/25 09:30,13800138000,无\n"
    )

    [row] = rows_of(file.encode("gb18030"), mapping)

    new = complaint_of(row.item, ORIGIN)
    assert (row.line, row.problem) == (2, "")
    assert (new.source, new.source_id, new.sender) == ("12321", "B-1", "106900010001")
    assert (new.text, new.category, new.reporter) == ("低息贷款，加微信", "loan", 8613800138000)
    assert new.reported_at == datetime(2025, 11, 25, 1, 30, tzinfo=UTC)


def test_a_file_of_our_own_columns_needs_no_mapping() -> None:
    file = "\ufeff" + HEADER + '1,10690001,"two\nlines",2025-11-25T09:30:00+08:00,\n'

    [row] = rows_of(file)

    assert complaint_of(row.item, ORIGIN).text == "two\nlines"


def test_times_without_an_offset_are_those_of_china() -> None:
    [row] = rows_of(HEADER + "1,10690001,spam,2025-11-25 09:30:00,\n")

    new = complaint_of(row.item, ORIGIN)

    assert new.reported_at == datetime(2025, 11, 25, 1, 30, tzinfo=UTC)


def test_json_lines_are_our_form_or_mars() -> None:
    file = (
        '{"source_id":"1","sender":"10690001","text":"spam",'
        '"reported_at":"2025-11-25T09:30:00+08:00"}\n\n'
        '{"v":"1","u":"a/b/1","s":"10690001",'
        '"m":{"p":"sms","t":"2025-11-25T01:00:00Z","c":"spam"}}\n'
    )

    rows = rows_of(file, is_json=True)

    assert [row.line for row in rows] == [1, 3]
    assert [complaint_of(row.item, ORIGIN).text for row in rows] == ["spam", "spam"]


def test_json_lines_with_a_mapping_have_keys_of_their_own(mapping: FileMapping) -> None:
    file = (
        '{"举报编号":17,"被举报号码":10690001,"短信内容":"贷款","举报时间":"2025/11/25 09:30",'
        '"类型":null,"备注":[]}'
    )

    [row] = rows_of(file.encode("gb18030"), mapping, is_json=True)

    assert complaint_of(row.item, ORIGIN).source_id == "17"


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        (b"1,10690001\n", 2, "has 2 columns, and the header 5"),
        (b"1,1069,\xff,,\n", 2, "is not utf-8"),
        (
            b"\n\n" + b"x" * (MAX_LINE_OCTETS + 9) + b"\n",
            4,
            "the line is longer than 1048576 octets",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_told_and_the_next_is_read(
    file: bytes, line: int, problem: str
) -> None:
    rows = rows_of(HEADER.encode() + file + b"7,10690001,spam,2025-11-25T09:30:00Z,\n")

    assert (rows[0].line, rows[0].problem) == (line, problem)
    assert complaint_of(rows[-1].item, ORIGIN).source_id == "7"


def test_an_open_quote_does_not_take_the_whole_file() -> None:
    line = "7,10690001,spam,2025-11-25T09:30:00Z,\n"

    rows = rows_of(HEADER + '1,10690001,"spam\n' + line * 5000)

    assert rows[0].problem.startswith("is no CSV, until line")
    assert len([row for row in rows if not row.problem]) > 1000


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", ""),
        ("source_id,sender,text\n", "the header has no column reported_at"),
        ("举报编号\n", "the header has no column source_id, sender, text, reported_at"),
        ("a" * 200_000 + "\n", "the header is no CSV, until line 1"),
    ],
)
def test_a_file_without_the_columns_is_refused_whole(header: str, said: str) -> None:
    if not header:
        assert rows_of(header) == []
        return
    with pytest.raises(FileRejectedError, match=said):
        rows_of(header)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("encoding: gb18030", "encoding: utf-16", "encoding"),
        ("version: 1", "version: 2", "version"),
        ("  sender: 被举报号码\n", "", "columns: sender is missing"),
        ("reporter: 举报人", "name: 举报人", "columns"),
        ("loan", "weather", "there is no such category"),
        ("version: 1", 'version: 1\nutc_offset: "+99:00"', "must be as"),
    ],
)
def test_a_mapping_with_a_fault_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(OF_12321.replace(old, new), encoding="utf-8")

    with pytest.raises(SettingsError, match=said):
        load_mapping(path)


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_octets_are_rows_or_problems(octets: bytes, is_json: bool, has_header: bool) -> None:  # noqa: FBT001 - drawn
    file = (HEADER.encode() if has_header and not is_json else b"") + octets

    try:
        rows = rows_of(file, is_json=is_json)
    except FileRejectedError:
        return

    assert all(row.item is None or not row.problem for row in rows)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
