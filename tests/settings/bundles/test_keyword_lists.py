"""Keyword libraries as files: what they come to, and each fault at its place."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest
import re2

from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.warning import Severity
from gateway.settings.bundles.bundle import load_bundle

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

LIBRARY = """\
version: 1
id: K-INVOICE
category: forged_documents
action: quarantine
severity: serious
owner: 反诈中心
not_before: 2027-01-01
not_after: 2027-12-31
weight: 6
threshold: 12
sound: true
gap: 8
words: [发票, 代开…发票]
file: invoice.txt
exceptions: [发票抬头, 电子发票]
patterns:
  QQ号: '(?:加|扣)\\s?q{1,2}\\s?[1-9][0-9]{4,10}'
"""
PLAIN = "version: 1\nid: K\ncategory: fraud\naction: reject\n"


def loaded(bundle: WriteBundle, text: str, **files: str) -> KeywordList:
    written = {f"keywords/{name}.txt": words for name, words in files.items()}
    (words,) = load_bundle(bundle({"keywords/a.yaml": text, **written})).keyword_lists
    return words


def test_a_library_says_all_of_itself(bundle: WriteBundle) -> None:
    assert loaded(bundle, LIBRARY, invoice="住宿费票\n") == KeywordList(
        "K-INVOICE",
        "forged_documents",
        ListAction.QUARANTINE,
        ("发票", "代开…发票", "住宿费票"),
        exceptions=("发票抬头", "电子发票"),
        patterns=(("QQ号", r"(?:加|扣)\s?q{1,2}\s?[1-9][0-9]{4,10}"),),
        gap=8,
        sound=True,
        weight=6,
        threshold=12,
        severity=Severity.SERIOUS,
        owner="反诈中心",
        not_before=date(2027, 1, 1),
        not_after=date(2027, 12, 31),
    )


def test_the_simple_form_says_what_it_always_said(bundle: WriteBundle) -> None:
    found = loaded(bundle, PLAIN + "words: [代开发票]\n")

    assert found == KeywordList("K", "fraud", ListAction.REJECT, ("代开发票",))


def test_a_library_may_be_of_patterns_alone(bundle: WriteBundle) -> None:
    assert loaded(bundle, PLAIN + "patterns: {电话: '1[0-9]{10}'}\n").words == ()


def test_what_is_laid_over_a_library_adds_exceptions_and_replaces_the_rest(
    bundle: WriteBundle,
) -> None:
    above = "version: 1\nid: K\nexceptions: [电子发票]\nweight: 3\n"
    files = {
        "keywords/a.yaml": PLAIN + "words: [发票]\nexceptions: [发票抬头]\nweight: 9\n",
        "local.d/keywords/a.yaml": above,
    }

    (found,) = load_bundle(bundle(files)).keyword_lists
    assert (found.exceptions, found.weight) == (("发票抬头", "电子发票"), 3)


WORD = "words: [发票]\n"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("words: []\n", "1:1 holds no words, neither in words nor in a file"),
        (WORD + "exceptions: [抬头]\n", "6:14 exceptions[0]: no word of the list stands in it"),
        (WORD + "exceptions: [发票]\n", "6:14 exceptions[0]: no word of the list stands in it"),
        (WORD + "exceptions: ['!']\n", "6:14 exceptions[0]: holds no letter, digit or symbol"),
        (WORD + "patterns: [a]\n", "6:11 patterns: must be a mapping"),
        (
            WORD + "patterns:\n  QQ: '(?<=a)b'\n",
            "7:7 patterns.QQ: is no regular expression of RE2: invalid perl operator: (?<",
        ),
        (
            WORD + "patterns:\n  QQ: '(a'\n",
            "7:7 patterns.QQ: is no regular expression of RE2: missing ): (a",
        ),
        (WORD + "patterns:\n  QQ: 'a*'\n", "7:7 patterns.QQ: matches where nothing is"),
        (WORD + "patterns:\n  QQ: ''\n", "7:7 patterns.QQ: String should have at least 1 char"),
        (WORD + "patterns:\n  '': a\n", "7:3 patterns.: is empty"),
        (
            WORD + "patterns: {a: '1[0-9]{10}', b: 'x*'}\n",
            "6:32 patterns.b: matches where nothing is",
        ),
        (WORD + "gap: 0\n", "6:6 gap: Input should be greater than or equal to 1"),
        (WORD + "gap: 5.5\n", "6:6 gap: must be a whole number"),
        (WORD + "weight: 0\n", "6:9 weight: Input should be greater than or equal to 1"),
        (WORD + "weight: heavy\n", "6:9 weight: must be a whole number"),
        (WORD + "threshold: 1001\n", "6:12 threshold: Input should be less than or equal to 1000"),
        (WORD + "severity: bad\n", "6:11 severity: Input should be 'general', 'serious' or 'maj"),
        (WORD + "not_after: soon\n", "6:12 not_after: must be a day such as 2027-03-31"),
        (WORD + "not_before: 2027-02-30\n", "6:13 not_before: must be a day such as 2027-03-31"),
        (
            WORD + "not_before: 2027-03-02\nnot_after: 2027-03-01\n",
            "7:12 not_after: is before not_before, 2027-03-02",
        ),
        (WORD + "sound: yes\n", "6:8 sound: must be true or false"),
        ("words: [代]\nsound: true\n", "6:8 sound: 代 is one syllable, which half of all texts"),
        (WORD + "owner: ''\n", "6:8 owner: is empty"),
        (WORD + "wieght: 5\n", "6:1 wieght: unknown key"),
        ("words: [甲…乙…丙…丁…戊]\n", "5:9 words[0]: more than 4 parts"),
        ("words: [a…发票]\n", "5:9 words[0]: a single ASCII character is no part of a combin"),
        ("words: ['…']\n", "5:9 words[0]: holds no letter, digit or symbol"),
    ],
)
def test_a_broken_library_is_refused_at_its_place(
    bundle: WriteBundle, faults_of: FaultsOf, said: str, fault: str
) -> None:
    directory = bundle({"keywords/a.yaml": PLAIN + said})

    (told,) = faults_of(lambda: load_bundle(directory))
    assert told.startswith(f"policies/keywords/a.yaml:{fault}")


def test_a_broken_combination_in_a_word_file_is_told_by_its_line(
    bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    files = {"keywords/a.yaml": PLAIN + "file: a.txt\n", "keywords/a.txt": "发票\nx…发票\n"}
    directory = bundle(files)

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/keywords/a.txt:2:1 a single ASCII character is no part of a combination"
    ]


def test_patterns_that_are_too_large_together_are_a_fault(
    bundle: WriteBundle, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("re2.Set.Compile", too_large)
    directory = bundle({"keywords/a.yaml": PLAIN + "patterns: {电话: '1[0-9]{10}'}\n"})

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/keywords/a.yaml:5:11 1 patterns are too large together"
    ]


def too_large(_set: object) -> None:
    raise re2.error("failed to compile Set")
