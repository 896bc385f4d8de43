"""SPs hear by their webhook of what ends, of warnings, and when they are throttled for long."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import orjson
import pytest

from gateway.app import sender_alerts
from gateway.app.gateway import Gateway
from gateway.app.sender_alerts import AlertMail, SenderAlerts, ThrottleWatch, mail_of_alerts
from gateway.domain.filings import Approval, Licence, Signature, Template, TemplateKind
from gateway.domain.sanction import ReopeningTerms, SanctionLadder, SanctionState
from gateway.domain.sender import BindLimits, Rate, Sender, SenderKind, SenderState, Webhook
from gateway.domain.suspension import COMPLAINTS, Lift, NewPortSuspension
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind, WarningNote
from gateway.policy.filings import CARRIERS_ZONE
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.sender_alerts import SenderAlert, SenderAlertStore

Start = Callable[..., Awaitable[Gateway]]
LogLines = list[dict[str, object]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

KEY = "0123456789abcdef0123456789abcdef"
WEBHOOK = Webhook("https://sp.example.com/hook", f"plain:{KEY}")
SP = Sender(
    system_id="sp1",
    password="plain:x",
    name="sp1",
    state=SenderState.ACTIVE,
    binds=BindLimits(1, frozenset(), ()),
    ports=(),
    rate=Rate(1, 1),
    window=1,
    webhook=WEBHOOK,
)
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Hook:
    """Takes what is posted, or says why not."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.failure = ""

    async def post(self, webhook: Webhook, body: bytes) -> str:
        assert webhook == WEBHOOK
        self.bodies.append(orjson.loads(body))
        return self.failure

    @property
    def alerts(self) -> list[dict[str, object]]:
        return [one for body in self.bodies for one in body["alerts"]]  # type: ignore[attr-defined]


@pytest.fixture
def hook() -> Hook:
    return Hook()


def alerts_of(stores: Stores, hook: Hook, *senders: Sender) -> SenderAlerts:
    """Return the alerts of a process that has just started."""
    alerts = SenderAlerts(stores, dict, hook.post, AlertMail(None).send)
    alerts.follow({one.system_id: one for one in senders or (SP,)})
    return alerts


def licence(days_left: int, system_id: str = "sp1") -> Licence:
    today = utcnow().astimezone(ZoneInfo(CARRIERS_ZONE)).date()
    return Licence(system_id, "B2-20130117", today + timedelta(days=days_left))


async def raise_warning(stores: Stores, system_id: str = "sp1", age: timedelta = MINUTE) -> None:
    kind = WarningKind(WarningCode.W4, "R40", system_id, "10690001")
    at = utcnow() - age
    await stores.warnings.add([WarningCount(kind, Severity.GENERAL, 3, 0, at, at)])


@pytest.mark.parametrize("days_left", [30, 8, 7, 2, 1, 0])
async def test_an_sp_hears_that_its_licence_ends(
    stores: Stores, hook: Hook, days_left: int
) -> None:
    await stores.filings.put([licence(days_left), licence(3, "sp2")])

    await alerts_of(stores, hook).look()

    (alert,) = hook.alerts
    assert (alert["kind"], alert["what"], alert["name"]) == ("ending", "licence", "B2-20130117")
    assert alert["days_left"] == days_left
    assert hook.bodies[0]["system_id"] == "sp1"


@pytest.mark.parametrize("days_left", [31, -1])
async def test_an_sp_hears_nothing_of_a_licence_long_before_or_after_its_end(
    stores: Stores, hook: Hook, days_left: int
) -> None:
    await stores.filings.put([licence(days_left)])

    await alerts_of(stores, hook).look()

    assert hook.bodies == []


async def test_each_stage_is_told_once_over_restarts_too(stores: Stores, hook: Hook) -> None:
    for days_left in (20, 20, 9, 5, 5, 1):
        await stores.filings.put([licence(days_left)])
        await alerts_of(stores, hook).look()
        await alerts_of(stores, hook).look()

    # Each with another last day: 20 and 9 days are the same stage of two licences.
    assert [one["days_left"] for one in hook.alerts] == [20, 9, 5, 1]


async def test_a_signature_and_a_template_that_end_are_told(stores: Stores, hook: Hook) -> None:
    until = licence(7).valid_until
    template = Template("sp1", "T-001", TemplateKind.SERVICE, "您购买的{1}已发出", 20, until)
    kept = Signature("sp1", "橙子会员")
    await stores.filings.put([Signature("sp1", "橙子商城", (), until), kept, template])

    await alerts_of(stores, hook).look()

    said = {(one["what"], one["name"], one["days_left"]) for one in hook.alerts}
    assert said == {("signature", "橙子商城", 7), ("template", "T-001", 7)}


async def test_an_approval_that_ends_is_told(stores: Stores, hook: Hook) -> None:
    until = licence(7).valid_until
    approval = Approval("sp1", "10690001", "A-1", until - timedelta(days=90), until)
    await stores.filings.put([approval])

    await alerts_of(stores, hook).look()

    assert [(one["what"], one["name"]) for one in hook.alerts] == [("approval", "10690001 A-1")]


