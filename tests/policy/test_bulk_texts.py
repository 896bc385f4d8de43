"""What a number sends over its caps is looked at before it is suspended (R43)."""

from dataclasses import replace

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.verdict import Action, Finding, Reason, ReasonCode
from gateway.filter.facts import TextFacts
from gateway.policy import similar_texts
from gateway.policy.checks.too_often import TooOften
from gateway.policy.similar_texts import BulkTexts
from gateway.policy.submission import Submission
from tests.policy.conftest import addressed

MSISDN, OTHER = 8613900000001, 8613900000002
INVITATION = "{}，下周六中午我们在湖边的老院子摆喜酒，请一定带家人来，记得早点到，停车不方便"
FOUND = Finding("R61-model", Reason.SUSPICIOUS, Action.QUARANTINE, "97 % likely spam", shadow=True)


def message(text: str, to: int = 0) -> Submission:
    return addressed(text, destination=b"138%08d" % to, traffic=TrafficClass.SERVICE)


def found_in(texts: BulkTexts, *sent: tuple[str, int], msisdn: int = MSISDN) -> list[str]:
    return [texts.against(msisdn, message(text, to)) for text, to in sent]


@pytest.mark.parametrize(
    "reason", [Reason.SUSPICIOUS, Reason.CONTENT, Reason.CAMPAIGN, Reason.PORT_MISUSE]
)
def test_r43_what_rules_find_against_a_text_is_against_it_on_trial_or_not(
    reason: ReasonCode,
) -> None:
    one = message("你好")
    one.findings = (replace(FOUND, reason=reason),)

    assert BulkTexts(3).against(MSISDN, one) == f"{reason} by R61-model"


@pytest.mark.parametrize("reason", [TooOften.reason, Reason.CONTENT_UNCHECKED, Reason.USER_PREF])
def test_r43_what_is_not_about_the_text_is_not_against_it(reason: ReasonCode) -> None:
    one = message("你好")
    one.findings = (replace(FOUND, reason=reason),)

    assert BulkTexts(3).against(MSISDN, one) == ""


def test_r43_one_text_to_many_people_is_bulk_whoever_it_is_addressed_to() -> None:
    names = ("张先生", "李女士", "王先生")

    found = found_in(
        BulkTexts(3), *((INVITATION.format(name), to) for to, name in enumerate(names))
    )

    assert found == ["", "", "one text to 3 people"]


def test_r43_a_word_changed_here_and_there_hides_nothing() -> None:
    ends = ("停车不方便", "停车有点难", "车位很紧张")

    found = found_in(
        BulkTexts(3),
        *(
            (INVITATION.replace("停车不方便", end).format("大家"), to)
            for to, end in enumerate(ends)
        ),
    )

    assert found[-1] == "one text to 3 people"


def test_r43_one_text_again_and_again_to_one_person_is_not() -> None:
    assert found_in(BulkTexts(3), *[(INVITATION, 7)] * 9) == [""] * 9


def test_r43_one_person_is_one_however_the_number_is_written() -> None:
    texts = BulkTexts(3)
    sent = [message(INVITATION, 7) for _ in range(4)]
    for one, written in zip(sent, (b"", b"86", b"+86", b"0086"), strict=True):
        one.destination = written + one.destination

    assert [texts.against(MSISDN, one) for one in sent] == [""] * 4


def test_r43_many_texts_to_many_people_are_not() -> None:
    texts = ("在吗", "晚上吃什么", "我到楼下了", "作业写完了没有", "明天几点的车", "记得带伞")

    found = found_in(BulkTexts(3), *((text, to) for to, text in enumerate(texts)))

    assert found == [""] * 6


def test_r43_a_text_between_the_others_hides_nothing() -> None:
    sent = [(INVITATION, 1), ("在吗", 9), (INVITATION, 2), ("在吗", 9), (INVITATION, 3)]

    assert found_in(BulkTexts(3), *sent)[-1] == "one text to 3 people"


def test_r43_each_number_answers_for_itself() -> None:
    texts = BulkTexts(2)

    assert found_in(texts, (INVITATION, 1)) == [""]
    assert found_in(texts, (INVITATION, 2), msisdn=OTHER) == [""]
    assert found_in(texts, (INVITATION, 3)) == ["one text to 2 people"]


def test_r43_once_it_was_found_a_number_begins_anew() -> None:
    found = found_in(BulkTexts(2), *((INVITATION, to) for to in range(4)))

    assert found == ["", "one text to 2 people"] * 2


def test_of_no_text_nothing_is_said() -> None:
    textless, empty = message("你好"), message("你好")
    textless.facts, empty.facts = None, TextFacts((), ("",))

    assert [BulkTexts(2).against(MSISDN, one) for one in (textless, empty)] == ["", ""]


def test_a_fingerprint_that_was_made_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = message(INVITATION, 1), message(INVITATION, 2)
    texts = BulkTexts(2)
    texts.against(MSISDN, first)
    assert first.facts is not None
    second.facts = first.facts
    monkeypatch.delattr(similar_texts, "fingerprint_of")

    assert texts.against(MSISDN, second) == "one text to 2 people"


def test_so_many_numbers_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_texts, "_MAX_NUMBERS", 2)
    texts = BulkTexts(2)

    for msisdn in (MSISDN, OTHER, 8613900000003):
        found_in(texts, (INVITATION, 1), msisdn=msisdn)

    assert found_in(texts, (INVITATION, 2), msisdn=8613900000003) == ["one text to 2 people"]
    assert found_in(texts, (INVITATION, 2)) == [""]
