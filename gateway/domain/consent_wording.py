"""What a request for consent must say, and how that is recognised (D14 art. 5, R23)."""

import re
from collections.abc import Iterator

from gateway.domain.categories import CATEGORIES

# What the messages will be about: the categories of preferences and complaints, and other names
# that advertisers use. "Messages" alone does not tell.
_ABOUT = (
    *(word.casefold() for one in CATEGORIES for word in (one.name, *one.aliases)),
    *(  # noqa: SIM905 - forty strings would fill a page
        "优惠 折扣 促销 特价 打折 广告 推广 营销 新品 上新 商品 产品 活动 会员 积分 礼品 抽奖 资讯 "
        "新闻 天气 股票 行情 笑话 新书 新店 开业 演出 电影 讲座 健康 美食 餐饮 服装 "
        "offers deals discounts promotions marketing advertising advertisements products events "
        "news newsletter sales coupons"
    ).split(),
)
_NUMBER = r"(?:[0-9]+|[一二两三四五六七八九十半]+|\{[0-9]{1,3}\})"
_HOW_OFTEN = re.compile(
    rf"每|{_NUMBER}\s*[条次]|不定期|daily|weekly|monthly|yearly|\bevery\b"
    r"|\b(?:per|a) (?:day|week|month|year)\b|\bonce\b|\btwice\b"
)
# 每三个月 is how often; 三个月 is how long.
_HOW_LONG = re.compile(
    rf"为期|期限|有效期|长期|截至|截止|(?<![每0-9一二两三四五六七八九十半]){_NUMBER}\s*"
    r"(?:天|日内|周|个?星期|月内|个月|个?季度|年)|一次为限"
    r"|\bfor \S+ (?:day|week|month|year)s?\b|\buntil\b|\bvalid\b"
)
_REPLY = re.compile(
    r"(?:回复?|答复|发送|发|\breply(?: with)?|\btext|\bsend)[\s\"'“”‘’「」:：,，]{0,3}"
    r"(?:yes\b|y(?![a-z])|是|同意|确认)"
)


def missing_from(text: str) -> Iterator[str]:
    """Yield what a request lacks. `text` is its template, in half width and in lower case.

    The check looks for words only: a person who reviews filings reads the text as well.
    """
    if not any(word in text for word in _ABOUT):
        yield "must say what the messages are about (优惠, 新品, or a category)"
    if not _HOW_OFTEN.search(text):
        yield "must say how often (每月两条)"
    if not _HOW_LONG.search(text):
        yield "must say for how long (为期一年)"
    if not _REPLY.search(text):
        yield "must say what to reply for a yes (回复Y同意): Y, YES, 是, 同意 or 确认"
