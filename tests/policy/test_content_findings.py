"""What becomes of a text by the words in it."""

from dataclasses import replace

import pytest

from gateway.domain.policy import ContentRule, KeywordList, ListAction
from gateway.domain.verdict import Action, Reason
from gateway.filter.scan import UNREADABLE
from gateway.policy.findings import finding_of
from tests.policy.conftest import BUNDLE
from tests.policy.rulesets import judged, rules


@pytest.mark.parametrize("action", [Action.FORWARD, Action.QUARANTINE, Action.REJECT])
def test_the_bundle_says_what_becomes_of_a_text_nobody_can_read(action: Action) -> None:
    compiled = rules(replace(BUNDLE, content=ContentRule(unreadable=action)))

    finding = finding_of(UNREADABLE, compiled.bundle.content)

    assert (finding.reason, finding.action) == (Reason.CONTENT_UNREADABLE, action)
    assert finding.shadow is (action is Action.FORWARD)


HINTS = KeywordList("K-HINTS", "gambling", ListAction.QUARANTINE, ("首存彩金",))
GAMES = KeywordList("K-GAMES", "gambling", ListAction.REJECT, ("真人百家乐",))
CARS = KeywordList("K-CARS", "retail", ListAction.REJECT, ("特价新车",))


@pytest.mark.parametrize(
    "text",
    [
        "【示例银行】谨防诈骗！凡称可办低息贷款的都是诈骗，请勿转账，详询95588",
        "【示例公安】低息贷款诈骗违法，如有疑问请拨打96110，举报电话110",
        "【示例银行】不法分子以低息贷款为名骗取手续费，请勿点击陌生链接",
        "【示例银行】警惕低息贷款骗局，我行员工不会上门。咨询电话:95588",
    ],
)
def test_a_mere_warning_that_names_what_frauds_offer_is_noted_and_passes(text: str) -> None:
    one = judged(rules(), text)

    assert one.verdict is None
    assert one.findings
    assert {finding.shadow for finding in one.findings} == {True}


@pytest.mark.parametrize(
    "text",
    [
        "【示例税务】谨防诈骗！凡称可代开发票的都是诈骗，请勿转账，详询95588",
        "【示例公安】代开发票、低息贷款诈骗违法，严禁代开发票，举报电话110",
        "【示例银行】警惕低息贷款骗局，切勿轻信代开发票广告",
        "【示例公安】参与真人百家乐网络赌博违法，警惕诈骗，举报电话110",
        "【示例公安】警惕诈骗，首存彩金都是骗局",
        "真人百家乐谨防假冒",
    ],
)
def test_a_warning_with_a_word_that_refuses_is_held_for_a_person(text: str) -> None:
    lists = (*BUNDLE.keyword_lists, GAMES, HINTS)

    verdict = judged(rules(replace(BUNDLE, keyword_lists=lists)), text).verdict

    assert verdict is not None
    assert verdict.action is Action.QUARANTINE


@pytest.mark.parametrize(
    "text",
    [
        "【示例财税】谨防假冒的代开发票，需要请回1",
        "【示例财税】谨防假冒代开发票，正规的回1",
        "谨防假冒代开发票 需要的请致电400-820-8820",
        "谨防假冒代开发票要的回Y",
        "谨防假冒代开发票，要 的 回 Y",
        "谨防假冒代开发票，要的致电95588",
        "谨防假冒代开发票，老字号回电",
        "谨防假冒代开发票，欢迎咨询",
        "谨防假冒代开发票，请认准老字号",
        "谨防假冒代开发票，本地95013123办理",
        "谨防代开发票诈骗，示例大厦1068 8888号",
        "Beware of 代开发票 scams, call us",
        "真人百家乐谨防假冒，要的回Y",
        "真人百家乐谨防假冒，要的致电4008208820",
        "谨防诈骗，警惕代开发票、特价新车骗局",  # shops offer it, not frauds alone
    ],
)
def test_no_warning_excuses_what_asks_its_reader_to_go_on(text: str) -> None:
    lists = (*BUNDLE.keyword_lists, GAMES, CARS)

    verdict = judged(rules(replace(BUNDLE, keyword_lists=lists)), text).verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT


@pytest.mark.parametrize(
    "text",
    [
        "本公司代开发票",  # no warning
        "谨防诈骗！本公司代开发票",  # beside one
        "谨防诈骗，警惕代开发票骗局 http://example.com/a",
        "谨防诈骗，警惕代开发票骗局，致电13800138000",
        "谨防诈骗，警惕代开发票骗局，百度搜示例票务",
        "谨防诈骗，警惕代.开.发.票骗局",
        "谨防诈骗，警惕代开发票骗局" + "。" * 4_096,
        "谨防代开发票诈骗我司代开发票",
        "切勿轻信他家我处代开发票",
        "我处代开发票不违法，严禁还价",
    ],
)
def test_an_offer_that_warns_as_well_is_stopped(text: str) -> None:
    verdict = judged(rules(), text).verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT


def test_of_two_readings_both_must_warn() -> None:
    verdict = judged(rules(), "谨防诈骗，警惕代开发票骗局", "本公司代开发票").verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT
