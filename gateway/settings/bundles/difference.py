"""What two versions of a bundle say differently, and whether one lost much by accident."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from hashlib import blake2b
from math import inf
from operator import eq
from typing import Any, get_args, get_type_hints

from gateway.domain.policy import (
    Clock,
    ContentRule,
    Enforcement,
    KeywordList,
    Limit,
    ListAction,
    OverdueAction,
    RollingWindow,
)
from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule
from gateway.policy.check import Notation
from gateway.policy.checks.suspicious import Tolerance
from gateway.policy.hours import EVERY_DAY, HolidayCalendar, OnHolidays, Window, WindowSet
from gateway.settings.bundles.check_fields import Weekday, duration_said

# A list of all banks is no cell of a table.
_SHOWN = 12


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


def parameters_of(rule: Rule) -> dict[str, str]:
    """Return the parameters of the check of `rule`, without those that are empty."""
    check: Any = rule.check
    hints = get_type_hints(type(check), include_extras=True)
    said: dict[str, str] = {}
    for field in fields(check):
        value = getattr(check, field.name)
        said |= _said(field.name, value, is_share=_is_share(hints[field.name]))
    return said


def _is_share(hint: Any) -> bool:
    return Notation.SHARE in get_args(hint) or any(map(_is_share, get_args(hint)))


def _said(name: str, value: object, *, is_share: bool) -> dict[str, str]:
    match value:
        case None | () | "":
            return {}
        case frozenset() if not value:
            return {}
        case SuspensionTerms():
            return _suspension(name, value)
        case Mapping():
            return {f"{name}.{key}": str(one) for key, one in value.items()}
        case float() if is_share:
            return {name: _share(value)}
        case _:
            return {name: _text(value)}


def _text(value: object) -> str:  # noqa: C901, PLR0911 - a table
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case frozenset():
            return ", ".join(sorted(map(str, value)))
        case timedelta():
            return duration_said(value)
        case Tolerance():
            return f"{value.port or value.sender}: {_share(value.tolerates)}"
        case WindowSet():
            return "; ".join(map(_window, value.windows))
        case Limit():
            return _limit(value)
        case (Limit(), *_):
            return "; ".join(map(_text, value))
        case tuple():
            return _listed(list(map(_text, value)))
        case _:
            return str(value)


def _listed(said: Sequence[str]) -> str:
    """Return the first of a list; of a longer one also what differs when any of it does."""
    if len(said) <= _SHOWN:
        return ", ".join(said)
    mark = blake2b("\n".join(said).encode(), digest_size=3).hexdigest()
    return f"{', '.join(said[:_SHOWN])}, … (+{len(said) - _SHOWN}, {mark})"


def _share(share: float) -> str:
    return f"{100 * share:g} %"


def _window(window: Window) -> str:
    closes = window.closes.isoformat("minutes")
    said = f"{window.opens.isoformat('minutes')}-{'24:00' if closes == '00:00' else closes}"
    if window.weekdays != EVERY_DAY:
        said += f" {' '.join(day for at, day in enumerate(Weekday) if at in window.weekdays)}"
    return said + (" but holidays" if window.on_holidays is OnHolidays.CLOSED else "")


def _limit(limit: Limit) -> str:
    match limit.every:
        case RollingWindow():
            every = f"in rolling {duration_said(timedelta(seconds=limit.every.seconds))}"
        case Clock.HOUR:
            every = "an hour"
        case _:
            every = f"a {limit.every.value}"
    holidays = f", {limit.holiday_maximum} on holidays" if limit.holiday_maximum else ""
    return f"{limit.maximum} {every} per {' and '.join(limit.per)}{holidays}"


def _suspension(name: str, terms: SuspensionTerms) -> dict[str, str]:
    looks = {"looks_at_text": "true", "same_text": str(terms.same_text)}
    said = {
        "for": f"{terms.working_days} working day{'s' * (terms.working_days > 1)}",
        **(looks if terms.same_text else {}),
        "restore_words": ", ".join(terms.restore_words),
        "self_restore": str(terms.self_restores),
        "restore_span": duration_said(terms.restore_span),
        "reply": terms.reply,
        "restored": terms.restored,
        "refused": terms.refused,
    }
    return {f"{name}.{key}": value for key, value in said.items()}


# A handful of SPs may well lose most of them on purpose.
_FEW_SENDERS = 4
_AT_ONCE = 1_000


def shrunk(old: Bundle, new: Bundle, share: float = 0.5) -> str | None:
    """Say what `new` lost of `old` that an accident may have taken, or return None.

    That is more than `share` of the words of a list, more than `share` of the rules, and each
    rule that is enforced no more. A half-written export or a wrong path empties a list as
    silently as a decision does, so a reload asks for the operator's word first. A list that
    is gone lost all its words.
    """
    losses = [*_lost_words(old, new, share), *_lost_rules(old, new, share), *_fallen(old, new)]
    return "; ".join(losses) or None


def _lost_words(old: Bundle, new: Bundle, share: float) -> Iterator[str]:
    kept = {words.id: words.words for words in new.keyword_lists}
    for before in old.keyword_lists:
        lost = _count_lost(before.words, kept.get(before.id, ()), share)
        if lost:
            yield f"{before.id} lost {lost} of {len(before.words)} words"


def _count_lost(before: Sequence[str], after: Sequence[str], share: float) -> int:
    """Return how many words are gone, 0 unless they are more than `share` of them."""
    pairs = zip(_some_of(before), _some_of(after), strict=False)
    # Most words stay where they are, which is seen in a third of the time.
    moved = len(before) - sum(sum(map(eq, *pair)) for pair in pairs)
    if moved <= share * len(before):
        return 0
    left: set[str] = set()
    for some in _some_of(after):
        left.update(some)
    lost = sum(len(some) - len(left.intersection(some)) for some in _some_of(before))
    return lost if lost > share * len(before) else 0


def _some_of(words: Sequence[str]) -> Iterator[Sequence[str]]:
    # Looked up in one call, 100 000 would keep other threads waiting.
    return (words[at : at + _AT_ONCE] for at in range(0, len(words), _AT_ONCE))


def _lost_rules(old: Bundle, new: Bundle, share: float) -> Iterator[str]:
    lost = {rule.id for rule in old.rules} - {rule.id for rule in new.rules}
    if lost and len(lost) > share * len(old.rules):
        yield f"{len(lost)} of {len(old.rules)} rules are gone"


def _fallen(old: Bundle, new: Bundle) -> Iterator[str]:
    """Tell the rules that stopped messages by themselves and do so no more."""
    modes = {rule.id: rule.mode for rule in new.rules}
    for rule in old.rules:
        if rule.mode is Enforcement.ENFORCE and rule.can_stop:
            mode = modes.get(rule.id)
            if mode is None:
                yield f"{rule.id} was enforced and is gone"
            elif mode is not Enforcement.ENFORCE:
                yield f"{rule.id} was enforced and is {mode}"


_MOST_TOLD = 20  # rules and lists of a kind in one entry of the audit


def effect(old: Bundle, new: Bundle) -> str:
    """Return, for the audit, the rules and lists that may stop less in `new`, "" for none.

    First those that are switched off. Then, as changed, the rules with other parameters or another
    action, and the lists that lost words or have another action: a person has to check these.
    """
    off = switched_off(old, new)
    rules = {rule.id: rule for rule in new.rules}
    lists = {words.id: words for words in new.keyword_lists}
    changed = [
        *(one.id for one in old.rules if _asks_otherwise(one, rules.get(one.id))),
        *(one.id for one in old.keyword_lists if _lost_some(one, lists.get(one.id))),
    ]
    told = {"stops less": off, "changed": sorted(set(changed) - set(off))}
    return ", ".join(f"{how}: {_first_of(ids)}" for how, ids in told.items() if ids)


def _first_of(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_TOLD} more" if len(ids) > _MOST_TOLD else ""
    return ", ".join(ids[:_MOST_TOLD]) + more


def _asks_otherwise(old: Rule, new: Rule | None) -> bool:
    return old.can_stop and new is not None and (old.check, old.action) != (new.check, new.action)


def _lost_some(old: KeywordList, new: KeywordList | None) -> bool:
    if new is None or old.action is ListAction.SHADOW:
        return False
    return old.action is not new.action or bool(_count_lost(old.words, new.words, share=0))


def switched_off(old: Bundle, new: Bundle) -> tuple[str, ...]:
    """Return what stops messages in `old`, and fewer or none in `new`, by id.

    A rule does if it is gone, off or in shadow mode where it was enforced: for everybody, for one
    SP, for one port, or for a class of messages; and if it is asked about other messages, or asks
    something else. A list does if it is gone, in shadow mode, or holds for fewer days, and if its
    words need more evidence. ``content.yaml unreadable`` forwards what it stopped, and
    ``content.yaml review.CATEGORY`` releases what it did not, or sooner.
    """
    rules = {rule.id: rule for rule in new.rules}
    lists = {words.id: words for words in new.keyword_lists}
    found = [rule.id for rule in old.rules if _stops_less(rule, rules.get(rule.id))]
    found += [one.id for one in old.keyword_lists if _decides_less(one, lists.get(one.id))]
    found += (f"content.yaml {name}" for name in _let_go(old.content, new.content))
    return tuple(sorted(found))


def _decides_less(old: KeywordList, new: KeywordList | None) -> bool:
    if old.action is ListAction.SHADOW:
        return False
    if new is None or new.action is ListAction.SHADOW:
        return True
    if (new.not_before or date.min) > (old.not_before or date.min):
        return True
    if (new.not_after or date.max) < (old.not_after or date.max):
        return True
    return bool(new.weight) and (
        not old.weight or new.weight < old.weight or new.threshold > old.threshold
    )


def _let_go(old: ContentRule, new: ContentRule) -> Iterator[str]:
    """Tell the settings by which a message passes that was stopped, or held for longer."""
    if new.unreadable is Action.FORWARD is not old.unreadable:
        yield "unreadable"
    for category in old.review.keys() | new.review.keys():
        if _released_after(new, category) < _released_after(old, category):
            yield f"review.{category}"


def _released_after(content: ContentRule, category: str) -> float:
    """Return after how many seconds a held message is released unread, `inf` for never."""
    limit = content.limit_of(category)
    return inf if limit is None or limit.then is not OverdueAction.RELEASE else limit.within_s


def _stops_less(old: Rule, new: Rule | None) -> bool:
    if not old.can_stop:
        return False
    if new is None or not new.can_stop or old.applies_to - new.applies_to:
        return True
    if new.event is not old.event or new.check.name != old.check.name:
        return True
    before, after = _modes(old), _modes(new)
    return any(
        _was_enforced_at(place, before) and not _is_enforced_at(place, after)
        for place in before.keys() | after.keys()
    )


def _was_enforced_at(place: tuple[str, str], modes: Mapping[tuple[str, str], Enforcement]) -> bool:
    """Tell whether a rule with these modes may be enforced for a sender or a port."""
    # A port may be of any sender, and has its mode where it has none of its own.
    is_any = place not in modes and bool(place[1])
    senders = [mode for (_, port), mode in modes.items() if is_any and not port]
    return Enforcement.ENFORCE in (modes.get(place, modes["", ""]), *senders)


def _is_enforced_at(place: tuple[str, str], modes: Mapping[tuple[str, str], Enforcement]) -> bool:
    """Tell whether a rule with these modes is surely enforced for a sender or one of its ports."""
    sender, port = place
    mode = modes.get(place) or modes.get((sender, "")) or modes["", ""]
    # A port alone may be of any sender: senders.yaml says of which one.
    others = [one for (name, number), one in modes.items() if name and not number]
    is_unsure = place not in modes and bool(port) and not sender
    return mode is Enforcement.ENFORCE and not (is_unsure and set(others) - {Enforcement.ENFORCE})


def _modes(rule: Rule) -> dict[tuple[str, str], Enforcement]:
    """Return the mode for everybody, at two empty texts, and those for senders and ports."""
    return {("", ""): rule.mode, **{(one.sender, one.port): one.mode for one in rule.overrides}}


def missing_senders(
    before: Collection[str], after: Collection[str], share: float = 0.5
) -> str | None:
    """Say that more than `share` of the SPs are gone, or return None.

    Their sessions would be dismissed: half a senders.yaml must not do that to a carrier.
    """
    lost = len(set(before) - set(after))
    if len(before) < _FEW_SENDERS or lost <= share * len(before):
        return None
    return f"senders.yaml lost {lost} of {len(before)} senders"


# Said otherwise, or of no consequence for a message.
_TOLD_APART = frozenset({"name", "digest", "keyword_lists", "rules", "selftest", "surroundings"})


@dataclass(frozen=True, slots=True)
class ListDifference:
    """One list that both have: the words that came and went, and what else it says."""

    id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    settings: tuple["SettingDifference", ...]


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """One setting, as ``rules.R40.mode``; what is not there is "none"."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class BundleDifference:
    """All that differs, in the order of the new bundle, what is gone last."""

    lists_added: tuple[KeywordList, ...]
    lists_removed: tuple[KeywordList, ...]
    lists_changed: tuple[ListDifference, ...]
    settings: tuple[SettingDifference, ...]
    cases_added: int
    cases_removed: int

    @property
    def is_none(self) -> bool:
        """Tell whether both bundles judge every message alike, by the same self-test."""
        lists = (self.lists_added, self.lists_removed, self.lists_changed)
        return not (any(lists) or self.settings or self.cases_added or self.cases_removed)


