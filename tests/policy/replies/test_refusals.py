"""Refusals in sentences (R31)."""

import pytest

from gateway.filter.normalise.folding import simplified
from gateway.policy.refusal_sentences import asks_how, is_quote, refuses, refuses_everything
from gateway.policy.replies import Intent, meaning_of


def is_refusal(text: str) -> bool:
    return refuses(simplified(text))


@pytest.mark.parametrize(
    "text",
    [
        "请不要再给我发短信了",
        "别再发了",
        "别再给我发广告",
        "不要给我发信息",
        "不想收到这些短信",
        "不想再收到广告",
        "请勿打扰",
        "别再骚扰我了",
        "停止发送",
        "你们这个公司怎么回事,天天发,烦不烦,我要退订!",
        "客服你好我想问下退订你们家的会员",
        "麻烦td一下",
        "帮我退掉这个短信",
        "把我的号码删除",
        "删除我的手机号",
        "請取消訂閱",
        "不好意思，我要退订",
        "不好意思我要退订",
        "要不退订吧",
    ],
)
def test_r31_a_chinese_sentence_that_wants_no_more_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "怎么退订",
        "怎样取消",
        "如何退订你们的短信?",
        "请问怎么才能不再接收短信",
        "退订方式",
        "退订方式是什么",
        "退订按钮在哪",
        "在哪里可以退订",
        "回复什么退订啊",
        "怎么把这个短信取消",
        "我想知道如何退订",
        "how do I stop this?",
        "how do i unsubscribe",
        "How can I stop these texts?",
        "what do I reply to opt out",
        "where do i unsubscribe",
        "How to cancel",
        "how do I stop or unsubscribe",
        *("请问 怎么退订", "怎么 退订", "怎 么 退 订", "退订 怎么操作", "怎么退订 怎么取消"),
        *("怎么退订，我的订单退不了", "请问怎么退订，我不需要"),
        *("麻烦问下怎么退订", "我不知道怎么退订", "怎么退订这个没用过的业务", "怎么取消退订"),
        *("how to stop bus stop alerts", "how  to   stop", "I don't know how to unsubscribe"),
        # What is named is a service, or nothing is judged.
        *(
            "怎么退订垃圾分类提醒",
            "怎么取消垃圾短信拦截",
            "怎么取消防骚扰通知",
            "拦截骚扰短信怎么取消",
        ),
        *(
            "怎么退订，不是垃圾短信",
            "到底怎么退订",
            "请问怎么才能退订你们的短信",
            "怎么才能退订这个广告",
        ),
        *(
            "怎么取消垃圾费通知",
            "how do I stop spam filter alerts",
            "how do I unsubscribe from junk mail box news",
        ),
    ],
)
def test_r31_a_question_how_to_refuse_refuses_nothing(text: str) -> None:
    assert meaning_of(text).intent is Intent.HOW_TO


@pytest.mark.parametrize(
    "text",
    [
        "怎么退订啊!别再发了",
        "怎么退订？我不要再收到这些短信",
        "how can i stop getting your texts? please stop texting me",
        "how many times do I have to ask you to stop texting me",
        "怎么退订了还在发",
        # In one sentence with the question.
        *("怎么退订TD", "TD 怎么退订", "怎么退订STOP", "怎么取消 退订", "怎么取消短信 退订"),
        *("how to unsubscribe STOP", "STOP how do I unsubscribe", "how to unsubscribe TD"),
        *("how do i unsubscribe please stop texting me", "how do I stop this I want to opt out"),
        *("how can i stop these messages stop stop", "como cancelar STOP", "STOP comment arrêter"),
        *("मैसेज कैसे बंद करें बंद करो", "comment me désabonner je ne veux plus recevoir ça"),
        *("怎么退订啊赶紧给我退订", "到底怎么退订啊烦死了别再发了", "退订怎么操作 退订"),
        *("不想收到你们广告怎么退订", "别再给我发短信了怎么退订", "到底怎么取消短信别发了"),
        # Who complains that it does not work has tried.
        *("怎么退订都退不掉", "怎么退订都没用", "怎么退订 都没用", "怎么取消都取消不了"),
        *("怎么退订啊赶紧给我取消", "怎么退订啊烦死了", "怎么退订，都没用", "怎么退订啊，烦死了"),
        *("到底怎么取消短信，别发了", "怎么退订，停止", "how do I stop this. cancel"),
        # Who calls it junk asks for the way out, and does not come back for it.
        *("怎么才能退订你们这垃圾短信", "怎么把这些垃圾短信退订", "这垃圾短信，怎么退订？"),
        *(
            "到底怎么取消你们的骚扰短信",
            "如何退订这破广告",
            "怎么退订啊，恶心死了",
            "骚扰短信怎么退订",
        ),
        *("怎樣才能退訂這些垃圾短訊", "天天发没完没了怎么退订", "怎么才能退订你们这 垃圾 短信"),
        *(
            "how do I stop this spam",
            "How can I stop these damn texts?",
            "what is this crap? how do i stop it",
        ),
        *("how do I unsubscribe from your annoying messages", "comment arrêter ces sms de merde"),
        "cómo cancelo esta basura",
    ],
)
def test_r31_who_asks_and_refuses_as_well_has_refused(text: str) -> None:
    assert meaning_of(text).intent is Intent.OPTOUT


