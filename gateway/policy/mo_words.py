"""The words by which subscribers' replies (MO) are understood, as data."""

from dataclasses import dataclass, fields

from gateway.filter.normalise import compact
from gateway.filter.simplified_letters import simplified


def key_of(text: str) -> str:
    """Return the form in which words are compared: letters and digits, one width, case, script."""
    return compact(simplified(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class MoWords:
    """What a reply may consist of, by meaning. The defaults: mainland China and STOP.

    Words may be given in any spelling and are kept as `key_of` returns them. The name of a service
    may follow `service` words (TD畅听包); the number of a list item may follow `index` words (QX2).
    `confirm` and `refuse` count only while a request is pending. `courtesies` may stand around any
    word except those that confirm.
    """

    opt_out: frozenset[str] = _words(
        "TD TDD QX 退 退订 退定 退阅 TD退订 取消 取消订阅 取消短信 取消接收 取消推送 拒收 拒绝接收"
        " 不再接收 停止 停发 别发 别发了 不要发 不要发了"
        " STOP UNSUBSCRIBE UNSUB CANCEL END QUIT REVOKE OPTOUT REMOVE ARRET ARRÊT"
    )
    # Words of `opt_out` that as a sentence of their own may be about something else.
    alone: frozenset[str] = _words("退 取消 停止 别发 不要发 CANCEL END QUIT REMOVE")
    opt_out_all: frozenset[str] = _words(
        "00000 STOPALL UNSUBSCRIBEALL CANCELALL OPTOUTALL TDALL TD全部 TD所有 全部退订 退订全部"
        " 退订所有 全部取消 取消全部 取消所有 全部拒收 拒收全部"
    )
    listing: frozenset[str] = _words("0000")
    restore: frozenset[str] = _words("HF 恢复 恢复订阅 恢复接收 START UNSTOP SUBSCRIBE")
    help: frozenset[str] = _words("HELP INFO 帮助")
    confirm: frozenset[str] = _words("是 Y YES 同意 确认 1")
    refuse: frozenset[str] = _words("否 N NO 不同意 拒绝 0")
    service: frozenset[str] = _words("TD 退订 退定")
    index: frozenset[str] = _words("QX TD 取消 退订 退定")
    # What follows a word of `service` if no particular service is meant: TD短信.
    everything: frozenset[str] = _words("业务 服务 短信 信息 消息 广告 推送 订阅 通知 提醒 这个 此")
    courtesies: frozenset[str] = _words(
        "回复 回 发送 发 编辑 请 请帮我 麻烦 麻烦帮我 我要 我想 我想要 我 我要求 要求 申请 帮我"
        " 给我 替我 快 快点 赶紧 马上 立即 立刻 现在 直接 你好 您好 谢谢 多谢 谢了 吧 了 啊 呀"
        " 哈 呢 哦 掉 好吗 行吗 可以吗 一下 please pls plz thanks thank thx you now me it ok okay"
        " hi hello sir just i want to"
    )

    def __post_init__(self) -> None:
        """Bring every word to the form in which it is compared."""
        for field in fields(self):
            keys = frozenset(map(key_of, getattr(self, field.name)))
            object.__setattr__(self, field.name, keys - {""})


SHIPPED_WORDS = MoWords()
