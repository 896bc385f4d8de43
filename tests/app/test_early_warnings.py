"""Early warning in a running gateway, and with a store that is not always there."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from gateway.app import background
from gateway.app.background import EarlyWarnings
from gateway.app.gateway import Gateway
from gateway.dataplane.plane import Plane
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.filings import PortScope
from gateway.domain.sender import BindLimits, BindType, Port, Rate, Sender, SenderState
from gateway.domain.verdict import Action, Finding
from gateway.domain.warning import (
    EarlyWarning,
    Severity,
    WarningCode,
    WarningCount,
    WarningKind,
)
from gateway.policy.bundle import Bundle
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.systems.early_warnings.sql import WarningStore
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.real_time import poll

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, SERVICE_PORT = "10690001", "10690002"
ADVERT = "周末大促，满99减20，拒收请回复R"
RINVDSTADR = 0x0B  # the simulators know it by no name
W9 = WarningCode.W9


def rules(*lines: str) -> dict[str, str]:
    """Return the file of one rule that is enforced."""
    head = "version: 1\nrules:\n  - id: R1\n    title: {zh: 规则, en: Rule}\n    article: test\n"
    own = "".join(f"    {line}\n" for line in ("mode: enforce", *lines))
    return {"policies/rules/consent.yaml": head + own}


WALK = rules("check: number_walk", "count: 3", "within: 10m", "warning: W9")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what gathered more often than in earnest."""
    monkeypatch.setattr(background, "_EVERY_S", 0.01)


async def raised(gateway: Gateway, count: int = 1) -> EarlyWarning:
    """Wait until the only warning there is counts so many messages."""

    async def look() -> EarlyWarning | None:
        warnings = await gateway.stores.warnings.find()
        if not warnings or warnings[0].gathered.count < count:
            return None
        (only,) = warnings
        return only

    return await poll(look)


async def test_r28_a_walk_raises_w9_once(
    start: Start, attach: Attach, told: Told, log: LogLines
) -> None:
    gateway = await start(WALK)
    esme = await attach(gateway)

    answers = [await esme.submit(PORT, f"1390000000{n}", ADVERT) for n in range(5)]
    line = await told("warning.raised")
    await raised(gateway, 3)
    more = [await esme.submit(PORT, f"1390000000{n}", ADVERT) for n in range(5, 8)]
    one = await raised(gateway, 6)

    assert [answer.is_ok for answer in answers] == [True, True, False, False, False]
    assert not any(answer.is_ok for answer in more)
    assert line | {"number": 1, "code": "W9", "rule": "R1", "system_id": "sp1"} == line
    assert (line["port"], line["severity"]) == (PORT, "")
    assert (line["category"], line["campaign"]) == ("", "")
    assert one.gathered.kind == WarningKind(W9, "R1", "sp1", PORT)
    assert (one.gathered.count, one.gathered.on_trial) == (6, 0)
    assert len(one.gathered.samples) == 5
    assert [entry["event"] for entry in log].count("warning.raised") == 1
    assert not any("1390000000" in repr(entry) for entry in log)


async def test_r95_one_advert_after_a_refusal_is_one_warning_w5_a_day_and_is_escalated_unanswered(
    start: Start, attach: Attach, told: Told, until: Until, log: LogLines
) -> None:
    gateway = await start(rules("check: opt_out", "warning: W5"))
    esme = await attach(gateway)
    refusal = ConsentAnswer(8613800138000, "sp1", Answer.REFUSED, utcnow(), "hall")
    await gateway.stores.consent.record([refusal])
    await until(lambda: gateway._knowledge.consent.is_refused("sp1", 8613800138000))

    first = await esme.submit(PORT, "13800138000", ADVERT)
    line = await told("warning.raised")
    await esme.submit(PORT, "13800138000", ADVERT)
    one = await raised(gateway, 2)
    early = await gateway.stores.warnings.escalate_due(one.due_at - timedelta(seconds=1))
    escalated = await gateway.stores.warnings.escalate_due(one.due_at)

    assert not first.is_ok
    assert (line["code"], line["system_id"], line["port"]) == ("W5", "sp1", PORT)
    assert one.gathered.kind == WarningKind(WarningCode.W5, "R1", "sp1", PORT)
    assert len(one.gathered.samples) == 2
    assert one.due_at - one.gathered.first_at == timedelta(hours=24)
    assert [entry["event"] for entry in log].count("warning.raised") == 1
    assert (early, [each.number for each in escalated]) == ([], [one.number])


async def test_r05_a_promotion_from_a_service_port_stands_in_the_ledger_of_violations(
    start: Start, attach: Attach, told: Told
) -> None:
    misuse = ("check: port_misuse", "action: quarantine", "warning: W3", "severity: serious")
    gateway = await start(rules(*misuse))
    esme = await attach(gateway, "sp2")
    bank = "【某行】验证码1234。办卡享免息额度5万元,回T退订"

    held = await esme.submit(SERVICE_PORT, "13800138000", bank)
    plain = await esme.submit(SERVICE_PORT, "13800138000", "【某行】验证码1234")
    line = await told("warning.raised")

    [one] = await gateway.stores.warnings.find(violations=True)
    assert held.is_ok
    assert plain.is_ok
    assert (line["code"], line["severity"]) == ("W3", "serious")
    assert one.gathered.severity is Severity.SERIOUS
    assert one.gathered.samples == (held.message_id,)
    assert await gateway.stores.quarantine.get(int(held.message_id)) is not None


