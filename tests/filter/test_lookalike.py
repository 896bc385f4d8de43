"""Names and hosts made to be taken for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.lookalike import KnownDomains, KnownNames, Likeness, LookAlike

any_text = st.text(st.characters(exclude_categories=()))
NAMES = KnownNames(
    ["商城", "工商银行", "招商银行", "顺丰速运", "中国移动", "Alipay", "日升超市", "★"]
)
DOMAINS = KnownDomains(["icbc.com.cn", "alipay.com", "jd.com", "10086.cn", "Warner.com"])


@pytest.mark.parametrize(
    ("name", "original", "likeness"),
    [
        ("工·商·银·行", "工商银行", Likeness.SPELLING),
        ("工\u200b商银行", "工商银行", Likeness.SPELLING),
        ("A1ipay", "Alipay", Likeness.SPELLING),
        ("Аlipay", "Alipay", Likeness.SPELLING),  # the A is Cyrillic
        ("商诚", "商城", Likeness.SOUND),
        ("功商银行", "工商银行", Likeness.SOUND),
        ("顺风速运", "顺丰速运", Likeness.SOUND),
        ("招裔银行", "招商银行", Likeness.SHAPE),
        ("曰升超市", "日升超市", Likeness.SHAPE),
        ("Alipav", "Alipay", Likeness.ONE_LETTER),
        ("Alipya", "Alipay", Likeness.ONE_LETTER),
        ("Aliipay", "Alipay", Likeness.ONE_LETTER),
        ("Alpay", "Alipay", Likeness.ONE_LETTER),
    ],
)
def test_a_name_made_to_be_taken_for_another(name: str, original: str, likeness: Likeness) -> None:
    assert NAMES.like(name) == LookAlike(original, likeness)


@pytest.mark.parametrize(
    "name",
    [
        "商城",
        " 工商银行 ",
        "招商銀行",
        "ALIPAY",
        "Ａｌｉｐａｙ",
        "中国联通",
        "招来银行",
        "中国银行",
        "商城大全",
        "Amiplay",
        "Alibabas",
        "Aplipya",
        "lipaya",
        "Alipxa",
        "Alipyx",
        "",
        "★★",
        "春" * 100,
    ],
)
def test_a_name_of_its_own_and_a_known_one_are_like_nobody(name: str) -> None:
    assert NAMES.like(name) is None


@pytest.mark.parametrize(
    ("host", "original", "likeness"),
    [
        ("icbc-com.cn", "icbc.com.cn", Likeness.SPELLING),
        ("www.1cbc.com.cn", "icbc.com.cn", Likeness.SPELLING),
        ("allpay.com", "alipay.com", Likeness.SPELLING),
        ("l0086.cn", "10086.cn", Likeness.SPELLING),
        ("wamer.com", "warner.com", Likeness.SPELLING),
        ("icbc.top", "icbc.com.cn", Likeness.OTHER_ENDING),
        ("jd.cn", "jd.com", Likeness.OTHER_ENDING),
        ("alipya.com", "alipay.com", Likeness.ONE_LETTER),
        ("icbc-login.top", "icbc.com.cn", Likeness.INSIDE),
        ("1cbc-login.top", "icbc.com.cn", Likeness.INSIDE),
        ("a1ipay.com.evil.top", "alipay.com", Likeness.INSIDE),
        ("icbc.com.cn.evil.top", "icbc.com.cn", Likeness.INSIDE),
        ("10086-cn.com", "10086.cn", Likeness.INSIDE),
    ],
)
def test_a_host_made_to_be_taken_for_another(host: str, original: str, likeness: Likeness) -> None:
    assert DOMAINS.like(host) == LookAlike(original, likeness)


@pytest.mark.parametrize(
    "host",
    [
        "icbc.com.cn",
        "m.icbc.com.cn",
        "warner.com",
        "jd.evil.com",
        "taobao.com",
        "com.cn",
        "1.2.3.4",
        "",
    ],
)
def test_a_known_host_and_an_unlike_one_are_like_nobody(host: str) -> None:
    assert DOMAINS.like(host) is None


@given(any_text, any_text)
def test_any_names_are_compared(known: str, name: str) -> None:
    found = KnownNames([known]).like(name)

    assert found is None or found.original == known
    assert KnownNames([known]).like(known) is None


@given(any_text, any_text)
def test_any_hosts_are_compared(known: str, host: str) -> None:
    found = KnownDomains([known]).like(host)

    assert found is None or found.original == known.lower()
