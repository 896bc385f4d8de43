"""`smsward reports`, `cases export` and `cases xarf`: what goes to authorities and others."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
from cyclopts import App, Parameter

from gateway.domain.authority_report import AuthorityReport, ReportState
from gateway.domain.msisdn import masked
from gateway.runtime.clock import utcnow
from gateway.systems.cases.cli import CaseNoteOptions, Number, cases
from gateway.terminal.failure import CommandError, ExitCode, misused, run_async
from gateway.terminal.options import (
    MASKED,
    AsJson,
    By,
    ConfigDirectory,
    UnmaskOptions,
    acting,
    limited,
)
from gateway.terminal.screen import (
    counted,
    masked_source,
    print_fields,
    print_json,
    print_result,
    print_table,
    private_file,
    say,
    shown_fields,
    visible,
    warn,
)

if TYPE_CHECKING:  # they import SQL, which the help does without
    from gateway.app.abuse_reports.xarf_reports import XarfReport

_COLUMNS = ("no\nstate", "SP\nstopped at (UTC)", "from\nto", "category, rule\nreference")
_MAX_SENT = 10_000
_PAGE = 500
_ADVICE = "`smsward reports list` shows the numbers"

reports = App(
    name="reports",
    help="What the authority is told of prohibited content that was stopped (上报).",
    sort_key=5,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WantedReports:
    """Which reports are meant."""

    state: Annotated[
        ReportState | None,
        Parameter(show_choices=False, help=f"Only those in this state: {', '.join(ReportState)}."),
    ] = None
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None


ALL_REPORTS = WantedReports()


@reports.command(name="list")
async def list_all(
    *,
    wanted: WantedReports = ALL_REPORTS,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List reports, the newest first. Numbers are masked, texts are left out.

    A running gateway adds one for each message that it stops for content of the category
    illegal or one below it: fraud, gambling, forged documents.

    Example: smsward reports list --state pending
    """
    from gateway.stores import stores_of
    from gateway.terminal.deployment import load_settings, require_sender
    from gateway.terminal.store import opened_store

    settings = load_settings(config)
    limited(limit, "--before NO gives the page after that one")
    async with opened_store(settings, stores_of) as stores:
        found = await stores.authority_reports.find(**asdict(wanted), limit=limit)
        counts = await stores.authority_reports.count_by_state()
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([_described(report) for report in found])
        return ExitCode.FINE
    if found:
        print_table(_COLUMNS, map(_row_of, found))
    say(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no reports")
    if len(found) == limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


@reports.command
async def show(
    number: Annotated[int, Parameter(name="NO")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show one report. With --unmask and a --reason the whole number and the text as well.

    Example: smsward reports show 12 --unmask --reason "case 2013-118"
    """
    from gateway.stores import stores_of
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked, opened_store

    settings = load_settings(config)
    unmask = await is_unmasked(settings, unmasking, "reports show", f"report {number}")
    async with opened_store(settings, stores_of) as stores:
        report = await stores.authority_reports.get(number)
    if report is None:
        raise CommandError(f"there is no report {number}", advice=_ADVICE)
    fields = _described(report, unmask=unmask)
    if as_json:
        print_json(fields)
        return ExitCode.FINE
    print_fields(
        (name.replace("_", " "), "" if value is None else str(value))
        for name, value in fields.items()
    )
    if not unmask:
        say('whole numbers and the text: add --unmask --reason "…", which is journaled')
    return ExitCode.FINE


@reports.command
async def export(
    output: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    wanted: WantedReports = ALL_REPORTS,
    by: By = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Write reports as JSON for the authority, in a file for its owner alone.

    Each has the SHA-256 of its text, so that a text which is handed over another way can be
    told to be the one. Whole numbers and texts only with --unmask and a --reason.

    Example: smsward reports export reports.json --state pending --unmask --reason "monthly"
    """
    from gateway.stores import stores_of
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked, opened_store

    settings = load_settings(config)
    about = f"{wanted.state or 'all'} reports of {wanted.system_id or 'any sender'}"
    unmask = await is_unmasked(settings, unmasking, "reports export", about, always=True)
    head = {
        "exported_at": utcnow().isoformat(timespec="seconds"),
        "by": acting(by),
        "carrier": settings.node.carrier,
        "province": settings.node.province,
    }
    digest, written = sha256(), 0
    async with opened_store(settings, stores_of) as stores:
        with private_file(output, is_whole=unmask) as file:

            def write(piece: bytes) -> None:
                digest.update(piece)
                file.write(piece.decode())

            write(orjson.dumps(head)[:-1] + b',"reports":[')
            async for page in _pages(stores.authority_reports.find, wanted):
                lines = (orjson.dumps(_described(one, unmask=unmask)) for one in page)
                write((b",\n" if written else b"\n") + b",\n".join(lines))
                written += len(page)
            write(b"\n]}\n")
    shown = {"output": str(output), "reports": written, "sha256": digest.hexdigest()}
    told = f"{counted(written, 'report')} to {visible(str(output))}"
    print_result(shown, f"written: {told}, sha256 {digest.hexdigest()}", as_json=as_json)
    return ExitCode.FINE


@reports.command
async def sent(
    numbers: Annotated[list[int], Parameter(name="NO", negative="")],
    /,
    *,
    reference: Annotated[str, Parameter(help="The number under which the authority has it.")],
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note that the authority has reports. They stay on record.

    The exit code is 1 when one of them was not pending.

    Example: smsward reports sent 12 13 --reference "公网安(2025)77"
    """
    from gateway.console.held_review import SampleWriter
    from gateway.stores import stores_of
    from gateway.terminal.arguments import said
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    settings = load_settings(config)
    words = said(reference)
    if not words:
        raise misused("--reference: must not be empty", "the number under which it was taken")
    if not 1 <= len(numbers) <= _MAX_SENT:
        raise misused(f"give 1 to {_MAX_SENT} numbers of reports", _ADVICE)
    name, now = acting(by), utcnow()
    outcomes: list[tuple[int, AuthorityReport | None, bool]] = []
    async with opened_store(settings, stores_of) as stores:
        for number in dict.fromkeys(numbers):
            is_done = await stores.authority_reports.mark_sent(number, words, name, now)
            report = await stores.authority_reports.get(number)
            outcomes.append((number, report, is_done))
        told = [report for _, report, is_done in outcomes if is_done and report is not None]
        samples = SampleWriter(stores.samples, warn, is_on=settings.learning.samples)
        await samples.learn_from_reports(told, name)
    if as_json:
        shown = [
            {
                "number": number,
                "done": is_done,
                "state": report and report.state,
                "reference": report and report.reference,
            }
            for number, report, is_done in outcomes
        ]
        print_json(shown)
    else:
        rows = map(_sent_row, outcomes)
        print_table(("no", "state", "reference", "note"), rows)
    return ExitCode.FINE if all(is_done for *_, is_done in outcomes) else ExitCode.FAILED


def _described(report: AuthorityReport, *, unmask: bool = False) -> dict[str, object]:
    return shown_fields(
        report,
        "number state severity message_id system_id source subscriber recipients action rule"
        " category keyword digest text_sha256 stopped_at sent_at sent_by reference"
        + " text"
        * unmask,
        message_id=str(report.message_id),  # which a program may round as a JSON number
        source=report.source if unmask else masked_source(report.source),
        subscriber=_subscriber_of(report, unmask=unmask),
        stopped_at=report.stopped_at.isoformat(timespec="milliseconds"),
    )


def _row_of(report: AuthorityReport) -> tuple[tuple[str, str], ...]:
    return (
        (str(report.number), report.state),
        (report.system_id, f"{report.stopped_at:%Y-%m-%d %H:%M:%S}"),
        (masked_source(report.source), _subscriber_of(report) or ""),
        (f"{report.category} {report.rule}", report.reference),
    )


def _subscriber_of(report: AuthorityReport, *, unmask: bool = False) -> str | None:
    """Return to whom it went, the first of several; None where that is not known."""
    if report.msisdn is None:
        return None
    return str(report.msisdn) if unmask else masked(report.msisdn)


def _sent_row(outcome: tuple[int, AuthorityReport | None, bool]) -> tuple[str, ...]:
    number, report, is_done = outcome
    if report is None:
        return (str(number), "", "", "there is no such report")
    why = {
        ReportState.SENT: "it was sent before: nothing is changed",
        ReportState.RELEASED: "its message was released",
    }
    note = "" if is_done else why.get(report.state, "")
    return (str(number), report.state, report.reference, note)


async def _pages(
    find: Callable[..., Awaitable[list[AuthorityReport]]], wanted: WantedReports
) -> AsyncIterator[list[AuthorityReport]]:
    while page := await find(**asdict(wanted), limit=_PAGE):
        yield page
        wanted = replace(wanted, before=page[-1].number)


@cases.command(name="export")
def export_case(
    number: Number,
    output: Annotated[Path, Parameter(name="FILE", help="Where to write the evidence.")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Write the evidence of a referred case for the authority, signed with the key of this node.

    The file is a JWS (RFC 7515): its payload has the case, its journal with the digests of what
    was attached, and its complaints, each with the SHA-256 of the text. Whole numbers and texts
    only with --unmask and a --reason, which is journaled.

    Example: smsward cases export 7 case-7.json --unmask --reason "referred to the police"
    """
    from gateway.app.abuse_reports.case_evidence import complaints_as_evidence
    from gateway.systems.cases.cli.case_work import described_whole, whole_case
    from gateway.systems.cases.model import CaseState
    from gateway.systems.linkage.cli import linkage_in, signer_of
    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked

    now, settings = utcnow(), load_settings(config)
    signer = signer_of(linkage_in(config_of(config)), now)
    case, senders, journal = whole_case(config, number)
    if case.state is not CaseState.REFERRED:
        raise CommandError(
            f"case {number} is {case.state}: evidence is for an authority",
            advice=f"two persons refer it first: `smsward cases refer {number}`",
        )
    about = f"case {number}"
    unmask = run_async(is_unmasked(settings, unmasking, "cases export", about, always=True))
    payload = {
        "exported_at": now.isoformat(timespec="seconds"),
        "by": acting(None),
        "carrier": settings.node.carrier,
        "province": settings.node.province,
        "authority": case.authority,
        "case": described_whole(case, senders, journal, now),
        "complaints": run_async(complaints_as_evidence(settings, number, unmask=unmask)),
    }
    signed = signer.sign_evidence(orjson.dumps(payload, default=str))
    with private_file(output, is_whole=unmask) as file:
        file.write(signed.decode())
    digest = sha256(signed).hexdigest()
    shown = {"output": str(output), "complaints": len(payload["complaints"]), "sha256": digest}
    line = f"written: {visible(str(output))}, signed with the key {signer.kid}, sha256 {digest}"
    print_result(shown, line, as_json=as_json)
    return ExitCode.FINE


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class XarfOptions(CaseNoteOptions):
    """What is reported, and what is noted in the journal."""

    link: Annotated[
        str, Parameter(show_default=False, help="A link of its texts: the report is for its host.")
    ] = ""
    sender: Annotated[
        str, Parameter(show_default=False, help="Which of several senders it is about.")
    ] = ""
    file: Annotated[Path | None, Parameter(help="Write the report there, and do not send it.")] = (
        None
    )


_NO_XARF_OPTIONS = XarfOptions()


@cases.command(name="xarf")
def report_in_xarf(
    number: Number,
    recipient: Annotated[
        str, Parameter(name="RECIPIENT", help="A mail address, or a name of xarf.webhooks.")
    ],
    /,
    *,
    wanted: XarfOptions = _NO_XARF_OPTIONS,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Report a case in XARF v4 to a carrier or a host that is no member of the linkage.

    It goes by mail or to a webhook, once, and names the sender, or the host of --link, with counts
    and times. A case of illegal content must be referred to RECIPIENT by two persons first; with
    --unmask and a --reason its report has a text.

    Example: smsward cases xarf 7 abuse@host.example --link http://login.host.example/

    Example: smsward cases xarf 7 abuse@carrier.example --file case-7.json
    """
    from gateway.app.abuse_reports.xarf_reports import XarfOrder, report_abuse
    from gateway.stores import Stores, stores_of
    from gateway.systems.linkage.cli import linkage_in
    from gateway.systems.linkage.number_plan import MemberFinder
    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked, on_store

    settings, who, finder = load_settings(config), wanted.actor(), None
    if (config_of(config) / "linkage.yaml").exists():
        linkage = linkage_in(config_of(config))
        finder = MemberFinder(linkage.registry, linkage.routes)
    about = f"case {number}"
    is_whole = run_async(is_unmasked(settings, unmasking, "cases xarf", about, always=True))
    order = XarfOrder(recipient, wanted.link, wanted.sender, wanted.file, is_whole)

    async def report(stores: Stores) -> "XarfReport":
        return await report_abuse(stores, settings, finder, number, order, who)

    made = on_store(config, stores_of, report)
    to = visible(recipient if wanted.file is None else str(wanted.file))
    shown = {"case": number, "report_id": made.report_id, "to": to}
    print_result(shown, f"case {number} was reported to {to} as {made.report_id}", as_json=as_json)
    return ExitCode.FINE
