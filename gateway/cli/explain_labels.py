"""The words of `smsward explain`: labels, views of a text, and what keyword lists say.

Words of the policy language and of the wire (shadow, ESME_ROK) are the same in both languages:
they are what stands in the files and in the log of the SP.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from gateway.domain.policy import KeywordList
from gateway.filter.keywords.index import Hit
from gateway.filter.normalise.shapes import DIRECTED, deflated, displayed, is_inflated
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Bundle, Title
from gateway.terminal.screen import print_table

# As files and records write an action, and as a verdict does.
_ACTIONS = {
    "forward": "放行",
    "defer": "延后",
    "quarantine": "隔离",
    "throttle": "限速",
    "reject": "拒绝",
    "exempt": "豁免",
}
_CHINESE = {
    **{word: f"{chinese} {word}" for word, chinese in _ACTIONS.items()},
    **{word.upper(): f"{chinese} {word.upper()}" for word, chinese in _ACTIONS.items()},
    "advert": "推销 advert",
    "fraud": "诈骗 fraud",
    "illegal": "违法 illegal",
    "general": "一般 general",
    "serious": "严重 serious",
    "major": "重大 major",
    "verdict": "结论",
    "reason": "原因",
    "article": "依据",
    "the SP hears": "服务商收到的应答",
    "class": "短信类别",
    "about": "内容类别",
    "readings": "解读方式",
    "reading": "解读",
    "read": "读法",
    "view": "视图",
    "as sent": "按发送原样",
    "as sent, with marks": "按发送原样，符号形字符视为符号",
    "as displayed": "按屏幕显示顺序",
    "as displayed, with marks": "按屏幕显示顺序，符号形字符视为符号",
    "raw": "原文 raw",
    "folded": "归一 folded",
    "letters": "仅字母与数字 letters",
    "sound": "读音 sound",
    "category": "类别",
    "severity": "危害程度",
    "policy": "策略",
    "text": "文本",
    "classifier": "分类模型",
    "what the SMSC answers": "以短信中心的应答为准",
    "nothing that is enforced, see below": "未命中生效的规则，见下表",
    "nothing found": "未命中任何规则",
    "no finding": "没有命中",
    "rule": "规则",
    "title": "名称",
    "finding": "命中",
    "action": "处置",
    "evidence": "证据",
    "decides": "是否决定结论",
    "beside the findings": "补充说明",
    "from": "来自",
    "to": "发往",
    "intent": "意图",
    "meaning": "含义",
    "scope": "范围",
    "the service": "业务",
    "items": "序号",
    "source": "依据",
    "here": "在此",
    "orders and the carrier's own codes: add --config": "订购词与服务代码：须加 --config",
    "yes": "是",
    "no": "否",
    "shadow": "影子模式",
    "until": "至",
    "ACCEPT": "允许 ACCEPT",
    "REFUSE": "拒绝 REFUSE",
    "verification": "验证码 verification",
    "service": "服务通知 service",
    "commercial": "商业性 commercial",
    "public_interest": "公益性 public_interest",
}


def said_in(title: Title, lang: str) -> str:
    """Return what is written in both languages in `lang`, zh or en."""
    return title.zh if lang == "zh" else title.en


def worded(words: str, lang: str) -> str:
    """Return `words` in `lang`, zh or en; those that are the same in both as they are."""
    return _CHINESE.get(words, words) if lang == "zh" else words


_COLUMNS = ("reading", "read", "view", "text")
_VIEWS = ("raw", "folded", "letters", "sound")
# Characters that show as nothing though they count as printable (Unicode 16.0,
# Default_Ignorable_Code_Point), and the empty pattern of Braille.
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, slots=True)
class TextView:
    """What one reading of a text is taken for, each field as gateway.filter.normalise.views has it.

    `reading` counts from 1, the best first. `read` is as sent, as displayed (in the order on the
    screen), or either with characters such as boxed letters taken for marks.
    """

    reading: int
    read: str
    raw: str
    folded: str
    letters: str
    sound: str

    def rows(self, lang: str) -> Iterator[tuple[str, str, str, str]]:
        """Yield a row for each text that differs, with the names of the views that have it."""
        names: dict[str, list[str]] = {}
        for name in _VIEWS:
            names.setdefault(getattr(self, name), []).append(worded(name, lang))
        for text, named in names.items():
            shown = _UNSEEN.sub(_escaped, text)
            yield str(self.reading), worded(self.read, lang), ", ".join(named), shown


def text_views(readings: Iterable[str]) -> tuple[TextView, ...]:
    """Return the views of every reading of a text, in the order in which they are searched."""
    return tuple(
        view for number, text in enumerate(readings, 1) for view in _views_of(number, text)
    )


def print_views(views: Iterable[TextView], lang: str) -> None:
    """Print a table of `views`, with what shows as nothing written out."""
    rows = chain.from_iterable(view.rows(lang) for view in views)
    print_table([worded(column, lang) for column in _COLUMNS], rows)


def _views_of(reading: int, text: str) -> Iterator[TextView]:
    # What swells was never looked at: the text counts as unreadable for it.
    sent = Views(deflated(text) if is_inflated(text) else text)
    orders = map(Views, displayed(sent.raw)) if sent.hints & DIRECTED else ()
    for read, first in (("as sent", sent), *(("as displayed", order) for order in orders)):
        marked = ((f"{read}, with marks", further) for further in first.further)
        for said, seen in ((read, first), *marked):
            yield TextView(reading, said, seen.raw, seen.folded, seen.letters, seen.sound)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


@dataclass(frozen=True, slots=True)
class ListBehind:
    """The list of a hit, and what the weights of all evidence in the text come to."""

    words: KeywordList
    total: int

    def said(self) -> Iterator[Title]:
        """Yield what the finding of a hit does not have: severity, owner and weight of the word."""
        words, action = self.words, self.words.action
        if words.severity is not None:
            zh = worded(words.severity, "zh")
            yield Title(f"词库严重程度 {zh}", f"severity of the list {words.severity}")
        if words.owner:
            yield Title(f"词库负责人 {words.owner}", f"owner of the list {words.owner}")
        if words.weight:
            yield Title(
                f"权重 {words.weight}, 全文合计 {self.total}, "
                f"达到阈值 {words.threshold} 则{worded(action, 'zh')}",
                f"weight {words.weight} of {self.total} in this text, "
                f"threshold {words.threshold} for {action}",
            )

    def as_json(self) -> dict[str, object]:
        """Return what the list says beside its words, and what its weight is part of."""
        return {**settings_of(self.words), "sum": self.total if self.words.weight else None}


def lists_behind(bundle: Bundle, hits: Iterable[Hit]) -> Mapping[tuple[str, str], ListBehind]:
    """Return the lists of `hits`, by rule and evidence of the findings that they come to."""
    lists = {words.id: words for words in bundle.keyword_lists}
    return {
        (hit.list_id, hit.told): ListBehind(lists[hit.list_id], hit.total)
        for hit in hits
        if not hit.is_unreadable
    }


def settings_of(words: KeywordList) -> dict[str, object]:
    """Return what a list does, for how long and by whom; None for what it does not say."""
    first, last = words.not_before, words.not_after
    return {
        "action": words.action,
        "severity": words.severity,
        "owner": words.owner or None,
        "weight": words.weight or None,
        "threshold": words.threshold if words.weight else None,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
    }
