"""Filings as tables and JSON show them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date

from gateway.domain.filings import Approval, Filing, Licence, PortScope, Signature, Template, end_of
from gateway.systems.filings.service import FilingDifference, carriers_day
from gateway.terminal.screen import counted, print_table, say

_MAX_SHOWN = 50
COUNTED: Mapping[str, type[Filing]] = {
    "signatures": Signature,
    "templates": Template,
    "scopes": PortScope,
    "approvals": Approval,
}


def ports_in(filings: Iterable[Filing], province: str) -> frozenset[str]:
    """Return the ports that are filed for a province."""
    scopes = (one for one in filings if isinstance(one, PortScope))
    return frozenset(one.port for one in scopes if one.province == province)


def within_province(filings: Iterable[Filing], province: str) -> list[Filing]:
    """Return what SPs with a port in a province have filed, and of their ports those of it."""
    found = list(filings)
    ports = ports_in(found, province)
    there = {one.system_id for one in found if isinstance(one, PortScope) and one.port in ports}
    return [
        one
        for one in found
        if one.system_id in there and getattr(one, "port", None) in {None, *ports}
    ]


def ending_of(filings: Iterable[Filing], within: int) -> list[tuple[Filing, date]]:
    """Return what ends within so many days or has ended, with that day, the most urgent first."""
    ends = ((one, end_of(one)) for one in filings)
    ending = [(one, day) for one, day in ends if day is not None and days_left(day) <= within]
    return sorted(ending, key=lambda found: (found[1], found[0].system_id))


def days_left(day: date) -> int:
    """Return how many days are left through `day`, by the clocks of the carrier; 0 is the last."""
    return (day - carriers_day()).days


def kind_of(filing: Filing) -> str:
    """Return what people call the kind of a filing."""
    return kind_word(type(filing))


def kind_word(kind: type[Filing]) -> str:
    """Return what people call a kind of filing."""
    return "scope" if kind is PortScope else kind.__name__.lower()


def name_of(filing: Filing) -> str:
    """Return what tells a filing from others of its kind and SP."""
    match filing:
        case Licence():
            return filing.number
        case Signature():
            return filing.name
        case Template():
            return filing.id
        case PortScope():
            return filing.port
        case Approval():
            return f"{filing.port} {filing.reference}"


def in_days(days: int) -> str:
    """Return in words when something ends that holds for `days` days more."""
    if days < 0:
        return f"{counted(-days, 'day')} ago"
    return f"in {counted(days, 'day')}" if days else "today"


def senders_in(filings: Iterable[Filing]) -> list[str]:
    """Return the SPs that have filed anything."""
    return sorted({filing.system_id for filing in filings})


def summed_of(system_id: str, filings: Sequence[Filing]) -> dict[str, object]:
    """Return the licence of one SP, and how much it has filed."""
    own = [filing for filing in filings if filing.system_id == system_id]
    counts = Counter(map(type, own))
    licence = next((one for one in own if isinstance(one, Licence)), None)
    return {
        "system_id": system_id,
        "licence": None if licence is None else licence.number,
        "valid_until": None if licence is None else licence.valid_until.isoformat(),
        "ends_in_days": None if licence is None else days_left(licence.valid_until),
        **{name: counts[kind] for name, kind in COUNTED.items()},
    }


def sender_row(summed: dict[str, object]) -> tuple[str, ...]:
    """Return the cells of one SP."""
    days = summed["ends_in_days"]
    ends = in_days(days) if isinstance(days, int) else ""
    return tuple(
        ends if name == "ends_in_days" else str("none" if value is None else value)
        for name, value in summed.items()
    )


def said_by(filing: Filing) -> str:
    """Return what a filing says, in words."""
    match filing:
        case Licence():
            return _through(filing.valid_until)
        case Signature():
            return _ended(filing, " ".join(filing.sources) or "any of its ports")
        case Template():
            said = f"{filing.kind}, variables of up to {filing.max_variable}"
            return f"{_ended(filing, said)}: {filing.text}"
        case PortScope():
            return filing.province
        case Approval():
            return f"from {filing.valid_from} {_through(filing.valid_until)}"


def _ended(filing: Signature | Template, said: str) -> str:
    until = filing.valid_until
    return said if until is None else f"{said}, {_through(until)}"


def _through(day: date) -> str:
    days = days_left(day)
    return f"through {day}, {'ends' if days >= 0 else 'ended'} {in_days(days)}"


def described_ending(one: Filing, day: date) -> dict[str, object]:
    """Return what JSON tells of a filing that ends."""
    return _entry(one) | {"valid_until": day.isoformat(), "ends_in_days": days_left(day)}


def ending_row(one: Filing, day: date) -> tuple[str, ...]:
    """Return the cells of a filing that ends."""
    return one.system_id, kind_of(one), name_of(one), f"{day}", in_days(days_left(day))


def print_difference(difference: FilingDifference, *, dry_run: bool) -> None:
    """Print what a file changed, or would change."""
    rows = [
        *(("added", one, "") for one in difference.added),
        *(("changed", after, old_values(before, after)) for before, after in difference.changed),
    ]
    if rows:
        columns = ("what", "SP", "kind", "name", "was before")
        print_table(
            columns,
            (
                (what, one.system_id, kind_of(one), name_of(one), was)
                for what, one, was in rows[:_MAX_SHOWN]
            ),
        )
    if len(rows) > _MAX_SHOWN:
        say(f"and {len(rows) - _MAX_SHOWN} more")
    say(
        f"{'would be filed' if dry_run else 'filed'}: {len(difference.added)} added,"
        f" {len(difference.changed)} changed, {len(difference.unchanged)} unchanged"
    )


def old_values(before: Filing, after: Filing) -> str:
    """Return what a filing said where it says something else now."""
    names = [field.name for field in fields(before)]
    return "; ".join(
        f"{name} {_plain(getattr(before, name))}"
        for name in names
        if getattr(before, name) != getattr(after, name)
    )


def _plain(value: object) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)


def described_difference(difference: FilingDifference, *, dry_run: bool) -> dict[str, object]:
    """Return what JSON tells of a file that was imported."""
    return {
        "dry_run": dry_run,
        "added": [_entry(one) for one in difference.added],
        "changed": [
            _entry(after) | {"was": old_values(before, after)}
            for before, after in difference.changed
        ],
        "unchanged": len(difference.unchanged),
    }


def _entry(filing: Filing) -> dict[str, object]:
    return {"system_id": filing.system_id, "kind": kind_of(filing), "name": name_of(filing)}
