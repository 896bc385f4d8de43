import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.contacts import contacts_of
from gateway.filter.normalise.views import Views
from gateway.systems.learning import person_verdicts as clearing
from gateway.systems.learning.person_verdicts import anonymous, digest_of
from gateway.systems.learning.samples import MAX_TEXT_CHARS


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("验证码是123456，5分钟内有效", "验证码是000000，5分钟内有效"),
        ("满200减20，第3件半价", "满200减20，第3件半价"),
        ("取件码1234", "取件码1234"),
        ("订单20131126007已发货", "订单00000000000已发货"),
        ("请致电13800138000", "请致电00000000000"),
        ("请致电+86 138-0013-8000", "请致电+00 000-0000-0000"),
        ("电话010-8765 4321转2", "电话000-0000 0000转2"),
        ("加我138.0013.8000", "加我000.0000.0000"),
        ("详询１３８００１３８０００", "详询00000000000"),
        ("加①③⑧⓪⓪①③⑧⓪⓪⓪", "加00000000000"),
        ("打一三八零零一三八零零零", "打00000000000"),
        ("打1三8零0一3八0〇0", "打00000000000"),
        ("加l38oo138ooo", "加00000000000"),
        ("单号SF138-0013-8000", "单号SF000-0000-0000"),
        ("hello lollipop", "hello lollipop"),
        ("oo0oooo1oo", "oo0oooo1oo"),
        ("loooooool", "loooooool"),
        ("点 http://t.cn/RxK8a?u=zhang&m=7 领取", "点 http://t.cn/00000?0=00000&0=0 领取"),
        ("点t.cn/RxK8a领取", "点t.cn/00000领取"),
        ("点t。cn/RxK8a领取", "点t。cn/00000领取"),
        ("点 shop.example.com?id=zhang", "点 shop.example.com?00=00000"),
        ("看 10.2.3.4/zhang", "看 00.0.0.0/00000"),
        ("看 示例.网址/张三", "看 示例.网址/张三"),
        ("见 https://zhang:secret@bank.example/in", "见 https://00000:000000@bank.example/00"),
        ("邮件 zhang.san@mail.example.com", "邮件 00000.000@mail.example.com"),
        ("单价3.5/斤", "单价3.5/斤"),
        ("您好张先生", "您好张先生"),
        (
            "加群 " + "\ufe0f\u20e3".join([*"1380015", ""]),
            "加群 " + "0\ufe0f\u20e3" * 7,
        ),
        (
            "打1\u20603\u20608\ufeff0\ufeff0\u00ad1\u00ad3\u31648000",
            "打0\u20600\u20600\ufeff0\ufeff0\u00ad0\u00ad0\u31640000",
        ),
        ("打138,0013,8000", "打000,0000,0000"),
        ("打138，0013、8000办理", "打000，0000、0000办理"),
        ("打138|0013:8000", "打000|0000:0000"),
        ("打138=0013+8000", "打000=0000+0000"),
        ("打138\n0013\u20098000", "打000\n0000\u20090000"),
        ("打138   0013***8000", "打000   0000***0000"),
        ("打138🌸0013🌸8000", "打000🌸0000🌸0000"),
        ("打幺三八洞洞幺拐拐勾勾洞", "打00000000000"),
        ("打⓵⓷⓼㊀㊂㊇⑩八", "打00000000"),
        ("加l38\u043e\u043e138\u043e\u043e\u043e", "加00000000000"),
        ("共138元，0013件，8000米", "共138元，0013件，8000米"),
        ("工行95-5-88全天服务", "工行00-0-00全天服务"),
        ("加微信lend_more", "加微信lend_more"),
        ("点 https://x.cn/s?k=张伟&t=AbCd9x 领取", "点 https://x.cn/0?0=张伟&0=000000 领取"),
        ("点 https://x.cn/用户/AbCd9x领取", "点 https://x.cn/用户/000000领取"),
        ("点t点cn/AbCd9x领取", "点t点cn/000000领取"),
        ("点t点cn /AbCd9x领取", "点t点cn /000000领取"),
        ("点t.cn /AbCd9x领取", "点t.cn /000000领取"),
        ("点x.cn./AbCd9x领取", "点x.cn./000000领取"),
        ("点x.cn\\AbCd9x领取", "点x.cn\\000000领取"),
        ("点https:\\\\x.cn\\AbCd9x领取", "点https:\\\\x.cn\\000000领取"),
        ("点x[.]cn/AbCd再点t点cn/用户/x点cn/AbCd", "点x[.]cn/0000再点t点cn/用户/0点cn/0000"),
        ("见 https://x.cn?to=wu@x.com", "见 https://x.cn?00=00@0.000"),
        ("写信给 张三@qq.com", "写信给 00@qq.com"),
        ("请关注@shop", "请关注@shop"),
        ("写信给 o'brien@x.com", "写信给 0'00000@x.com"),
        (f"见 https://{'u' * 130}@x.cn/", f"见 https://{'0' * 130}@x.cn/"),
        ("", ""),
        ("坏\ud800字", "坏\ufffd字"),
    ],
)
def test_words_stay_and_what_names_a_person_goes(said: str, kept: str) -> None:
    assert anonymous(said) == kept


