"""Subscribers see to what their own rules hold, between real sockets (R50)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from gateway.app import background
from gateway.app.gateway import Gateway
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement, LongMessages, RepliesRule
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
    preference,
    with_preference,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.subscription import Hub
from gateway.domain.verdict import Reason
from gateway.domain.warning import WarningCode
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.user_preference import UserPreference
from gateway.proxy import hold_writer
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
LogLines = list[dict[str, object]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

PORT, HUB, SUBSCRIBER, MSISDN = "10690001", "10086", "13800138000", 8613800138000
ADVERT, LOAN, FRAUD = "江景新房盛大开盘", "低息贷款开盘有礼", "代开发票，开盘有礼"
TITLE = Title("", "")
RULES = (
    Rule("R21", TITLE, "DEC2012 (7)", OptOut(), Enforcement.ENFORCE),
    Rule(
        "R50",
        TITLE,
        "SEED (四)3",
        UserPreference(),
        Enforcement.ENFORCE,
        applies_to=frozenset(TrafficClass),
    ),
)
HELD_WORD = preference(PreferenceKind.KEYWORD, "开盘", PreferenceAction.HOLD)
LIST_FIRST = "请先发“查拦截”查看被拦截的短信，再回“放行1”或“删除1”"


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    return replace(settings, hub=Hub(frozenset({HUB})))


@dataclass
class Talk:
    """One subscriber, an SP, an SMSC, and the gateway between them."""

    gateway: Gateway
    esme: RawEsme
    smsc: SimulatedSmsc
    until: Until

    async def wish(self, wanted: Preference, msisdn: int = MSISDN) -> None:
        """Keep a preference; return once it holds."""
        await self.gateway.stores.preferences.change(
            msisdn,
            lambda before: with_preference(before, wanted),
            ChangeOrigin(Channel.CLI, utcnow()),
        )
        preferences = self.gateway._knowledge.preferences
        packed = preferences.packed.get(msisdn)
        await self.until(lambda: preferences.packed.get(msisdn) != packed)

    async def submit(self, text: str, to: str = SUBSCRIBER) -> str:
        """Submit a text that is accepted; return its message id."""
        answer = await self.esme.submit(PORT, to, text)
        assert answer.is_ok
        return answer.message_id

    async def ask(self, text: str, to: str = HUB) -> str:
        """Write to the hub and return the one reply."""
        before = len(self.replies())
        octets = text.encode("utf-16-be")
        assert await self.smsc.deliver("sp1", SUBSCRIBER, to, octets, data_coding=8) == 0
        await self.until(lambda: len(self.replies()) > before)
        return self.replies()[-1]

    def replies(self) -> list[str]:
        return [r.octets.decode("utf-16-be") for r in self.smsc.journal if r.source == HUB]

    def delivered(self) -> list[bytes]:
        """Return what subscribers got of the SP, as it stood on the wire."""
        return [r.pdu for r in self.smsc.journal if r.source != HUB]


@pytest.fixture
def long_messages() -> LongMessages:
    """How long messages go on; a test may say so by its parameter."""
    return LongMessages.PROGRESSIVE


@pytest.fixture
async def talk(
    start: Start,
    attach: Attach,
    bundle: Bundle,
    smsc: SimulatedSmsc,
    until: Until,
    long_messages: LongMessages,
) -> Talk:
    """A subscriber with a rule that holds every message with one word."""
    policy = replace(
        bundle,
        replies=RepliesRule("您已退订", "您已恢复"),
        rules=RULES,
        content=replace(bundle.content, long_messages=long_messages),
    )
    gateway = await start(policy=policy)
    talk = Talk(gateway, await attach(gateway), smsc, until)
    await talk.wish(HELD_WORD)
    return talk


def but_for_sequence(pdu: bytes) -> bytes:
    return pdu[:12] + pdu[16:]


async def test_r50_a_subscriber_reads_and_releases_what_his_own_rule_held(
    talk: Talk, reach: Reach, log: LogLines
) -> None:
    sent = builders.submit_sm(
        PORT, "+86" + SUBSCRIBER, builders.ucs2(ADVERT), registered_delivery=1, sequence=7
    )
    await talk.esme.request(sent)
    second = await talk.submit("别墅开盘")
    await talk.submit(ADVERT, to="13800138001")  # nobody else's rule
    assert len(talk.delivered()) == 1

    listed = await talk.ask("查拦截")
    done = await talk.ask("放行 2")

    assert listed == ("拦截2条：1 10690001 别墅开盘；2 10690001 江景新房盛大开盘。回放行1或删除1")
    assert done == "已放行1条，经复核后送达。查看其余请发：查拦截"
    await talk.until(lambda: len(talk.delivered()) == 2)
    assert but_for_sequence(talk.delivered()[-1]) == but_for_sequence(sent)
    (held,) = await talk.gateway.stores.quarantine.find(before_id=int(second))
    released = await reach(talk.gateway, str(held.message_id), HoldState.RELEASED)
    assert released.note == "release asked by the subscriber"
    assert (await reach(talk.gateway, second, HoldState.HELD)).note == ""
    told = [line for line in log if line["event"] == "quarantine.released"]
    assert [line["message_id"] for line in told] == [str(held.message_id)]
    assert not any(number in str(log) for number in (SUBSCRIBER, str(MSISDN), ADVERT))
    assert talk.esme.pdus().qsize() == 0  # the SP hears nothing of what is written to the hub


async def test_r50_what_a_subscriber_drops_is_gone_and_its_sender_is_told(
    talk: Talk, reach: Reach
) -> None:
    message_id = await talk.submit(ADVERT)

    await talk.ask("LJ")
    done = await talk.ask("删除1")
    again = await talk.ask("放行1")

    assert done == "已删除1条，不可恢复。查看其余请发：查拦截"
    assert again == "所选短信已不在拦截中。查看其余请发：查拦截"
    dropped = await reach(talk.gateway, message_id, HoldState.DISCARDED)
    assert dropped.note == "discarded by the subscriber"
    assert talk.delivered() == []


@pytest.mark.parametrize(("text", "rule"), [(LOAN, "K-LOAN"), (FRAUD, "K-FRAUD")])
async def test_r50_what_a_policy_holds_is_not_his_to_release(
    talk: Talk, reach: Reach, text: str, rule: str
) -> None:
    message_id = await talk.submit(text)

    listed = await talk.ask("查拦截")
    refused = await talk.ask("放行1")

    assert listed == "没有按您的接收设置拦截的短信"
    assert refused == LIST_FIRST
    held = await reach(talk.gateway, message_id, HoldState.HELD)
    assert (held.reason, held.rule) == (Reason.CONTENT, rule)
    assert talk.delivered() == []


async def test_r60_prohibited_content_is_reported_though_ones_own_rule_was_asked_first(
    talk: Talk, reach: Reach
) -> None:
    message_id = await talk.submit(FRAUD)
    await talk.submit(LOAN)  # for a person to see, and for no authority
    await talk.submit(ADVERT)

    held = await reach(talk.gateway, message_id, HoldState.HELD)
    (report,) = await talk.gateway.stores.authority_reports.find()

    assert (str(report.message_id), report.rule) == (message_id, "K-FRAUD")
    assert (report.action, report.text, report.msisdn) == ("quarantine", FRAUD, MSISDN)
    assert report.digest == held.digest
    await talk.gateway.stop()
    (path,) = talk.gateway.settings.records.directory.iterdir()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    again = [r for r in rows if r["kind"] == "judged_again"]
    assert [(r["rule"], r["action"]) for r in again] == [
        ("K-FRAUD", "quarantine"),
        ("K-LOAN", "quarantine"),
    ]
    assert [[one["list"] for one in r["findings"]] for r in again] == [["K-FRAUD"], ["K-LOAN"]]


async def test_r60_it_is_reported_as_well_where_there_is_no_room_to_hold_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_writer, "_MAX_WAITING", 0)

    answer = await talk.esme.submit(PORT, SUBSCRIBER, FRAUD)
    reporting = talk.gateway.beside.reporting
    assert reporting is not None
    await talk.until(lambda: reporting.health().kept == 1)

    assert answer.command_status == CommandStatus.ESME_RMSGQFUL
    assert len(await talk.gateway.stores.authority_reports.find()) == 1


async def test_r50_the_sp_is_warned_once_of_what_is_against_its_message_besides_ones_own_rule(
    start: Start,
    attach: Attach,
    bundle: Bundle,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_EVERY_S", 60.0)  # nobody takes what is counted
    code = WarningCode.W1
    nameless = Rule("R38", TITLE, "O31", NoSenderName(), Enforcement.ENFORCE, warning=code)
    gateway = await start(policy=replace(bundle, rules=(*RULES, nameless)))
    talk = Talk(gateway, await attach(gateway), smsc, until)
    await talk.wish(HELD_WORD)

    message_id = await talk.submit(ADVERT + "，八折优惠，回T退订")

    (gathered,) = gateway.plane.warnings.take()
    assert (gathered.kind.rule, gathered.kind.system_id, gathered.count) == ("R38", "sp1", 1)
    held = await gateway.stores.quarantine.get(int(message_id))
    assert held is not None
    assert held.rule == "R38"


async def test_r50_a_refusal_that_came_meanwhile_wins_over_his_own_release(
    talk: Talk, reach: Reach, refuse: Refuse
) -> None:
    message_id = await talk.submit(ADVERT + "，八折优惠，回T退订")
    await talk.ask("查拦截")
    await refuse(talk.gateway, MSISDN)

    await talk.ask("放行1")

    refused = await reach(talk.gateway, message_id, HoldState.REFUSED)
    assert refused.note == "judged again: OPTED_OUT"
    assert talk.delivered() == []


async def test_r50_no_preference_of_his_own_stands_against_what_he_asks_for(
    talk: Talk, reach: Reach
) -> None:
    message_id = await talk.submit(ADVERT)
    await talk.wish(preference(PreferenceKind.NUMBER, PORT, PreferenceAction.BLOCK))
    await talk.ask("查拦截")

    await talk.ask("放行1")

    await reach(talk.gateway, message_id, HoldState.RELEASED)
    assert len(talk.delivered()) == 1
    assert not (await talk.esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok


@pytest.mark.parametrize("long_messages", LongMessages)
async def test_r50_a_long_message_is_one_item_once_it_is_whole_and_goes_whole(
    talk: Talk, reach: Reach
) -> None:
    parts = [
        builders.submit_sm(
            PORT,
            SUBSCRIBER,
            bytes((5, 0, 3, 7, 2, number)) + builders.ucs2(text),
            esm_class=0x40,
            sequence=number,
        )
        for number, text in ((1, "江景新房开盘，"), (2, "周末开盘有礼"))
    ]
    answers = [answer_of(await talk.esme.request(parts[1]))]
    early = await talk.ask("查拦截")
    answers.append(answer_of(await talk.esme.request(parts[0])))
    for answer in answers:
        await reach(talk.gateway, answer.message_id, HoldState.HELD)

    listed = await talk.ask("查拦截")
    done = await talk.ask("放行1")

    assert early == "没有按您的接收设置拦截的短信"
    assert listed == "拦截1条：1 10690001 江景新房开盘，周末开盘有礼。回放行1或删除1"
    assert "已放行1条" in done
    await talk.until(lambda: len(talk.delivered()) == 2)
    assert sorted(map(but_for_sequence, talk.delivered())) == sorted(map(but_for_sequence, parts))


async def test_r50_what_is_flagged_by_the_time_it_leaves_is_for_a_person(
    talk: Talk, reach: Reach
) -> None:
    first = await talk.submit(ADVERT)
    store = talk.gateway.stores.quarantine
    held = await store.get(int(first))
    assert held is not None
    # Held before the word was on any list.
    flagged = builders.submit_sm(PORT, SUBSCRIBER, builders.ucs2(LOAN))
    await store.hold([replace(held, message_id=held.message_id + 1, pdu=flagged)])
    await talk.ask("查拦截")

    done = await talk.ask("放行1")

    assert "已放行1条" in done
    kept = await reach(talk.gateway, str(held.message_id + 1), HoldState.HELD)
    assert (kept.reason, kept.rule, kept.is_wanted) == (Reason.CONTENT, "K-LOAN", True)
    assert await talk.ask("查拦截") == "拦截1条：1 10690001 江景新房盛大开盘。回放行1或删除1"
    assert talk.delivered() == []


async def test_r50_what_waited_for_its_hour_and_is_held_then_is_his_unless_a_policy_holds_it(
    talk: Talk, reach: Reach
) -> None:
    first = await talk.submit(ADVERT)
    held = await talk.gateway.stores.quarantine.get(int(first))
    assert held is not None
    waiting = replace(
        held, state=HoldState.DEFERRED, due_at=held.held_at, reason="OUTSIDE_WINDOW", rule="R40"
    )
    flagged = builders.submit_sm(PORT, SUBSCRIBER, builders.ucs2(LOAN))
    own, loan = held.message_id + 1, held.message_id + 2

    await talk.gateway.stores.quarantine.hold(
        [replace(waiting, message_id=own), replace(waiting, message_id=loan, pdu=flagged)]
    )

    assert (await reach(talk.gateway, str(own), HoldState.HELD)).reason == Reason.USER_PREF
    assert (await reach(talk.gateway, str(loan), HoldState.HELD)).reason == Reason.CONTENT
    assert (await talk.ask("查拦截")).startswith("拦截2条：")


async def test_words_about_holds_to_a_port_of_an_sp_are_the_sps(talk: Talk) -> None:
    await talk.submit(ADVERT)
    octets = "放行 1".encode("utf-16-be")

    heard = await talk.smsc.deliver("sp1", SUBSCRIBER, PORT, octets, data_coding=8)

    assert heard == CommandStatus.ESME_ROK
    assert talk.esme.pdus().qsize() == 1
    assert talk.replies() == []
