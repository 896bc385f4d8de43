import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings.yaml import SettingsError, decode_utf8, position_in, read_octets

FaultsOf = Callable[[Callable[[], object]], list[str]]


def test_a_file_is_read_up_to_its_limit(tmp_path: Path, faults_of: FaultsOf) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"12345")

    assert read_octets(path, 5) == b"12345"
    assert faults_of(lambda: read_octets(path, 4)) == ["a.yaml:1:1 is larger than 4 octets"]


def test_a_missing_file_is_a_fault(tmp_path: Path, faults_of: FaultsOf) -> None:
    assert faults_of(lambda: read_octets(tmp_path / "no.yaml", 9)) == [
        "no.yaml:1:1 cannot be read: No such file or directory"
    ]


def test_a_directory_is_no_file(tmp_path: Path, faults_of: FaultsOf) -> None:
    (tmp_path / "dir").mkdir()

    assert faults_of(lambda: read_octets(tmp_path / "dir", 9)) == ["dir:1:1 is not a regular file"]


def test_a_pipe_is_refused_without_waiting_for_its_writer(
    tmp_path: Path, faults_of: FaultsOf
) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert faults_of(lambda: read_octets(tmp_path / "pipe", 9)) == [
        "pipe:1:1 is not a regular file"
    ]


@pytest.mark.parametrize(
    ("octets", "place"),
    [(b"\xff", "1:1"), (b"ab\n\xe7\xa4\xba\xff", "2:2"), (b"\xef\xbb\xbfa\xff", "1:2")],
)
def test_the_first_octet_that_is_not_utf8_is_named(octets: bytes, place: str) -> None:
    with pytest.raises(SettingsError) as raised:
        decode_utf8(Path("a"), octets)

    assert str(raised.value) == f"a:{place} not UTF-8"


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode_utf8(Path("a"), b"\xef\xbb\xbfa") == "a"


@pytest.mark.parametrize(
    ("before", "place"), [("", (1, 1)), ("ab", (1, 3)), ("ab\n", (2, 1)), ("\n\n示", (3, 2))]
)
def test_lines_and_columns_count_characters_from_one(before: str, place: tuple[int, int]) -> None:
    assert position_in(before) == place