@pytest.mark.parametrize(
    "text",
    ["怎么取消订单", "how do I cancel my order", "how do i stop by at your shop", "怎么充值"],
)
def test_a_question_about_something_else_is_for_the_sp(text: str) -> None:
    assert meaning_of(text).intent is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        # English and Spanish: us-tcpa
        *("STOP", "stop all", "Unsubscribe", "QUIT", "revoke", "opt out", "ALTO", "Alto.", "BAJA"),
        *("CANCELAR", "por favor no me envíen más mensajes", "dejen de mandar esto"),
        *("no quiero recibir esto", "Denme de baja", "no más textos"),
        # In French, for the profile fr
        *("ARRET", "Arrêt", "STOP SVP", "Désabonnement", "desabonner", "STOP PUB", "RÉSILIER"),
        *("je ne veux plus recevoir vos offres", "Désinscrivez-moi", "Arrêtez de m'envoyer ça"),
        *("plus de sms svp", "je souhaite me désabonner"),
        # English and Hindi: in-tcccpr
        *("बंद करें", "रोकें", "स्टॉप", "मैसेज मत भेजो", "मुझे विज्ञापन नहीं चाहिए", "sms band karo"),
        *("mat bhejo", "message nahi chahiye"),
    ],
)
def test_r31_a_refusal_is_understood_in_the_languages_of_every_profile(text: str) -> None:
    assert meaning_of(text).intent in {Intent.OPTOUT, Intent.OPTOUT_ALL}


@pytest.mark.parametrize(
    "text",
    [
        *("no quiero darme de baja", "je ne veux pas me désabonner", "merci pour les infos"),
        *("gracias por el mensaje", "está muy alto", "बाद में", "धन्यवाद", "kal milte hain"),
    ],
)
def test_r31_what_is_no_refusal_is_none_in_these_languages_either(text: str) -> None:
    assert meaning_of(text).intent is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        *("comment me désabonner ?", "comment arrêter ces sms", "¿cómo puedo darme de baja?"),
        *("como cancelo", "मैसेज कैसे बंद करें", "message band kaise kare"),
    ],
)
def test_r31_a_question_how_to_refuse_is_one_in_these_languages(text: str) -> None:
    assert meaning_of(text).intent is Intent.HOW_TO


@pytest.mark.parametrize("text", ["HELP", "info", "帮助", "AYUDA", "aide"])
def test_help_is_asked_for_in_these_languages(text: str) -> None:
    assert meaning_of(text).intent is Intent.HELP


def test_a_question_in_a_quoted_advert_is_the_adverts() -> None:
    quoted = "【春晓书店】会员日全场八折，周末到店有礼，更多好书等您来选。如何退订？退订请回复TD"

    assert asks_how(quoted)
    assert meaning_of(quoted).intent is Intent.NONE


