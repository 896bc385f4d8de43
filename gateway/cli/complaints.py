"""`smsward complaints add`, `import`, `match`, and `linkage find-number`."""

# ruff: noqa: PLC0415 - see gateway.terminal

import re
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

from cyclopts import Parameter

from gateway.domain.msisdn import masked, msisdn_of
from gateway.runtime.clock import utcnow
from gateway.systems.complaints.cli import complaints
from gateway.systems.complaints.model import MAX_TEXT_CHARS, ComplaintSource
from gateway.systems.linkage.cli import linkage, linkage_in
from gateway.terminal.failure import CommandError, ExitCode, misused, run_async
from gateway.terminal.options import (
    FLAG,
    MASKED,
    USUAL_PLACES,
    AsJson,
    By,
    ConfigDirectory,
    Directories,
    Level,
    UnmaskOptions,
    acting,
)
from gateway.terminal.screen import (
    print_json,
    print_result,
    private_file,
    progress_bar,
    say,
    visible,
)

if TYPE_CHECKING:  # they import SQL, which the help does without
    from gateway.domain.sender import PortOwners
    from gateway.settings.gateway import GatewaySettings
    from gateway.storage.database import Database
    from gateway.systems.complaints.service import ComplaintDesk

_JSON_SUFFIXES = (".jsonl", ".ndjson")
_MAX_BY_CHARS = 64
_MAX_READ_CHARS = MAX_TEXT_CHARS + 2  # one too many, and the end of its line
_CARRIER = re.compile("[A-Za-z0-9._-]{1,32}")
_OPTIONS = {
    "/source_id": "--id",
    "/received_at": "--received-at",
    "/category": "--category",
}
_MAX_LINE_OCTETS, _MOST_NUMBERS = 64, 1_000_000
_HASH_FAULTS = {
    "no_case": "no such case has come",
    "no_hash": "the case names a port, not the hash of a number",
    "no_key": "its hash is of an agreement key that is revoked, or not here",
}
_NOTHING = "mend the mapping: nothing was taken"
_AGAIN = "mend it, then import it again: what was taken stays as it is"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class FileOrigin:
    """Whose complaints a file has, and how it writes them."""

    source: Annotated[
        Literal["12321", "carrier", "cs"],
        Parameter(help="Who took the complaints first; cs is customer service."),
    ]
    carrier: Annotated[
        str, Parameter(show_default=False, help="Of which carrier the ids in the file are.")
    ] = ""
    mapping: Annotated[
        Path | None, Parameter(help="YAML: which column is which field, encoding, times.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class CallerReport:
    """What a caller says of the message, as far as it is known."""

    reporter: Annotated[
        str | None, Parameter(help="The number of the subscriber, who is shielded from then on.")
    ] = None
    received_at: Annotated[
        datetime | None, Parameter(help="When the message came; UTC unless it has an offset.")
    ] = None
    category: Annotated[str | None, Parameter(help="Id, name or alias of a category, as loan.")] = (
        None
    )
    identity: Annotated[
        str | None,
        Parameter("--id", help="The number of the ticket: the same one again is one complaint."),
    ] = None


_NOBODY = CallerReport()


@complaints.command
def add(
    sender: Annotated[str, Parameter(name="SENDER", help="The address that the caller saw.")],
    /,
    *,
    report: CallerReport = _NOBODY,
    file: Annotated[
        Path | None, Parameter(help="Read the text of the message here, not on the standard input.")
    ] = None,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Take down the complaint of a caller (customer service); print the id to tell the caller.

    The text of the message is read from the standard input, for a command line is kept by shells.
    Who takes it down stands in the complaint and in the audit.

    Example: smsward complaints add 106900010001 --reporter 13800138000 --file message.txt

    Example: smsward complaints add 106900010001 --category loan --id T-4711 < message.txt
    """
    from gateway.domain.records import NewAccess
    from gateway.storage.journals import SqlJournals
    from gateway.systems.complaints.intake import ItemOrigin, ItemRejectedError, complaint_of
    from gateway.systems.complaints.model import IntakeResult
    from gateway.terminal.arguments import moment_of, subscriber_of
    from gateway.terminal.deployment import load_settings, port_owners_of
    from gateway.terminal.store import opened_store

    settings, owners, now = load_settings(config), port_owners_of(config), utcnow()
    who, came = acting(by), report.received_at
    item = {
        "source_id": report.identity or token_hex(12),
        "sender": sender,
        "text": _text_of(file),
        "reported_at": now.isoformat(),
        "received_at": None if came is None else moment_of(came).isoformat(),
        "category": report.category,
    }
    number = None if report.reporter is None else subscriber_of(report.reporter, "--reporter: ")
    source = ComplaintSource.CUSTOMER_SERVICE
    origin = ItemOrigin((source,), who[:_MAX_BY_CHARS], now, reporter=number, issuer=source)
    try:
        given = complaint_of(item, origin)
    except ItemRejectedError as error:
        said = "; ".join(f"{fault.pointer[1:]} {fault.problem}" for fault in error.faults)
        raise misused(
            said.replace("source_id", "--id").replace("received_at", "--received-at")
        ) from error

    async def run() -> IntakeResult:
        async with opened_store(
            settings, lambda on: (_desk(settings, owners, on), SqlJournals(on))
        ) as (desk, journals):
            (taken,) = await desk.receive([given])
            about = f"complaint {taken.number}"
            await journals.note_access(NewAccess(who, "complaints add", "", about, now))
            return taken

    taken = run_async(run())
    shown = {
        "complaint": taken.number,
        "state": taken.state,
        "new": taken.is_new,
        "shielded": taken.is_shielded,
    }
    known = "taken down" if taken.is_new else "on record already"
    shield = "; the caller gets no more adverts of that port" if taken.is_shielded else ""
    print_result(shown, f"complaint {taken.number} {known}{shield}", as_json=as_json)
    return ExitCode.FINE


def _text_of(file: Path | None) -> str:
    """Return the text of a message. Raises CommandError for none and for too long a one."""
    try:
        if file is None:
            text = sys.stdin.read(_MAX_READ_CHARS)
        else:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(_MAX_READ_CHARS)
    except UnicodeDecodeError as error:
        raise misused("the text of the message is no UTF-8") from error
    except OSError as error:
        raise misused(f"{file} cannot be read: {error.strerror}") from error
    return text.removesuffix("\n")


@complaints.command(name="import")
def import_file(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    origin: FileOrigin,
    rejects: Annotated[
        Path | None, Parameter(help="Write line and reason of what is not taken here.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Take down the complaints of a file: CSV, or JSON Lines where it ends in .jsonl or .ndjson.

    It may be repeated, and a gateway may run: a complaint is known by source and id. Without a
    mapping the columns of CSV are source_id, sender, text, reported_at, and may be received_at,
    reporter and category; a line of JSON is a complaint as the API takes it, or a report in MARS
    v1. The exit code is 1 when lines were rejected.

    Example: smsward complaints import 12321.csv --source 12321 --mapping 12321.yaml
    --rejects rejects.csv

    Example: smsward complaints import unicom.jsonl --source carrier --carrier unicom
    """
    from gateway.settings.yaml import SettingsError
    from gateway.systems.complaints.complaint_import import (
        ImportResult,
        import_complaints,
        report,
    )
    from gateway.systems.complaints.complaint_lines import (
        ComplaintFile,
        FileRejectedError,
        load_mapping,
    )
    from gateway.systems.complaints.intake import ItemOrigin
    from gateway.terminal.deployment import faulty, load_settings, port_owners_of
    from gateway.terminal.store import opened_store

    _sound(file, rejects, origin)
    settings, owners = load_settings(config), port_owners_of(config)
    try:
        columns = None if origin.mapping is None else load_mapping(origin.mapping)
    except SettingsError as error:
        raise faulty(error.faults, str(origin.mapping), _NOTHING) from error
    by, sources = acting(None)[:_MAX_BY_CHARS], (ComplaintSource(origin.source),)
    taker = ItemOrigin(sources, by, utcnow(), issuer=origin.carrier or origin.source)

    async def run(written: TextIO | None) -> ImportResult:
        with file.open("rb") as octets, progress_bar() as progress:
            task = progress.add_task(f"reading {visible(file.name)}", total=file.stat().st_size)
            read = ComplaintFile(octets, columns, is_json=file.suffix in _JSON_SUFFIXES)
            async with opened_store(settings, partial(_desk, settings, owners)) as desk:
                return await import_complaints(
                    *(desk, read, taker, written),
                    lambda: progress.update(task, completed=octets.tell()),
                )

    try:
        with ExitStack() as stack:
            written = None if rejects is None else stack.enter_context(private_file(rejects))
            result = run_async(run(written))
    except FileRejectedError as error:
        raise misused(f"{file}: {error}", "--mapping names its columns and its encoding") from error
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", advice=_AGAIN) from error
    report(result, rejects, as_json=as_json)
    return ExitCode.FAILED if result.rejected else ExitCode.FINE


@complaints.command
def match(
    *,
    once: Annotated[
        bool, FLAG, Parameter(help="Work off what is there, say what came of it, and end.")
    ] = False,
    directories: Directories = USUAL_PLACES,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
    as_json: AsJson = False,
) -> int:
    """Decide which complaints are valid and put them into cases, until SIGTERM or Ctrl-C.

    A process of its own beside the gateway, on the same store: no message waits for it. It looks
    every second, and hands in what is held of other networks first. It reads the records to see
    whether a message passed, and writes to reporters when their case has an answer. With --json the
    summary of --once is printed as JSON.

    Example: smsward complaints match --config /etc/smsward --policies /etc/smsward/policies

    Example: smsward complaints match --once --json
    """
    from gateway.app.complaint_worker import OtherNetworks, match_all, serve_complaints
    from gateway.runtime.logging import LogLevel, configure_logging
    from gateway.terminal.deployment import bundle_in, load_settings, located, port_owners_of

    config, policies = located(directories)
    settings, bundle = load_settings(config), bundle_in(policies)
    has_linkage = (config / "linkage.yaml").exists()
    routes = linkage_in(config).routes if has_linkage else ()
    others = OtherNetworks(port_owners_of(config).peers, {one.prefix: one.member for one in routes})
    configure_logging(level=LogLevel("error" if once else log_level))
    if not once:
        return serve_complaints(settings, bundle, others)
    with progress_bar() as progress:
        task = progress.add_task("matching complaints", total=None)

        def told(done: int, count: int) -> None:
            progress.update(task, completed=done, total=count)

        counts, reporters = run_async(match_all(settings, bundle, told, others))
    invalid, cases = dict(sorted(counts.invalid.items())), counts.cases
    shown = {"opened": cases["open"], "joined": cases["join"], "reopened": cases["reopen"]}
    if as_json:
        print_json({"valid": counts.valid, "invalid": invalid, "cases": shown, "told": reporters})
        return ExitCode.FINE
    reasons = "".join(f"; {reason}: {count}" for reason, count in invalid.items())
    say(f"valid: {counts.valid}; invalid: {counts.invalid.total()}{reasons}")
    say(f"cases: {', '.join(f'{count} {name}' for name, count in shown.items())}")
    say(f"reporters told: {reporters}")
    return ExitCode.FINE


@linkage.command(name="find-number")
def find_number(
    case: Annotated[str, Parameter(name="CASE", help="The other member's name of the case.")],
    /,
    *,
    numbers: Annotated[
        Path | None, Parameter(help="Compare these too, one a line, a million at most.")
    ] = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Find the number that another member has hashed, among those on record here.

    These are the newest suspended numbers and those of complaints, and those of --numbers. The
    number is masked without --unmask, which is noted in the journal. Fails if it is not among
    them.

    Example: smsward linkage find-number unicom-gd.7
    """
    from gateway.app.hashed_numbers import HashFault, numbers_on_record, search_of_case
    from gateway.app.linkage import pair_keys_of
    from gateway.stores import Stores, stores_of
    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked, opened_store

    settings, members = load_settings(config), linkage_in(config_of(config))
    given = [] if numbers is None else _numbers_in(numbers)
    advice = "smsward linkage inbox lists what came; docs/howto/linkage.md tells of agreement keys"

    async def run(stores: Stores) -> int | None:
        search = await search_of_case(
            stores, members.registry, pair_keys_of(members), case, utcnow()
        )
        if isinstance(search, HashFault):
            raise CommandError(f"{visible(case)}: {_HASH_FAULTS[search]}", advice=advice)
        found = search.find(given)
        if found is None:
            on_record = numbers_on_record(stores)
            found = await anext((one async for one in on_record if search.is_it(one)), None)
        return found

    async def work() -> tuple[int | None, bool]:
        async with opened_store(settings, stores_of) as stores:
            found = await run(stores)
        action = "linkage find-number"
        return found, found is not None and await is_unmasked(settings, unmasking, action, case)

    found, is_whole = run_async(work())
    shown = None if found is None else str(found) if is_whole else masked(found)
    said = "none of the numbers here is it" if shown is None else f"the number is {shown}"
    print_result({"case": case, "number": shown}, said, as_json=as_json)
    return ExitCode.FAILED if found is None else ExitCode.FINE


def _numbers_in(path: Path) -> list[int]:
    """Return the numbers in a file. Raises CommandError with the line of what is no number."""
    found: list[int] = []
    try:
        with path.open("rb") as lines:
            for at, line in enumerate(iter(lambda: lines.readline(_MAX_LINE_OCTETS), b""), start=1):
                number = msisdn_of(line.strip())
                if at > _MOST_NUMBERS or (number is None and line.strip()):
                    raise CommandError(
                        f"{path}, line {at}: no number, or more than {_MOST_NUMBERS:,} lines"
                    )
                found += [] if number is None else [number]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    return found


def _desk(
    settings: "GatewaySettings", owners: "PortOwners", database: "Database"
) -> "ComplaintDesk":
    """Return what takes complaints, and suspends ports as a gateway does (R88)."""
    from gateway.systems.complaints.service import ComplaintDesk, PortReview
    from gateway.systems.complaints.sql import ComplaintStore
    from gateway.systems.suspensions.sql import SuspendedPortStore

    store, ports = ComplaintStore(database), SuspendedPortStore(database)
    review = PortReview(store, ports, lambda: settings.complaints.threshold)
    return ComplaintDesk(store, lambda: owners, review=review)


def _sound(file: Path, rejects: Path | None, origin: FileOrigin) -> None:
    if file.is_dir() or not file.exists():
        raise misused(f"there is no file {file}")
    if rejects is not None and rejects.resolve() == file.resolve():
        raise misused("--rejects: this is the file itself")
    if (origin.source == "carrier") is not bool(origin.carrier):
        raise misused("--carrier goes with --source carrier, which needs it")
    if origin.carrier and not _CARRIER.fullmatch(origin.carrier):
        raise misused("--carrier: 1 to 32 letters, digits, . _ and -")
