"""What a subscriber's reply means (R24, R27, R31, R33 to R35, R37)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.replies import (
    MAX_CHARS,
    Intent,
    MoContext,
    ReplyMeaning,
    meaning_of,
    scope_meant,
)

OPT_OUT = ReplyMeaning(Intent.OPTOUT, "sender")
OPT_OUT_ALL = ReplyMeaning(Intent.OPTOUT_ALL)
NOTHING = ReplyMeaning(Intent.NONE)
PENDING = MoContext(is_pending=True)
LISTED = MoContext(listed=3)


def advertised(token: str) -> MoContext:
    return MoContext(advertised=token)


def service(name: str) -> ReplyMeaning:
    return ReplyMeaning(Intent.OPTOUT, "service", name)


def items(*numbers: int) -> ReplyMeaning:
    return ReplyMeaning(Intent.OPTOUT_ITEMS, items=numbers)


# The vectors of the rule catalogue.
VECTORS = [
    ("O01", "TD", MoContext(), OPT_OUT),
    ("O02", "td", MoContext(), OPT_OUT),
    ("O03", "ＴＤ", MoContext(), OPT_OUT),
    ("O04", " T D ", MoContext(), OPT_OUT),
    ("O06", "退订", MoContext(), OPT_OUT),
    ("O07", "退訂", MoContext(), OPT_OUT),
    ("O09", "TD畅听包", MoContext(), service("畅听包")),
    ("O10", "R", advertised("R"), OPT_OUT),
    ("O11", "R", MoContext(), NOTHING),
    ("O12", "T", advertised("T"), OPT_OUT),
    ("O14", "N", advertised("N"), OPT_OUT),
    ("O15", "回复R", advertised("R"), OPT_OUT),
    ("O16", "拒收", MoContext(), OPT_OUT),
    ("O18", "我不想退订", MoContext(), NOTHING),
    ("O19", "不要退订", MoContext(), NOTHING),
    ("O21", "0000", MoContext(), ReplyMeaning(Intent.LIST)),
    ("O22", "00000", MoContext(), OPT_OUT_ALL),
    ("O23", "０００００", MoContext(), OPT_OUT_ALL),
    ("O25", "QX2", LISTED, items(2)),
    ("O27", "1,3", MoContext(), NOTHING),
    ("O28", "4", LISTED, ReplyMeaning(Intent.BAD_INDEX)),
    ("O29", "STOP", MoContext(), OPT_OUT),
    ("O30", "Stop.", MoContext(), OPT_OUT),
    ("O31", "stop all", MoContext(), OPT_OUT_ALL),
    ("O33", "opt-out", MoContext(), OPT_OUT),
    ("O34", "UNSUBSCRIBE", MoContext(), OPT_OUT),
    ("O35", "REVOKE", MoContext(), OPT_OUT),
    ("O36", "ARRET", MoContext(), OPT_OUT),
    ("O37", "Please stop texting me", MoContext(), OPT_OUT),
    ("O40", "HELP", MoContext(), ReplyMeaning(Intent.HELP)),
    ("O41", "START", MoContext(), ReplyMeaning(Intent.OPTIN)),
    ("O42", "YES", MoContext(), NOTHING),
    ("O43", "YES", PENDING, ReplyMeaning(Intent.CONFIRM)),
    ("O44", "是", PENDING, ReplyMeaning(Intent.CONFIRM)),
    ("O45", "是", MoContext(), NOTHING),
    ("O46", "同意", PENDING, ReplyMeaning(Intent.CONFIRM)),
    ("O48", "拒绝", PENDING, ReplyMeaning(Intent.REFUSE)),
    ("O49", "好的我知道了", PENDING, NOTHING),
    ("O50", "否", PENDING, ReplyMeaning(Intent.REFUSE)),
    ("O51", "N", PENDING, ReplyMeaning(Intent.REFUSE)),
    ("O52", "TD", PENDING, OPT_OUT),
    ("O53", "HF", MoContext(), ReplyMeaning(Intent.OPTIN)),
]


@pytest.mark.parametrize(
    ("text", "context", "want"), [row[1:] for row in VECTORS], ids=[row[0] for row in VECTORS]
)
def test_r31_the_vectors_of_the_catalogue(
    text: str, context: MoContext, want: ReplyMeaning
) -> None:
    assert meaning_of(text, context) == want


# --- R31: words ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "TD.",
        "td。",
        "T.D",
        "t-d",
        "“TD”",
        "T\u200bD",
        "\u202eTD",
        "TD👍",
        "🙏退订🙏",
        "退 订",
        "退\n订",
        "退.订",
        "退定",
        "退",
        "取消",
        "取消訂閱",
        "拒絕接收",
        "TDD",
        "QX",
        "ｓｔｏｐ！！！",
        "S T O P",
        "ARRÊT",
        "opt out",
        "停止",
        "不要发了",
    ],
)
def test_r31_a_word_of_refusal_counts_in_any_width_case_spacing_and_script(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "回复TD",
        "请退订,谢谢",
        "麻烦退订一下",
        "我要退订了",
        "TD谢谢",
        "TD退订",
        "退订吧",
        "请帮我取消",
        "please stop",
        "Stop it now, thanks",
        "ok stop",
        "请TD",
    ],
)
def test_r31_politeness_around_the_word_takes_nothing_from_it(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize("text", ["TDTDTD", "TD TD", "STOP STOP STOP", "退订退订", "stopstop"])
def test_r31_saying_it_again_says_the_same(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize("text", ["收到,TD", "收到 TD", "好的。STOP", "Hi John, unsubscribe"])
def test_r31_a_word_of_refusal_may_be_a_sentence_of_its_own(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize("text", ["Dinner at 8, end", "好的,取消", "周三吧,退"])
def test_r31_words_of_everyday_refuse_only_as_the_whole_reply(text: str) -> None:
    assert meaning_of(text) == NOTHING


@pytest.mark.parametrize(
    "text", ["退了", "已退", "退货", "退款", "不退", "LTD", "TDK", "TDY", "TD-LTE"]
)
def test_r31_a_longer_word_is_not_the_word_in_it(text: str) -> None:
    assert meaning_of(text) == NOTHING


@pytest.mark.parametrize(
    "text",
    ["不需要", "不要", "拒绝", "否", "NO", "no thanks", "不同意", "滚", "烦死了", "投诉你们"],
)
def test_r31_a_no_that_names_nothing_is_for_the_sp(text: str) -> None:
    assert meaning_of(text) == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "😀",
        "\u200b",
        "好",
        "收到",
        "行",
        "嗯嗯",
        "谢谢",
        "ok",
        "123456",
        "13800138000",
    ],
)
def test_an_ordinary_reply_means_nothing(text: str) -> None:
    assert meaning_of(text) == NOTHING


def test_r31_an_advertisement_passed_on_is_no_refusal() -> None:
    assert meaning_of("【商城】满300减50,回T退订") == NOTHING
    assert meaning_of("回T退订") == OPT_OUT


def test_r51_unblocking_a_category_is_no_refusal() -> None:
    assert meaning_of("取消屏蔽 房产") == NOTHING


# --- R31: the advertised token ---------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["r", "Ｒ", " R. ", "r。", "回R", "请回复 R", "R谢谢", "“R”", "RR"]
)
def test_r31_the_advertised_letter_counts_however_it_is_written(text: str) -> None:
    assert meaning_of(text, advertised("r")) == OPT_OUT


@pytest.mark.parametrize("text", ["R", "T", "N", "D", "Q", "回复R", "Y"])
def test_r31_a_single_letter_counts_only_when_it_was_advertised(text: str) -> None:
    assert meaning_of(text) == NOTHING
    assert meaning_of(text, advertised("X")) == NOTHING


@pytest.mark.parametrize("text", ["or", "R2", "are", "r u ok", "R是什么"])
def test_r31_the_advertised_letter_in_something_longer_does_not_count(text: str) -> None:
    assert meaning_of(text, advertised("R")) == NOTHING


def test_r31_what_was_advertised_does_not_close_the_other_ways() -> None:
    assert meaning_of("TD", advertised("R")) == OPT_OUT


def test_r31_what_was_advertised_is_a_refusal_before_it_is_a_code() -> None:
    assert meaning_of("0000", advertised("0000")) == OPT_OUT


@pytest.mark.parametrize("token", ["Y", "1", "是"])
def test_r27_a_sender_that_advertises_a_yes_to_opt_out_gets_no_consent(token: str) -> None:
    assert meaning_of(token, MoContext(advertised=token, is_pending=True)) == OPT_OUT


@pytest.mark.parametrize("advertised", [None, "N"])
def test_r31_a_token_that_an_earlier_message_offered_refuses_too(advertised: str | None) -> None:
    context = MoContext(advertised=advertised, is_pending=True, others=("T", "", "R"))

    assert meaning_of("r", context) == OPT_OUT
    assert meaning_of("Y", context).intent is Intent.CONFIRM


def test_an_advertised_token_of_nothing_matches_nothing() -> None:
    assert meaning_of("?", advertised("?")) == NOTHING
    assert meaning_of("", advertised("")) == NOTHING


# --- R31: services ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TD 畅听包", "畅听包"),
        ("td-畅听包", "畅听包"),
        ("回复TD畅听包,谢谢", "畅听包"),
        ("退订手机报", "手机报"),
        ("TD手机报", "手机报"),
        ("TD退订天气预报", "天气预报"),
        ("退訂天氣", "天气"),
        ("TD QQ会员", "qq会员"),
        ("TDTQ01", "tq01"),
        ("TD abc", "abc"),
        ("TD2", "2"),
    ],
)
def test_r31_a_word_of_refusal_and_a_name_refuse_that_service(text: str, name: str) -> None:
    assert meaning_of(text) == service(name)


@pytest.mark.parametrize("text", ["TD短信", "TD业务", "退订广告", "退订这个", "TD推送"])
def test_r31_no_one_service_is_the_port(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize(
    "text", ["退订你们的短信", "退订吧别再发了", "退订失败", "退订没用啊", "TD没用"]
)
def test_r31_what_follows_is_no_name_when_it_is_a_sentence(text: str) -> None:
    assert meaning_of(text) == OPT_OUT


@pytest.mark.parametrize(
    "text", ["退订酒店", "退订机票", "TD手机", "TD是什么意思", "the TD rate", "td bank"]
)
def test_r31_what_follows_is_no_service_when_it_is_something_else(text: str) -> None:
    assert meaning_of(text) == NOTHING


def test_r31_a_sentence_with_a_bank_of_that_name_is_no_service() -> None:
    assert meaning_of("td bank rates are up") == NOTHING


# --- R33, R34: 0000 and 00000 ----------------------------------------------------------


@pytest.mark.parametrize("text", ["0000", "０００0", "0 0 0 0", "0000。", "回复0000", "“0000”"])
def test_r33_four_zeros_ask_for_the_list(text: str) -> None:
    assert meaning_of(text) == ReplyMeaning(Intent.LIST)
    assert meaning_of(text, LISTED) == ReplyMeaning(Intent.LIST)


@pytest.mark.parametrize(
    "text",
    [
        "00000",
        "回复00000",
        "000 00",
        "全部退订",
        "退订所有业务",
        "STOPALL",
        "unsubscribe all",
        "TD全部",
        "请把所有的短信都退订",
    ],
)
def test_r34_five_zeros_and_all_of_it_cancel_everything(text: str) -> None:
    assert meaning_of(text) == OPT_OUT_ALL
    assert meaning_of(text, LISTED) == OPT_OUT_ALL


@pytest.mark.parametrize(
    "text", ["000", "000000", "00:00", "00-00", "0.00.00", "00000元", "10000", "0000000000"]
)
def test_r33_other_zeros_are_for_the_sp(text: str) -> None:
    assert meaning_of(text) == NOTHING


# --- R35: items of a list --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,3", (1, 3)),
        ("1，3", (1, 3)),
        ("１、３", (1, 3)),
        ("1 3", (1, 3)),
        ("1和3", (1, 3)),
        ("3,1,3", (1, 3)),
        ("2", (2,)),
        ("2.", (2,)),
        ("qx 2", (2,)),
        ("QX1,2,3", (1, 2, 3)),
        ("回复QX2", (2,)),
        ("QX2谢谢", (2,)),
        ("TD2", (2,)),
        ("退订2", (2,)),
        ("取消第2项", (2,)),
        ("第3个", (3,)),
        ("回复3", (3,)),
        ("002", (2,)),
    ],
)
def test_r35_numbers_cancel_items_while_a_list_is_valid(
    text: str, numbers: tuple[int, ...]
) -> None:
    assert meaning_of(text, LISTED) == items(*numbers)


@pytest.mark.parametrize("text", ["4", "0", "1,4", "QX9", "13", "9999"])
def test_r35_one_number_outside_the_list_cancels_nothing(text: str) -> None:
    assert meaning_of(text, LISTED) == ReplyMeaning(Intent.BAD_INDEX)


@pytest.mark.parametrize("text", ["1-3", "1~3", "1到3", "QX1至3"])
def test_r35_a_range_may_mean_two_or_all_so_the_list_is_sent_again(text: str) -> None:
    assert meaning_of(text, LISTED) == ReplyMeaning(Intent.BAD_INDEX)


@pytest.mark.parametrize(
    "text", ["12:30", "2点到", "13800138000", "2 apples", "我要2", "约3个人", "1," * 40]
)
def test_r35_a_number_in_a_sentence_is_no_item(text: str) -> None:
    assert meaning_of(text, LISTED).intent is not Intent.OPTOUT_ITEMS


@pytest.mark.parametrize("listed", [None, 0])
@pytest.mark.parametrize("text", ["2", "1,3", "第2个"])
def test_r35_without_a_list_a_bare_number_is_for_the_sp(text: str, listed: int | None) -> None:
    assert meaning_of(text, MoContext(listed=listed)) == NOTHING


def test_r35_qx_and_a_number_without_a_list_ask_for_the_list_again() -> None:
    assert meaning_of("QX2") == ReplyMeaning(Intent.BAD_INDEX)


# --- R24, R27: answers to a pending request --------------------------------------------


@pytest.mark.parametrize(
    "text", ["是", "Y", "yes", "ＹＥＳ", "同意", "确认", "確認", "1", "是。", " “是” ", "YES!"]
)
def test_r24_a_plain_yes_confirms_a_pending_request(text: str) -> None:
    assert meaning_of(text, PENDING) == ReplyMeaning(Intent.CONFIRM)


@pytest.mark.parametrize("text", ["是", "Y", "yes", "同意", "确认", "1", "否", "NO", "拒绝", "0"])
def test_r27_without_a_request_an_answer_changes_nothing(text: str) -> None:
    assert meaning_of(text) == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "是?",
        "是的",
        "是吗",
        "好",
        "可以",
        "ok",
        "yes please",
        "请确认",
        "回复是",
        "是👍",
        "我同意",
        "不是",
        "确认一下",
        "yesyes",
        "11",
    ],
)
def test_r24_whatever_is_more_than_a_plain_yes_is_none(text: str) -> None:
    assert meaning_of(text, PENDING) == NOTHING


@pytest.mark.parametrize(
    "text",
    ["否", "N", "no", "不同意", "拒绝", "拒絕", "0", "No thanks", "我不同意", "回复N", "NO!!!"],
)
def test_r24_a_no_refuses_a_pending_request_however_polite(text: str) -> None:
    assert meaning_of(text, PENDING) == ReplyMeaning(Intent.REFUSE)


@pytest.mark.parametrize("text", ["退订", "STOP", "别再给我发短信了", "取消"])
def test_r31_a_refusal_of_everything_is_more_than_an_answer(text: str) -> None:
    assert meaning_of(text, PENDING) == OPT_OUT


def test_r27_a_number_that_may_be_an_item_is_no_consent() -> None:
    assert meaning_of("1", MoContext(is_pending=True, listed=3)) == items(1)


# --- R37, help, words of a profile -----------------------------------------------------


@pytest.mark.parametrize(
    "text", ["HF", "hf", "ＨＦ", "恢复", "恢復", "START", "start please", "UNSTOP", "我要恢复"]
)
def test_r37_the_subscriber_takes_a_refusal_back(text: str) -> None:
    assert meaning_of(text) == ReplyMeaning(Intent.OPTIN)


@pytest.mark.parametrize(
    "text", ["不要恢复", "什么时候恢复供水", "start the car", "不恢复", "restart"]
)
def test_r37_a_sentence_about_it_takes_nothing_back(text: str) -> None:
    assert meaning_of(text) == NOTHING


@pytest.mark.parametrize("text", ["HELP", "help me please", "INFO", "帮助", "幫助", "help?"])
def test_help_is_asked_for(text: str) -> None:
    assert meaning_of(text) == ReplyMeaning(Intent.HELP)


# --- whatever comes --------------------------------------------------------------------


def test_at_most_a_thousand_characters_are_looked_at() -> None:
    assert meaning_of("好" * (MAX_CHARS - 4) + ",我退订") == OPT_OUT
    assert meaning_of("好" * MAX_CHARS + ",我退订") == NOTHING


def test_characters_that_become_many_count_as_many() -> None:
    assert meaning_of("\ufdfa" * 10 + ",退订") == OPT_OUT
    assert meaning_of("\ufdfa" * 100 + ",退订") == NOTHING


def test_a_long_complaint_that_ends_in_a_refusal_is_one() -> None:
    assert meaning_of("你们天天发真的很烦。" * 60 + "我要退订!") == OPT_OUT


pieces = st.sampled_from(
    [
        "TD",
        "退订",
        "不",
        "要",
        "我",
        "请",
        "stop",
        " ",
        "don't ",
        "1",
        ",",
        "0000",
        "QX",
        "全部",
        "发",
        "了",
        "是",
    ]
)
texts = st.one_of(st.text(st.characters(exclude_categories=())), st.lists(pieces).map("".join))
contexts = st.builds(
    MoContext,
    st.none() | texts,
    st.booleans(),
    st.none() | st.integers(0, 20),
)


@given(texts, contexts)
def test_any_text_means_something_that_its_context_allows(text: str, context: MoContext) -> None:
    meaning = meaning_of(text, context)

    assert (meaning.scope is not None) == (meaning.intent is Intent.OPTOUT)
    assert bool(meaning.service) == (meaning.scope == "service")
    assert bool(meaning.items) == (meaning.intent is Intent.OPTOUT_ITEMS)
    assert all(1 <= item <= (context.listed or 0) for item in meaning.items)
    if not context.is_pending:
        assert meaning.intent not in (Intent.CONFIRM, Intent.REFUSE)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "请",
        "不要",
        "不要给我",
        "不想退",
        "td",
        "1,",
        "stop ",
        "don't ",
        "i want to ",
        "退订",
        "全部",
        "回复t",
        "\ufdfa",
        "a",
        "停止发",
        "send me ",
    ],
)
def test_no_repetition_makes_the_reading_slow(unit: str) -> None:
    text = unit * 20_000

    for _ in range(50):
        meaning_of(text, MoContext("R", is_pending=True, listed=3))


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("TD", "sp1"),
        ("退订短信", "sp1"),
        ("TD天气", "sp1"),  # a service, or a name for all of it
        ("TD本端口", "sp1 1069"),
        ("退订这个端口", "sp1 1069"),
        ("TD此号码", "sp1"),  # the subscriber's own, perhaps
        ("TD贷款", "sp1 #loan"),
        ("退订房产广告", "sp1 #real_estate"),
        ("TD贷款类短信", "sp1 #loan"),
        ("TD诈骗", "sp1"),
        ("TD商业推销", "sp1"),
    ],
)
def test_r22_a_refusal_is_of_what_its_words_name(text: str, scope: str) -> None:
    meaning = meaning_of(text)

    assert meaning.intent is Intent.OPTOUT
    assert scope_meant(meaning, "sp1", "1069", is_narrow=False) == scope


def test_r22_what_names_nothing_is_of_the_port_where_the_carrier_says_so() -> None:
    scopes = [
        scope_meant(meaning_of(text), "sp1", "1069", is_narrow=True)
        for text in ("TD", "别再给我发短信了", "TD天气", "TD贷款")
    ]

    assert scopes == ["sp1 1069", "sp1 1069", "sp1 1069", "sp1 #loan"]
