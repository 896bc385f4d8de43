"""The audit in the store: which acts stand in it, and what finds them again."""

import ast
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

import gateway
from gateway.domain.audit import ACTIONS, KNOWN_ACTIONS, ActFilter, AuditKind, kind_of
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import Access, JournalRow, NewAccess
from gateway.runtime.masking import masked_text
from gateway.storage import audit_pages, journals
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.audit.service import ExportState, export_lines, row_noted, verify_export
from gateway.systems.policy_history import NewPolicyVersion
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.exceptions import ExceptionDesk
from gateway.systems.quarantine.model import (
    MessageIds,
    NewCampaignReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
    ReviewJob,
)
from gateway.systems.quarantine.service import NotDone, QuarantineDesk

Builder = Callable[..., HeldMessage]

PACKAGE = Path(gateway.__file__).parent
ACTS_OF = {"NewAccess": 1, "is_unmasked": 2, "journal_access": 1, "journal_act": 1, "_change": 3}


def entry(action: str, at: datetime, by: str = "user: lin", about: str = "message 7") -> NewAccess:
    return NewAccess(by, action, "", about, at)


async def acts(stores: Stores) -> list[tuple[str, str, str, str]]:
    found = reversed(await stores.journals.accesses())
    return [(one.by, one.action, one.reason, one.about) for one in found]