async def test_a_warning_is_told_once_and_not_to_others(stores: Stores, hook: Hook) -> None:
    await raise_warning(stores)
    await raise_warning(stores, "sp2")
    await raise_warning(stores, "sp1", timedelta(days=4))

    alerts = alerts_of(stores, hook)
    await alerts.look()
    await raise_warning(stores)  # counted in the same warning
    await alerts.look()
    await alerts_of(stores, hook).look()

    (alert,) = hook.alerts
    assert (alert["kind"], alert["code"], alert["zh"]) == ("warning", "W4", "夜间发送")
    assert (alert["rule"], alert["port"], alert["severity"]) == ("R40", "10690001", "general")


async def test_what_a_webhook_does_not_take_is_told_later(
    stores: Stores, hook: Hook, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_alerts, "pause_after", lambda _failed, _jitter: timedelta())
    await raise_warning(stores)
    hook.failure = "HTTP 503"
    alerts = alerts_of(stores, hook)

    await alerts.look()
    await alerts.look()
    hook.failure = ""
    await alerts.look()
    await alerts.look()

    assert len(hook.alerts) == 3
    events = [line["event"] for line in log if str(line["event"]).startswith("alert.")]
    assert events == ["alert.failed", "alert.told"]


async def test_a_webhook_that_failed_has_a_pause(stores: Stores, hook: Hook) -> None:
    await raise_warning(stores)
    hook.failure = "HTTP 503"
    alerts = alerts_of(stores, hook)

    await alerts.look()
    await alerts.look()

    assert len(hook.bodies) == 1


async def test_without_a_webhook_alerts_wait_on_record(stores: Stores, hook: Hook) -> None:
    await raise_warning(stores)
    await alerts_of(stores, hook, replace(SP, webhook=None)).look()
    before = list(hook.bodies)

    await alerts_of(stores, hook).look()

    assert (before, len(hook.alerts)) == ([], 1)


class MoodyAlerts(SenderAlertStore):
    """A store that cannot be reached while it `is_down`."""

    is_down = True
    failures = 0

    async def add(self, alerts: Sequence[SenderAlert]) -> None:
        if self.is_down:
            self.failures += 1
            raise StoreUnavailable("no disk")
        await super().add(alerts)


