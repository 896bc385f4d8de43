"""How preferences and their journal look on screens and in JSON."""

from collections.abc import Iterable

from gateway.domain.categories import category_of
from gateway.domain.msisdn import masked
from gateway.domain.preferences import JournalEntry, Preference, PreferenceKind, PreferenceList

COLUMNS = ("", "looks at", "value", "action")
JOURNAL_COLUMNS = ("at", "channel", "by", "gone", "new")

_MOBILE_DIGITS = 11


def listed(kept: PreferenceList, *, is_whole: bool = False) -> list[dict[str, object]]:
    """Return what JSON tells of preferences; whole numbers are for the subscriber alone."""
    return [
        {
            "order": place,
            "kind": one.kind,
            "value": one.value if is_whole else _masked(one),
            "action": one.action,
        }
        for place, one in enumerate(kept, 1)
    ]


def journaled(entry: JournalEntry, *, is_whole: bool = False) -> dict[str, object]:
    """Return what JSON tells of one change."""
    return {
        "at": entry.origin.at.isoformat(timespec="seconds"),
        "channel": entry.origin.channel,
        "by": entry.origin.by,
        "before": listed(entry.before, is_whole=is_whole),
        "after": listed(entry.after, is_whole=is_whole),
        "is_erasure": entry.is_erasure,
    }


def row(place: int, one: Preference) -> tuple[str, ...]:
    """Return the cells of one preference."""
    return (str(place), one.kind, _named(one), one.action)


def journal_row(entry: JournalEntry) -> tuple[str | tuple[str, ...], ...]:
    """Return the cells of one change: what it took away and what it brought."""
    origin = entry.origin
    gone = _told(one for one in entry.before if one not in entry.after)
    return (
        f"{origin.at:%Y-%m-%d %H:%M:%S} UTC",
        origin.channel,
        origin.by or "the subscriber",
        gone,
        _told(one for one in entry.after if one not in entry.before),
    )


def _told(preferences: Iterable[Preference]) -> tuple[str, ...]:
    return tuple(f"{one.action} {described(one)}" for one in preferences)


def described(one: Preference) -> str:
    """Return what a preference looks at, for one line."""
    return f"{one.kind} {_named(one)}"


def _named(one: Preference) -> str:
    category = category_of(one.value) if one.kind is PreferenceKind.CATEGORY else None
    return _masked(one) if category is None else f"{category.id} {category.name}"


def _masked(one: Preference) -> str:
    """Return the value as screens may show it: a person whom somebody blocks stays unnamed."""
    value = one.value
    is_mobile = len(value) == _MOBILE_DIGITS and value.startswith("1") and value[1] in "3456789"
    return masked(value) if one.kind is PreferenceKind.NUMBER and is_mobile else value
