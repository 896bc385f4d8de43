"""The work of `smsward filings import`, `remove` and `export`: what changes what is on file."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from gateway.cli.consent_answers import senders_of
from gateway.cli.deployment import faulty, load_settings
from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.filing_list import (
    SOON_DAYS,
    days_left,
    ending_of,
    in_days,
    kind_of,
    kind_word,
    name_of,
    on_file,
)
from gateway.cli.options import FilingSelector
from gateway.cli.plurals import counted
from gateway.cli.private_files import private_file
from gateway.cli.screen import print_json, print_table, say, visible, warn
from gateway.cli.storage import opened_store
from gateway.domain.filings import Approval, Filing, Licence, PortScope, Signature, Template
from gateway.settings.fault import SettingsError
from gateway.settings.filings import load_filings, written
from gateway.settings.gateway import GatewaySettings
from gateway.systems.filings.registry import FilingDifference, FilingRefusedError, compare, file_all

_MAX_SHOWN = 50


async def import_filings(config: Path, file: Path, *, dry_run: bool, as_json: bool) -> int:
    """File what `file` says, or only say what that would change; return the exit code."""
    try:
        filings = load_filings(file, senders_of(config))
    except SettingsError as error:
        raise faulty(error.faults, str(file), "mend the file, then import it") from error
    async with opened_store(load_settings(config)) as stores:
        try:
            work = compare if dry_run else file_all
            difference = await work(stores.filings, filings)
        except FilingRefusedError as error:
            raise misused(f"nothing was filed\n{error}", "mend the file, then import it") from error
    if as_json:
        print_json(_described(difference, dry_run=dry_run))
    else:
        _show(difference, dry_run=dry_run)
    for one in ending_of(difference.new, SOON_DAYS):
        days = days_left(one.valid_until)
        verb = "ends" if days >= 0 else "ended"
        warn(f"the {kind_of(one)} {name_of(one)} of {one.system_id} {verb} {in_days(days)}")
    return ExitCode.FINE


async def remove_filings(settings: GatewaySettings, sender: str, named: FilingSelector) -> int:
    """Remove what is named of all that one SP has filed; return the exit code."""
    async with opened_store(settings) as stores:
        meant = list(_meant(await on_file(stores, sender), named))
        if not meant:
            raise misused("say what to remove: --signature NAME and the like, or --all")
        await stores.filings.remove(meant)
    counts = Counter(map(kind_of, meant))
    say(f"removed from {sender}: " + ", ".join(f"{kind} {n}" for kind, n in counts.items()))
    return ExitCode.FINE


async def export_filings(settings: GatewaySettings, sender: str | None, output: Path | None) -> int:
    """Write what is on file as YAML into `output`, or print it; return the exit code."""
    async with opened_store(settings) as stores:
        filings = await on_file(stores, sender)
    text = written(filings)
    if output is None:
        sys.stdout.write(text)
        return ExitCode.FINE
    try:
        with private_file(output) as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    say(f"written: {counted(len(filings), 'filing')} to {visible(str(output))}")
    return ExitCode.FINE


def _meant(filings: Sequence[Filing], named: FilingSelector) -> Iterator[Filing]:
    """Yield the filings that are named. Raises CommandError for a name that there is not."""
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
    return filing.reference if isinstance(filing, Approval) else name_of(filing)


def _show(difference: FilingDifference, *, dry_run: bool) -> None:
    rows = [
        *(("added", one, "") for one in difference.added),
        *(("changed", after, _changed(before, after)) for before, after in difference.changed),
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


def _changed(before: Filing, after: Filing) -> str:
    """Return what a filing said where it says something else now."""
    names = [field.name for field in fields(before)]
    return "; ".join(
        f"{name} {_plain(getattr(before, name))}"
        for name in names
        if getattr(before, name) != getattr(after, name)
    )


def _plain(value: object) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)


def _described(difference: FilingDifference, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "added": [_entry(one) for one in difference.added],
        "changed": [
            _entry(after) | {"was": _changed(before, after)} for before, after in difference.changed
        ],
        "unchanged": len(difference.unchanged),
    }


def _entry(filing: Filing) -> dict[str, object]:
    return {"system_id": filing.system_id, "kind": kind_of(filing), "name": name_of(filing)}
