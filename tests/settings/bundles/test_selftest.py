"""The self-test of a bundle: read strictly, judged as messages are, faults at their lines."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.domain.policy import Expectation, ListAction
from gateway.settings.bundles.bundle import load_bundle, load_proven

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

LISTS = {
    f"keywords/{action}.yaml": (
        f"version: 1\nid: K-{action.upper()}\ncategory: test\naction: {action}\nwords: [{word}]\n"
    )
    for action, word in (("reject", "代开发票"), ("quarantine", "黑户可贷"), ("shadow", "加微信"))
}


def selftest(*cases: str) -> Mapping[str, str]:
    """Return a bundle of one list for each action, whose first case stands on line 3."""
    lines = "".join(f"  - {{{case}}}\n" for case in cases)
    return {**LISTS, "selftest.yaml": f"version: 1\ncases:\n{lines}"}


def test_cases_that_hold_leave_the_bundle_as_it_is(bundle: WriteBundle) -> None:
    directory = bundle(
        selftest(
            "text: 代-开 发.票, expect: reject, list: K-REJECT, why: separators hide nothing",
            "text: 黑户可贷, data_coding: 8, expect: quarantine",
            "text: 加微信, expect: shadow, list: K-SHADOW",
            "text: 您好, data_coding: auto, expect: forward",
            "text: 黑户可贷可代开发票加微信, expect: reject, list: K-REJECT",
        )
    )

    proven = load_proven(directory)

    assert proven == load_bundle(directory)
    assert [case.expect for case in proven.selftest] == [
        Expectation.REJECT,
        Expectation.QUARANTINE,
        Expectation.SHADOW,
        Expectation.FORWARD,
        Expectation.REJECT,
    ]


FAILING = {
    "too weak": (
        "text: 黑户可贷, expect: reject",
        "self-test: expected reject, the rules say quarantine by K-QUARANTINE (黑户可贷)",
    ),
    "too strong": (
        "text: 代开发票, expect: forward",
        "self-test: expected forward, the rules say reject by K-REJECT (代开发票)",
    ),
    "a hit in shadow mode is no plain forward": (
        "text: 加微信, expect: forward",
        "self-test: expected forward, the rules say shadow by K-SHADOW (加微信)",
    ),
    "not found": (
        "text: 您好, expect: shadow",
        "self-test: expected shadow, the rules say forward",
    ),
    "another list": (
        "text: 代开发票, expect: reject, list: K-QUARANTINE",
        "self-test: expected reject by K-QUARANTINE, the rules say reject by K-REJECT (代开发票)",
    ),
    "another list that found it too, but did not decide": (
        "text: 代开发票加微信, expect: reject, list: K-SHADOW",
        "self-test: expected reject by K-SHADOW, the rules say reject by K-REJECT (代开发票)",
    ),
    "a list that there is not": (
        "text: 您好, expect: reject, list: K-NONE",
        "self-test: there is no rule or list K-NONE",
    ),
    "a coding without the letters": (
        "text: 您好, data_coding: 0, expect: forward",
        "data_coding 0 cannot hold the text: character 0 is not in the GSM alphabet",
    ),
}


@pytest.mark.parametrize(("case", "problem"), FAILING.values(), ids=FAILING)
def test_a_case_that_fails_is_a_fault_at_its_line(
    case: str, problem: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle(selftest("text: 您好, expect: forward", case))

    (fault,) = faults_of(lambda: load_proven(directory))

    assert fault == f"policies/selftest.yaml:4:5 {problem}"


def test_every_case_that_fails_is_told(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle(selftest(*["text: 您好, expect: reject"] * 3))

    faults = faults_of(lambda: load_proven(directory))

    assert [fault.split()[0] for fault in faults] == [
        f"policies/selftest.yaml:{line}:5" for line in (3, 4, 5)
    ]


MALFORMED = {
    "no cases": ("version: 1\ncases: []\n", "2:8 cases: List should have at least 1 item"),
    "no text": ('version: 1\ncases: [{text: "", expect: forward}]\n', "2:16 cases[0].text: "),
    "no expectation": ("version: 1\ncases: [{text: 您好}]\n", "2:9 cases[0].expect: is missing"),
    "an unknown action": (
        "version: 1\ncases: [{text: 您好, expect: discard}]\n",
        "2:28 cases[0].expect: Input should be 'forward', 'shadow', 'quarantine', 'reject', ",
    ),
    "an unknown key": (
        "version: 1\ncases: [{text: 您好, expect: forward, lists: A}]\n",
        "2:37 cases[0].lists: unknown key",
    ),
    "no octet": (
        "version: 1\ncases: [{text: 您好, expect: forward, data_coding: 256}]\n",
        "2:50 cases[0].data_coding: Input should be less than or equal to 255",
    ),
    "a coding in words": (
        "version: 1\ncases: [{text: 您好, expect: forward, data_coding: ucs2}]\n",
        "2:50 cases[0].data_coding: must be a whole number",
    ),
    "a list that finds what is forwarded": (
        "version: 1\ncases: [{text: 您好, expect: forward, list: K-REJECT}]\n",
        "2:43 no list finds a text that is forwarded",
    ),
}


@pytest.mark.parametrize(("text", "fault"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_self_test_is_a_fault_of_the_bundle(
    text: str, fault: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({"selftest.yaml": text})

    (said,) = faults_of(lambda: load_bundle(directory))

    assert said.startswith(f"policies/selftest.yaml:{fault}")


def test_the_self_test_is_part_of_the_digest(bundle: WriteBundle) -> None:
    before = load_bundle(bundle(selftest("text: 您好, expect: forward"))).digest

    after = load_bundle(bundle(selftest("text: 你好, expect: forward"))).digest

    assert before != after


def test_the_shipped_self_test_tries_every_shipped_list_and_honest_texts() -> None:
    policy = load_proven(Path(__file__).parents[3] / "policies")

    tried = {case.list_id for case in policy.selftest}
    honest = [case for case in policy.selftest if case.expect is Expectation.FORWARD]
    assert {words.id for words in policy.keyword_lists} <= tried
    assert {case.expect for case in policy.selftest} >= {Expectation(a) for a in ListAction}
    assert len(honest) >= 10