def difference(old: Bundle, new: Bundle) -> BundleDifference:
    """Return what `new` says otherwise than `old`."""
    before = {words.id: words for words in old.keyword_lists}
    after = {words.id: words for words in new.keyword_lists}
    changed = (
        _list_difference(before[id_], words) for id_, words in after.items() if id_ in before
    )
    # Where a case stands says nothing.
    old_cases, new_cases = (
        {replace(case, file="", line=0, column=0) for case in bundle.selftest}
        for bundle in (old, new)
    )
    return BundleDifference(
        lists_added=tuple(words for id_, words in after.items() if id_ not in before),
        lists_removed=tuple(words for id_, words in before.items() if id_ not in after),
        lists_changed=tuple(one for one in changed if one.added or one.removed or one.settings),
        settings=_settings(_flat_bundle(old), _flat_bundle(new)),
        cases_added=len(new_cases - old_cases),
        cases_removed=len(old_cases - new_cases),
    )


def _list_difference(old: KeywordList, new: KeywordList) -> ListDifference:
    before, after = frozenset(old.words), frozenset(new.words)
    return ListDifference(
        new.id,
        tuple(word for word in new.words if word not in before),
        tuple(word for word in old.words if word not in after),
        _settings(_list_settings(old), _list_settings(new)),
    )


