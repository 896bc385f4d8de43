"""How reports to the authority are shown: numbers masked and no text, unless there is a reason."""

from gateway.domain.authority_report import AuthorityReport
from gateway.domain.msisdn import is_mobile, masked

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
