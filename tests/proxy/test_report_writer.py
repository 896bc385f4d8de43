"""What the authority is told is kept, however the store fares and wherever it was stopped (R60)."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.app.gateway import Gateway
from gateway.dataplane.attention import ProhibitedMessage
from gateway.domain.authority_report import AuthorityReport, NewAuthorityReport, ReportState
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bundle import Bundle
from gateway.policy.ruleset import RuleSet
from gateway.proxy import hold_writer, report_writer
from gateway.proxy.report_writer import ReportWriter, report_of
from gateway.runtime.clock import utcnow
from gateway.runtime.snapshot import ReportsHealth
from gateway.runtime.tasks import spawn
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, stores_of
from gateway.systems.authority_reports.sql import AuthorityReports
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus, header_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

SOURCE, DESTINATION = "10690001", "13800138000"
SUBSCRIBER = 8613800138000
FRAUD, LOAN, LOTTERY = "本公司代开发票", "低息贷款，当天到账", "六合彩特码"
GAMBLING = KeywordList("K-GAMBLING", "gambling", ListAction.QUARANTINE, ("六合彩",))
FOUND = Finding("K-FRAUD", Reason.CONTENT, Action.REJECT, "代开发票", category="fraud")


class MoodyReports(AuthorityReports):
    """A store of reports that can be down."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, QuarantineStore(database))
        self.stores = replace(stores_of(database), authority_reports=self)
        self.is_down = False
        self.attempts = 0

    async def add(self, reports: Sequence[NewAuthorityReport]) -> int:
        self.attempts += 1
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().add(reports)

    async def add_with(
        self, reports: Sequence[NewAuthorityReport], held: Sequence[HeldMessage]
    ) -> None:
        if self.is_down:
            raise StoreUnavailable("no disk")
        await super().add_with(reports, held)


@pytest.fixture
def moody(database: Database) -> MoodyReports:
    return MoodyReports(database)


@pytest.fixture
def gambling(bundle: Bundle) -> Bundle:
    """A policy in which prohibited content is held for a person as well."""
    return replace(bundle, keyword_lists=(*bundle.keyword_lists, GAMBLING))


def told(number: int = 1, text: str = FRAUD) -> ProhibitedMessage:
    return ProhibitedMessage(
        message_id=8 * 10**18 + number,
        system_id="sp1",
        source=SOURCE.encode(),
        destination=DESTINATION.encode(),
        recipients=1,
        finding=FOUND,
        action=Action.REJECT,
        digest="0123456789ab",
        text=text,
        at=1_700_000_000.25,
    )


async def reports_of(stores: Stores) -> list[AuthorityReport]:
    return (await stores.authority_reports.find())[::-1]


def kept_by(gateway: Gateway) -> Callable[[int], bool]:
    """Return whether so many reports are in the store by now."""
    assert gateway.beside.reporting is not None
    health = gateway.beside.reporting.health
    return lambda count: health().kept == count


async def test_r60_what_is_refused_is_reported_behind_the_answer(
    gateway: Gateway, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, DESTINATION, FRAUD)
    await until(lambda: kept_by(gateway)(1))

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []
    (report,) = await reports_of(gateway.stores)
    assert (report.state, report.severity) == (ReportState.PENDING, "major")
    assert (report.system_id, report.source, report.msisdn) == ("sp1", SOURCE, SUBSCRIBER)
    assert (report.rule, report.category, report.keyword) == ("K-FRAUD", "fraud", "代开发票")
    assert (report.action, report.digest) == ("reject", "0123456789ab")
    assert report.text == FRAUD
    assert report.text_sha256 == sha256(FRAUD.encode()).hexdigest()
    assert abs((report.stopped_at - utcnow()).total_seconds()) < 60


async def test_r60_what_is_held_is_reported_in_the_commit_that_holds_it(
    start: Start, attach: Attach, gambling: Bundle
) -> None:
    gateway = await start(policy=gambling)
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, DESTINATION, LOTTERY)

    (report,) = await reports_of(gateway.stores)  # it was answered after the commit
    assert answer.is_ok
    assert (str(report.message_id), report.action) == (answer.message_id, "quarantine")
    held = await gateway.stores.quarantine.get(report.message_id)
    assert held is not None
    assert kept_by(gateway)(1)


