from dataclasses import replace
from pathlib import Path

import pytest

from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.samples import (
    MAX_TEXT_CHARS,
    FileClass,
    SampleError,
    campaign_of,
    files_in,
    leaked,
    read_file,
    sample_of,
    skeleton,
)


def test_a_line_is_label_language_source_and_text() -> None:
    sample = sample_of("spam\tzh\tfbs/IL:Gambling\t“赌”场 开户")

    assert sample.is_spam
    assert (sample.lang, sample.source, sample.origin) == ("zh", "fbs/IL:Gambling", "fbs")
    assert sample.text.raw == "“赌”场 开户"
    assert sample.text_class is TextClass.PORT


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "1 fields"),
        ("ham\tzh\tours", "3 fields"),
        ("ham\tzh\tours\ta\tport\tb", "6 fields"),
        ("ham\tzh\tours\ta\tb", "neither port nor person"),
        ("junk\tzh\tours\ttext", "neither ham nor spam"),
        (f"ham\tzh\t{'s' * 65}\ttext", "longer than 64"),
        (f"ham\t{'l' * 65}\tours\ttext", "longer than 64"),
        (f"ham\tzh\tours\t{'长' * (MAX_TEXT_CHARS + 1)}", "longer than 4096"),
    ],
)
def test_any_other_line_is_refused_with_its_place(line: str, problem: str) -> None:
    with pytest.raises(SampleError, match=problem) as caught:
        sample_of(line, place="our.tsv", number=7)

    assert str(caught.value).startswith("our.tsv:7: ")
    assert caught.value.line == 7


def test_a_refusal_never_repeats_the_text() -> None:
    with pytest.raises(SampleError) as caught:
        sample_of("junk\tzh\tours\t13800138000")

    assert "13800138000" not in str(caught.value)


def test_a_file_has_its_campaigns_and_its_doubts_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "train_zh_bulk.tsv"
    path.write_text("ham\tzh\tours\t快递\r\nspam\tzh\tours\t发票\n", encoding="utf-8")
    path.with_suffix(".groups").write_text("4\n9\n")
    path.with_suffix(".suspect").write_text("1\n")

    file = read_file(path, BULK)

    assert [one.group for one in file.samples] == ["train_zh_bulk:4", "train_zh_bulk:9"]
    assert [one.is_doubtful for one in file.samples] == [False, True]
    assert [one.text.raw for one in file.samples] == ["快递", "发票"]
    assert (file.name, len(file.sha256)) == ("train_zh_bulk.tsv", 64)


BULK = (FileClass.read("*_bulk.tsv=port"), FileClass.read("person"))


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("train_zh_bulk.tsv", "ham\tzh\tours\t晚上见", TextClass.PORT),
        ("train_zh_misc.tsv", "ham\tzh\tours\t晚上见", TextClass.PERSON),
        ("train_zh_bulk.tsv", "ham\tzh\tours\t晚上见\tperson", TextClass.PERSON),
        ("train_zh_misc.tsv", "ham\tzh\tours\t晚上见\tport", TextClass.PORT),
        ("train_en.tsv", "ham\ten\tours\tsee you", TextClass.FOREIGN),
    ],
)
def test_a_column_or_what_is_said_of_its_file_tells_who_sends_a_text(
    tmp_path: Path, name: str, line: str, expected: TextClass
) -> None:
    path = tmp_path / name
    path.write_text(f"{line}\n", encoding="utf-8")

    assert [one.text_class for one in read_file(path, BULK).samples] == [expected]


def test_who_sends_a_text_is_never_guessed_from_a_name(tmp_path: Path) -> None:
    path = tmp_path / "dev_zh_bulk.tsv"
    path.write_text("ham\ten\tours\tsee you\nham\tzh\tours\t晚上见\n", encoding="utf-8")

    with pytest.raises(SampleError, match=r"dev_zh_bulk.tsv:2: neither line nor --class says"):
        read_file(path)


@pytest.mark.parametrize("said", ["bulk", "*_bulk.tsv", "*_bulk.tsv=ports", ""])
def test_what_is_said_of_files_names_one_of_two_classes(said: str) -> None:
    with pytest.raises(ValueError, match="neither port nor person"):
        FileClass.read(said)


def test_campaigns_for_other_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("ham\tzh\tours\t晚上见\n", encoding="utf-8")
    path.with_suffix(".groups").write_text("1\n2\n")

    with pytest.raises(SampleError, match=r"a\.groups: 2 lines for 1 samples"):
        read_file(path, BULK)


def test_what_is_no_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"ham\tzh\tours\tone\nham\tzh\tours\t\xff\n")

    with pytest.raises(SampleError, match=r"a\.tsv:2: not UTF-8"):
        read_file(path)


def test_of_a_directory_the_files_of_one_kind_are_taken(tmp_path: Path) -> None:
    for name in ("train_b.tsv", "train_a.tsv", "dev_a.tsv", "train_a.groups"):
        (tmp_path / name).touch()
    single = tmp_path / "dev_a.tsv"

    found = [path.name for path in files_in([tmp_path, single], "train_")]

    assert found == ["train_a.tsv", "train_b.tsv", "dev_a.tsv"]


def test_a_text_that_differs_in_numbers_and_signs_has_leaked() -> None:
    known = [sample_of("spam\tzh\ta\t代开各类发票，联系1380013，王经理")]
    held = [
        sample_of("spam\tzh\tb\t代开各类發票! 联系9990001 王经理"),
        sample_of("spam\tzh\tb\t代开各类发票，联系李经理，电话面谈"),
    ]

    assert leaked(known, held) == 1


def test_what_anybody_may_have_written_has_not_leaked() -> None:
    assert leaked([sample_of("ham\tzh\ta\t好的")], [sample_of("ham\tzh\tb\t好的")]) == 0


def test_a_skeleton_has_letters_and_zeros_alone() -> None:
    assert skeleton(sample_of("ham\tzh\ta\tＡb, 12 元!").text) == "ab00元"


def test_a_campaign_is_a_group_or_else_how_a_text_reads() -> None:
    lines = ("spam\tzh\tours\t代开发票 13800", "spam\tzh\tours\t代开发票：13999")
    first, again = (sample_of(line) for line in lines)

    assert campaign_of(first) == campaign_of(again)
    assert campaign_of(replace(first, group="g7")) == "g7"
