"""Labelled texts of our own, enough of them to train on."""

from collections.abc import Callable
from itertools import product

import pytest

from gateway.systems.learning.samples import Sample, sample_of

Corpus = Callable[[int], list[Sample]]

SELLERS = ("代开各类发票", "低息当天放款", "香港六合特码", "楼盘清仓特价", "刷信誉加微信")
ENDS = ("联系电话1380013{:04}", "加Q{:04}详谈", "回复{:04}办理", "点 t.example/{:04} 进入")
NOTICES = ("您的快递已到驿站", "您的验证码为", "账户余额变动提醒", "明天停水通知", "您预约的号源")
FORMS = ("，取件码{:04}。", "{:04}，请勿告诉他人", "：{:04}元【示例】", "，编号{:04}，谢谢")
KINDS = ("forged_documents", "loan", "gambling", "real_estate", "fraud_shopping")


def lines(first: int) -> list[str]:
    """Return 40 lines of either label; other numbers for another `first`."""
    spam = [
        f"spam\tzh\tours/{KINDS[SELLERS.index(words)]}\t{words}{end.format(first + number)}"
        for number, (words, end) in enumerate(product(SELLERS, ENDS * 2))
    ]
    ham = [
        f"ham\tzh\tours\t{words}{end.format(first + number)}"
        for number, (words, end) in enumerate(product(NOTICES, FORMS * 2))
    ]
    return spam + ham


@pytest.fixture
def corpus() -> Corpus:
    """Return what gives labelled texts from ports."""
    return lambda first: [sample_of(line) for line in lines(first)]
