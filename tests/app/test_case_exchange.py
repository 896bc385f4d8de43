"""Cases go to the member that must act, and what it does comes back, whatever fails on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from structlog.testing import capture_logs

from gateway.app import case_exchange, event_applier
from gateway.app.case_events import is_port
from gateway.app.hashed_numbers import (
    HashFault,
    NumberSearch,
    numbers_on_record,
    search_of_case,
)
from gateway.domain.linkage import AcceptRule, MemberRegistry, MemberRole, NumberRoute
from gateway.domain.suspension import NewSuspension
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.cases.model import (
    Case,
    CaseChange,
    CaseEntry,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    ClockName,
    MeasureKind,
    PlainAct,
)
from gateway.systems.complaints.model import Complaint, ComplaintSource
from gateway.systems.linkage.encrypted_text import decrypt_text
from gateway.systems.linkage.envelope import event_in
from gateway.systems.linkage.model import (
    DispatchData,
    EventType,
    LinkageEvent,
    OutboxEntry,
    number_hash,
)
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.systems.linkage.pair_keys import PairKeys
from tests.app.case_sites import UNICOM_PORT, Net, Site, Terms, close_all, complaint, person
from tests.memory_stores import database_of
from tests.systems.linkage.conftest import DATA, NOW, Node

T = TypeVar("T")
Build: TypeAlias = Callable[..., Coroutine[object, object, Net]]
COMPLAINT = Complaint(
    number=0, source=ComplaintSource.CLIENT, source_id="phone:1", reported_at=NOW, taken_at=NOW
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIRMED = CaseFeedback(CaseFinding.CONFIRMED, (), "CDR #118", "shop", "已停用该端口")


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    opened: list[Stores] = []

    async def make(agreeing: tuple[str, ...] = (), **terms: Terms) -> Net:
        nodes = [Node(name) for name in ("cmcc", "unicom", "telecom")]
        nodes.append(Node("hub", MemberRole.HUB))
        sites = []
        for node in nodes:
            if node.name in agreeing:
                node.agree()
        members = tuple(one.member for one in nodes)
        for node in nodes:
            opened.append(await open_store("memory://", deadline_s=30))
            given = terms.get(node.name, Terms())
            if given.hub is not None:
                given = replace(given, hub=nodes[-1].member)
            sites.append(Site(node, members, opened[-1], given))
        return Net(sites)

    yield make
    await close_all(opened)


@pytest.fixture
async def net(build: Build) -> Net:
    """Return three carriers; the port of which people complain is one of an SP of unicom."""
    return await build(unicom=Terms(ports=(UNICOM_PORT,)))


async def investigate(site: Site, number: int = 1, answer: CaseFeedback = CONFIRMED) -> None:
    """Do what a case officer does."""
    measure = CaseMeasure(MeasureKind.PORT_SUSPENDED, NOW, UNICOM_PORT)
    assert not isinstance(await site.desk.measure(number, measure, person()), CaseRefusal)
    assert not isinstance(await site.desk.feedback(number, answer, person()), CaseRefusal)


async def test_r84_a_case_about_a_port_of_another_carrier_goes_there_by_itself(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(1), complaint(2, campaign="campaign-1")], "match")

    with capture_logs() as logs:
        await net.run()

    ours, theirs = await net["cmcc"].case(), await net["unicom"].case()
    assert (ours.state, ours.owner) == (CaseState.ACKED, "unicom/广东")
    assert (theirs.state, theirs.owner) == (CaseState.ACKED, "unicom/广东")
    assert (theirs.front_owner, theirs.origin) == ("cmcc/广东", "cmcc")
    assert (theirs.subject, theirs.sender) == ("cmcc.1", UNICOM_PORT)
    assert (theirs.category, theirs.complaints) == ("loan", 2)
    journal = [(one.act, one.by) for one in await net["unicom"].journal()]
    assert journal == [("open", "member cmcc"), ("dispatch", "member cmcc"), ("accept", "linkage")]
    dues = [
        next(clock.due for clock in case.clocks if clock.name is ClockName.FEEDBACK)
        for case in (ours, theirs)
    ]
    assert dues[0] == dues[1]
    told = [(one["event"], one.get("number"), one.get("member")) for one in logs]
    assert told == [
        ("case.dispatched", 1, "unicom"),
        ("case.received", 1, "cmcc"),
        ("case.accepted", 1, "unicom"),
    ]


async def test_r85_the_feedback_of_another_carrier_comes_back_with_its_measures(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()

    await investigate(net["unicom"])
    with capture_logs() as logs:
        await net.run(NOW + HOUR)

    case = await net["cmcc"].case()
    assert (case.state, case.finding) == (CaseState.FEEDBACK_RECEIVED, CaseFinding.CONFIRMED)
    assert (case.evidence, case.answer) == ("CDR #118", "")
    assert (await net["cmcc"].journal())[-1].note == "suggested answer: 已停用该端口"
    assert [(one.kind, one.at) for one in case.measures] == [(MeasureKind.PORT_SUSPENDED, NOW)]
    assert {"event": "case.feedback_received", "number": 1, "member": "unicom"}.items() <= next(
        one for one in logs if one["event"].startswith("case.")
    ).items()
    assert case.responsible == "cmcc/广东"


async def test_r87_the_case_of_the_member_that_acted_ends_with_its_feedback(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    await investigate(net["unicom"])

    await net.run()

    case = await net["unicom"].case()
    assert (case.state, case.closed_at) == (CaseState.CLOSED, NOW)
    tellers = [one.by for one in await net["unicom"].journal() if one.act == "tell_user"]
    assert tellers == ["linkage"]


async def test_r84_not_mine_twice_sends_a_case_on_and_the_third_time_it_is_for_arbitration(
    net: Net,
) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    for name, other in (("unicom", "telecom/广东"), ("telecom", "unicom/广东")):
        await net.run()
        await net[name].desk.refuse(1, other, person())
    await net.run()
    again = await net["unicom"].case()
    assert (again.state, again.severity) == (CaseState.DISPATCHED, "general")

    await net["unicom"].desk.refuse(1, "telecom/广东", person())
    await net.run()

    case = await net["cmcc"].case()
    assert (case.state, case.hops) == (CaseState.ARBITRATION, 2)
    assert (await net["telecom"].case()).state is CaseState.CLOSED
    assert (await net["unicom"].case()).state is CaseState.CLOSED

    await net["cmcc"].desk.assign(1, "telecom/广东", person())
    await net.run()

    assert (await net["telecom"].case()).state is CaseState.DISPATCHED
    assert (await net["unicom"].case()).state is CaseState.CLOSED


@pytest.mark.parametrize("reason", [PlainAct.INCOMPLETE, PlainAct.DUPLICATE])
async def test_r84_a_case_that_is_incomplete_or_a_duplicate_goes_back_for_a_person_to_decide(
    net: Net, reason: PlainAct
) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()

    await net["unicom"].desk.act(reason, 1, "", person())
    await net.run()

    theirs, ours = await net["unicom"].case(), await net["cmcc"].case()
    assert (theirs.state, ours.state) == (CaseState.CLOSED, CaseState.ARBITRATION)
    assert (await net["unicom"].journal())[-1].about == reason
    assert (await net["cmcc"].journal())[-1].note == reason


async def test_r84_the_two_members_of_a_case_ask_each_other(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    asked = person()._replace(note="from when on? caller 13800138000")

    for name in ("cmcc", "unicom"):
        await net[name].desk.act(PlainAct.QUERY, 1, "", asked)
    await net.run()
    await net.run()

    for name, other in (("cmcc", "unicom"), ("unicom", "cmcc")):
        noted = [(one.act, one.by, one.note) for one in await net[name].journal()]
        assert ("query", "lin", "from when on? caller 138****8000") in noted
        assert [one for one in noted if one[:2] == ("note", f"member {other}")] == [
            ("note", f"member {other}", "asks: from when on? caller ***")
        ]
        assert (await net[name].case()).state is CaseState.ACKED


async def test_r84_a_case_without_another_organisation_has_nobody_to_ask(net: Net) -> None:
    site = net["cmcc"]
    await site.desk.take([complaint(sender="1069000112")], "match")
    await net.run()
    asked = person()._replace(note="from when on?")

    refused = await site.desk.act(PlainAct.QUERY, 1, "", asked)
    await site.desk.dispatch(1, "cmcc/广东", person())
    taken = await site.desk.act(PlainAct.QUERY, 1, "", asked)
    await net.run()

    assert isinstance(refused, CaseRefusal)
    assert isinstance(taken, Case)
    assert await site.stores.linkage_outbox.listed() == []


@pytest.mark.parametrize("suggested", ["", "某某/广东", "unicom/广东"])
async def test_r84_not_mine_without_a_member_that_could_act_is_for_arbitration(
    net: Net, suggested: str
) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()

    await net["unicom"].desk.refuse(1, suggested, person())
    await net.run()

    assert (await net["cmcc"].case()).state is CaseState.ARBITRATION


async def test_a_case_that_comes_back_as_our_own_stays_with_us(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()

    await net["unicom"].desk.refuse(1, "cmcc/广东", person())
    await net.run()

    case = await net["cmcc"].case()
    assert (case.state, case.owner) == (CaseState.DISPATCHED, "cmcc/广东")
    assert len(await net["cmcc"].stores.linkage_outbox.listed()) == 1


async def test_a_case_goes_over_a_hub(build: Build) -> None:
    hub = Node("any").member
    net = await build(cmcc=Terms(hub=hub), unicom=Terms(ports=(UNICOM_PORT,), hub=hub))
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    await investigate(net["unicom"])

    await net.run()

    assert (await net["cmcc"].case()).state is CaseState.FEEDBACK_RECEIVED
    assert await net["hub"].stores.cases.get(1) is None


async def test_a_hub_that_supervises_a_case_is_noted_at_both_ends(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    data: dict[str, object] = {"note": "尽快", "due": "2026-12-03T00:00:00+08:00"}

    for name in ("cmcc", "unicom"):
        await net["hub"].say(EventType.SUPERVISED, "cmcc.1", name, data)
    await net.run()

    for name in ("cmcc", "unicom"):
        last = (await net[name].journal())[-1]
        assert (last.act, last.by) == ("note", "member hub")
        assert last.note == "尽快 (until 2026-12-03T00:00:00+08:00)"


@pytest.mark.parametrize("accept", AcceptRule)
async def test_a_port_here_is_accepted_by_itself_only_if_that_is_configured(
    build: Build, accept: AcceptRule
) -> None:
    net = await build(unicom=Terms(ports=(UNICOM_PORT,), accept=accept))
    await net["cmcc"].desk.take([complaint(sender=UNICOM_PORT + "01")], "match")

    await net.run()

    is_asked = accept is AcceptRule.PERSON
    expected = CaseState.DISPATCHED if is_asked else CaseState.ACKED
    assert (await net["unicom"].case()).state is expected
    assert (await net["cmcc"].case()).state is expected


@pytest.mark.parametrize(
    ("senders", "reason"),
    [
        (["1069000112"], "unknown_number"),
        (["106550100", "106590100"], "several_members"),
        (["106550100", "1069000112"], "several_members"),
        (["13012345678"], "no_agreement_key"),
        (["106570100"], "own_number"),
        (["AX-HDFCBK"], "unknown_number"),
        (["85261234567"], "unknown_number"),
    ],
)
async def test_a_case_whose_member_is_not_plain_waits_for_a_person_and_is_told_once(
    net: Net, senders: list[str], reason: str
) -> None:
    given = [
        complaint(number, campaign="c", sender=one) for number, one in enumerate(senders, start=1)
    ]
    await net["cmcc"].desk.take(given, "match")

    with capture_logs() as logs:
        await net.run()
        net["cmcc"].start()
        await net.run()

    assert (await net["cmcc"].case()).state is CaseState.OPEN
    assert [(one["event"], one["reason"]) for one in logs] == [("case.undispatched", reason)]
    assert await net["cmcc"].stores.linkage_outbox.listed() == []


@pytest.mark.parametrize("sender", ["13012345678", "8613012345678", "+8613012345678"])
async def test_r84_a_case_about_a_personal_number_goes_as_a_hash_that_only_two_can_compare(
    build: Build, sender: str
) -> None:
    net = await build(("cmcc", "unicom", "telecom"))
    await net["cmcc"].desk.take([complaint(sender=sender)], "match")

    await net.run()

    theirs, now = await net["unicom"].case(), NOW
    assert theirs.state is CaseState.DISPATCHED
    assert theirs.sender.startswith("hmac-sha256:")
    (sent,) = await net["cmcc"].stores.linkage_outbox.listed()
    (heard,) = await net["unicom"].stores.linkage_inbox.listed()
    assert "13012345678" not in str(event_in(sent.envelope.encode()))
    assert heard.envelope == sent.envelope
    unicom, telecom = net["unicom"], net["telecom"]
    search = await search_of_case(
        unicom.stores, unicom.registry, unicom.pair_keys, theirs.subject, now
    )
    assert isinstance(search, NumberSearch)
    assert search.find([8613012345679, 8613012345678]) == 8613012345678
    assert search.find([8613012345679]) is None
    event = event_in(heard.envelope.encode())
    assert isinstance(event, LinkageEvent)
    kids = DispatchData.model_validate(event.data).hash_keys or []
    cmcc = net["cmcc"].node.member
    assert telecom.pair_keys.of_event(cmcc, kids, now) is None


async def test_r84_the_number_of_a_hash_is_found_among_complaints_and_suspended_numbers(
    build: Build,
) -> None:
    net = await build(("cmcc", "unicom"))
    senders = ["13012345678", "13112345678", "13212345678"]
    given = [complaint(number, sender=one) for number, one in enumerate(senders, start=1)]
    await net["cmcc"].desk.take(given, "match")
    await net.run()
    unicom = net["unicom"]
    others = ["1069000112", "13112345678", "AX-某", "+8613012345678"]
    await unicom.stores.complaints.receive(
        [replace(COMPLAINT, source_id=f"1:{one}", sender=one) for one in others], lambda _: []
    )
    suspension = NewSuspension(8613212345678, "shop", "R61", NOW, NOW + DAY)
    await unicom.stores.suspensions.suspend(suspension)

    found = []
    for number in range(1, 4):
        search = await search_of_case(
            unicom.stores, unicom.registry, unicom.pair_keys, f"cmcc.{number}", NOW
        )
        assert isinstance(search, NumberSearch)
        on_record = [one async for one in numbers_on_record(unicom.stores)]
        found.append(search.find(on_record))

    assert found == [8613012345678, 8613112345678, 8613212345678]


async def test_r84_a_third_member_forges_no_hash_of_another_member_s_case(build: Build) -> None:
    net = await build(("cmcc", "unicom", "telecom"))
    await net["cmcc"].desk.take([complaint(sender="13012345678")], "match")
    await net.run()
    unicom, telecom = net["unicom"], net["telecom"]
    key = telecom.pair_keys.in_use(unicom.node.member, NOW)
    assert key is not None
    forged = {name: value for name, value in DATA.items() if name != "port"} | {
        "sender_hash": number_hash(key.secret, 8613700000000),
        "hash_keys": list(key.kids),
    }
    for subject in ("cmcc.1", "cmcc.2"):
        await telecom.say(EventType.DISPATCHED, subject, "unicom", forged)
    await net.run()

    searches = [
        await search_of_case(unicom.stores, unicom.registry, unicom.pair_keys, subject, NOW)
        for subject in ("cmcc.1", "cmcc.2", "nobody.1")
    ]

    assert len(await unicom.stores.linkage_inbox.listed("cmcc.1")) == 2
    assert isinstance(searches[0], NumberSearch)
    assert searches[0].find([8613700000000, 8613012345678]) == 8613012345678
    assert searches[1:] == [HashFault.NO_CASE] * 2


@pytest.mark.parametrize(
    ("subject", "fault"),
    [("cmcc.1", HashFault.NO_HASH), ("cmcc.2", HashFault.NO_KEY), ("cmcc.9", HashFault.NO_CASE)],
)
async def test_a_hash_that_cannot_be_compared_says_why(
    build: Build, subject: str, fault: HashFault
) -> None:
    net = await build(("cmcc", "unicom"))
    await net["cmcc"].desk.take([complaint(), complaint(2, sender="13012345678")], "match")
    await net.run()
    unicom = net["unicom"]
    no_keys = PairKeys(unicom.registry)

    found = await search_of_case(unicom.stores, unicom.registry, no_keys, subject, NOW)

    assert found is fault


@pytest.mark.parametrize("category", ["fraud", "loan"])
async def test_r85_a_case_carries_a_text_only_where_its_category_needs_evidence(
    build: Build, category: str
) -> None:
    net = await build(("unicom",), cmcc=Terms(text_categories=frozenset({"fraud"})))
    cmcc, unicom = net["cmcc"], net["unicom"]
    text = "恭喜中奖，请联系13800138000"
    await cmcc.stores.complaints.receive([replace(COMPLAINT, text=text)], lambda _: [])
    await cmcc.desk.take([complaint(category=category)], "match")

    await net.run()

    (sent,) = await cmcc.stores.linkage_outbox.listed()
    event = event_in(sent.envelope.encode())
    assert isinstance(event, LinkageEvent)
    assert "中奖" not in str(event.data)
    sealed = DispatchData.model_validate(event.data).encrypted_text
    assert (sealed is not None) is (category == "fraud")
    if sealed is not None:
        assert decrypt_text(sealed, "cmcc.1", unicom.pair_keys) == "恭喜中奖,请联系***"
        assert decrypt_text(sealed, "cmcc.1", cmcc.pair_keys) is None


async def test_a_port_goes_before_the_number_of_a_person(build: Build) -> None:
    net = await build(("cmcc", "unicom"))
    senders = ["13012345678", UNICOM_PORT]
    given = [complaint(number, campaign="c", sender=one) for number, one in enumerate(senders)]
    await net["cmcc"].desk.take(given, "match")

    await net.run()

    assert (await net["unicom"].case()).sender == UNICOM_PORT


@pytest.mark.parametrize("country", ["86", "0086", "+86", ""])
async def test_a_case_about_a_port_here_stays_here(build: Build, country: str) -> None:
    net = await build(cmcc=Terms(ports=(UNICOM_PORT,)))
    senders = [f"{country}{UNICOM_PORT}", "106590100"]
    given = [complaint(number, campaign="c", sender=one) for number, one in enumerate(senders)]
    await net["cmcc"].desk.take(given, "match")

    with capture_logs() as logs:
        await net.run()

    assert (await net["cmcc"].case()).state is CaseState.OPEN
    assert logs == []


@pytest.mark.parametrize(
    ("sender", "is_named"),
    [
        ("10690077", True),
        ("008610690077", True),
        ("12321", True),
        ("95588", True),
        ("4008123123", True),
        ("13800138000", False),
        ("8613800138000", False),
        ("85261234567", False),
        ("12125551234", False),
        ("959250000123", False),
        ("966501234567", False),
        ("02012345678", False),
        ("01069001234", False),
        ("10", False),
        ("AX-HDFCBK", False),
    ],
)
def test_a_sender_is_named_to_others_only_in_the_form_of_a_port(
    sender: str, *, is_named: bool
) -> None:
    assert is_port(sender) is is_named


async def test_a_port_is_named_without_a_country_code(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(sender=f"0086{UNICOM_PORT}")], "match")

    await net.run()

    assert (await net["unicom"].case()).sender == UNICOM_PORT


async def test_a_route_goes_before_the_number_plan(build: Build) -> None:
    net = await build(cmcc=Terms(routes=(NumberRoute("106550", "telecom"),)))
    await net["cmcc"].desk.take([complaint()], "match")

    await net.run()

    assert (await net["cmcc"].case()).owner == "telecom/广东"
    assert (await net["telecom"].case()).state is CaseState.DISPATCHED


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_a_case_that_waits_goes_once_its_member_is_known_and_the_process_restarted(
    net: Net, *, is_reopened: bool
) -> None:
    site = net["cmcc"]
    await site.desk.take([complaint(sender="1069000112")], "match")
    await net.run()
    if is_reopened:
        await site.desk.verify(1, person())
        await site.desk.feedback(1, CaseFeedback(CaseFinding.UNFOUNDED), person())
        await site.desk.tell_user(1, person())
        await site.desk.close(1, person())
        await site.desk.reopen(1, person())
        await net.run()
    routes = MemberFinder(site.registry, [NumberRoute("1069000112", "telecom")])
    site.ownership = replace(site.ownership, finder=routes)

    site.start()
    await net.run()

    assert (await net["telecom"].case()).sender == "1069000112"


async def test_what_a_person_dispatches_goes_to_the_member_too(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(sender="1069000112")], "match")
    await net.run()

    await net["cmcc"].desk.dispatch(1, "telecom/广东", person())
    await net.run()

    assert (await net["telecom"].case()).sender == "1069000112"


@pytest.mark.parametrize(
    ("sender", "owner", "reason"),
    [
        ("13012345678", "unicom/广东", "no_agreement_key"),
        ("85261234567", "unicom/广东", "personal_number"),
        ("1069000112", "broadnet/广东", "unknown_member"),
    ],
)
async def test_what_no_event_can_say_stays_with_persons(
    net: Net, sender: str, owner: str, reason: str
) -> None:
    await net["cmcc"].desk.take([complaint(sender=sender)], "match")

    await net["cmcc"].desk.dispatch(1, owner, person())
    with capture_logs() as logs:
        await net.run()

    assert [(one["event"], one["reason"]) for one in logs] == [("case.undispatched", reason)]
    assert await net["cmcc"].stores.linkage_outbox.listed() == []
    assert (await net["cmcc"].case()).state is CaseState.DISPATCHED


async def test_a_case_that_is_reopened_is_opened_again_at_the_member_that_acted(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    await investigate(net["unicom"])
    await net.run()
    await net["cmcc"].desk.tell_user(1, person())
    await net["cmcc"].desk.close(1, person())
    later = NOW + DAY

    await net["cmcc"].desk.take([complaint(2, campaign="campaign-1", taken_at=later)], "match")
    await net.run(later)

    theirs = await net["unicom"].case()
    assert (theirs.state, theirs.severity, theirs.measures) == (CaseState.ACKED, "serious", ())
    assert (await net["cmcc"].case()).state is CaseState.ACKED
    assert await net["unicom"].stores.cases.get(2) is None


async def test_a_case_that_the_member_has_no_more_is_opened_there_anew(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    await investigate(net["unicom"])
    await net.run()
    later = NOW + 40 * DAY

    await net["cmcc"].say(EventType.DISPATCHED, "cmcc.1", "unicom", DATA, later)
    await net.run(later)

    assert (await net["unicom"].case(1)).state is CaseState.CLOSED
    assert (await net["unicom"].case(2)).subject == "cmcc.1"


async def test_a_member_that_a_case_is_not_with_changes_nothing(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    before = await net["cmcc"].case(), await net["unicom"].case()
    stranger, events = net["telecom"], EventType

    await stranger.say(events.REFUSED, "cmcc.1", "cmcc", {"reason": "not_mine"})
    await stranger.say(events.QUERY, "cmcc.1", "cmcc", {"question": "?"})
    await stranger.say(events.QUERY, "cmcc.1", "unicom", {"question": "?"})
    await stranger.say(events.DISPATCHED, "cmcc.1", "unicom", DATA)
    await stranger.say(events.ACCEPTED, "cmcc.77", "cmcc", {})
    await stranger.say(events.ACCEPTED, "unicom.1", "unicom", {})
    await net["unicom"].say(events.ACCEPTED, "cmcc.01", "cmcc", {})
    with capture_logs() as logs:
        await net.run()

    assert (await net["cmcc"].case(), await net["unicom"].case()) == before
    assert [one["event"] for one in logs] == ["linkage.unapplied"] * 7
    for name in ("cmcc", "unicom"):
        assert await net[name].stores.linkage_inbox.ready(name, 10) == []
        assert all("telecom" not in one.by for one in await net[name].journal())


async def test_a_member_that_refused_a_case_has_no_more_to_say_of_it(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()
    await net["unicom"].desk.refuse(1, "telecom/广东", person())

    await net["unicom"].exchange.work(NOW)
    await net["unicom"].say(EventType.ACCEPTED, "cmcc.1", "cmcc", {})
    await net.run()

    case = await net["cmcc"].case()
    assert (case.state, case.owner) == (CaseState.DISPATCHED, "telecom/广东")


async def test_what_the_state_does_not_allow_is_noted_and_blocks_nothing_behind_it(
    net: Net,
) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()

    feedback: dict[str, object] = {"finding": "unfounded"}
    await net["unicom"].say(EventType.ACCEPTED, "cmcc.1", "cmcc", {})
    await net["unicom"].say(EventType.REFUSED, "cmcc.1", "cmcc", {"reason": "not_mine"})
    await net["unicom"].say(EventType.FEEDBACK, "cmcc.1", "cmcc", feedback)
    await net["cmcc"].say(EventType.DISPATCHED, "cmcc.1", "unicom", DATA)
    await net.run()

    assert (await net["cmcc"].case()).state is CaseState.FEEDBACK_RECEIVED
    (note,) = [one.note for one in await net["cmcc"].journal() if one.act == "note"]
    assert note.startswith("smsward.case.refused is not applied: ")
    assert (await net["unicom"].acts())[-1] == "note"


async def test_measures_in_words_that_are_not_known_are_noted_and_not_trusted(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    words = ["flogged", "port_closed", "flogged\n"]
    data: dict[str, object] = {"measures": words, "measure_time": "9999-12-31T23:59:59-14:00"}

    await net["unicom"].say(EventType.MEASURES, "cmcc.1", "cmcc", data)
    await net["unicom"].say(EventType.MEASURES, "cmcc.1", "cmcc", data | {"measures": words[:1]})
    await net.run()

    case = await net["cmcc"].case()
    assert [(one.kind, one.at) for one in case.measures] == [(MeasureKind.PORT_CLOSED, NOW)]
    notes = [one.note for one in await net["cmcc"].journal() if one.note]
    assert notes[1:] == [
        "measures that are not known: flogged, flogged",
        "measures that are not known: flogged",
    ]


async def test_a_confirmed_finding_in_words_that_are_not_known_is_kept(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    data: dict[str, object] = {"finding": "confirmed", "measures": ["sp_fined"]}
    data |= {"measure_time": "0001-01-01T00:00:00+14:00", "evidence_ref": " "}

    await net["unicom"].say(EventType.FEEDBACK, "cmcc.1", "cmcc", data)
    await net.run()

    case = await net["cmcc"].case()
    assert (case.finding, case.evidence) == (CaseFinding.CONFIRMED, "***")
    assert [one.kind for one in case.measures] == [MeasureKind.OTHER]
    assert (await net["cmcc"].journal())[-1].note == "measures that are not known: sp_fined"


async def test_a_member_cannot_date_a_measure_before_the_case(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    data: dict[str, object] = {"measures": ["port_closed"], "measure_time": "0001-01-02T00:00:00Z"}

    await net["unicom"].say(EventType.MEASURES, "cmcc.1", "cmcc", data)
    await net.run(NOW + HOUR)

    assert [one.at for one in (await net["cmcc"].case()).measures] == [NOW]


async def test_an_entry_with_a_wrong_date_does_not_hold_up_the_linkage(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    entry = CaseEntry("measure", "lin", NOW, "", "port_suspended at 26-11-30T12:00Z")
    await net["unicom"].stores.cases.change(1, lambda case: CaseChange(case, (entry,)))
    await net["cmcc"].desk.take([complaint(2)], "match")

    with capture_logs() as logs:
        await net.run()

    assert (await net["cmcc"].case(2)).state is CaseState.ACKED
    (told,) = [one for one in logs if one["event"] == "case.unsent"]
    assert (told["number"], told["said"]) == (1, "ValueError")


async def test_an_event_that_no_code_expects_does_not_hold_up_the_others(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    await net["cmcc"].desk.take([complaint(), complaint(2)], "match")
    read = net["unicom"].stores.cases.of_subject

    async def of_subject(subject: str) -> Case | None:
        if subject == "cmcc.1":
            raise ValueError("a row of a later version")
        return await read(subject)

    monkeypatch.setattr(net["unicom"].stores.cases, "of_subject", of_subject)
    with capture_logs() as logs:
        await net.run()

    assert (await net["cmcc"].case(2)).state is CaseState.ACKED
    (told,) = [one for one in logs if one["event"] == "linkage.unapplied"]
    assert (told["case"], told["said"]) == ("cmcc.1", "ValueError")


async def test_a_case_of_a_member_with_too_long_a_name_holds_up_no_other(net: Net) -> None:
    site = net["cmcc"]
    long = replace(net["telecom"].node.member, province="广东" * 40)
    members = tuple(long if one.name == "telecom" else one for one in site.registry.members)
    site.registry = MemberRegistry("cmcc", members)
    site.ownership = replace(site.ownership, finder=MemberFinder(site.registry))
    site.start()
    await site.desk.take([complaint(sender="106590100"), complaint(2)], "match")

    with capture_logs() as logs:
        await net.run()

    assert (await site.case(2)).state is CaseState.ACKED
    assert [one["number"] for one in logs if one["event"] == "case.unsent"] == [1]


async def test_a_case_that_is_sent_again_while_it_is_open_there_is_accepted_again(
    net: Net,
) -> None:
    ours, theirs = net["cmcc"], net["unicom"]
    await ours.desk.take([complaint()], "match")
    await net.run()
    await ours.desk.feedback(1, CaseFeedback(CaseFinding.UNVERIFIABLE), person())
    await ours.desk.tell_user(1, person())
    await ours.desk.close(1, person())
    later = NOW + DAY

    await ours.desk.take([complaint(2, campaign="campaign-1", taken_at=later)], "match")
    await net.run(later)

    assert [(await one.case()).state for one in (ours, theirs)] == [CaseState.ACKED] * 2
    assert (await theirs.case()).complaints == 2
    await investigate(theirs)
    await net.run(later)
    assert (await ours.case()).finding is CaseFinding.CONFIRMED


@pytest.mark.parametrize("kind", [EventType.MEASURES, EventType.FEEDBACK])
async def test_what_a_member_did_accepts_the_case(net: Net, kind: EventType) -> None:
    await net["cmcc"].desk.take([complaint(sender="106550999")], "match")
    await net.run()
    data: dict[str, object] = {"finding": "confirmed", "measures": ["port_closed"]}
    data |= {"measure_time": NOW.isoformat(), "evidence_ref": "CDR"}

    await net["unicom"].say(kind, "cmcc.1", "cmcc", data)
    await net.run()

    acts = ["accept", "measure"] + ["feedback"] * (kind is EventType.FEEDBACK)
    assert (await net["cmcc"].acts())[2:] == acts


async def test_a_case_that_is_unfounded_comes_back_as_that(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()

    await net["unicom"].desk.feedback(1, CaseFeedback(CaseFinding.UNFOUNDED), person())
    await net.run()

    case = await net["cmcc"].case()
    assert (case.state, case.finding) == (CaseState.FEEDBACK_RECEIVED, CaseFinding.UNFOUNDED)


async def test_a_number_that_a_person_wrote_leaves_no_node(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    answer = "13800138000 １３８００１３８０００ +86 138 0013 8000 已停用"

    await investigate(
        net["unicom"], answer=replace(CONFIRMED, evidence="13800138000", answer=answer)
    )
    await net.run()

    case = await net["cmcc"].case()
    assert case.evidence == "***"
    assert (await net["cmcc"].journal())[-1].note == "suggested answer: *** *** *** 已停用"


async def test_what_cannot_be_signed_is_told_to_a_person_and_stops_nothing(net: Net) -> None:
    await net["cmcc"].desk.take([complaint(category="x13800138000x"), complaint(2)], "match")

    with capture_logs() as logs:
        await net.run()

    assert next(one["event"] for one in logs) == "case.unsent"
    assert (await net["cmcc"].journal())[-1].note.startswith(
        "smsward.case.dispatched was not sent to unicom: whole_number"
    )
    assert (await net["cmcc"].case(2)).state is CaseState.ACKED


async def test_a_member_fills_neither_the_journal_of_a_case_nor_the_list_of_cases(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_applier, "MOST_ENTRIES", 4)
    monkeypatch.setattr(case_exchange, "MOST_OPEN_CASES", 1)
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()
    for _ in range(5):
        await net["cmcc"].say(EventType.QUERY, "cmcc.1", "unicom", {"question": "?"})
        await net["unicom"].say(EventType.ACCEPTED, "cmcc.1", "cmcc", {})
    await net["cmcc"].desk.take([complaint(2)], "match")
    await net.run()

    by_member = [one for one in await net["unicom"].journal() if one.by == "member cmcc"]
    assert len(by_member) == 4
    assert (await net["cmcc"].acts()).count("note") == 3
    assert (await net["cmcc"].case(2)).state is CaseState.DISPATCHED
    waiting = [one.said for one in await net["cmcc"].stores.linkage_outbox.listed() if one.said]
    assert waiting == ["too_many"]

    await investigate(net["unicom"])
    await net.run(NOW + HOUR)
    await net.run(NOW + 3 * HOUR)
    assert (await net["cmcc"].case(2)).state is CaseState.ACKED


async def test_a_member_that_sends_a_case_without_end_is_answered_no_more(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_applier, "MOST_ENTRIES", 4)
    await net["cmcc"].desk.take([complaint()], "match")
    await net.run()

    for _ in range(5):
        await net["cmcc"].say(EventType.DISPATCHED, "cmcc.1", "unicom", DATA)
    await net.run()

    assert (await net["unicom"].acts()) == ["open", "dispatch", "accept", "accept", "accept"]


async def test_a_member_that_is_gone_is_told_and_blocks_nothing(net: Net) -> None:
    await net["cmcc"].desk.take([complaint()], "match")
    await net["cmcc"].exchange.work(NOW)
    await net.deliver(net["cmcc"], NOW)
    site = net["unicom"]
    members = tuple(one for one in site.registry.members if one.name != "cmcc")
    site.registry = replace(site.registry, members=members)
    site.start()

    with capture_logs() as logs:
        await site.exchange.work(NOW)

    assert [(one["event"], one["member"]) for one in logs] == [("linkage.unapplied", "cmcc")]
    assert await site.stores.linkage_inbox.ready("unicom", 10) == []


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_node_that_is_killed_at_every_commit_loses_nothing_and_does_nothing_twice(
    net: Net, mode: str
) -> None:
    sites = [net["cmcc"], net["unicom"]]
    await sites[0].desk.take([complaint()], "match")
    failures = [Failure(one) for one in sites]

    async def exchange() -> None:
        for _ in range(12):
            for site, failure in zip(sites, failures, strict=True):
                failure.mode = mode
                with suppress(StoreUnavailable):
                    await site.exchange.work(NOW)
                failure.mode = ""
                if mode == "before":  # nothing was done: one commit, and then the next is killed
                    with suppress(StoreUnavailable):
                        failure.mode = "second"
                        await site.exchange.work(NOW)
                    failure.mode = ""
                site.start()
                await net.deliver(site, NOW)

    await exchange()
    await investigate(sites[1])
    await exchange()

    assert (await sites[0].case()).state is CaseState.FEEDBACK_RECEIVED
    assert await sites[0].acts() == ["open", "dispatch", "accept", "measure", "feedback"]
    assert (await sites[1].acts())[3:] == ["measure", "feedback", "tell_user", "close"]
    assert [len(await one.stores.linkage_outbox.listed()) for one in sites] == [1, 3]


class Failure:
    """A process that ends at its next commit, before it or after."""

    def __init__(self, site: Site) -> None:
        self.writer = database_of(site.stores).writer
        self.write = self.writer.write
        self.mode = ""
        self.writer.write = self.fail  # type: ignore[method-assign,assignment]

    async def fail(self, run: Callable[..., object], **options: object) -> object:
        mode, self.mode = self.mode, "before" if self.mode == "second" else ""
        if mode == "before":
            raise StoreUnavailable("killed")
        done: object = await self.write(run, **options)  # type: ignore[arg-type]
        if mode == "after":
            raise StoreUnavailable("killed")
        return done


class CaseLives(RuleBasedStateMachine):
    """Cases go from cmcc to unicom and back; both are killed, and events are doubled and late."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        nodes = [Node("cmcc"), Node("unicom")]
        members = tuple(one.member for one in nodes)
        terms = [Terms(), Terms(ports=(UNICOM_PORT,))]
        self.net = Net(
            Site(node, members, self.run(open_store("memory://", deadline_s=30)), term)
            for node, term in zip(nodes, terms, strict=True)
        )
        self.failures = {name: Failure(site) for name, site in self.net.sites.items()}
        self.count = 0
        self.under_way: list[tuple[Site, OutboxEntry]] = []

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    @rule(count=st.integers(1, 3))
    def complain(self, count: int) -> None:
        given = [complaint(self.count + one) for one in range(1, count + 1)]
        self.run(self.net["cmcc"].desk.take(given, "match"))
        self.count += count

    @rule(
        name=st.sampled_from(["cmcc", "unicom"]),
        commits=st.integers(0, 6),
        mode=st.sampled_from(["before", "after"]),
    )
    def work_until_killed(self, name: str, commits: int, mode: str) -> None:
        site, failure = self.net[name], self.failures[name]
        write, left = failure.write, [commits]

        async def counted(run: Callable[..., object], **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                failure.mode = mode
            return await write(run, **options)  # type: ignore[arg-type]

        failure.write = counted  # type: ignore[assignment]
        try:
            self.run(site.exchange.work(NOW))
        except StoreUnavailable:
            site.start()
        finally:
            failure.write, failure.mode = write, ""

    @rule(name=st.sampled_from(["cmcc", "unicom"]))
    def send(self, name: str) -> None:
        site = self.net[name]
        due = self.run(site.stores.linkage_outbox.due(NOW, 100))
        self.under_way += [(site, one) for one in due]

    @precondition(lambda self: self.under_way)
    @rule(at=st.integers(0, 99), is_doubled=st.booleans())
    def arrive(self, at: int, *, is_doubled: bool) -> None:
        site, entry = self.under_way[at % len(self.under_way)]
        if not is_doubled:
            self.under_way.remove((site, entry))
        other = self.net[entry.recipient]
        taken = self.run(other.inbox.take(entry.envelope.encode(), site.node.member, NOW, NOW))
        assert isinstance(taken, bytes)

    @precondition(lambda self: self.count)
    @rule(number=st.integers(1, 99))
    def find_out(self, number: int) -> None:
        self.run(self._find_out(1 + number % self.count))

    async def _find_out(self, number: int) -> None:
        site = self.net["unicom"]
        case = await site.stores.cases.get(number)
        if case is not None and case.state is CaseState.ACKED:
            await investigate(site, number)

    def teardown(self) -> None:
        self.run(self.net.run(rounds=3))
        for number in range(1, self.count + 1):
            self.run(self._find_out(number))
        self.run(self.net.run(rounds=3))
        self.run(self._look())
        self.run(close_all(one.stores for one in self.net.sites.values()))
        self.runner.close()

    async def _look(self) -> None:
        ours, theirs = self.net["cmcc"], self.net["unicom"]
        taken = await theirs.stores.cases.find(limit=1_000)
        assert sorted(one.subject for one in taken) == sorted(
            f"cmcc.{number}" for number in range(1, self.count + 1)
        )
        for number in range(1, self.count + 1):
            case = await ours.case(number)
            assert (case.state, len(case.measures)) == (CaseState.FEEDBACK_RECEIVED, 1)
            assert await ours.acts(number) == ["open", "dispatch", "accept", "measure", "feedback"]
        for one in taken:
            assert one.state is CaseState.CLOSED
            acts = await theirs.acts(one.number)
            assert acts[:3] == ["open", "dispatch", "accept"]
            assert acts[3:] == ["measure", "feedback", "tell_user", "close"]
        for site, each in ((ours, 1), (theirs, 3)):
            said = await site.stores.linkage_outbox.listed(limit=1_000)
            assert len(said) == each * self.count
            assert await site.stores.linkage_inbox.ready(site.node.name, 1) == []


TestCaseLives = CaseLives.TestCase
TestCaseLives.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
