"""The title of a finding's rule, and the article that asks for it."""

from dataclasses import dataclass

from gateway.policy.bundle import Bundle
from gateway.policy.rules import Title
from gateway.policy.stages import ALWAYS

_CONTENT = "全国人大常委会关于加强网络信息保护的决定（2012）第五项；通信短信息服务管理规定（2015）"
_OF_THE_TEXT = {
    "UNREADABLE": Title("无法解读的内容", "A text that cannot be read"),
    "CONTENT": Title("未经检查的内容", "A text that could not be checked"),
}


@dataclass(frozen=True, slots=True)
class Citation:
    """A rule's title in both languages, and its source as RULES cite it."""

    title: Title
    article: str


def citation_of(bundle: Bundle, rule_id: str) -> Citation:
    """Return what to cite for a finding of the rule `rule_id` under `bundle`."""
    for rule in bundle.rules:
        if rule.id == rule_id:
            return Citation(rule.title, rule.article)
    always = ALWAYS.get(rule_id)
    if always is not None:
        return Citation(*always)
    for words in bundle.keyword_lists:
        if words.id == rule_id:
            title = Title(f"关键词库 {words.category}", f"The word list {words.category}")
            return Citation(title, _CONTENT)
    return Citation(_OF_THE_TEXT.get(rule_id, Title(rule_id, rule_id)), _CONTENT)
