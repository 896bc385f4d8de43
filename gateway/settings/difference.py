"""What two versions of a bundle say differently."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace

from gateway.domain.policy import KeywordList
from gateway.policy.bundle import Bundle
from gateway.policy.calendar import HolidayCalendar
from gateway.policy.rules import Rule
from gateway.settings.rule_text import check_name, parameters_of

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
        _settings(
            _list_settings(old),
            _list_settings(new),
        ),
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
    yield f"{name}.check", check_name(rule.check)
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
