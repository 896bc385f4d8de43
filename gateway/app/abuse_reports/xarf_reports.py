"""Abuse reports in XARF v4 about cases, for those who are no member of the linkage (R90).

A report names the port or the host of a link that a campaign came from, and counts. It has neither
a reporter nor a subscriber's number; the text only where two persons have approved it.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import orjson

from gateway.app.abuse_reports.case_evidence import (
    AbuseSource,
    source_of_link,
    source_of_sender,
    text_without_numbers,
)
from gateway.app.sender_alerts import new_mail, send_mail
from gateway.app.webhook_client import Postman, post_signed
from gateway.domain.categories import lineage_of
from gateway.policy.hours import HolidayCalendar
from gateway.settings.gateway import GatewaySettings
from gateway.settings.measures import XarfSettings
from gateway.settings.schema import MAIL_PATTERN
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import (
    REPORT,
    Actor,
    Case,
    CaseAct,
    CaseEntry,
    CaseFinding,
    CaseState,
    report_entry,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.terminal.failure import CommandError, known, misused
from gateway.terminal.screen import private_file

_COMPLAINTS = 50
_MAX_NAME_CHARS = 255
# What the schema takes as `domain`, and as a tag.
_DOMAIN = re.compile(r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}")
_TAG = re.compile("[a-z0-9][a-z0-9_+-]*")
_FRAUDS = {
    "fraud_prize": "lottery",
    "fraud_finance": "investment",
    "fraud_shopping": "shopping",
    "fraud_authority": "government_impersonation",
}


@dataclass(frozen=True, slots=True)
class XarfOrder:
    """What a person wants reported, and to whom: a mail address or the name of a webhook.

    Of several senders `sender` says which; with `link` it is about the host of that link. With
    `file` it is written there and not sent. `is_whole` if a reason was given to see numbers and
    texts.
    """

    recipient: str
    link: str = ""
    sender: str = ""
    file: Path | None = None
    is_whole: bool = False


class XarfReport(NamedTuple):
    """A report that is valid, as JSON, with its id and what it says in short."""

    report_id: str
    body: bytes
    subject: str
    summary: str


async def report_abuse(
    stores: Stores,
    settings: GatewaySettings,
    finder: MemberFinder | None,
    number: int,
    order: XarfOrder,
    who: Actor,
) -> XarfReport:
    """Send a report about a case, or write it to a file, and note that in the case's journal.

    Raises CommandError; then nothing is noted.
    """
    contact = settings.xarf
    if contact is None:
        raise misused(
            "gateway.yaml has no xarf", "docs/reference/configuration.md says what it needs"
        )
    _check_recipient(settings, contact, order)
    report = await report_of_case(stores, contact, finder, number, order)
    if order.file is None:
        await _send(settings, contact, order.recipient, report)
    else:
        with private_file(order.file, is_whole=order.is_whole) as file:
            file.write(report.body.decode())
    desk = CaseDesk(stores.cases, lambda: HolidayCalendar(""))  # which is not asked for this
    try:
        await desk.report(number, report.report_id, order.recipient, who)
    except StoreUnavailable as error:
        raise CommandError(
            f"the report {report.report_id} is out, but it could not be noted: {error}",
            advice="the same call notes it, and sends it once more under the same id",
        ) from error
    return report


async def report_of_case(
    stores: Stores,
    contact: XarfSettings,
    finder: MemberFinder | None,
    number: int,
    order: XarfOrder,
) -> XarfReport:
    """Return the report about a case. Raises CommandError where it may not or cannot be made.

    The same case, source and recipient give the same id, also after a restart: who gets it twice
    can tell. A case that was opened again is reported again.
    """
    case = await stores.cases.get(number)
    if case is None:
        raise CommandError(
            f"there is no case {number}", advice="`smsward cases list` shows the numbers"
        )
    _check_case(case, order.recipient)
    complaints = await _complaints_of(stores, number)
    if order.link:
        source = source_of_link(order.link, complaints)
    else:
        source = source_of_sender(order.sender, complaints, finder, is_whole=order.is_whole)
    journal = await stores.cases.journal_of(number)
    report_id = _report_id(case, journal, source, contact)
    entry = report_entry(report_id, order.recipient)
    if any((one.act, one.about) == (REPORT, entry) for one in journal):
        raise CommandError(
            f"case {number} was reported to {order.recipient} before, as {report_id}",
            advice="it is reported again once it was opened again",
        )
    # The text is for those cases alone whose evidence two persons have approved (R90).
    is_shown = order.is_whole and case.state is CaseState.REFERRED
    text = text_without_numbers(complaints) if is_shown else ""
    document = _document(case, source, contact, report_id) | {"evidence": _evidence_of(case, text)}
    kind = f"{document['category']}/{document['type']}"
    return XarfReport(
        report_id,
        _valid(document),
        f"Abuse report {report_id}: {kind} {source.identifier}",
        f"{document['description']}\n\nXARF v4 report: see the attachment. 详见附件（XARF v4）。\n",
    )


async def _complaints_of(stores: Stores, number: int) -> list[Complaint]:
    """Return the newest complaints of a case; an old case must not cost a scan of all."""
    newest = await stores.cases.complaints_of(number, _COMPLAINTS)
    found = [await stores.complaints.get(complaint) for complaint, _ in newest]
    return [one for one in found if one is not None]


async def _send(
    settings: GatewaySettings, contact: XarfSettings, recipient: str, report: XarfReport
) -> None:
    """Send a report by mail or to a webhook. Raises CommandError if it was not taken."""
    if settings.mail is not None and "@" in recipient:
        mail = new_mail(settings.mail, recipient, report.subject, report.summary)
        mail["Reply-To"] = contact.contact
        mail.add_attachment(report.body, "application", "json", filename="xarf.json")
        said = await asyncio.to_thread(send_mail, settings.mail, mail)
    else:
        hooks = {one.name: one.webhook for one in contact.webhooks}
        postman = Postman(settings.webhooks.networks)
        try:
            said = await post_signed(postman, hooks[recipient], report.body)
        finally:
            postman.close()
    if said:
        raise CommandError(
            f"{recipient} has not taken the report: {said}",
            advice="nothing is noted: call it again, the report keeps its id",
        )


def _check_recipient(settings: GatewaySettings, contact: XarfSettings, order: XarfOrder) -> None:
    """Raise CommandError for a name without a webhook, or an address that cannot be mailed to."""
    recipient, names = order.recipient, [one.name for one in contact.webhooks]
    if not recipient.isprintable() or not 1 <= len(recipient) <= _MAX_NAME_CHARS:
        raise misused(f"RECIPIENT: 1 to {_MAX_NAME_CHARS} printable characters")
    if order.file is not None or recipient in names:
        return
    if not re.fullmatch(MAIL_PATTERN, recipient):
        raise misused(
            "RECIPIENT is a mail address, or a name of xarf.webhooks in gateway.yaml",
            f"there are: {known(names)}",
        )
    if settings.mail is None:
        raise misused("gateway.yaml names no server of mail", "set `mail`, or give --file")


def _check_case(case: Case, recipient: str) -> None:
    if case.origin:
        raise CommandError(
            f"case {case.number} is one of {case.origin}", advice="that node reports it"
        )
    if "illegal" in lineage_of(case.category):
        if (case.state, case.authority) != (CaseState.REFERRED, recipient):
            raise CommandError(
                f"case {case.number} is about illegal content: two persons approve to whom it goes",
                advice=f"smsward cases refer {case.number} --authority {recipient}",
            )
    elif case.finding is not CaseFinding.CONFIRMED:
        raise CommandError(
            f"case {case.number} is {case.state}: only what was confirmed is reported",
            advice=f"smsward cases feedback {case.number} --finding confirmed",
        )


def _report_id(
    case: Case, journal: Iterable[CaseEntry], source: AbuseSource, contact: XarfSettings
) -> str:
    """Return the id by which a receiver knows a report again: in the form of a UUID version 4."""
    reopened = [one.at.isoformat() for one in journal if one.act == CaseAct.REOPEN]
    begun = case.opened_at.isoformat()
    words = (contact.domain, str(case.number), begun, *reopened[-1:], *source)
    return str(UUID(bytes=sha256("\n".join(words).encode()).digest()[:16], version=4))


def _document(
    case: Case, source: AbuseSource, contact: XarfSettings, report_id: str
) -> dict[str, object]:
    """Return a report without its evidence."""
    us = {"org": contact.org, "contact": contact.contact, "domain": contact.domain}
    named = {
        "category": case.category,
        "campaign": case.campaign,
        "custom": f"case_{case.number}",
    }
    why = "confirmed" if case.finding is not None else "referred by two persons"
    return {
        "report_id": report_id,
        "timestamp": case.opened_at.isoformat(timespec="seconds"),
        "reporter": us,
        "sender": us,
        "source_identifier": source.identifier,
        "description": (
            f"Spam by SMS, one campaign: {case.complaints} complaints of {case.reporters}"
            f" subscribers, {case.opened_at:%Y-%m-%d %H:%M} to {case.grown_at:%Y-%m-%d %H:%M} UTC,"
            f" about {case.category or 'no category'}; {why}. Case {case.number} of"
            f" {case.front_owner}."
        ),
        "tags": [f"{name}:{value}" for name, value in named.items() if _TAG.fullmatch(value)],
        **_kind_of(case.category, source),
    }


def _kind_of(category: str, source: AbuseSource) -> dict[str, object]:
    """Return category and type of a report, with the fields that these need."""
    lineage = list(lineage_of(category))
    is_phishing = "phishing" in lineage
    if not source.url or not (is_phishing or "fraud" in lineage):
        links = {"spam_indicators": {"suspicious_links": [source.url]}} if source.url else {}
        spam = {"category": "messaging", "type": "spam", "protocol": "sms"}
        return {**spam, "evidence_source": "user_complaint", **links}
    found: dict[str, object] = {
        "category": "content",
        "type": "phishing" if is_phishing else "fraud",
        "evidence_source": "user_report",
        "verification_method": "manual",
        "url": source.url,
    }
    if _DOMAIN.fullmatch(source.identifier):
        found["domain"] = source.identifier
    if not is_phishing:
        found["fraud_type"] = next((_FRAUDS[one] for one in lineage if one in _FRAUDS), "other")
    return found


def _evidence_of(case: Case, text: str) -> list[dict[str, object]]:
    # No digest of a text: who knows its words could find the number in it by trying all.
    counts = {
        "complaints": case.complaints,
        "reporters": case.reporters,
        "first_at": case.opened_at,
        "last_at": case.grown_at,
    }
    found = [_evidence("application/json", "Counts and times", orjson.dumps(counts))]
    if text:
        said = "Text of one message, without numbers"
        found.append(_evidence("text/plain; charset=utf-8", said, text.encode()))
    return found


def _evidence(content_type: str, description: str, octets: bytes) -> dict[str, object]:
    return {
        "content_type": content_type,
        "description": description,
        "payload": b64encode(octets).decode(),
        "hash": f"sha256:{sha256(octets).hexdigest()}",
        "size": len(octets),
    }


def _valid(document: dict[str, object]) -> bytes:
    """Return a report as JSON. Raises CommandError if the schemas of XARF v4 refuse it."""
    from xarf import SPEC_VERSION, parse  # noqa: PLC0415 - it takes a second

    whole = {"xarf_version": SPEC_VERSION} | document
    found = parse(whole)
    faults = {one.field or one.message for one in found.errors}
    faults |= {one.field or one.message for one in found.warnings}
    if faults:
        raise CommandError(f"the report is no valid XARF: {', '.join(sorted(faults))}")
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)