async def test_r60_what_is_held_for_other_reasons_is_nobody_elses_business(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)

    assert (await esme.submit(SOURCE, DESTINATION, LOAN)).is_ok

    assert await reports_of(gateway.stores) == []


async def test_r60_what_a_store_that_is_down_cannot_hold_is_reported_when_it_is_back(
    start: Start, attach: Attach, gambling: Bundle, moody: MoodyReports, until: Until
) -> None:
    gateway = await start(policy=gambling, stores=moody.stores)
    esme = await attach(gateway)
    moody.is_down = True
    assert gateway.beside.reporting is not None
    gateway.beside.reporting._retry_s = 0.0

    answer = await esme.submit(SOURCE, DESTINATION, LOTTERY)
    await until(lambda: moody.attempts >= 2)
    moody.is_down = False
    await until(lambda: kept_by(gateway)(1))

    assert answer.command_status == CommandStatus.ESME_RMSGQFUL
    (report,) = await moody.find()
    assert report.rule == "K-GAMBLING"


async def test_r60_what_there_is_no_room_to_hold_is_reported_all_the_same(
    start: Start, attach: Attach, gambling: Bundle, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    gateway = await start(policy=gambling)
    esme = await attach(gateway)
    monkeypatch.setattr(hold_writer, "_MAX_WAITING", 0)

    answer = await esme.submit(SOURCE, DESTINATION, LOTTERY)
    await until(lambda: kept_by(gateway)(1))

    assert answer.command_status == CommandStatus.ESME_RMSGQFUL
    assert len(await reports_of(gateway.stores)) == 1


async def test_r60_a_word_that_became_prohibited_meanwhile_is_reported_at_the_release(
    gateway: Gateway, attach: Attach, bundle: Bundle, reach: Reach, until: Until
) -> None:
    esme = await attach(gateway)
    message_id = (await esme.submit(SOURCE, DESTINATION, LOAN)).message_id
    words = KeywordList("K-USURY", "illegal_business", ListAction.REJECT, ("当天到账",))
    rules = gateway.plane.rules
    stricter = replace(bundle, digest="ba9876543210", keyword_lists=(words,))
    accounts = [account.sender for account in rules.accounts.values()]
    gateway.tick.pipeline.load(RuleSet(stricter, accounts, gateway._knowledge, rules))

    desk = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))
    assert isinstance(await desk.request_release(int(message_id), "lin", utcnow()), ActResult)
    await reach(gateway, message_id, HoldState.REFUSED)
    await until(lambda: kept_by(gateway)(1))

    (report,) = await reports_of(gateway.stores)
    assert (str(report.message_id), report.rule) == (message_id, "K-USURY")
    assert (report.text, report.digest, report.recipients) == (LOAN, "ba9876543210", 1)


