"""What of a case may leave this node as evidence: where it came from, a text, its complaints."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.app.case_events import is_port
from gateway.domain.msisdn import SHORTEST_NUMBER, is_mobile, masked, msisdn_of
from gateway.filter.links import links_of
from gateway.filter.normalise.views import Views
from gateway.settings.gateway import GatewaySettings
from gateway.systems.complaints.model import Complaint
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.linkage.model import whole_number_in, without_numbers
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.terminal.failure import CommandError, misused
from gateway.terminal.screen import masked_source
from gateway.terminal.store import opened_store

_PAGE = 500
_MAX_TEXT_CHARS = 2_000
_MAX_URL_CHARS = 2_000
_MAINLAND = "86"
_URL = re.compile("https?://[!-~]+")


class AbuseSource(NamedTuple):
    """Where abuse comes from: a port, the name of a sender, or the host of `url`."""

    identifier: str
    url: str = ""


def source_of_link(url: str, complaints: Sequence[Complaint]) -> AbuseSource:
    """Return the host of a link that subscribers complained of. Raises CommandError for others."""
    parts = _parsed(url)
    host = parts.hostname or ""
    try:
        letters, octets = host.encode().decode("idna"), host.encode("idna").decode()
    except UnicodeError:
        raise misused("--link: its host cannot be read") from None
    plain = letters.removeprefix("www.")
    links = (link for one in complaints for link in links_of(Views(one.text)))
    if not any(plain in (one.host, one.opened) for one in links):
        raise misused(
            "--link: no complaint of this case has a link to that host",
            "smsward complaints list shows what subscribers complained of",
        )
    if _names_reporter(unquote(url), complaints):
        raise misused("--link names a reporter")
    return AbuseSource(octets, url)


def _names_reporter(words: str, complaints: Iterable[Complaint]) -> bool:
    digits = re.sub(r"\D", "", words)
    numbers = (str(one.reporter).removeprefix(_MAINLAND) for one in complaints if one.reporter)
    return any(one in digits for one in numbers)


def _parsed(url: str) -> SplitResult:
    problem = misused("--link must be http(s)://host/…, with neither a user nor a number in it")
    if len(url) > _MAX_URL_CHARS or not _URL.fullmatch(url) or whole_number_in(unquote(url)):
        raise problem
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises
    except ValueError:
        raise problem from None
    if "@" in parts.netloc or not parts.hostname:
        raise problem
    return parts


def source_of_sender(
    wanted: str, complaints: Sequence[Complaint], finder: MemberFinder | None, *, is_whole: bool
) -> AbuseSource:
    """Return the sender `wanted`, "" for the only one. Raises CommandError if it may not be named.

    `finder` knows which senders belong to members of the linkage; None without a linkage.
    """
    senders = sorted({one.sender for one in complaints})
    if wanted and wanted not in senders:
        raise misused("--sender: no complaint of this case names it")
    if not wanted and len(senders) != 1:
        raise misused(
            f"the case has {len(senders)} senders", "name one with --sender, or a link with --link"
        )
    sender = wanted or senders[0]
    problem = sender_problem(sender, is_whole=is_whole)
    if problem:
        raise CommandError(problem, advice="a link of its texts can be reported with --link")
    member = None if finder is None else finder.of_sender(sender)
    if member is not None:
        raise CommandError(
            f"the sender belongs to {member.organisation}, a member of the linkage",
            advice="its cases go by the linkage: smsward cases act NUMBER dispatch",
        )
    return AbuseSource(sender)


def sender_problem(sender: str, *, is_whole: bool) -> str:
    """Return why a sender may not be named outside the linkage, "" if it may.

    Ports, short codes and names may. Numbers of this country never leave but as keyed hashes. A
    number of another country is for a person to decide.
    """
    if is_port(sender):
        return ""
    number = msisdn_of(sender.encode())
    if number is None:
        is_name = any(char.isalpha() for char in sender) and not whole_number_in(sender)
        return "" if is_name else "the sender is neither a port nor a number of another country"
    if number < SHORTEST_NUMBER:
        return ""
    if is_mobile(sender.encode()) or str(number).startswith(_MAINLAND):
        return "the sender is a subscriber's number: it leaves this node only as a keyed hash"
    return "" if is_whole else "the sender is a whole number: give --unmask and a --reason"


def text_without_numbers(complaints: Sequence[Complaint]) -> str:
    """Return the newest text that can be shown without a number in it, "" for none."""
    texts = (without_numbers(one.text, _MAX_TEXT_CHARS) for one in complaints)
    return next((one for one in texts if one and not _names_reporter(one, complaints)), "")


async def complaints_as_evidence(
    settings: GatewaySettings, number: int, *, unmask: bool
) -> list[dict[str, object]]:
    """Return the complaints of a case for an authority, the newest first."""
    found: list[Complaint] = []
    async with opened_store(settings, ComplaintStore) as store:
        while page := await store.find(
            case_number=number, before=found[-1].number if found else None, limit=_PAGE
        ):
            found += page
    return [
        {
            "complaint": one.number,
            "received_at": one.came_at,
            "reported_at": one.reported_at,
            "sender": one.sender if unmask else masked_source(one.sender),
            "reporter": None if one.reporter is None else _shown(one.reporter, unmask=unmask),
            "text_sha256": sha256(one.text.encode()).hexdigest(),
            "text": one.text if unmask else None,
        }
        for one in found
    ]


def _shown(msisdn: int, *, unmask: bool) -> str:
    return str(msisdn) if unmask else masked(msisdn)