def test_no_more_is_kept_than_a_sample_may_have() -> None:
    assert anonymous("好" * 70_000) == "好" * MAX_TEXT_CHARS


def test_a_number_at_the_end_of_what_is_kept_is_gone_as_well() -> None:
    assert anonymous("好" * (MAX_TEXT_CHARS - 4) + "13800138000").endswith("好0000")


ODD = st.text(
    st.sampled_from("0159oOlI三零①٣８ -.*@:/?#_%+aZ好.。．／cn\n\u200b\ud800"), max_size=40
)


@given(st.one_of(st.text(max_size=80), ODD))
def test_whatever_was_said_no_long_number_is_kept(said: str) -> None:
    kept = anonymous(said)

    assert len(kept) == len(said)
    assert all(set(run) == {"0"} for run in re.findall(r"\d{5,}", kept))
    assert anonymous(kept) == kept
    assert kept.encode().decode() == kept


PIECES = "13800138000|95586|400|+86|010-8|微信|QQ:|v|加群|电话|点|/|，|、|: |\n|洞|勾|l|\u043e|⓵|㊀"
DIALLED = st.lists(
    st.sampled_from([*"0123456789", *PIECES.split("|"), "\u2060", "\ufe0f\u20e3", "@q.com", "x"]),
    max_size=24,
).map("".join)


@given(st.one_of(st.text(max_size=80), ODD, DIALLED))
def test_the_filter_reads_no_number_in_what_is_kept(said: str) -> None:
    kept = anonymous(said)

    assert len(kept) == len(said)
    values = [one.value for one in contacts_of(Views(kept))]
    assert [one for one in values if one.isdigit() and set(one) != {"0"}] == []
    assert anonymous(kept) == kept


def test_a_text_that_never_comes_to_rest_loses_all_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "_MOST_ROUNDS", 1)

    assert anonymous("张先生 13800138000, ok") == "000 00000000000, 00"


@pytest.mark.parametrize(
    "piece",
    [
        "1 ",
        "o o ",
        "1\u2060",
        "1,,,",
        "a.cn/好/",
        "a点cn /",
        "好@",
        "微信a1 ",
        "q1 ",
        "1,,,x",
        "l",
        "a.",
        "://a",
        "a@",
        "1.1.1.1/",
        "a%",
        "三-",
        ".cn/",
    ],
)
def test_what_is_made_to_be_slow_takes_no_longer(piece: str) -> None:
    text = piece * (65_000 // len(piece))
    began = process_time()

    anonymous(text)

    assert process_time() - began < 30  # a square of the length would take minutes


def test_texts_that_differ_in_their_numbers_alone_have_one_digest() -> None:
    first, second = (anonymous(f"订单{number}已发货") for number in (1380013, 1391112))

    assert digest_of(first) == digest_of(second)
    assert digest_of(first) != digest_of("订单已发货")
