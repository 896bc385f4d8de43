"""The work of `smsward reports`: what the authority is told of prohibited content (R60)."""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.known_sender import require_sender
from gateway.cli.person import acting
from gateway.cli.plurals import counted
from gateway.cli.private_files import private_file
from gateway.cli.record_scopes import said
from gateway.cli.report_options import WantedReports
from gateway.cli.sample_writer import learn_from_reports
from gateway.cli.screen import print_fields, print_json, print_table, say, visible
from gateway.cli.storage import opened_store
from gateway.domain.authority_report import AuthorityReport, ReportState
from gateway.domain.msisdn import is_mobile, masked
from gateway.ports.authority_reports import AuthorityReports
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings

COLUMNS = ("no\nstate", "SP\nstopped at (UTC)", "from\nto", "category, rule\nreference")


def described(report: AuthorityReport, *, unmask: bool = False) -> dict[str, object]:
    """Return what is told of a report, as JSON has it; with `unmask` the text as well."""
    shown: dict[str, object] = {
        "number": report.number,
        "state": report.state,
        "severity": report.severity,
        # Text: programs that read JSON numbers as floats would round it.
        "message_id": str(report.message_id),
        "system_id": report.system_id,
        "source": report.source if unmask else source_of(report),
        "subscriber": subscriber_of(report, unmask=unmask),
        "recipients": report.recipients,
        "action": report.action,
        "rule": report.rule,
        "category": report.category,
        "keyword": report.keyword,
        "digest": report.digest,
        "text_sha256": report.text_sha256,
        "stopped_at": report.stopped_at.isoformat(timespec="milliseconds"),
        "sent_at": report.sent_at and report.sent_at.isoformat(timespec="seconds"),
        "sent_by": report.sent_by,
        "reference": report.reference,
    }
    return shown | ({"text": report.text} if unmask else {})


def row_of(report: AuthorityReport) -> tuple[tuple[str, str], ...]:
    """Return one row of the list, in two lines."""
    return (
        (str(report.number), report.state),
        (report.system_id, f"{report.stopped_at:%Y-%m-%d %H:%M:%S}"),
        (source_of(report), subscriber_of(report) or ""),
        (f"{report.category} {report.rule}", report.reference),
    )


def source_of(report: AuthorityReport) -> str:
    """Return the source address; a personal number is masked, a port is not."""
    is_person = is_mobile(report.source.encode("latin-1", "replace"))
    return masked(report.source.removeprefix("+")) if is_person else report.source


def subscriber_of(report: AuthorityReport, *, unmask: bool = False) -> str | None:
    """Return to whom it went, the first of several; None where that is not known."""
    if report.msisdn is None:
        return None
    return str(report.msisdn) if unmask else masked(report.msisdn)


_MAX_LISTED = 10_000
_MAX_SENT = 10_000
_PAGE = 500
_ADVICE = "`smsward reports list` shows the numbers"


async def list_reports(
    settings: GatewaySettings,
    wanted: WantedReports,
    limit: int,
    config: Path | None = None,
    *,
    as_json: bool,
) -> int:
    """Print the reports that are wanted, the newest first; return the exit code."""
    if not 1 <= limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}", "--before NO gives the page after that one")
    async with opened_store(settings) as stores:
        found = await _page(stores.authority_reports, wanted, wanted.before, limit)
        counts = await stores.authority_reports.count_by_state()
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([described(report) for report in found])
        return ExitCode.FINE
    if found:
        print_table(COLUMNS, map(row_of, found))
    say(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no reports")
    if len(found) == limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


async def show_report(
    settings: GatewaySettings, number: int, *, unmask: bool, as_json: bool
) -> int:
    """Print one report, its text too when it may be seen; return the exit code."""
    async with opened_store(settings) as stores:
        report = await stores.authority_reports.get(number)
    if report is None:
        raise CommandError(f"there is no report {number}", advice=_ADVICE)
    fields = described(report, unmask=unmask)
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


async def export_reports(
    settings: GatewaySettings, wanted: WantedReports, output: Path, by: str | None, *, unmask: bool
) -> int:
    """Write the reports that are wanted as one JSON document; return the exit code."""
    digest, written = sha256(), 0
    head = {
        "exported_at": utcnow().isoformat(timespec="seconds"),
        "by": acting(by),
        "carrier": settings.node.carrier,
        "province": settings.node.province,
    }
    try:
        async with opened_store(settings) as stores:
            with private_file(output, is_whole=unmask) as file:

                def write(piece: bytes) -> None:
                    digest.update(piece)
                    file.write(piece.decode())

                write(orjson.dumps(head)[:-1] + b',"reports":[')
                async for page in _pages(stores.authority_reports, wanted):
                    lines = (orjson.dumps(described(one, unmask=unmask)) for one in page)
                    write((b",\n" if written else b"\n") + b",\n".join(lines))
                    written += len(page)
                write(b"\n]}\n")
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    told = f"{counted(written, 'report')} to {visible(str(output))}"
    say(f"written: {told}, sha256 {digest.hexdigest()}")
    return ExitCode.FINE


async def mark_sent(
    settings: GatewaySettings,
    numbers: Sequence[int],
    reference: str,
    by: str | None,
    *,
    as_json: bool,
) -> int:
    """Note that the authority has reports; return the exit code, 1 when one was not pending."""
    words = said(reference)
    if not words:
        raise misused("--reference: must not be empty", "the number under which it was taken")
    if not 1 <= len(numbers) <= _MAX_SENT:
        raise misused(f"give 1 to {_MAX_SENT} numbers of reports", _ADVICE)
    name, now = acting(by), utcnow()
    outcomes: list[_SubmissionResult] = []
    async with opened_store(settings) as stores:
        for number in dict.fromkeys(numbers):
            is_done = await stores.authority_reports.mark_sent(number, words, name, now)
            report = await stores.authority_reports.get(number)
            outcomes.append(_SubmissionResult(number, report, is_done))
        told = [one.report for one in outcomes if one.is_done and one.report is not None]
        await learn_from_reports(settings, stores.samples, told, name)
    if as_json:
        print_json([_told(outcome) for outcome in outcomes])
    else:
        print_table(("no", "state", "reference", "note"), map(_row, outcomes))
    went_well = all(outcome.is_done for outcome in outcomes)
    return ExitCode.FINE if went_well else ExitCode.FAILED


class _SubmissionResult(NamedTuple):
    """The result of noting one report as sent; None if there is no such report."""

    number: int
    report: AuthorityReport | None
    is_done: bool


def _told(outcome: _SubmissionResult) -> dict[str, object]:
    number, report, is_done = outcome
    return {
        "number": number,
        "done": is_done,
        "state": report.state if report is not None else None,
        "reference": report.reference if report is not None else None,
    }


def _row(outcome: _SubmissionResult) -> tuple[str, ...]:
    number, report, is_done = outcome
    if report is None:
        return (str(number), "", "", "there is no such report")
    why = {
        ReportState.SENT: "it was sent before: nothing is changed",
        ReportState.RELEASED: "its message was released",
    }
    note = "" if is_done else why.get(report.state, "")
    return (str(number), report.state, report.reference, note)


async def _page(
    reports: AuthorityReports, wanted: WantedReports, before: int | None, limit: int
) -> list[AuthorityReport]:
    return await reports.find(
        state=wanted.state, system_id=wanted.system_id, before=before, limit=limit
    )


async def _pages(
    reports: AuthorityReports, wanted: WantedReports
) -> AsyncIterator[list[AuthorityReport]]:
    before = wanted.before
    while page := await _page(reports, wanted, before, _PAGE):
        yield page
        before = page[-1].number