def _list_settings(words: KeywordList) -> dict[str, str]:
    """Return what a list says beside its words, without what is as it is without being said."""
    said = {field.name: getattr(words, field.name) for field in fields(words)}
    said = {name: value for name, value in said.items() if name not in ("id", "words")}
    defaults = {field.name: field.default for field in fields(words)}
    return {name: str(value) for name, value in said.items() if value != defaults[name]}


def _settings(old: dict[str, str], new: dict[str, str]) -> tuple[SettingDifference, ...]:
    names = dict.fromkeys((*new, *old))
    pairs = ((name, old.get(name, "none"), new.get(name, "none")) for name in names)
    return tuple(SettingDifference(*pair) for pair in pairs if pair[1] != pair[2])


def _flat_bundle(bundle: Bundle) -> dict[str, str]:
    """Return every setting by its dotted name, rules included."""
    told = [field.name for field in fields(bundle) if field.name not in _TOLD_APART]
    flat = dict(pair for name in told for pair in _flat(name, getattr(bundle, name)))
    for rule in bundle.rules:
        flat |= dict(_flat_rule(f"rules.{rule.id}", rule))
    # As bundle.yaml spells them.
    head = {
        "name": bundle.name,
        "zone": bundle.surroundings.zone,
        "frequency_capacity": str(bundle.surroundings.capacity),
    }
    return flat | head | dict(_calendar(bundle.surroundings.calendar))