@pytest.mark.parametrize("text", ["可以退订吗", "能不能退订"])
def test_r31_who_asks_to_get_out_wants_out(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "不能退订",
        "为什么退订不了",
        "无法退订",
        "不让退订",
        "怎么还没给我退订",
        "为什么还不给我退订",
        "没办法退订",
        "已经退订了怎么还发",
        "退订了为什么又收到",
        "退订不成功",
        "退订成功了怎么还发",
        "怎么没给我退订",
        "why won't you stop texting me",
        "if you don't stop texting me I will report you",
        "I can't unsubscribe",
        "I already unsubscribed",
    ],
)
def test_r31_who_complains_of_not_getting_out_wants_out(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "我不想退订",
        "不要退订",
        "别给我退订",
        "没有退订",
        "我没说要退订",
        "我没有申请退订",
        "先不退订",
        "不用退订",
        "勿退订",
        "暂不退订",
        "并未退订",
        "不想取消订阅",
        "不要停止发送短信",
        "我 不 想 退 订",
        "我不想退订，也没退订过",
    ],
)
def test_r31_a_denied_word_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize("text", ["取消退订", "撤销退订", "误退订了", "恢复退订的业务"])
def test_r31_taking_a_refusal_back_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "text", ["不要 退订", "不需要,退订", "不用了。退订", "No. Stop texting me"]
)
def test_r31_a_no_of_its_own_denies_nothing_that_follows(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "退订是什么意思",
        "退订政策是什么",
        "退订要多少钱",
        "退订成功",
        "如果再发我就退订",
        "是谁给我退订的",
        "退订的话会怎样",
        "td是什么意思",
        "这个TD手机多少钱",
        "TD网络信号差",
        "我在TD银行上班",
        "what does unsubscribe mean",
    ],
)
def test_r31_talking_about_the_word_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "我要退订酒店",
        "明天的机票想退订",
        "退订房间",
        "我拒收了快递",
        "包裹拒收",
        "取消订单",
        "取消预约",
        "取消会议",
        "我要退货",
        "帮我退票",
        "Stop the order",
        "cancel my order",
        "remove the item",
        "stop sending the parcel to my office",
    ],
)
def test_r31_calling_off_a_booking_or_a_purchase_is_no_refusal_of_messages(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "先别发货",
        "别再给我发货了",
        "不要发验证码给别人",
        "不想打扰您",
        "别发火",
        "不要给我发红包",
        "先别发快递",
    ],
)
def test_r31_not_wanting_another_thing_sent_is_no_refusal_of_messages(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please stop texting me",
        "stop sending me messages",
        "stop all these promotions",
        "STOP SENDING ME THIS",
        "stop the spam",
        "quit messaging me",
        "opt me out",
        "I want to opt out please",
        "remove me from your list",
        "take me off this list",
        "lose my number",
        "don't text me",
        "don’t text me again",
        "do not send me any more ads",
        "never contact me again",
        "no more texts",
        "leave me alone",
        "I revoke my consent",
        "please cancel my subscription",
        "I don't want your texts",
        "i no longer wish to receive these messages",
        "I never asked for this stop texting me",
        "not interested stop texting me",
    ],
)
def test_r31_an_english_sentence_that_wants_no_more_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't stop texting me",
        "don’t stop sending me offers",
        "please do not unsubscribe me",
        "I never asked to unsubscribe",
        "i did not opt out",
        "I don't want to opt out",
        "i can't stop texting you",
        "I don't want to stop getting your offers",
        "won't stop",
        "should not have to unsubscribe",
        "what if i unsubscribe",
    ],
)
def test_r31_an_english_negation_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "stop by the shop later",
        "I'm at the bus stop",
        "bus stop alerts please",
        "next stop offers coffee",
        "non-stop offers",
        "stop by for more offers",
        "The end",
        "text me when you get there",
        "ABC LTD",
        "The TD rate went up",
        "td garden tonight?",
        "opt for the blue one",
        "",
        "😀😀",
    ],
)
def test_r31_everyday_english_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize("text", ["全部退订", "我要把所有的都退订", "退订所有短信", "拒收一切广告"])
def test_r34_all_of_it_is_all(text: str) -> None:
    assert refuses_everything(text)


@pytest.mark.parametrize("text", ["退订", "所有人都退订了", "全部都很好,退订"])
def test_r34_all_of_something_else_is_not(text: str) -> None:
    assert not refuses_everything(text)


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("回T退订", False),
        ("回复TD退订", False),
        ("【商城】满300减50,回T退订", True),
        ("好" * 40 + "回T退订", True),
        ("好" * 40 + "我要退订", False),
        ("【商城】退订", False),
    ],
)
def test_r31_an_advertisement_passed_on_is_a_quote(text: str, *, quotes: bool) -> None:
    assert is_quote(text) is quotes
