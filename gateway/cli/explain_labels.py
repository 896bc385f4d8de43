"""The words of `smsward explain` and of findings on record: labels, views, keyword lists.

Words of the policy language and of the wire (shadow, ESME_ROK) are the same in both languages:
they are what stands in the files and in the log of the SP.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from pkgutil import get_data

from gateway.domain.policy import KeywordList
from gateway.domain.verdict import likely_spam
from gateway.filter.classifier.score import Piece, TextScore
from gateway.filter.keywords.index import Hit, word_id
from gateway.filter.normalise.shapes import DIRECTED, deflated, displayed, is_inflated
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Bundle, Title, citation_of
from gateway.records.sealed_values import Record
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.difference import settings_of
from gateway.settings.directories import policies_directory
from gateway.settings.yaml import SettingsError
from gateway.terminal.screen import print_table, say, severity_of, told_category

_WORDS = (get_data(__package__, "explain_words.txt") or b"").decode()
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
    **dict(line.split(" = ") for line in _WORDS.splitlines()),
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


_DONE = {
    "reject": "refused",
    "quarantine": "held for a person",
    "throttle": "refused as too fast",
    "defer": "put off",
    "forward": "only noted",
}
_ABOUT = {
    "category": "about {}",
    "severity": "severity {}",
    "campaign": "campaign {}",
}


def bundle_at_hand() -> Bundle | None:
    """Return the policies in the usual place, None where they cannot be read."""
    try:
        return load_bundle(policies_directory(None))
    except SettingsError:
        return None


def print_findings(records: Iterable[Record]) -> None:
    """Print a sentence for each finding; of several decisions, each with its time in UTC."""
    decisions = [record for record in records if record.get("findings")]
    bundle = bundle_at_hand() if decisions else None
    for record in decisions:
        at = f"{str(record.get('at'))[:19]} " if len(decisions) > 1 else ""
        for words in finding_words(record, bundle):
            say(f"{at}{words}")


def finding_words(record: Record, bundle: Bundle | None) -> Iterator[str]:
    """Yield a sentence for each finding of a decision.

    `bundle` knows the titles of its rules and the entries of its lists; records have ids alone.
    """
    findings = record.get("findings")
    for finding in findings if isinstance(findings, list) else ():
        yield _worded(finding, record, bundle)


def _worded(finding: Mapping[str, object], record: Record, bundle: Bundle | None) -> str:
    rule, action = str(finding.get("rule")), str(finding.get("action"))
    done = _DONE.get(action, action)
    title = "" if bundle is None else f", {citation_of(bundle, rule).title.en}"
    if finding.get("mode") != "shadow":
        did = (
            f"{done}: this decided" if record.get("rule") == rule else f"would have been {done} too"
        )
    else:
        did = done if action == "forward" else f"in shadow mode, would have been {done}"
    said = [form.format(finding[name]) for name, form in _ABOUT.items() if name in finding]
    if "score" in finding:
        said.append(likely_spam(int(str(finding["score"])))[0])
    if "word" in finding:
        said.append(_entry(rule, str(finding["word"]), bundle))
    return ", ".join([f"{rule}{title}: {did} ({finding.get('reason')})", *said])


def _entry(list_id: str, entry: str, bundle: Bundle | None) -> str:
    lists = bundle.keyword_lists if bundle is not None else ()
    names = (
        name
        for words in lists
        if words.id == list_id
        for name in (*words.words, *(name for name, _ in words.patterns))
    )
    found = next((name for name in names if word_id(name) == entry), None)
    return f"entry {entry} of the list" + (f": {found}" if found is not None else "")


def score_shown(scored: TextScore, pieces: Iterable[Piece]) -> dict[str, object]:
    """Return what the classifier says of a text, as JSON."""
    return {
        "class": scored.text_class,
        "probability": round(scored.probability, 4),
        "category": scored.category,
        "severity": severity_of(scored.category),
        "stopped_from": scored.guilty_from if isfinite(scored.guilty_from) else None,
        "pieces": [{"text": one.text, "weight": round(one.weight, 3)} for one in pieces],
    }


def classified(scored: TextScore) -> Title:
    """Return what the classifier says, in a line: also of a text that passes."""
    percent, share = round(100 * scored.probability), f"{100 * scored.guilty_from:g} %"
    told = told_category(scored.category)
    en, zh = likely_spam(percent)
    if told:
        en, zh = f"{en}, as spam {told}", f"{zh}，若是则为 {told}"
    if not isfinite(scored.guilty_from):
        return Title(f"{zh}，在测定过的误判率下都不拦截", f"{en}, stopped at no share measured")
    return Title(
        f"{zh}，容许误判率达到 {share} 时拦截", f"{en}, stopped where {share} may be innocent"
    )
