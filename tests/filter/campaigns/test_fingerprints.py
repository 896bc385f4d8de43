"""What stays of a text without its particulars, and the signs by which it is found again."""

import re
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter import fingerprints
from gateway.filter.campaigns import are_alike
from gateway.filter.fingerprints import (
    MAX_CHARS,
    SIGNS,
    Fingerprint,
    fingerprint_of,
    fingerprints_of,
    skeleton_of,
    sound_of_text,
)
from gateway.filter.normalise.views import Views
from tests.kernel.forms import Form, in_both_forms

any_text = st.text(st.characters(exclude_categories=()))
OFFER = "【春晓书店】尊敬的会员，本店周年店庆，全场图书低至三折，凭短信到店再送书签一枚，回T退订"


def heard(text: str) -> str:
    return Views(text).sound


def agreeing(one: Fingerprint, other: Fingerprint) -> int:
    assert one.signs is not None
    assert other.signs is not None
    return int(np.count_nonzero(one.signs == other.signs))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("您的订单sf12345已发货,请留意查收", "您的订单sf98已发货,请留意查收"),
        ("尊敬的王先生,您的贷款已批,额度50000元", "尊敬的李女士,您的贷款已批,额度80000元"),
        ("张三先生/女士,您的快递到了驿站", "李四先生,您的快递到了驿站"),
        ("点击 http://a.cn/x1 领取礼包一份", "点击 https://b.top/yy?z=1 领取礼包一份"),
        ("登录 www.a.com 领取礼包一份吧", "登录 shop.b.com.cn/zz 领取礼包一份吧"),
        ("dear mr. bob, your loan is ready", "dear alice, your loan is ready"),
        ("尾号138****8000的用户请注意查收", "尾号139****1234的用户请注意查收"),
        ("优惠!!!到店即送~~~礼品一份", "优惠,到店即送礼品一份。"),
    ],
)
def test_texts_that_differ_in_particulars_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton_of(heard(one)) == skeleton_of(heard(other))
    assert fingerprint_of(heard(one)).skeleton == fingerprint_of(heard(other)).skeleton


@pytest.mark.parametrize(
    ("text", "skeleton"),
    [
        ("小姐姐奶茶店今天开业", "小姐姐奶茶店今天开业"),
        ("满100减50,今天有效", "满减今天有效"),
        ("see you soon. bring 2 friends", "seeyousoonbringfriends"),
        ("claim2 your9 fr1ee bonus8807 with7out a 2nd 31car7d", "claimyourfreebonuswithouta"),
        ("a free123 sf98 ab12cd34 gift", "afreegift"),
        ("a free8**1 9fr*ee gift", "afreegift"),
    ],
)
def test_what_is_said_stays(text: str, skeleton: str) -> None:
    assert skeleton_of(heard(text)) == heard(skeleton)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("贷款找我7730192速来", "贷款找我58速来"),
        ("赚钱点 http://a.cn/x71", "赚钱点 http://a.cn/9q"),
        ("赚钱点a.cn/x71", "赚钱点 http://m7.a。cn/9q"),
        ("赚钱点 http://r4.x@a.cn/x71", "赚钱点 http://k8@a.cn"),
        ("http://10.0.0.7/x71", "http://10.0.0.7/9q"),
        ("赚钱点 http://内网/x71", "赚钱点 http://内网/9q"),
        ("王先生,贷款找我", "李女士,贷款找我!"),
    ],
)
def test_texts_of_few_letters_are_the_same_by_them_and_by_whose_link_they_have(
    one: str, other: str
) -> None:
    first, second = fingerprint_of(heard(one)), fingerprint_of(heard(other))

    assert first.skeleton == second.skeleton
    assert first.signs is second.signs is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("赚钱点 http://a.cn/x71", "赚钱点 http://b.cn/x71"),
        ("赚钱点 http://a.cn/x71", "加我点 http://a.cn/x71"),
        ("赚钱点 http://a.cn/x71", "赚钱点"),
        ("【春晓】验证码2071", "【云程】验证码2071"),
        ("您的验证码2071", "登录验证码2071"),
        ("7点", "8点"),
        ("50元整", "元整"),
    ],
)
def test_texts_of_few_letters_that_say_something_else_are_told_apart(one: str, other: str) -> None:
    assert fingerprint_of(heard(one)).skeleton != fingerprint_of(heard(other)).skeleton