async def test_while_the_store_is_away_alerts_wait_and_that_is_said_once(
    stores: Stores,
    database: Database,
    hook: Hook,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    monkeypatch.setattr(sender_alerts, "_EVERY_S", 0.0)
    store = MoodyAlerts(database)
    await stores.filings.put([licence(7)])
    await raise_warning(stores)
    alerts = alerts_of(replace(stores, sender_alerts=store), hook)

    watching = spawn(alerts.watch(), name="alerts")
    await until(lambda: store.failures > 2)
    store.is_down = False
    await until(lambda: len(hook.alerts) == 2)
    watching.cancel()

    events = [line["event"] for line in log if str(line["event"]).startswith("alert.")]
    assert (events[0], events.count("alert.store_failed")) == ("alert.store_failed", 1)
    assert {one["kind"] for one in hook.alerts} == {"ending", "warning"}


def watched(minutes: int, throttled: int, others: int = 95) -> int:
    """Return how many alerts so many minutes of traffic raise."""
    watch, found = ThrottleWatch(), 0
    for minute in range(1, minutes + 1):
        actions = {("sp1", "forward"): others * minute, ("sp1", "throttle"): throttled * minute}
        found += len(watch.look(actions, NOON))
    return found


def test_an_sp_that_is_throttled_for_ten_minutes_is_told() -> None:
    assert (watched(9, 5), watched(10, 5)) == (0, 1)
    assert (watched(20, 4), watched(20, 0, 0)) == (0, 0)


def test_a_minute_with_little_throttling_begins_anew() -> None:
    watch = ThrottleWatch()
    sent = throttled = 0
    found = []
    for minute in range(1, 20):
        sent, throttled = sent + 50, throttled + (0 if minute == 10 else 50)
        found += watch.look({("sp1", "forward"): sent, ("sp1", "throttle"): throttled}, NOON)

    assert found == []


async def test_throttling_is_told_once_a_day(stores: Stores, hook: Hook) -> None:
    counts: dict[tuple[str, str], int] = {}
    alerts = SenderAlerts(stores, lambda: counts, hook.post, AlertMail(None).send)
    alerts.follow({"sp1": SP})

    for minute in range(1, 15):
        counts = {("sp1", "forward"): 60 * minute, ("sp1", "throttle"): 40 * minute}
        await alerts.look()

    (alert,) = hook.alerts
    assert (alert["kind"], alert["minutes"], alert["share"]) == ("throttled", 10, 0.4)


class Endpoint(Protocol):
    """See conftest."""

    port: int

    async def received(self, count: int) -> list["Posted"]: ...


class Posted(Protocol):
    headers: dict[str, str]
    body: bytes


async def test_alerts_are_signed_as_notices_are(
    start: Start, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_alerts, "_EVERY_S", 0.02)
    url = f"http://127.0.0.1:{endpoint.port}/notices"
    senders = f"""\
version: 1
allow_plain_passwords: true
senders:
  - system_id: sp1
    password: "plain:secret"
    webhook: {{url: "{url}", key: "plain:{KEY}"}}
"""
    gateway = await start({"config/senders.yaml": senders})

    await raise_warning(gateway.stores)
    [posted] = await endpoint.received(1)

    signed = posted.headers["x-smsward-timestamp"].encode() + b"." + posted.body
    expected = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert posted.headers["x-smsward-signature"] == f"sha256={expected}"
    assert orjson.loads(posted.body)["alerts"][0]["code"] == "W4"


async def test_r88_an_sp_hears_once_that_a_port_was_suspended_and_that_it_sends_again(
    stores: Stores, hook: Hook
) -> None:
    at = utcnow() - MINUTE
    note = "R88: 5 subscribers complained within 10 days"
    await stores.suspended_ports.suspend(NewPortSuspension("sp1", "10690001", at, COMPLAINTS, note))
    await stores.suspended_ports.suspend(NewPortSuspension("sp2", "10690009", at, "wu", "x"))

    await alerts_of(stores, hook).look()
    await alerts_of(stores, hook).look()
    suspended = list(hook.alerts)
    lift = Lift(utcnow(), "wu", "wu: case 12")
    await stores.suspended_ports.lift("sp1", "10690001", lift)
    for _ in range(2):
        await alerts_of(stores, hook).look()

    assert [(one["kind"], one["port"], one["rule"]) for one in suspended] == [
        ("port_suspended", "10690001", "R88")
    ]
    (resumed,) = hook.alerts[1:]
    assert set(resumed) == {"kind", "at", "port", "rule"}
    assert (resumed["kind"], resumed["port"]) == ("port_resumed", "10690001")


async def test_r97_an_sp_does_not_hear_that_a_port_sends_again_that_a_sanction_still_suspends(
    stores: Stores, hook: Hook
) -> None:
    at, ports = utcnow() - MINUTE, stores.suspended_ports
    complained = NewPortSuspension("sp1", "10690001", at, COMPLAINTS, "R88")
    await ports.suspend(complained)
    await ports.suspend(replace(complained, by="wu", sanction=1))

    await ports.lift("sp1", "10690001", Lift(utcnow(), "wu", "wu: case 12"))
    await alerts_of(stores, hook).look()
    before = [one["kind"] for one in hook.alerts]
    await ports.lift_sanction(1, Lift(utcnow(), "wu", "sanction 1"))
    await alerts_of(stores, hook).look()

    assert before == ["port_suspended"] * 2
    assert [one["kind"] for one in hook.alerts[2:]] == ["port_resumed"]


async def test_a_peer_hears_of_no_block_here(stores: Stores, hook: Hook) -> None:
    at, peer = utcnow() - MINUTE, replace(SP, kind=SenderKind.PEER)
    block = NewPortSuspension("sp1", "1065712345", at, "receiving side", "R63", utcnow() + MINUTE)
    await stores.suspended_ports.suspend(block)

    await alerts_of(stores, hook, peer).look()

    assert hook.alerts == []


async def test_r96_an_sp_hears_once_of_a_sanction_and_r97_of_its_end(
    stores: Stores, hook: Hook
) -> None:
    at = utcnow()
    kind = WarningKind(WarningCode.W5, "R21", "sp1", "10690001")
    await stores.warnings.add([WarningCount(kind, Severity.MAJOR, 1, 0, at, at)])
    await stores.sanctions.propose(SanctionLadder(), at)
    await alerts_of(stores, hook).look()
    before = [one["kind"] for one in hook.alerts]
    said = WarningNote("wu", at, "checked")
    await stores.sanctions.decide(1, SanctionState.APPLIED, said)
    for _ in range(2):
        await alerts_of(stores, hook).look()
    asked = ReopeningTerms("lin", at, "new owner", "own lists only")
    await stores.sanctions.ask_reopening(1, asked)
    await alerts_of(stores, hook).look()
    await stores.sanctions.approve_reopening(1, asked.digest, "wu", at)
    for _ in range(2):
        await alerts_of(stores, hook).look()

    assert before == ["warning"]
    sanction, reopened = hook.alerts[1:]
    assert (sanction["kind"], sanction["step"], sanction["warning"]) == ("sanction", "close", 1)
    assert (reopened["kind"], reopened["conditions"]) == ("reopened", "own lists only")
    assert (reopened["daily_max"], sanction.get("note")) == (10_000, None)
    kept = await stores.sender_alerts.untold(["sp1"], at - MINUTE, by_mail=True)
    subject, text = mail_of_alerts("sp1", kept)
    assert subject == "smsward: 3 for sp1"
    for words in (
        "closed for violations",
        "因违规关闭",
        "sanction 1 is over",
        "at most 10000 a day",
    ):
        assert words in text
    assert "10690001" not in text
