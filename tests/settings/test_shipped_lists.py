"""The keyword lists of the shipped policy: what they hold, and honest texts that they let pass."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from gateway.domain.categories import category_of
from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.keywords.search import ELLIPSIS, closed_up
from gateway.policy.bundle import Bundle
from gateway.settings.bundles.bundle import load_bundle

ROOT = Path(__file__).parents[2]

# What an honest sender writes of the things that the lists are about: notices of offices, warnings,
# reminders of lenders, codes, and lawful marketing.
HONEST = (
    "【示例税务】自然人可在电子税务局代开发票，如需纸质请到办税厅领取。",
    "【示例税务】您申请代开发票的业务已办结，请及时缴纳税款。",
    "【示例税务】近期有人以低价代开为名行骗，严禁代开发票等涉税违法行为。",
    "【示例税务】您有可退税款，请登录个人所得税APP办理年度汇算。",
    "【示例公安】请勿出租、出借、出售银行卡和电话卡，帮助信息网络犯罪活动将被追究刑责。",
    "【示例反诈】接到自称公检法称您涉嫌洗钱并要求转账的电话，都是诈骗，请拨打96110。",
    "【示例反诈】冒充客服以退款为由要求您下载会议软件、共享屏幕的，都是诈骗，请立即挂断。",
    "【示例反诈】网络刷单就是诈骗，不要相信先垫付后返佣的兼职。",
    "【示例反诈】警惕杀猪盘：网上认识的恋人带你投资，多半是骗局。",
    "【示例公安】严厉打击网络赌博，举报电话110，远离百家乐等赌博活动。",
    "【示例烟草】请通过正规渠道购烟，举报假烟走私烟请拨打12313。",
    "【示例考试院】考试期间请勿携带隐形耳机等作弊设备，替考将追究刑事责任。",
    "【示例招生办】不要相信花钱就能录取的传言，本校从未委托任何中介招生。",
    "【示例社区】村级便民点可代办残疾证、老年证，请携带身份证原件。",
    "【示例护理】护士上门服务已预约，护士小姐明早九点到，请保持电话畅通。",
    "【示例维修】杨小姐您好，师傅下午两点上门服务，请确认家中有人。",
    "【示例银行】您的身份证件已过期，请登录手机银行或到网点更新。",
    "【示例银行】您的信用卡本期最低还款额1200元，请在到期日前还款，以免影响征信。",
    "【示例银行】您的积分将于年底到期，可登录掌上银行兑换好礼。",
    "【示例银行】您的网银盾证书即将到期，请登录个人网银更新证书。",
    "【示例银行】您办理的个人住房贷款已通过审批，请携带资料到网点签约。",
    "【示例银行】本行不会以任何理由索要验证码，信用卡提额请以官方渠道为准。",
    "【示例公积金】您的住房公积金提取申请已受理，三个工作日内到账。",
    "【示例医保】您的医保电子凭证已激活，可在定点药店使用。",
    "【示例ETC】您的车辆本月通行费已扣款，发票请到票根网开具。",
    "【示例法院】您有一份电子送达文书，请拨打12368查询。",
    "【示例航空】您预订的航班因天气原因延误，请留意机场广播。",
    "【示例快递】您的包裹因地址不全暂存网点，请联系派件员13800000000补充。",
    "【示例体彩】本站即日起销售世界杯主题即开票，理性购彩。",
    "【示例福彩】双色球开奖号码请以官方公告为准，未成年人不得购彩。",
    "【示例网吧】大学生凭证上网八折，拒收请回复R",
    "【示例教育】考研英语真题解析课已更新，请登录学习平台查看。",
    "【示例论坛】投票规则：每人每天限投一票，刷票者取消资格。",
    "【示例采购】贵司货款按合同约定在收到发票后三十日内支付。",
    "【示例超市】会员日全场八五折，满100减20，拒收请回复R",
    "【示例书店】新书八折，详询400-820-8820，拒收请回复R",
    "【示例影院】会员生日当月观影半价，退订回T",
    "【示例物业】小区电梯年检，今日下午暂停使用，敬请谅解。",
    "【示例气象】今日露点温度较低，空气干燥，注意防火。",
    "【示例人社】招聘会将于周六在体育馆举行，求职者可免费入场。",
    "Your account statement is ready. Log in to the app to view it.",
    "Example Bank will never ask you for your PIN or passcode. If you get such a call, hang up.",
    "Your parcel is at the depot. Bring photo ID to collect it before Friday.",
    "Reminder: your council tax instalment is due on the 5th.",
    "Your driving licence renewal was received. No further action is needed.",
    "Your order has been shipped and will arrive tomorrow between 9 and 11.",
    "Your loan repayment of 120.00 is due on Monday. Thank you for paying on time.",
    "Congratulations on your new job! Let us have lunch next week.",
    "Interview confirmed for Tuesday at 10 am, second floor, please bring your CV.",
    "Please update your bank details with payroll before the end of the month.",
)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(ROOT / "policies")


def folded(word: str) -> str:
    """Return a word as it is searched: each part of a combination without what stands between."""
    return ELLIPSIS.join(closed_up(word.split(ELLIPSIS), by_sound=False))


def test_there_are_some_thousands_of_entries_in_chinese_and_in_english(shipped: Bundle) -> None:
    words = [word for one in shipped.keyword_lists for word in one.words]

    assert len(words) >= 3_000
    assert sum(word.isascii() or word.replace(ELLIPSIS, "").isascii() for word in words) >= 1_000
    assert sum(ELLIPSIS in word for word in words) >= 1_000


def test_no_entry_stands_twice_once_it_is_folded(shipped: Bundle) -> None:
    found = Counter(folded(word) for one in shipped.keyword_lists for word in one.words)

    assert [word for word, times in found.items() if times > 1] == []


def test_every_list_that_stops_messages_is_of_a_category_of_the_tree(shipped: Bundle) -> None:
    strays = [one.id for one in shipped.keyword_lists if category_of(one.category) is None]

    assert strays == ["K-ENGLISH-LURE", "K-LURE"]


@pytest.mark.parametrize("words", load_bundle(ROOT / "policies").keyword_lists, ids=lambda w: w.id)
def test_each_list_finds_its_first_and_its_last_entry(words: KeywordList) -> None:
    index = KeywordIndex([words])

    for word in (words.words[0], words.words[-1]):
        text = word.replace(ELLIPSIS, " 和 " if not word.isascii() else " x ")
        assert word in {hit.word for hit in index.search([text])}


def test_a_list_about_adverts_stops_none(shipped: Bundle) -> None:
    adverts = [one for one in shipped.keyword_lists if one.id.startswith("K-AD-")]

    assert len(adverts) >= 12
    assert {one.action for one in adverts} == {ListAction.SHADOW}
    assert all(one.weight for one in adverts)


def test_no_list_stops_a_message_while_the_posture_is_to_watch(tmp_path: Path) -> None:
    copy = shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (copy / "local.d").mkdir()
    (copy / "local.d/bundle.yaml").write_text("version: 1\nposture: watch\n")

    watching = load_bundle(copy)

    assert watching.posture == "watch"
    assert {one.action for one in watching.keyword_lists} == {ListAction.SHADOW}


@pytest.mark.parametrize("text", HONEST)
def test_no_list_stops_what_honest_senders_write(text: str, shipped: Bundle) -> None:
    hits = KeywordIndex(shipped.keyword_lists).search([text])

    assert [hit for hit in hits if hit.action is not ListAction.SHADOW] == []
