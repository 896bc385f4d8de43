"""Links, however their dots are written, and the domains they belong to."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.batch_views import views_of
from gateway.filter.links import links_of, registrable_domain
from gateway.filter.normalise.views import Views

any_text = st.text(st.characters(exclude_categories=()))
_PIECES = "www . 。 点 com cn a 1 http:// / [.] @ 字 xn-- \u200b \u0301 ． ｃ :80 －"
_PIECES += " %61 %2e [ ] : \\ а 0x"
linked_text = st.lists(st.sampled_from([" ", " dot ", *_PIECES.split()]), max_size=30).map("".join)


def hosts(text: str) -> list[str]:
    return [link.host for link in links_of(Views(text))]


def test_a_host_is_judged_by_what_stands_around_it_each_time() -> None:
    texts = [
        "see a.io call",
        "see a.me call",
        "see a.me/x call",
        "see www.a.me call",
        "http://a.me",
    ]
    expected = [["a.io"], [], ["a.me"], ["a.me"], ["a.me"]]

    assert [hosts(text) for text in texts] == expected
    assert [hosts(text) for text in reversed(texts)] == expected[::-1]
    assert [hosts(f"http://1.2{text}") for text in (".3.4", ".3.400", ".3.4/")] == [
        ["1.2.3.4"],
        [],
        ["1.2.3.4"],
    ]
    assert hosts("1.2.3.4/") == ["1.2.3.4"]


@pytest.mark.parametrize(
    ("written", "host", "domain"),
    [
        ("http://t.cn/Rabc12", "t.cn", "t.cn"),
        ("https://m.icbc.com.cn/a?b=1", "m.icbc.com.cn", "icbc.com.cn"),
        ("www.icbc.com.cn", "icbc.com.cn", "icbc.com.cn"),
        ("ICBC-com.cn", "icbc-com.cn", "icbc-com.cn"),
        ("888666.com", "888666.com", "888666.com"),
        ("a.b.github.io", "a.b.github.io", "b.github.io"),
        ("http://1.2.3.4:8080/a", "1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:8080", "1.2.3.4", "1.2.3.4"),
        ("bit.ly/abc", "bit.ly", "bit.ly"),
        ("https://shop.call/x", "shop.call", "shop.call"),
        ("http://工行.com/", "工行.com", "工行.com"),
    ],
)
def test_a_link_as_browsers_take_it(written: str, host: str, domain: str) -> None:
    text = f"【某行】点击{written} 查看"
    (link,) = links_of(Views(text))

    assert (link.host, link.domain, link.is_disguised) == (host, domain, False)
    assert text[link.start : link.end] == written


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("领取 evil.com.c n", "evil.com"),
        ("戳 evil.xyz.c c 退订", "evil.xyz"),
        ("领取 evil.com.c n/x", "evil.com"),
        ("请看 evil . com . c n", "evil.com"),
    ],
)
def test_an_ending_that_is_spread_behind_a_host_changes_nothing(text: str, host: str) -> None:
    assert [one.domain for one in links_of(Views(text))] == [host]


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("icbc点com", "icbc.com"),
        ("888点com", "888.com"),
        ("www点icbc点com点cn", "icbc.com.cn"),
        ("www。icbc。com", "icbc.com"),
        ("888666·com", "888666.com"),
        ("icbc[.]com", "icbc.com"),
        ("icbc【点】com", "icbc.com"),
        ("icbc (dot) com", "icbc.com"),
        ("evil dot com", "evil.com"),
        ("icbc . com", "icbc.com"),
        ("ＷＷＷ．ＩＣＢＣ．ＣＯＭ", "icbc.com"),
        ("http：／／evil．top／x", "evil.top"),
        ("w w w . i c b c . c o m", "icbc.com"),
        ("i c b c . c n", "icbc.cn"),
        ("ｉ　ｃ　ｂ　ｃ　．　ｃ　ｃ", "icbc.cc"),
        ("iсbс.com", "icbc.com"),  # Cyrillic
        ("ic\u200bbc.c\u2060om", "icbc.com"),
        ("ⓘⓒⓑⓒ.com", "icbc.com"),
        ("hxxp://evil。top/x", "evil.top"),
    ],
)
def test_a_link_in_disguise_is_one(written: str, host: str) -> None:
    text = f"请到{written} 领取"
    (link,) = links_of(Views(text))

    assert (link.host, link.is_disguised) == (host, True)
    assert text[link.start : link.end] == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "晚上8点cc直播",
        "今晚12点，com大厅见",
        "上午9点30分，下午3点5折",
        "距地铁5.5km，价格12.30元，2025.11.25开业",
        "请升级到版本1.2.3.4",
        "Thanks.call me at 9.30",
        "OK. me too. In the end.",
        "thank you . in time",
        "发送邮件到user@qq.com",
        "http://",
        "http://a",
        "https://foo.invalidtld/x",
        "满3.9.5元",
        "www..com",
        "com.cn",
        f"http://{'a' * 64}.com/",
        f"http://{'.'.join(['a' * 60] * 5)}.com/",
        "http://1.2.3.444/",
    ],
)
def test_sentences_prices_dates_and_addresses_are_no_links(text: str) -> None:
    assert hosts(text) == []


@pytest.mark.parametrize(
    ("written", "host", "domain"),
    [
        ("https://good.com:8080@evil.top/x", "evil.top", "evil.top"),
        ("https://u:p@evil.top/", "evil.top", "evil.top"),
        ("https://a@b@c@evil.top", "evil.top", "evil.top"),
        ("http://apple.com@1.2.3.4/", "1.2.3.4", "1.2.3.4"),
        ("http://apple.com@[2001:db8::1]/", "2001:db8::1", "2001:db8::1"),
        ("http://%61:%62@www.evil.top/", "www.evil.top", "evil.top"),
        ("http://evil%2Etop/", "evil.top", "evil.top"),
        ("http://%65%76il.%74op/x", "evil.top", "evil.top"),
        ("http://me@evil%2etop", "evil.top", "evil.top"),
        ("http://工%e8%a1%8c.com/", "工行.com", "工行.com"),
        ("http：／／ｅｖｉｌ％２Ｅｔｏｐ", "evil.top", "evil.top"),
        ("http://3639554370/", "216.239.49.66", "216.239.49.66"),
        ("http://0xd8.0xef.0x31.0x42/", "216.239.49.66", "216.239.49.66"),
        ("http://0330.0357.061.0102", "216.239.49.66", "216.239.49.66"),
        ("http://216.239.12610:80/a", "216.239.49.66", "216.239.49.66"),
        ("http://0xd8ef3142/", "216.239.49.66", "216.239.49.66"),
        ("http://[2001:DB8:0:0::1]:8080/a", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_host_of_a_link_is_the_one_that_browsers_open(
    written: str, host: str, domain: str
) -> None:
    text = f"请点击{written} 查看"
    link = links_of(Views(text))[-1]

    assert (link.host, link.opened, link.domain) == (host, host, domain)
    assert link.is_disguised
    assert text[link.start : link.end] in written
    assert text[link.end - 1] == written[-1]


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("https:///evil.top/x", "evil.top"),
        (r"http:\\evil.top\x", "evil.top"),
        (r"http:/\evil.top", "evil.top"),
        ("http://[2001:db8::1]/x", "2001:db8::1"),
        ("http://[::ffff:1.2.3.4]/", "1.2.3.4"),
        ("http://[fe80::1%wlan0]/", "fe80::1"),
        ("http://нет.москва", "нет.москва"),
        ("http://evil.app./x", "evil.app"),
        ("evil.app./x", "evil.app"),
        ("http://evil.app:8080/x", "evil.app"),
        ("http://пример.рф/x", "пример.рф"),
        (r"http://\@evil.top", "evil.top"),
        ("http://evil.top请点开", "evil.top"),
        ("www.icbc.com.cn查看", "icbc.com.cn"),
        ("http://工行.com请点开", "工行.com"),
    ],
)
def test_a_host_that_browsers_take_is_found(written: str, host: str) -> None:
    link = links_of(Views(f"看 {written} 吧"))[-1]

    assert link.opened == host


def test_the_host_before_a_user_s_sign_is_found_as_well() -> None:
    assert hosts("https://good.com:1@evil.top/x") == ["good.com", "evil.top"]
    assert hosts("https://иван@evil.top/x") == ["evil.top"]
    assert hosts("https://good\u200b.com@evil.top/x") == ["good.com", "evil.top"]


@pytest.mark.parametrize(
    "text",
    [
        "官网https://icbc.com，邮箱service@qq.com",
        "官网https://icbc.com，service@qq.com",
        "官网https://icbc.com；service@qq.com",
        "官网https://icbc.com邮箱service@qq.com",
        "官网https://icbc.com service@qq.com",
        "官网https://icbc.com/，service@qq.com",
        "service@qq.com，https://icbc.com",
    ],
)
def test_a_mailbox_behind_a_link_is_not_the_link_s_host(text: str) -> None:
    (link,) = links_of(Views(text))

    assert (link.host, link.is_disguised) == ("icbc.com", False)


@pytest.mark.parametrize(
    ("written", "host", "opened"),
    [
        ("http://аррӏе.com/a", "apple.com", "аррӏе.com"),
        ("аррӏе.com", "apple.com", "аррӏе.com"),
        ("http://%D0%B0pple.com/", "apple.com", "аpple.com"),
        ("http://ｉｃｂｃ．com/", "icbc.com", "icbc.com"),
        ("icbc点com", "icbc.com", "icbc.com"),
        ("i c b c . c o m", "icbc.com", "icbc.com"),
        ("ic\u200bbc.com", "icbc.com", "icbc.com"),
        ("http://Icbc.com/", "icbc.com", "icbc.com"),
    ],
)
def test_what_phones_open_may_be_another_than_people_read(
    written: str, host: str, opened: str
) -> None:
    (link,) = links_of(Views(f"请到 {written} 领取"))

    assert (link.host, link.opened) == (host, opened)
    assert link.is_look_alike == (host != opened)


@pytest.mark.parametrize(
    "text",
    [
        "http://[12:30]/",
        "http://[::1",
        "http://256.1.1.1.1/",
        "http://089/",
        "http://4294967296/",
        "http://300.1.1/",
        f"http://{'9' * 40}/",
        "http://%zz/",
        "发送邮件到 good.com@icbc.com.cn",
        "会议 12:30@人民广场",
        "折扣 50%2E 起",
    ],
)
def test_what_no_browser_takes_for_a_host_is_no_link(text: str) -> None:
    assert hosts(text) == []


def test_what_ends_a_sentence_or_closes_a_bracket_is_not_of_the_link() -> None:
    text = "see (www.a.com/b). Then http://c.cn/d, and e.top!"

    assert [text[link.start : link.end] for link in links_of(Views(text))] == [
        "www.a.com/b",
        "http://c.cn/d",
        "e.top",
    ]


def test_the_next_sentence_is_not_of_the_host() -> None:
    assert hosts("visit a.icbc.com.Please call") == ["a.icbc.com"]
    assert hosts("请登录icbc.com.cn点击领取") == ["icbc.com.cn"]


def test_a_link_within_the_path_of_a_link_is_not_another() -> None:
    assert hosts("http://a.cn/?to=http://b.cn/x c.cn") == ["a.cn", "c.cn"]


def test_encoded_names_are_told_in_letters() -> None:
    (link,) = links_of(Views("http://xn--fiqs8s.cn/"))

    assert (link.host, link.domain) == ("中国.cn", "中国.cn")
    assert hosts("http://xn--99999999999.cn/") == ["xn--99999999999.cn"]


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.icbc.com.cn", "icbc.com.cn"),
        ("1.2.3.4", "1.2.3.4"),
        ("com.cn", None),
        ("localhost", None),
        ("", None),
        ("a..com", None),
        ("x.xn--fiqs8s.cn", "中国.cn"),
    ],
)
def test_the_domain_that_somebody_registered(host: str, domain: str | None) -> None:
    assert registrable_domain(host) == domain


def test_a_text_of_a_tick_without_a_clue_has_no_link() -> None:
    without, with_one = views_of(["您的快递到了", "请看 evil.top/x 谢谢"])

    assert links_of(without) == ()
    assert [link.host for link in links_of(with_one)] == ["evil.top"]


@given(st.one_of(any_text, linked_text))
def test_any_text_is_read_and_places_are_in_it(text: str) -> None:
    passed = 0
    for link in links_of(Views(text)):
        assert passed <= link.start < link.end <= len(text)
        assert link.host.endswith(link.domain)
        assert (
            link.is_disguised
            or link.host in text[link.start : link.end].lower()
            or ("xn--" in text.lower())
        )
        passed = link.end


@pytest.mark.parametrize(
    "piece",
    [
        "a.a",
        "a. ",
        "a点",
        "www.",
        "http://",
        "xn--",
        "( ",
        "1.1.1.1/",
        "a.com",
        "a.zz/",
        "字.",
        "a@",
        "http://a@",
        "http://%61",
        "http://[1:",
        "http://a.cn@",
        "http://1.",
        "%61@",
    ],
)
def test_the_longest_payload_takes_milliseconds(piece: str) -> None:
    text = Views(piece * (65_000 // len(piece)))

    before = process_time()
    links_of(text)

    assert process_time() - before < 5.0
