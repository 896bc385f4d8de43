"""Cases are reported in XARF v4 to those who are no member of the linkage (R90)."""

from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from xarf import parse

from gateway.app.abuse_reports.case_evidence import sender_problem
from gateway.app.abuse_reports.xarf_reports import XarfOrder, report_abuse
from gateway.domain.linkage import MemberRegistry
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import (
    GatewaySettings,
    MailTls,
    WebhookSettings,
    load_gateway,
    shipped,
)
from gateway.settings.measures import XarfSettings, XarfWebhook
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import (
    Actor,
    CaseComplaint,
    CaseEntry,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    MeasureKind,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.systems.optout_notices.service import signature_of
from gateway.terminal.failure import CommandError
from tests.app.notices.conftest import LOOPBACK, Endpoint
from tests.app.notices.test_alert_mail import MailServer
from tests.systems.linkage.conftest import Node

HOST, HOOK, KEY = "abuse@host.example", "hoster", "k" * 32
PORT, REPORTER, NAMED = "12345678", 8613800138000, "13912345678"
LINK = "http://login.icbc-bank.top/a?c=1"
TEXT = f"尊敬的{NAMED}：您的账户异常，请登录 {LINK}"
REFUSED = b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().serving() as running:
        yield running


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with MailServer().serving() as running:
        yield running


@pytest.fixture
def settings(endpoint: Endpoint, mail_server: MailServer) -> GatewaySettings:
    hook = XarfWebhook(HOOK, f"http://localhost:{endpoint.port}/xarf", f"plain:{KEY}")
    return replace(
        load_gateway(shipped("config") / "gateway.yaml"),
        xarf=XarfSettings("中国联通广东", "abuse@unicom.example", "unicom.example", (hook,)),
        webhooks=WebhookSettings(LOOPBACK),
        mail=mail_server.settings(MailTls.OFF),
    )


@pytest.fixture
def desk(stores: Stores) -> CaseDesk:
    return CaseDesk(stores.cases, lambda: HolidayCalendar("none"))


async def open_case(
    stores: Stores, desk: CaseDesk, category: str, *senders: str, text: str = TEXT
) -> None:
    """Open case 1 with a complaint of each sender, and verify it."""
    now = utcnow() - timedelta(hours=1)
    given = [
        Complaint(
            number=0,
            source=ComplaintSource.CUSTOMER_SERVICE,
            source_id=f"call {sender}",
            reported_at=now,
            taken_at=now,
            sender=sender,
            text=text,
            reporter=REPORTER,
            case_number=1,
        )
        for sender in senders
    ]
    await stores.complaints.receive(given, lambda _: [])
    taken = [
        CaseComplaint(number, "5f1c0a9b7d3e2468", sender, REPORTER, now, "中国联通/广东", category)
        for number, sender in enumerate(senders, 1)
    ]
    await desk.take(taken, "match")
    await desk.verify(1, who())


async def confirm(desk: CaseDesk) -> None:
    measure = CaseMeasure(MeasureKind.CONTENT_BLOCKED, utcnow(), PORT)
    found = CaseFeedback(CaseFinding.CONFIRMED, (measure,), "records, line 118")
    await desk.feedback(1, found, who())


def who(by: str = "lin") -> Actor:
    return Actor(by, utcnow())


async def report(
    stores: Stores,
    settings: GatewaySettings,
    order: XarfOrder,
    finder: MemberFinder | None = None,
) -> dict[str, Any]:
    made = await report_abuse(stores, settings, finder, 1, order, who())
    found: dict[str, Any] = orjson.loads(made.body)
    return found


async def reports_in(stores: Stores) -> list[CaseEntry]:
    return [one for one in await stores.cases.journal_of(1) if one.act == "report"]


async def test_r90_a_confirmed_case_is_reported_to_a_webhook_once(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, endpoint: Endpoint
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)

    sent = await report(stores, settings, XarfOrder(HOOK))
    with pytest.raises(CommandError, match=f"reported to {HOOK} before, as {sent['report_id']}"):
        await report(stores, settings, XarfOrder(HOOK))

    (posted,) = endpoint.posted
    stamp = int(posted.headers["x-smsward-timestamp"])
    signature = signature_of(posted.body, KEY.encode(), stamp)
    assert posted.headers["x-smsward-signature"] == f"sha256={signature}"
    found = parse(posted.body.decode())
    assert (found.errors, found.warnings) == ([], [])
    assert orjson.loads(posted.body) == sent
    assert sent["source_identifier"] == PORT
    assert (sent["category"], sent["type"], sent["protocol"]) == ("messaging", "spam", "sms")
    assert sent["reporter"]["contact"] == "abuse@unicom.example"
    (entry,) = await reports_in(stores)
    assert (entry.by, entry.about) == ("lin", f"{sent['report_id']} to {HOOK}")


async def test_r90_a_report_by_mail_is_a_file_beside_words_for_people(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, mail_server: MailServer
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)

    sent = await report(stores, settings, XarfOrder(HOST))

    ((to, subject, text),) = mail_server.mails
    assert (to, [orjson.loads(one) for one in mail_server.attached]) == (HOST, [sent])
    assert sent["report_id"] in subject
    assert "1 complaints of 1 subscribers" in text


async def test_r90_what_is_not_taken_is_not_noted_and_keeps_its_id(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, endpoint: Endpoint
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)
    endpoint.answer = REFUSED

    with pytest.raises(CommandError, match="has not taken the report: HTTP 500"):
        await report(stores, settings, XarfOrder(HOOK))
    assert await reports_in(stores) == []
    endpoint.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    sent = await report(stores, settings, XarfOrder(HOOK))

    assert [orjson.loads(one.body)["report_id"] for one in endpoint.posted] == [
        sent["report_id"]
    ] * 2


async def test_r90_a_report_that_is_out_and_could_not_be_noted_is_told(
    stores: Stores,
    settings: GatewaySettings,
    desk: CaseDesk,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)

    async def fail(*_given: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(stores.cases, "change", fail)
        with pytest.raises(CommandError, match="is out, but it could not be noted: locked"):
            await report(stores, settings, XarfOrder(HOOK))
    sent = await report(stores, settings, XarfOrder(HOOK))

    ids = {orjson.loads(one.body)["report_id"] for one in endpoint.posted}
    assert ids == {sent["report_id"]}


async def test_r90_illegal_content_is_reported_to_whom_two_persons_refer_it(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, mail_server: MailServer
) -> None:
    await open_case(stores, desk, "phishing", PORT)
    order = XarfOrder(HOST, LINK, is_whole=True)
    await desk.refer(1, HOST, who("lin"))
    with pytest.raises(CommandError, match="two persons approve to whom it goes"):
        await report(stores, settings, order)

    await desk.refer(1, HOST, who("wu"))
    with pytest.raises(CommandError, match="two persons approve to whom it goes"):
        await report(stores, settings, replace(order, recipient="other@host.example"))
    sent = await report(stores, settings, order)

    assert (sent["category"], sent["type"]) == ("content", "phishing")
    assert (sent["url"], sent["domain"]) == (LINK, "login.icbc-bank.top")
    assert "referred by two persons" in sent["description"]
    text = b64decode(sent["evidence"][1]["payload"]).decode()
    assert "您的账户异常" in text
    assert len(mail_server.mails) == 1


async def test_r90_a_report_has_no_text_but_of_a_referred_case_and_for_a_reason(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, tmp_path: Path
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)
    with_reason = XarfOrder(HOST, file=tmp_path / "a.json", is_whole=True)
    assert len((await report(stores, settings, with_reason))["evidence"]) == 1


async def test_r73_no_subscribers_number_leaves_in_a_report(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, tmp_path: Path
) -> None:
    await open_case(stores, desk, "fraud_prize", PORT)
    for person in ("lin", "wu"):
        await desk.refer(1, HOST, who(person))
    file = tmp_path / "case.json"

    await report(stores, settings, XarfOrder(HOST, LINK, file=file, is_whole=True))

    sent = orjson.loads(file.read_bytes())
    whole = file.read_text("utf-8") + "".join(
        b64decode(one["payload"]).decode() for one in sent["evidence"]
    )
    assert sent["fraud_type"] == "lottery"
    assert "尊敬的***" in whole
    assert not [one for one in (NAMED, "13800138000") if one in whole]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "link",
    [
        "http://other.example/",
        f"{LINK}&m={NAMED}",
        "http://login.icbc-bank.top/13800138000",
        "http://login.icbc-bank.top/%31%33800138000",
        "http://login.icbc-bank.top/138-0013-8000",
        "http://me@login.icbc-bank.top/",
        "login.icbc-bank.top",
        "http://login.icbc-bank.top:99999/",
        "http://[login/",
        f"http://login.icbc-bank.top/{'a' * 3000}",
    ],
)
async def test_a_link_is_one_that_subscribers_complained_of_and_names_no_number(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, link: str
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)

    with pytest.raises(CommandError, match="--link"):
        await report(stores, settings, XarfOrder(HOST, link))

    assert await reports_in(stores) == []


async def test_a_report_about_a_link_of_an_advert_is_one_of_spam(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk
) -> None:
    await open_case(stores, desk, "loan", NAMED, PORT)
    await confirm(desk)

    sent = await report(stores, settings, XarfOrder(HOST, LINK))

    assert (sent["type"], sent["source_identifier"]) == ("spam", "login.icbc-bank.top")
    assert sent["spam_indicators"] == {"suspicious_links": [LINK]}


_NUMBER = "a subscriber's number"


@pytest.mark.parametrize(
    ("sender", "problem", "problem_with_a_reason"),
    [
        ("1069000112", "", ""),
        ("95588", "", ""),
        ("53335", "", ""),
        ("MyBank", "", ""),
        ("Bank13912345678", "neither a port", "neither a port"),
        (NAMED, _NUMBER, _NUMBER),
        (f"+86{NAMED}", _NUMBER, _NUMBER),
        ("862112345678", _NUMBER, _NUMBER),
        ("02112345678", "neither a port", "neither a port"),
        ("447700900123", "a whole number", ""),
    ],
)
def test_ports_and_names_may_be_named_and_numbers_of_this_country_never(
    sender: str, problem: str, problem_with_a_reason: str
) -> None:
    for is_whole, wanted in ((False, problem), (True, problem_with_a_reason)):
        said = sender_problem(sender, is_whole=is_whole)

        assert wanted in said
        assert bool(wanted) == bool(said)


async def test_a_case_with_several_senders_wants_one_named(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, tmp_path: Path
) -> None:
    await open_case(stores, desk, "loan", PORT, "MyBank")
    await confirm(desk)
    file = tmp_path / "a.json"
    for sender, said in (("", "the case has 2 senders"), ("95588", "no complaint")):
        with pytest.raises(CommandError, match=said):
            await report(stores, settings, XarfOrder(HOST, sender=sender, file=file))

    sent = await report(stores, settings, XarfOrder(HOST, sender="MyBank", file=file))

    assert sent["source_identifier"] == "MyBank"


async def test_a_sender_of_a_member_goes_by_the_linkage(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk
) -> None:
    await open_case(stores, desk, "loan", "10657123")
    await confirm(desk)
    members = [Node("unicom").member, replace(Node("cmcc").member, carrier="中国移动")]
    finder = MemberFinder(MemberRegistry("unicom", tuple(members)))

    with pytest.raises(CommandError, match="中国移动/广东, a member of the linkage"):
        await report(stores, settings, XarfOrder(HOST), finder)


async def test_only_what_was_confirmed_is_reported(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk
) -> None:
    with pytest.raises(CommandError, match="there is no case 1"):
        await report(stores, settings, XarfOrder(HOST))
    await open_case(stores, desk, "loan", PORT)

    with pytest.raises(CommandError, match="case 1 is verifying: only what was confirmed"):
        await report(stores, settings, XarfOrder(HOST))


async def test_a_case_that_was_opened_again_is_reported_again(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, tmp_path: Path
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)
    order = XarfOrder(HOST, file=tmp_path / "a.json")
    first = await report(stores, settings, order)
    await desk.tell_user(1, who())
    await desk.close(1, who())
    await desk.reopen(1, who())
    await desk.verify(1, who())
    await confirm(desk)

    second = await report(stores, settings, order)

    assert second["report_id"] != first["report_id"]
    assert len(await reports_in(stores)) == 2


@pytest.mark.parametrize("recipient", ["nobody", "", "a b@host.example", "x" * 256, "a\nb"])
async def test_who_gets_a_report_is_a_webhook_that_is_named_or_a_mail_address(
    stores: Stores, settings: GatewaySettings, desk: CaseDesk, recipient: str
) -> None:
    await open_case(stores, desk, "loan", PORT)
    await confirm(desk)

    with pytest.raises(CommandError, match="RECIPIENT"):
        await report(stores, settings, XarfOrder(recipient))


async def test_without_settings_nothing_is_reported(
    stores: Stores, settings: GatewaySettings
) -> None:
    with pytest.raises(CommandError, match="has no xarf"):
        await report(stores, replace(settings, xarf=None), XarfOrder(HOST))
    with pytest.raises(CommandError, match="names no server of mail"):
        await report(stores, replace(settings, mail=None), XarfOrder(HOST))