async def test_r04_a_port_out_of_its_province_is_warned_of(
    start: Start, attach: Attach, until: Until
) -> None:
    gateway = await start(rules("check: other_province", "warning: W8"))
    gateway.policies.know(ProvinceTable([(1380013, "广东")]))
    esme = await attach(gateway)
    await gateway.stores.filings.put([PortScope("sp1", PORT, "福建")])
    await until(lambda: gateway._knowledge.filings.of("sp1").province_of(PORT) == "福建")

    answer = await esme.submit(PORT, "13800138000", ADVERT)
    one = await raised(gateway)

    assert answer.command_status == RINVDSTADR
    assert one.gathered.kind == WarningKind(WarningCode.W8, "R1", "sp1", PORT)


async def test_r28_numbers_that_the_smsc_does_not_know_hold_the_sp(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    share = ("check: unknown_numbers", "share: 0.3", "within: 10m", "at_least: 10")
    gateway = await start(rules(*share, "action: quarantine", "warning: W9"))
    smsc.behaviour = replace(smsc.behaviour, error_every=2, error_status=RINVDSTADR)
    esme = await attach(gateway)
    known = gateway._knowledge.answers

    answers = [await esme.submit(PORT, f"139000{n}0017", ADVERT) for n in range(10, 20)]
    await until(lambda: known.within("sp1", 600) == (10, 5))
    held = await esme.submit(PORT, "13800138000", ADVERT)
    one = await raised(gateway)

    assert [answer.command_status for answer in answers] == [0, RINVDSTADR] * 5
    assert await gateway.stores.quarantine.get(int(held.message_id)) is not None
    assert one.gathered.kind == WarningKind(W9, "R1", "sp1", PORT)


async def test_scrapes_tell_how_many_warnings_were_raised(
    start: Start, attach: Attach, told: Told
) -> None:
    gateway = await start(WALK)
    esme = await attach(gateway)
    for n in range(4):
        await esme.submit(PORT, f"1390000000{n}", ADVERT)
    await told("warning.raised")

    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"http://127.0.0.1:{gateway.probe_port}/metrics")).text

    assert 'smsward_warnings_total{code="W9"} 1.0' in page
    assert "smsward_warnings_unsorted_total 0.0" in page


async def test_what_the_last_second_noticed_is_kept_at_the_end(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_EVERY_S", 3600.0)
    gateway = await start(WALK)
    esme = await attach(gateway)
    for n in range(4):
        await esme.submit(PORT, f"1390000000{n}", ADVERT)

    await gateway.stop()

    again = await start(WALK)
    assert (await raised(again)).gathered.count == 2


# Without a gateway: what the store does not take.


class WarningsOfMoods(WarningStore):
    """A store that is not there while it `is_down`."""

    is_down = False

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().add(gathered)


class Desk:
    """Early warning over a plane that is told what was found."""

    def __init__(self, database: Database) -> None:
        ports = (Port(PORT),)
        limits = BindLimits(8, frozenset(BindType), ())
        usual = Sender(
            "sp1", "", "sp1", SenderState.ACTIVE, limits, ports=ports, rate=Rate(10, 5), window=10
        )
        knowledge = Knowledge()
        rules = RuleSet(Bundle("test", "0123456789ab"), (usual,), knowledge)
        self.plane = Plane(
            rules=rules, pdu_octets=70_000, deliver_window=10, response_s=30, next_id=int
        )
        self.store = WarningsOfMoods(database)
        self.warnings = EarlyWarnings(self.plane, knowledge, self.store)

    def find(self, rule: str = "R28", times: int = 1) -> None:
        one = Submission(self.plane.rules.accounts["sp1"], PORT.encode(), b"13800138000")
        one.findings = (Finding(rule, NumberWalk.reason, Action.REJECT, "walks", warning=W9),)
        for number in range(times):
            self.plane.warnings.note(one, 1_700_000_000.0, (1, number, 0))

    async def counts(self) -> dict[str, int]:
        found = await self.store.find(limit=100_000)
        return {one.gathered.kind.rule: one.gathered.count for one in found}


@pytest.fixture
def desk(database: Database, log: LogLines) -> Desk:  # noqa: ARG001 - it is told of
    return Desk(database)


async def test_what_the_store_does_not_take_is_tried_again_and_raised_then(
    desk: Desk, log: LogLines
) -> None:
    desk.store.is_down = True
    for _ in range(3):
        desk.find()
        await desk.warnings.hand_over()
    failing = [line["event"] for line in log]
    desk.store.is_down = False
    desk.find()

    await desk.warnings.hand_over()

    assert failing == ["warning.write_failed"]
    assert await desk.counts() == {"R28": 4}
    assert [line["event"] for line in log] == ["warning.write_failed", "warning.raised"]
    assert desk.warnings.health().raised == {"W9": 1}


async def test_a_store_that_fails_again_is_told_of_again(desk: Desk, log: LogLines) -> None:
    for is_down in (True, False, True):
        desk.store.is_down = is_down
        desk.find()
        await desk.warnings.hand_over()

    assert [line["event"] for line in log].count("warning.write_failed") == 2


async def test_what_waits_is_bounded_and_the_rest_is_counted(
    desk: Desk, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_KINDS", 2)
    desk.store.is_down = True
    for rule in ("R1", "R2", "R3", "R1"):
        desk.find(rule, times=5)
        await desk.warnings.hand_over()
    desk.store.is_down = False

    await desk.warnings.hand_over()

    assert await desk.counts() == {"R1": 10, "R2": 5}
    assert desk.warnings.health().unsorted == 5
    assert [line["messages"] for line in log if line["event"] == "warning.kinds_exceeded"] == [5]


async def test_many_kinds_are_handed_over_in_several_turns_of_the_store(desk: Desk) -> None:
    for number in range(1100):
        desk.find(f"R{number}")

    await desk.warnings.hand_over()

    assert len(await desk.counts()) == 1100