def acts_in(source: str) -> set[str]:
    """Return what calls in a module name as the act of an entry."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    found = set()
    for call in calls:
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        place = ACTS_OF.get(name)
        if place is not None and len(call.args) > place:
            word = call.args[place]
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                found.add(word.value)
    return found


def test_every_act_that_the_code_names_is_of_a_kind() -> None:
    named = {
        act
        for path in sorted(PACKAGE.rglob("*.py"))
        for act in acts_in(path.read_text(encoding="utf-8"))
    }

    assert len(named) > 30
    assert named <= KNOWN_ACTIONS


def test_no_act_is_of_two_kinds_and_an_unknown_one_is_told() -> None:
    assert sum(map(len, ACTIONS.values())) == len(KNOWN_ACTIONS)
    assert kind_of("user sign-in") is AuditKind.SIGN_IN
    assert kind_of("of a later version") is AuditKind.OTHER


# What stands in it


@pytest.mark.every_store
async def test_a_decision_is_in_the_audit_with_its_reason_and_without_a_number(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=number) for number in (1, 2, 3)])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))

    await desk.request_release(1, "user: lin", noon, "asked by 13800138000")
    await desk.discard_each([1, 2, 3], "wu", noon)

    assert await acts(stores) == [
        ("user: lin", "quarantine release", "asked by 138****8000", "message 1"),
        ("wu", "quarantine discard", "", "message 1, 2, 3"),
    ]


async def test_an_act_that_was_not_done_is_not_in_the_audit(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, state=HoldState.DISCARDED)])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))

    outcome = await desk.request_release(1, "user: lin", noon)

    assert isinstance(outcome, NotDone)
    assert await acts(stores) == []


async def test_what_cannot_be_audited_is_not_done(
    stores: Stores, held: Builder, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))

    async def fail(*_: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr("gateway.systems.quarantine.moves.note_access", fail)
    with pytest.raises(StoreUnavailable):
        await desk.discard(1, "user: lin", noon)

    message = await stores.quarantine.get(1)
    assert message is not None
    assert message.state is HoldState.HELD


async def test_a_thousand_decisions_at_once_are_one_entry(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    ids = range(1, 1001)
    campaign = "c0123456789abcdef"
    await stores.quarantine.hold([held(message_id=one, campaign=campaign) for one in ids])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))

    await desk.discard_each(ids, "user: lin", noon, "a wave")

    about = f"1000 messages, 1 to 1000, campaign {campaign}"
    assert await acts(stores) == [("user: lin", "quarantine discard", "a wave", about)]


async def test_traffic_leaves_no_entry(stores: Stores, held: Builder, noon: datetime) -> None:
    await stores.quarantine.hold([held(message_id=number) for number in (1, 2)])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))

    await desk.cancel(1, "sp1", noon)
    await desk.expire_due(noon + timedelta(days=2))
    await stores.consent.record([ConsentAnswer(8613800138000, "sp1", Answer.REFUSED, noon, "mo")])

    assert await acts(stores) == []


async def test_a_policy_in_force_is_in_the_audit_once(stores: Stores, noon: datetime) -> None:
    version = NewPolicyVersion("0123456789abcdef", "shipped", noon, "wu", "rollback to 3", b"")

    await stores.policies.record(version)
    await stores.policies.record(version)

    assert await acts(stores) == [
        ("wu", "policy activate", "rollback to 3", "version 1, 0123456789ab")
    ]


async def test_the_audit_names_what_a_policy_stops_no_more(stores: Stores, noon: datetime) -> None:
    version = NewPolicyVersion("0123456789abcdef", "shipped", noon, "wu", "", b"")

    await stores.policies.record(version, "stops less: R21")

    ((_, _, _, about),) = await acts(stores)
    assert about == "version 1, 0123456789ab, stops less: R21"


async def test_what_staff_records_of_subscribers_is_in_the_audit(
    stores: Stores, noon: datetime
) -> None:
    refusal = ConsentAnswer(8613800138000, "shop", Answer.REFUSED, noon, "hall")

    await stores.consent.record(
        [refusal], entry("consent record", noon, about="1 refused shop", by="api: 营业厅")
    )

    assert await acts(stores) == [("api: 营业厅", "consent record", "", "1 refused shop")]
    assert await stores.consent.answer_of(8613800138000, "shop") is not None


# What finds it


WANTED = [
    (ActFilter(), [1, 2, 3, 4]),
    (ActFilter(kind=AuditKind.LOOK), [2, 3]),
    (ActFilter(kind=AuditKind.OTHER), [4]),
    (ActFilter(by="lin"), [1, 2, 4]),
    (ActFilter(by="%"), []),
    (ActFilter(by="l_n"), []),
    (ActFilter(by="' OR 1=1 --"), []),
    (ActFilter(about="message 7"), [1, 3]),
    (ActFilter(about="100%"), [2]),
]


@pytest.mark.every_store
@pytest.mark.parametrize(("wanted", "numbers"), WANTED)
async def test_a_filter_finds_what_it_says_and_nothing_else(
    stores: Stores, noon: datetime, wanted: ActFilter, numbers: list[int]
) -> None:
    for one in (
        entry("user sign-in", noon),
        entry("quarantine show", noon, about="100% of 10690001"),
        entry("trace", noon, by="wu (said by smsward)"),
        entry("of a later version", noon, about=""),
    ):
        await stores.journals.note_access(one)

    found = await stores.journals.accesses(wanted=wanted)

    assert [one.number for one in reversed(found)] == numbers


async def test_a_time_begins_at_one_moment_and_ends_before_another(
    stores: Stores, noon: datetime
) -> None:
    for hours in range(3):
        await stores.journals.note_access(entry("trace", noon + timedelta(hours=hours)))

    wanted = ActFilter(since=noon + timedelta(hours=1), until=noon + timedelta(hours=2))

    assert [one.number for one in await stores.journals.accesses(wanted=wanted)] == [2]


async def test_the_next_page_begins_before_the_last_entry(stores: Stores, noon: datetime) -> None:
    for _ in range(5):
        await stores.journals.note_access(entry("trace", noon))

    first = await stores.journals.accesses(2)
    second = await stores.journals.accesses(2, before=first[-1].number)

    assert [one.number for one in (*first, *second)] == [5, 4, 3, 2]
    assert isinstance(first[0], Access)


@pytest.mark.every_store
@pytest.mark.parametrize(
    "wanted",
    [
        ActFilter(kind=AuditKind.LOOK),
        ActFilter(kind=AuditKind.OTHER),
        ActFilter(by="user: l"),
        ActFilter(by="u"),
        ActFilter(about="1"),
        ActFilter(kind=AuditKind.LOOK, by="lin"),
        ActFilter(kind=AuditKind.LOOK, about="1"),
        ActFilter(by="lin", about="1"),
        ActFilter(kind=AuditKind.SIGN_IN, by="u", about="1"),
        ActFilter(since=datetime(2025, 11, 25, 12, 0, 9, tzinfo=UTC)),
    ],
)
async def test_pages_have_each_entry_once_by_time(stores: Stores, wanted: ActFilter) -> None:
    noon = datetime(2025, 11, 25, 12, tzinfo=UTC)
    people = ["user: lin", "user: li", "user: wu", "root", *(f"user: u{one}" for one in range(70))]
    actions = ["trace", "quarantine show", "user sign-in", "of a later version"]
    given = [
        entry(
            actions[number % 4],
            noon + timedelta(seconds=number * 7 % 23),
            by=people[number * 5 % (74 if number % 2 else 4)],
            about=f"message {number}",
        )
        for number in range(90)
    ]
    for one in given:
        await stores.journals.note_access(one)

    found: list[Access] = []
    page = await stores.journals.page(7, wanted, None, 20)
    found += page.entries
    while page.before is not None:
        page = await stores.journals.page(7, wanted, page.before, 20)
        found += page.entries

    kept = [
        (one.at, number)
        for number, one in enumerate(given, start=1)
        if (wanted.kind is None or kind_of(one.action) is wanted.kind)
        and wanted.by in one.by
        and wanted.about in one.about
        and (wanted.since is None or one.at >= wanted.since)
    ]
    assert [(one.at, one.number) for one in found] == sorted(kept, reverse=True)
    assert await stores.journals.accesses(90, wanted) == found


async def test_a_page_looks_at_so_many_entries_and_leads_on(stores: Stores, noon: datetime) -> None:
    for number in range(9):
        await stores.journals.note_access(entry("trace", noon, about=f"message {number}"))

    first = await stores.journals.page(5, ActFilter(about="message 0"), None, 4)
    second = await stores.journals.page(5, ActFilter(about="message 0"), first.before, 5)

    assert (first.entries, first.before) == ([], 6)
    assert [one.about for one in second.entries] == ["message 0"]


@pytest.mark.every_store
async def test_a_filter_walks_only_so_many_names(
    stores: Stores, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        at = noon + timedelta(seconds=number)
        await stores.journals.note_access(entry("user sign-in", at, by=f"address {number}"))
    wanted = ActFilter(by="address 0")

    by_index = await stores.journals.page(5, wanted, None, 4)
    monkeypatch.setattr(audit_pages, "_MOST_STEPS", 8)
    bounded = await stores.journals.page(5, wanted, None, 4)
    rest = await stores.journals.page(5, wanted, bounded.before, 5)

    assert [one.number for one in by_index.entries] == [1]
    assert (bounded.entries, bounded.before) == ([], 6)
    assert rest.entries == by_index.entries


async def test_nothing_is_before_the_first_entry(stores: Stores, noon: datetime) -> None:
    await stores.journals.note_access(entry("trace", noon))

    pages = [
        await stores.journals.page(5, wanted, 1) for wanted in (ActFilter(), ActFilter(by="l"))
    ]

    assert pages == [([], None), ([], None)]


async def test_what_fits_far_apart_is_all_written_out(
    stores: Stores, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "LOOKED_AT", 3)
    for number in range(10):
        await stores.journals.note_access(entry("trace", noon, about=f"message {number}"))

    found = await stores.journals.accesses_after(0, 5, ActFilter(about="message 9"))

    assert [one.number for one, _ in found] == [10]
    assert await stores.journals.accesses_after(10, 5) == []


# What is written out


async def written(stores: Stores, noon: datetime, wanted: ActFilter | None = None) -> list[bytes]:
    found = export_lines(stores.journals, wanted or ActFilter(), "wu", noon)
    return [line async for line in found]


async def test_an_export_has_every_entry_and_a_digest_that_is_verified(
    stores: Stores, noon: datetime
) -> None:
    for number in range(2500):
        await stores.journals.note_access(entry("trace", noon, about=f"id {number}"))

    lines = await written(stores, noon, ActFilter(kind=AuditKind.LOOK))

    *entries, last = map(orjson.loads, lines)
    head = await stores.journals.head()
    assert [one["about"] for one in entries] == [f"id {number}" for number in range(2500)]
    assert (last["entries"], last["filter"], last["by"]) == (2500, {"kind": "look"}, "wu")
    assert last["head"] == f"2500:{entries[-1]['digest']}" == f"{head.number}:{head.digest}"
    assert verify_export(lines) == ExportState(is_whole=True, entries=2500)


@pytest.mark.parametrize(
    ("fake", "problem"),
    [
        (lambda lines: [lines[0].replace(b"lin", b"wu"), *lines[1:]], "its digest is another one"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "its digest is another one"),
        (lambda lines: lines[1:], "it had 3 entries"),
        (lambda lines: [lines[0], *lines], "it had 3 entries"),
        (lambda lines: lines[:-1], "its last line has no digest"),
        (lambda lines: [*lines, b"[]\n"], "its last line has no digest"),
        (lambda lines: [*lines, b"no json"], "its last line has no digest"),
        (lambda _lines: [], "its last line has no digest"),
    ],
)
async def test_an_export_that_was_changed_is_found_out(
    stores: Stores, noon: datetime, fake: Callable[[list[bytes]], list[bytes]], problem: str
) -> None:
    for _ in range(3):
        await stores.journals.note_access(entry("trace", noon))

    state = verify_export(fake(await written(stores, noon)))

    assert (state.is_whole, state.problem) == (False, problem)


async def test_entries_that_come_while_it_is_written_are_left_out(
    stores: Stores, noon: datetime
) -> None:
    for _ in range(1200):
        await stores.journals.note_access(entry("trace", noon))
    lines = export_lines(stores.journals, ActFilter(), "wu", noon)
    first = await anext(lines)

    await stores.journals.note_access(entry("trace", noon))
    rest = [line async for line in lines]

    assert verify_export([first, *rest]) == ExportState(is_whole=True, entries=1200)


# What is verified


async def test_a_row_that_was_kept_elsewhere_is_compared(stores: Stores, noon: datetime) -> None:
    for _ in range(2):
        await stores.journals.note_access(entry("trace", noon))
    head = await stores.journals.head()

    same, other, cut = [
        (await stores.journals.states(noted=noted))[0]
        for noted in (head, JournalRow(2, "0" * 64), JournalRow(3, "0" * 64))
    ]

    assert (same.problem, same.head) == ("", head.digest)
    assert (other.broken, other.problem) == (2, "it is not the row that was noted")
    assert (cut.broken, cut.problem) == (3, "it is missing")


async def test_a_verification_says_how_far_it_is(stores: Stores, noon: datetime) -> None:
    access = entry("trace", noon)
    await asyncio.gather(*(stores.journals.note_access(access) for _ in range(1500)))
    told: list[tuple[str, int, int]] = []

    await stores.journals.states(lambda *said: told.append(said))

    assert told == [("access_log", 1000, 1500), ("access_log", 1500, 1500)]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (f"7:{'a' * 64}", JournalRow(7, "a" * 64)),
        ("7", None),
        (f":{'a' * 64}", None),
        (f"-7:{'a' * 64}", None),
        (f"٧:{'a' * 64}", None),
        (f"7:{'A' * 64}", None),
        (f"7:{'a' * 63}", None),
    ],
)
def test_a_row_is_named_by_its_number_and_digest(text: str, row: JournalRow | None) -> None:
    assert row_noted(text) == row


@pytest.mark.every_store
async def test_undoing_escalating_and_exceptions_are_in_the_audit(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    campaign = "c0000000000000001"
    messages = [held(message_id=number, campaign=campaign, rule="R28") for number in (1, 2)]
    await stores.quarantine.hold(messages)
    reviews, campaigns = (
        ReviewDesk(stores.reviews, masked_text),
        CampaignDesk(stores.campaigns, str),
    )
    grants, lin, discard = (
        ExceptionDesk(stores.exceptions, str),
        "user: lin",
        PersonDecision.REJECTED,
    )

    decision = await reviews.decide(NewReview(1, discard, lin), noon)
    assert isinstance(decision, ReviewDecision)
    await reviews.undo(decision.number, lin, noon)
    await reviews.undo(decision.number, lin, noon)
    await reviews.escalate(1, lin, "asked 13800138000", noon)
    job = await campaigns.decide(NewCampaignReview(campaign, discard, lin, 2, note="fraud"), noon)
    assert isinstance(job, ReviewJob)
    await campaigns.undo(job.number, lin, noon)
    await campaigns.decide(NewCampaignReview(campaign, discard, lin, 7), noon)
    until = noon + timedelta(days=1)
    await grants.add(messages[0], lin, "its own notice", noon, until)
    await grants.revoke(1, lin, noon)
    await grants.revoke(1, lin, noon)

    assert await acts(stores) == [
        (lin, "quarantine undo", "", "message 1"),
        (lin, "quarantine escalate", "asked 138****8000", "message 1"),
        (lin, "quarantine campaign", "fraud", f"job 1: rejected, 2 messages, campaign {campaign}"),
        (lin, "quarantine undo", "", f"job 1, campaign {campaign}"),
        (lin, "quarantine except", "its own notice", f"exception 1: R28, sp1, campaign {campaign}"),
        (lin, "quarantine revoke", "", "exception 1"),
    ]
    assert {kind_of(action) for _, action, _, _ in await acts(stores)} == {AuditKind.DECISION}