async def test_r60_a_new_text_for_a_held_message_is_reported_like_any(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    esme = await attach(gateway)
    message_id = (await esme.submit(SOURCE, DESTINATION, LOAN)).message_id

    octets = builders.replace_sm(message_id, SOURCE, builders.ucs2(FRAUD), sequence=9)
    refused = header_of(await esme.request(octets)).command_status
    await until(lambda: kept_by(gateway)(1))

    (report,) = await reports_of(gateway.stores)
    assert refused == CommandStatus.ESME_RSUBMITFAIL
    assert str(report.message_id) != message_id
    assert (report.msisdn, report.text, report.action) == (SUBSCRIBER, FRAUD, "reject")
    await gateway.stop()
    (path,) = gateway.settings.records.directory.iterdir()
    (row,) = [
        line
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if line["kind"] == "replacement_refused"
    ]
    assert (row["message_id"], row["replaces"]) == (str(report.message_id), message_id)
    assert (row["rule"], row["reason"]) == ("K-FRAUD", "CONTENT")


async def test_r60_a_new_text_for_what_the_smsc_has_is_reported_without_a_subscriber(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    """The gateway does not know whom the SMSC's id is about."""
    esme = await attach(gateway)
    unknown = "8" + "1" * 18

    octets = builders.replace_sm(unknown, SOURCE, builders.ucs2(FRAUD), sequence=9)
    await esme.request(octets)
    await until(lambda: kept_by(gateway)(1))

    (report,) = await reports_of(gateway.stores)
    assert report.msisdn is None


async def test_r60_reports_wait_for_a_store_that_is_down_and_none_is_lost(
    moody: MoodyReports, until: Until, log: LogLines
) -> None:
    one = ReportWriter(moody, retry_s=0.0)
    moody.is_down = True
    for number in range(250):
        one.stopped(told(number))
    task = spawn(one.keep(), name="keep")

    await until(lambda: moody.attempts >= 3)
    assert one.health() == ReportsHealth(waiting=250)
    moody.is_down = False
    await until(lambda: one.health() == ReportsHealth(kept=250))
    task.cancel()

    found = await moody.find(limit=1000)
    assert [report.message_id - 8 * 10**18 for report in found[::-1]] == list(range(250))
    events = [line["event"] for line in log]
    assert events == ["reports.behind", "reports.caught_up"]


async def test_r60_what_finds_no_room_is_counted_and_said_once(
    moody: MoodyReports, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    monkeypatch.setattr(report_writer, "_MAX_WAITING", 2)
    one = ReportWriter(moody)

    for number in range(5):
        one.stopped(told(number))

    assert one.health() == ReportsHealth(waiting=2, lost=3)
    assert [line["event"] for line in log] == ["reports.lost"]
    await one.finish()
    assert one.health() == ReportsHealth(kept=2, lost=3)


async def test_long_texts_wait_within_bounds_as_well(
    moody: MoodyReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_writer, "_MAX_OCTETS", 10_000)
    one = ReportWriter(moody)

    one.stopped(told(1, "代" * 2_000))
    one.stopped(told(2, "代" * 2_000))
    assert one.health() == ReportsHealth(waiting=1, lost=1)
    await one.finish()
    one.stopped(told(3, "代" * 2_000))

    assert one.health() == ReportsHealth(waiting=1, kept=1, lost=1)


async def test_r60_what_waits_at_the_end_is_written_and_else_counted_as_lost(
    moody: MoodyReports, log: LogLines
) -> None:
    one = ReportWriter(moody)
    one.stopped(told(1))
    await one.finish()
    moody.is_down = True
    one.stopped(told(2))
    await one.finish()
    await one.finish()

    assert one.health() == ReportsHealth(kept=1, lost=1)
    assert [line["lost"] for line in log if line["event"] == "reports.lost"] == [1]


async def kept_open() -> None:
    """Leave a store open when its gateway stops, for the test to read it."""


async def test_r60_a_gateway_that_stops_has_its_reports_written_first(
    start: Start, attach: Attach, moody: MoodyReports
) -> None:
    gateway = await start(stores=replace(moody.stores, close=kept_open))
    moody.is_down = True
    esme = await attach(gateway)
    await esme.submit(SOURCE, DESTINATION, FRAUD)

    moody.is_down = False
    await gateway.stop()

    assert len(await moody.find()) == 1


def test_half_a_character_is_kept_as_a_question_mark_and_the_digest_is_of_that() -> None:
    report = report_of(told(text="代\ud83d"))

    assert report.text == "代?"
    assert report.text_sha256 == sha256("代?".encode()).hexdigest()
    assert report.stopped_at.timestamp() == 1_700_000_000.25
    assert report.keyword == "代开发票"


async def test_a_flood_of_reports_keeps_no_answer_waiting(
    gateway: Gateway, attach: Attach, until: Until
) -> None:
    esme = await attach(gateway)

    answers = await asyncio.gather(*(esme.submit(SOURCE, DESTINATION, FRAUD) for _ in range(300)))
    await until(lambda: kept_by(gateway)(300))

    assert {answer.command_status for answer in answers} == {CommandStatus.ESME_RSUBMITFAIL}
