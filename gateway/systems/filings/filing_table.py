"""The work of `smsward filings list`, `show` and `expiring`: what is on file."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.plurals import counted
from gateway.cli.screen import print_json, print_table, say
from gateway.cli.storage import opened_store
from gateway.domain.filings import Approval, Filing, Licence, PortScope, Signature, Template
from gateway.policy.filings import CARRIERS_ZONE
from gateway.runtime.clock import utcnow
from gateway.settings.filings import as_mappings
from gateway.settings.gateway import GatewaySettings
from gateway.stores.open import Stores

SOON_DAYS = 30  # the time in which a licence can be renewed (R01)
_MAX_DAYS = 3650
_COUNTED: Mapping[str, type[Filing]] = {
    "signatures": Signature,
    "templates": Template,
    "scopes": PortScope,
    "approvals": Approval,
}


async def list_filed(settings: GatewaySettings, sender: str | None, *, as_json: bool) -> int:
    """Print a line for each SP that has filed anything; return the exit code."""
    async with opened_store(settings) as stores:
        filings = await on_file(stores, sender)
    rows = [_summed(system_id, filings) for system_id in _senders(filings)]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ("SP", "licence", "through", "ends", *_COUNTED)
        print_table(columns, map(_row, rows))
    else:
        say("nothing is on file")
    return ExitCode.FINE


async def show_filed(settings: GatewaySettings, sender: str, *, as_json: bool) -> int:
    """Print all that one SP has filed; return the exit code."""
    async with opened_store(settings) as stores:
        filings = await on_file(stores, sender)
    if as_json:
        (mapping,) = as_mappings(filings)
        print_json(mapping)
    else:
        columns = ("kind", "name", "says")
        print_table(columns, ((kind_of(one), name_of(one), _said(one)) for one in filings))
    return ExitCode.FINE


async def list_expiring(settings: GatewaySettings, within: int, *, as_json: bool) -> int:
    """Print licences and approvals that end within so many days; return the exit code."""
    if not 0 <= within <= _MAX_DAYS:
        raise misused(f"--within: 0 to {_MAX_DAYS} days")
    async with opened_store(settings) as stores:
        ending = ending_of(await on_file(stores, None), within)
    if as_json:
        print_json([_described(one) for one in ending])
    elif ending:
        columns = ("SP", "kind", "name", "through", "ends")
        print_table(columns, map(_ending_row, ending))
    else:
        say(f"nothing ends within {counted(within, 'day')}")
    return ExitCode.FINE


async def on_file(stores: Stores, sender: str | None) -> tuple[Filing, ...]:
    """Return what one SP has filed, or all have. Raises CommandError for one with nothing."""
    if sender is None:
        return await stores.filings.all_filings()
    found = await stores.filings.of(sender)
    if not found:
        others = known(_senders(await stores.filings.all_filings()))
        raise CommandError(
            f"nothing of {sender} is on file", advice=f"on file are those of: {others}"
        )
    return found


def ending_of(filings: Iterable[Filing], within: int) -> list[Licence | Approval]:
    """Return what ends within so many days or has ended, the most urgent first."""
    ending = [
        one
        for one in filings
        if isinstance(one, Licence | Approval) and days_left(one.valid_until) <= within
    ]
    return sorted(ending, key=lambda one: (one.valid_until, one.system_id))


def days_left(day: date) -> int:
    """Return how many days are left through `day`, by the clocks of the carrier; 0 is the last."""
    return (day - utcnow().astimezone(ZoneInfo(CARRIERS_ZONE)).date()).days


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


def _senders(filings: Iterable[Filing]) -> list[str]:
    return sorted({filing.system_id for filing in filings})


def _summed(system_id: str, filings: Sequence[Filing]) -> dict[str, object]:
    own = [filing for filing in filings if filing.system_id == system_id]
    counts = Counter(map(type, own))
    licence = next((one for one in own if isinstance(one, Licence)), None)
    return {
        "system_id": system_id,
        "licence": None if licence is None else licence.number,
        "valid_until": None if licence is None else licence.valid_until.isoformat(),
        "ends_in_days": None if licence is None else days_left(licence.valid_until),
        **{name: counts[kind] for name, kind in _COUNTED.items()},
    }


def _row(summed: dict[str, object]) -> tuple[str, ...]:
    days = summed["ends_in_days"]
    ends = in_days(days) if isinstance(days, int) else ""
    return tuple(
        ends if name == "ends_in_days" else str("none" if value is None else value)
        for name, value in summed.items()
    )


def _said(filing: Filing) -> str:
    match filing:
        case Licence():
            return _through(filing.valid_until)
        case Signature():
            return " ".join(filing.sources) or "any of its ports"
        case Template():
            return f"{filing.kind}, variables of up to {filing.max_variable}: {filing.text}"
        case PortScope():
            return filing.province
        case Approval():
            return f"from {filing.valid_from} {_through(filing.valid_until)}"


def _through(day: date) -> str:
    days = days_left(day)
    return f"through {day}, {'ends' if days >= 0 else 'ended'} {in_days(days)}"


def _described(one: Licence | Approval) -> dict[str, object]:
    return {
        "system_id": one.system_id,
        "kind": kind_of(one),
        "name": name_of(one),
        "valid_until": one.valid_until.isoformat(),
        "ends_in_days": days_left(one.valid_until),
    }


def _ending_row(one: Licence | Approval) -> tuple[str, ...]:
    day = one.valid_until
    return one.system_id, kind_of(one), name_of(one), f"{day}", in_days(days_left(day))