def _calendar(calendar: HolidayCalendar) -> Iterator[tuple[str, str]]:
    """Tell a calendar day by day: of a hundred holidays only those that changed matter."""
    yield "calendar", calendar.name
    yield from ((f"calendar.{day}", "holiday") for day in sorted(calendar.holidays))
    yield from ((f"calendar.{day}", "workday") for day in sorted(calendar.workdays))


def _flat_rule(name: str, rule: Rule) -> Iterator[tuple[str, str]]:
    """Return the fields of a rule as its file spells them."""
    yield f"{name}.check", rule.check.name
    yield f"{name}.event", str(rule.event)
    yield f"{name}.mode", str(rule.mode)
    yield f"{name}.title", f"{rule.title.zh} / {rule.title.en}"
    yield f"{name}.article", rule.article
    yield f"{name}.action", str(rule.action)
    yield from _flat(f"{name}.applies_to", rule.applies_to)
    yield from _flat(f"{name}.status", rule.status)
    yield from _flat(f"{name}.warning", rule.warning)
    yield from _flat(f"{name}.severity", rule.severity)
    yield from _flat(f"{name}.on_error", rule.on_error)
    yield from _flat(name, parameters_of(rule))
    for one in rule.overrides:
        yield f"{name}.overrides.{one.port or one.sender}", str(one.mode)


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case frozenset():
            yield name, ", ".join(sorted(map(str, value)))
        case Mapping():
            yield from ((f"{name}.{key}", str(item)) for key, item in value.items())
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _flat(f"{name}.{field.name}", getattr(value, field.name))
        case None | "":
            return
        case _:
            yield name, str(value)