def test_texts_of_hardly_any_letters_are_told_apart_by_all_they_hold() -> None:
    assert fingerprint_of("123456").skeleton != fingerprint_of("654321").skeleton
    assert fingerprint_of("验证码:1234").signs is None
    assert fingerprint_of("").signs is None


def test_a_text_with_a_few_letters_changed_keeps_most_signs() -> None:
    changed = OFFER.replace("周年", "十年").replace("一枚", "一个").replace("低至", "仅售")

    kept = agreeing(fingerprint_of(heard(OFFER)), fingerprint_of(heard(changed)))

    assert SIGNS / 2 < kept < SIGNS


@pytest.mark.parametrize(
    "disguised",
    [
        OFFER.replace("图书", "途书").replace("凭短信", "平短信"),
        OFFER.replace("图书", "tu书").replace("全场", "全chang"),
        OFFER.replace("全场", "全◆场").replace("再送", "再 送"),
        OFFER.replace("图书", "圖書").replace("，", " "),
        OFFER.replace("三折", "三\u200b折"),
    ],
)
def test_a_disguise_that_sounds_the_same_changes_nothing(disguised: str) -> None:
    assert disguised != OFFER
    assert fingerprint_of(heard(disguised)).skeleton == fingerprint_of(heard(OFFER)).skeleton


def test_a_text_about_something_else_keeps_hardly_any() -> None:
    other = "【云程旅行】您预订的航班因天气原因推迟起飞，请留意机场广播，给您带来不便敬请谅解"

    assert agreeing(fingerprint_of(heard(OFFER)), fingerprint_of(heard(other))) < SIGNS / 6


def test_english_texts_with_the_same_letters_but_other_words_keep_hardly_any() -> None:
    one = fingerprint_of("your parcel is waiting at the depot, pay the customs fee today")
    other = fingerprint_of("there is a party tonight at the station, are you coming with us")

    assert agreeing(one, other) < SIGNS / 6


def test_one_han_in_an_english_text_makes_no_other_text_of_it() -> None:
    text = "your parcel is waiting at the depot, pay the customs fee today"

    for place in range(5, 9):
        changed = f"{text[:place]}字{text[place:]}"

        assert agreeing(fingerprint_of(text), fingerprint_of(changed)) > SIGNS / 2


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    # Campaigns keep their ids over restarts: a change here is a change of all of them.
    found = fingerprint_of("本店周年店庆,全场图书低至三折")

    assert found.skeleton == 0xCE75_EDBA_3976_0FAB
    assert found.signs is not None
    assert found.signs[:2].tolist() == [41859729, 573542993]


def plain_skeleton(sound: str) -> str:
    """Return the skeleton by its definition, in regular expressions."""
    text = fingerprints._NAME.sub(" ", fingerprints._LINK.sub(" ", sound[:MAX_CHARS]))
    return re.sub(r"[\W\d_]+", "", re.sub(r"[a-z]*\d[a-z0-9*]*", word_in, text))


def word_in(number: re.Match[str]) -> str:
    word, groups = re.sub(r"[^a-z]", "", number[0]), re.findall(r"[^a-z]+", number[0])
    return word if len(word) > 2 * len(groups) else " "


def plain_signs(letters: str) -> list[int]:
    """Return the MinHash by its definition, in plain Python."""
    some = letters[::4]
    unspelt = re.findall(r"[\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]", some)
    width = 2 if 2 * len(unspelt) >= len(some) else 3
    hashes = []
    for at in range(len(letters) - width + 1):
        first, second, *third = map(ord, letters[at : at + width])
        mixed = first * 0x9E37_79B1 + second * 0x85EB_CA77
        for code in third:
            mixed = mixed * 0x9E37_79B1 + code * 0x85EB_CA77
        mixed &= 0xFFFF_FFFF
        hashes.append(((mixed ^ mixed >> 15) * 0xC2B2_AE3D | 1) & 0xFFFF_FFFF)
    factors = fingerprints._FACTORS.tolist()
    return [min(one * factor & 0xFFFF_FFFF for one in hashes) for factor in factors]


