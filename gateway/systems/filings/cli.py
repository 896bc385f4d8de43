"""`smsward filings`: what SPs have filed, shown and changed."""

# ruff: noqa: PLC0415 - see gateway.terminal

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.filings import Approval, Filing, Licence, PortScope, Signature, Template
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import FLAG, AsJson, ConfigDirectory
from gateway.terminal.screen import (
    counted,
    print_json,
    print_listed,
    print_result,
    print_table,
    say,
    visible,
    warn,
)

SOON_DAYS = 30  # the time in which a licence can be renewed (R01)
_MAX_DAYS = 3650

Sender = Annotated[str, Parameter(name="SENDER")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class FilingSelector:
    """Which filings of an SP are meant."""

    licence: Annotated[bool, FLAG, Parameter(help="Its licence.")] = False
    signature: Annotated[
        list[str] | None, Parameter(negative="", help="Its signature of this name.")
    ] = None
    template: Annotated[
        list[str] | None, Parameter(negative="", help="Its template of this id.")
    ] = None
    scope: Annotated[list[str] | None, Parameter(negative="", help="The scope of this port.")] = (
        None
    )
    approval: Annotated[
        list[str] | None, Parameter(negative="", help="The approval of this reference.")
    ] = None
    everything: Annotated[bool, FLAG, Parameter("--all", help="All that it has filed.")] = False


_NOTHING = FilingSelector()

filings = App(
    name="filings",
    help="Keep what SPs have filed (报备): licences, signatures, templates, scopes, approvals.",
    sort_key=7,
)


@filings.command(name="import")
def import_file(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    dry_run: Annotated[bool, FLAG, Parameter(help="Only say what would change.")] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """File what a YAML file says, all of it or nothing. A running gateway obeys within a second.

    What is on file already is replaced where the file says otherwise; what the file does not
    name stays. Every fault is printed as file:line:col. It may be repeated.

    Example: smsward filings import filings.yaml --dry-run
    """
    from gateway.settings.filings import load_filings
    from gateway.settings.yaml import SettingsError
    from gateway.systems.filings.filing_table import (
        days_left,
        described_difference,
        ending_of,
        in_days,
        kind_of,
        name_of,
        print_difference,
    )
    from gateway.systems.filings.service import FilingRefusedError, compare, file_all
    from gateway.systems.filings.sql import FilingStore
    from gateway.terminal.deployment import config_of, faulty, senders_of
    from gateway.terminal.store import on_store

    directory = config_of(config)
    try:
        filed = load_filings(file, senders_of(directory))
    except SettingsError as error:
        raise faulty(error.faults, str(file), "mend the file, then import it") from error
    work = compare if dry_run else file_all
    try:
        difference = on_store(directory, FilingStore, lambda store: work(store, filed))
    except FilingRefusedError as error:
        raise misused(f"nothing was filed\n{error}", "mend the file, then import it") from error
    if as_json:
        print_json(described_difference(difference, dry_run=dry_run))
    else:
        print_difference(difference, dry_run=dry_run)
    for one, day in ending_of(difference.new, SOON_DAYS):
        days = days_left(day)
        verb = "ends" if days >= 0 else "ended"
        warn(f"the {kind_of(one)} {name_of(one)} of {one.system_id} {verb} {in_days(days)}")
    return ExitCode.FINE


@filings.command(name="list")
def list_filings(
    *,
    sender: Annotated[str | None, Parameter(help="Only this SP.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List each SP with its licence, in how many days that ends, and how much it has filed.

    An SP without a licence on file may bind, unless filings.licence_required is set.

    Example: smsward filings list
    """
    from gateway.systems.filings.filing_table import COUNTED, sender_row, senders_in, summed_of

    found = _found(config, sender)
    rows = [summed_of(system_id, found) for system_id in senders_in(found)]
    columns = ("SP", "licence", "through", "ends", *COUNTED)
    print_listed(rows, columns, map(sender_row, rows), "nothing is on file", as_json=as_json)
    return ExitCode.FINE


@filings.command
def show(sender: Sender, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show all that one SP has filed.

    Example: smsward filings show shop
    """
    from gateway.settings.filings import as_mappings
    from gateway.systems.filings.filing_table import kind_of, name_of, said_by

    found = _found(config, sender)
    if as_json:
        (mapping,) = as_mappings(found)
        print_json(mapping)
    else:
        columns = ("kind", "name", "says")
        print_table(columns, ((kind_of(one), name_of(one), said_by(one)) for one in found))
    return ExitCode.FINE


@filings.command
def expiring(
    *,
    within: Annotated[int, Parameter(help="So many days ahead.")] = 30,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List what ends soon, or has ended, the most urgent first.

    When its licence has ended an SP can bind no more; a port whose approval has ended is no
    longer exempt as one of public interest. A signature or a template that has ended counts as
    not on file.

    Example: smsward filings expiring --within 30 --json
    """
    from gateway.systems.filings.filing_table import described_ending, ending_of, ending_row

    if not 0 <= within <= _MAX_DAYS:
        raise misused(f"--within: 0 to {_MAX_DAYS} days")
    ending = ending_of(_found(config, None), within)
    shown, columns = (
        [described_ending(*one) for one in ending],
        ("SP", "kind", "name", "through", "ends"),
    )
    rows, nothing = (
        [ending_row(*one) for one in ending],
        f"nothing ends within {counted(within, 'day')}",
    )
    print_listed(shown, columns, rows, nothing, as_json=as_json)
    return ExitCode.FINE


@filings.command
def remove(
    sender: Sender,
    /,
    *,
    named: FilingSelector = _NOTHING,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Remove what an SP has filed: name what, or say --all.

    Example: smsward filings remove shop --signature 示例商城 --template T-001
    """
    from gateway.systems.filings.filing_table import kind_of
    from gateway.systems.filings.sql import FilingStore
    from gateway.terminal.deployment import config_of
    from gateway.terminal.store import on_store

    directory = config_of(config)
    meant = list(_meant(_found(directory, sender), named))
    if not meant:
        raise misused("say what to remove: --signature NAME and the like, or --all")
    on_store(directory, FilingStore, lambda store: store.remove(meant))
    counts = Counter(map(kind_of, meant))
    told = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    shown = {"system_id": sender, "removed": counts}
    print_result(shown, f"removed from {sender}: {told}", as_json=as_json)
    return ExitCode.FINE


@filings.command
def export(
    *,
    sender: Annotated[str | None, Parameter(help="Only this SP.")] = None,
    output: Annotated[Path | None, Parameter(alias="-o", help="Write this file.")] = None,
    config: ConfigDirectory = None,
) -> int:
    """Print what is on file as the YAML that import reads.

    Example: smsward filings export -o filings.yaml
    """
    from gateway.settings.filings import written
    from gateway.terminal.screen import private_file

    found = _found(config, sender)
    text = written(found)
    if output is None:
        sys.stdout.write(text)
        return ExitCode.FINE
    with private_file(output) as file:
        file.write(text)
    say(f"written: {counted(len(found), 'filing')} to {visible(str(output))}")
    return ExitCode.FINE


def _found(config: ConfigDirectory, sender: str | None) -> tuple[Filing, ...]:
    """Return what one SP has filed, or all have. Raises CommandError for one with nothing."""
    from gateway.systems.filings.sql import FilingStore
    from gateway.terminal.store import on_store

    async def run(store: FilingStore) -> tuple[Filing, ...]:
        if sender is None:
            return await store.all_filings()
        found = await store.of(sender)
        if not found:
            others = known({one.system_id for one in await store.all_filings()})
            raise CommandError(
                f"nothing of {sender} is on file", advice=f"on file are those of: {others}"
            )
        return found

    return on_store(config, FilingStore, run)


def _meant(filings: Sequence[Filing], named: FilingSelector) -> Iterator[Filing]:
    """Yield the filings that are named. Raises CommandError for a name that there is not."""
    from gateway.systems.filings.filing_table import kind_word

    if named.everything:
        yield from filings
        return
    wanted: list[tuple[type[Filing], Sequence[str]]] = [
        (Signature, named.signature or ()),
        (Template, named.template or ()),
        (PortScope, named.scope or ()),
        (Approval, named.approval or ()),
    ]
    if named.licence:
        numbers = [one.number for one in filings if isinstance(one, Licence)]
        wanted.append((Licence, numbers or ("of any number",)))
    for kind, names in wanted:
        own = [one for one in filings if isinstance(one, kind)]
        labels = {_label_of(one) for one in own}
        for name in names:
            if name not in labels:
                raise misused(
                    f"there is no {kind_word(kind)} {visible(name)} on file",
                    f"there are: {known(labels)}",
                )
        yield from (one for one in own if _label_of(one) in names)


def _label_of(filing: Filing) -> str:
    """Return what a filing is named by; the approvals of several ports may share a reference."""
    from gateway.systems.filings.filing_table import name_of

    return filing.reference if isinstance(filing, Approval) else name_of(filing)
