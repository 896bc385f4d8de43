"""What two versions of a bundle say differently."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from gateway.domain.policy import Bundle, KeywordList

# Said otherwise, or of no consequence for a message.
_TOLD_APART = frozenset({"name", "digest", "keyword_lists", "selftest"})


@dataclass(frozen=True, slots=True)
class ListDifference:
    """One list that both have: the words that came and went, and what else it says."""

    id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    settings: tuple["SettingDifference", ...]


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """One setting, as ``consent.opt_out``; a rule that is not there is "none"."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Difference:
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


def difference(old: Bundle, new: Bundle) -> Difference:
    """Return what `new` says otherwise than `old`."""
    before = {words.id: words for words in old.keyword_lists}
    after = {words.id: words for words in new.keyword_lists}
    changed = (
        _list_difference(before[id_], words) for id_, words in after.items() if id_ in before
    )
    # Where a case stands in the file says nothing.
    old_cases = {(case.text, case.data_coding, case.expect, case.list_id) for case in old.selftest}
    new_cases = {(case.text, case.data_coding, case.expect, case.list_id) for case in new.selftest}
    return Difference(
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
            {"category": old.category, "action": str(old.action)},
            {"category": new.category, "action": str(new.action)},
        ),
    )


def _settings(old: dict[str, str], new: dict[str, str]) -> tuple[SettingDifference, ...]:
    names = dict.fromkeys((*new, *old))
    pairs = ((name, old.get(name, "none"), new.get(name, "none")) for name in names)
    return tuple(SettingDifference(*pair) for pair in pairs if pair[1] != pair[2])


def _flat_bundle(bundle: Bundle) -> dict[str, str]:
    """Return every setting of every rule by its dotted name, whatever rules there are."""
    told = (field.name for field in fields(bundle) if field.name not in _TOLD_APART)
    return {name: value for rule in told for name, value in _flat(rule, getattr(bundle, rule))} | {
        "name": bundle.name
    }


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _flat(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, frozenset):
        yield name, ", ".join(sorted(map(str, value)))
    elif value is not None:
        yield name, str(value)