# Pieces of what is looked for, and letters of every kind.
particular = st.lists(
    st.sampled_from(
        [
            *(
                "dear ",
                "dea",
                "r ",
                "mr. ",
                "http",
                "s",
                ":",
                "//",
                "www",
                ".",
                "。",
                "-",
                " ",
                "*",
            ),
            *(
                heard("尊敬的"),
                heard("王先生"),
                heard("女士"),
                heard("小姐"),
                "字",
                "ab",
                "z9",
                "7",
            ),
            *(
                "٣",
                "½",
                "_",
                "ⅷ",
                "\U0001f600",
                "\U00020000",
                "\U0010ffff",
                "\ud800",
                "é",
                "가",
                "7",
                "*",
            ),
        ]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "见a.cn/x领取",
        "见a。cn领取",
        "http://领取礼包",
        "dear bob, see you",
        heard("李女士您好"),
        "see you soon. bye",
        "a/b: c",
        "8*ab的用户",
        "8-ab的用户",
        "订单sf12ab-9请查收",
    ],
)
@in_both_forms
def test_whatever_a_particular_begins_with_it_is_left_out(form: Form, text: str) -> None:
    with form():
        assert skeleton_of(text) == plain_skeleton(text)


@in_both_forms
@given(texts=st.lists(particular | any_text, max_size=4))
def test_a_fingerprint_is_that_of_the_letters_without_particulars(
    form: Form, texts: list[str]
) -> None:
    with form():
        found = fingerprints_of(texts)
        skeletons = [skeleton_of(text) for text in texts]

    assert skeletons == [plain_skeleton(text) for text in texts]
    for letters, one in zip(skeletons, found, strict=True):
        if len(letters) < 8:
            assert one.signs is None
        else:
            assert one.signs is not None
            assert one.signs.tolist() == plain_signs(letters)


@given(st.lists(any_text, max_size=8))
def test_a_tick_of_texts_is_told_as_each_of_them_alone(texts: list[str]) -> None:
    batch = fingerprints_of(texts)

    for text, one in zip(texts, batch, strict=True):
        alone = fingerprint_of(text)
        assert one.skeleton == alone.skeleton
        if alone.signs is None:
            assert one.signs is None
        else:
            assert agreeing(one, alone) == SIGNS


def test_more_texts_than_are_hashed_at_once_keep_their_order() -> None:
    texts = [f"{chr(0x4E00 + number)}{OFFER}" for number in range(150)]
    texts[::3] = [f"{text} www.a.cn" for text in texts[::3]]
    texts[1::3] = ["a letter in english, number " + "abcdefgh"[at % 8] for at in range(50)]

    texts.append("".join(chr(0x4E00 + number) for number in range(5_000)))

    for text, one in zip(texts, fingerprints_of(texts), strict=True):
        assert agreeing(one, fingerprint_of(text)) == SIGNS


@given(any_text)
def test_any_text_has_a_fingerprint_without_zeros(text: str) -> None:
    found = fingerprint_of(heard(text))

    assert 0 <= found.skeleton < 2**64
    assert found.signs is None or (len(found.signs) == SIGNS and found.signs.all())


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "a.b@",
        "--",
        "字",
        "1-",
        "dear ",
        "尊敬的",
        "http://",
        "a1*",
        "先生",
        "。",
        "\U0001f600",
    ],
)
def test_the_longest_payload_takes_no_square_of_its_length(piece: str) -> None:
    text = piece * (65_000 // len(piece))

    before = process_time()
    fingerprint_of(text)

    assert process_time() - before < 5.0  # a square of the length would take minutes


def test_only_the_beginning_of_a_very_long_text_is_looked_at() -> None:
    text = OFFER * 100

    assert fingerprint_of(text).skeleton == fingerprint_of(text[:MAX_CHARS]).skeleton


def test_signs_of_one_text_keep_no_table_of_a_whole_tick() -> None:
    (one, *_) = fingerprints_of([f"第{n}家书店今天开业欢迎光临选购新书" for n in range(9)])

    assert one.signs is not None
    assert one.signs.base is None


def test_the_sound_of_a_text_is_that_of_its_beginning_and_swells_no_more_than_others() -> None:
    assert sound_of_text(OFFER) == heard(OFFER)
    assert sound_of_text(OFFER * 999) == heard((OFFER * 999)[:MAX_CHARS])
    assert len(sound_of_text("㎐" * 65_000)) <= MAX_CHARS


def test_texts_are_alike_that_differ_in_particulars_or_in_a_few_words() -> None:
    more = f"{OFFER}，数量有限"
    offer, again, longer, other, short, brief = (
        fingerprint_of(sound_of_text(text))
        for text in (OFFER, f"{OFFER}，编号48213", more, "今晚七点在三楼会议室开会", "七点", "八点")
    )

    assert are_alike(offer, again)
    assert are_alike(short, short)
    assert are_alike(offer, longer)
    assert not are_alike(offer, other)
    assert not are_alike(offer, short)
    assert not are_alike(short, brief)
