"""What the keyword list behind a hit says of itself, for people and for programs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.cli.explanation_labels import worded
from gateway.domain.policy import KeywordList
from gateway.filter.keywords import Hit
from gateway.policy.bundle import Bundle
from gateway.policy.rules import Title


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
