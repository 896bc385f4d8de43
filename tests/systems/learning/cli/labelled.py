"""Labelled texts on disk, and a model that has learnt them."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Cli = Callable[..., CompletedProcess[str]]

SELLERS = ("代开各类发票", "低息当天放款", "香港六合特码", "楼盘清仓特价", "刷信誉加微信")
NOTICES = ("您的快递已到驿站", "您的验证码是", "账户余额变动", "明天停水通知", "您预约的号源")
KINDS = ("forged_documents", "loan", "gambling", "real_estate", "fraud_shopping")


def lines(first: int) -> str:
    """Return 40 labelled lines of either label, of other numbers for another `first`."""
    spam = [
        f"spam\tzh\tours/{kind}\t{words}，电话{first + number:05}\tport"
        for number in range(8)
        for words, kind in zip(SELLERS, KINDS, strict=True)
    ]
    ham = [
        f"ham\tzh\tours\t{words}，编号{first + number:05}，谢谢\tport"
        for number in range(8)
        for words in NOTICES
    ]
    return "\n".join(spam + ham) + "\n"


def labelled_in(directory: Path) -> Path:
    """Put texts to train on, to measure on, and in disguise into a new `directory`."""
    directory.mkdir()
    (directory / "train_zh_bulk.tsv").write_text(lines(100), encoding="utf-8")
    other = lines(7000).replace("电话", "加Q").replace("编号", "详情")
    (directory / "dev_zh_bulk.tsv").write_text(other, encoding="utf-8")
    (directory / "adv_dev.tsv").write_text(
        "spam\tzh\tnone\t代开各类发票\tport\nspam\tzh\tsymbol\t代*开各类发-票\tport\n",
        encoding="utf-8",
    )
    return directory


def trained(cli: Cli, data: Path) -> Path:
    """Return a model that was trained on `data`, and lies beside it."""
    path = data.parent / "model.npz"
    assert cli("filter", "train", "--data", str(data), "-o", str(path)).returncode == 0
    return path
