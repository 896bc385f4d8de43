"""What SanctionStore promises, on every store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.records import NewPurge
from gateway.domain.sanction import (
    ReopeningTerms,
    Sanction,
    SanctionLadder,
    SanctionRefusal,
    SanctionState,
    SanctionStep,
)
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind, WarningNote
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

DAY = timedelta(days=1)
LADDER = SanctionLadder()
BY_ITSELF = replace(LADDER, automatic=frozenset(SanctionStep))
KIND = WarningKind(WarningCode.W5, "R21", "sp1", "10690001")


async def violate(
    stores: Stores,
    at: datetime,
    severity: Severity | None,
    kind: WarningKind = KIND,
    on_trial: int = 0,
) -> int:
    """Raise a warning; return its number."""
    (raised,) = await stores.warnings.add([WarningCount(kind, severity, 1, on_trial, at, at)])
    return raised.number


async def next_step(
    stores: Stores, at: datetime, severity: Severity, kind: WarningKind = KIND
) -> SanctionStep:
    """Violate, apply what is proposed at once, and return its step."""
    await violate(stores, at, severity, kind)
    (one,) = await stores.sanctions.propose(LADDER, at)
    await stores.sanctions.decide(one.number, SanctionState.APPLIED, WarningNote("wu", at, "yes"))
    return one.step


async def closed(stores: Stores, at: datetime) -> Sanction:
    """Close sp1 for a major violation."""
    await violate(stores, at, Severity.MAJOR)
    (one,) = await stores.sanctions.propose(BY_ITSELF, at)
    return one


def asked(by: str, at: datetime) -> ReopeningTerms:
    return ReopeningTerms(by, at, "new owner", "own lists only")


async def test_r96_after_three_notices_that_fixed_nothing_the_sp_is_closed(
    stores: Stores, noon: datetime
) -> None:
    steps = [await next_step(stores, noon + day * DAY, Severity.GENERAL) for day in range(4)]

    assert steps == ["notice", "notice", "notice", "close"]
    (last,) = await stores.sanctions.in_force(noon + 4 * DAY)
    assert (last.system_id, last.step, last.decided_by) == ("sp1", "close", "wu")


async def test_r96_a_notice_that_was_fixed_does_not_count(stores: Stores, noon: datetime) -> None:
    for day in range(3):
        await next_step(stores, noon + day * DAY, Severity.GENERAL)
    await stores.warnings.close(2, WarningNote("lin", noon, "no more of it"))

    assert await next_step(stores, noon + 5 * DAY, Severity.GENERAL) is SanctionStep.NOTICE


async def test_r96_what_comes_within_the_24_hours_of_a_notice_is_no_next_step(
    stores: Stores, noon: datetime
) -> None:
    rules = [KIND._replace(rule=f"R{number}") for number in range(5)]

    steps = [await next_step(stores, noon, Severity.GENERAL, kind) for kind in rules]

    assert steps == ["notice"] * 5


@pytest.mark.parametrize("severity", [Severity.GENERAL, Severity.SERIOUS])
async def test_r96_several_warnings_of_one_day_are_one_earlier_step(
    stores: Stores, noon: datetime, severity: Severity
) -> None:
    rules = [KIND._replace(rule=f"R{number}") for number in range(4)]

    first = [await next_step(stores, noon, severity, kind) for kind in rules]
    soon = await next_step(stores, noon + DAY - timedelta(seconds=1), severity)
    later = await next_step(stores, noon + 2 * DAY, severity, rules[0])
    last = await next_step(stores, noon + 3 * DAY, severity, rules[1])

    known = (SanctionStep.NOTICE,) * 3 if severity is Severity.GENERAL else (SanctionStep.SUSPEND,)
    assert [*first, soon] == [known[0]] * 5
    assert (later, last) == (LADDER.step(severity, 2), LADDER.step(severity, 3))


async def test_r96_days_are_those_of_china(stores: Stores) -> None:
    evening = datetime(2025, 11, 25, 15, 59, tzinfo=UTC)  # 23:59 in China
    rules = [KIND._replace(rule=f"R{number}") for number in range(4)]
    for minutes, kind in enumerate(rules[:3]):
        await next_step(stores, evening + timedelta(minutes=minutes), Severity.GENERAL, kind)

    third = await next_step(stores, evening + 2 * DAY, Severity.GENERAL, rules[3])
    fourth = await next_step(stores, evening + 4 * DAY, Severity.GENERAL, rules[3])

    assert (third, fourth) == (SanctionStep.NOTICE, SanctionStep.CLOSE)


async def test_r96_what_only_a_rule_in_shadow_noticed_is_never_proposed(
    stores: Stores, noon: datetime
) -> None:
    await violate(stores, noon, Severity.MAJOR, on_trial=1)
    in_shadow = await stores.sanctions.propose(BY_ITSELF, noon)
    await stores.warnings.add([WarningCount(KIND, Severity.MAJOR, 1, 0, noon, noon)])
    in_force = await stores.sanctions.propose(BY_ITSELF, noon)

    assert in_shadow == []
    assert [one.step for one in in_force] == [SanctionStep.CLOSE]


async def test_r96_a_second_serious_violation_in_180_days_closes_and_a_later_one_suspends(
    stores: Stores, noon: datetime
) -> None:
    other = KIND._replace(system_id="sp2")

    first = await next_step(stores, noon, Severity.SERIOUS)
    again = await next_step(stores, noon + 179 * DAY, Severity.SERIOUS)
    of_other = await next_step(stores, noon, Severity.SERIOUS, other)
    late = await next_step(stores, noon + 181 * DAY, Severity.SERIOUS, other)

    assert (first, again) == (SanctionStep.SUSPEND, SanctionStep.CLOSE)
    assert (of_other, late) == (SanctionStep.SUSPEND, SanctionStep.SUSPEND)


async def test_r96_a_major_violation_closes_at_once_and_severities_count_apart(
    stores: Stores, noon: datetime
) -> None:
    assert await next_step(stores, noon, Severity.GENERAL) is SanctionStep.NOTICE
    assert await next_step(stores, noon + 2 * DAY, Severity.SERIOUS) is SanctionStep.SUSPEND
    assert await next_step(stores, noon + 4 * DAY, Severity.MAJOR) is SanctionStep.CLOSE


async def test_r96_each_violation_is_proposed_once_and_other_warnings_never(
    stores: Stores, noon: datetime
) -> None:
    await violate(stores, noon, None, KIND._replace(rule="R40"))
    await violate(stores, noon, Severity.GENERAL)
    closed_one = await violate(stores, noon, Severity.GENERAL, KIND._replace(rule="R20"))
    await stores.warnings.close(closed_one, WarningNote("lin", noon, "a test"))
    await violate(stores, noon, Severity.MAJOR, KIND._replace(system_id="peer"))

    proposed = await stores.sanctions.propose(LADDER, noon, exempt=["peer"])
    again = await stores.sanctions.propose(LADDER, noon, exempt=["peer"])

    assert [(one.warning, one.state, one.step) for one in proposed] == [(2, "proposed", "notice")]
    assert again == []
    assert await stores.sanctions.get(1) == proposed[0]
    assert await stores.sanctions.find(system_id="sp1") == proposed
    assert await stores.sanctions.find(state=SanctionState.APPLIED) == []


async def test_r96_many_violations_are_proposed_in_turns(stores: Stores, noon: datetime) -> None:
    for number in range(3):
        await violate(stores, noon, Severity.GENERAL, KIND._replace(port=str(number)))

    turns = [len(await stores.sanctions.propose(LADDER, noon, limit=2)) for _ in range(3)]

    assert turns == [2, 1, 0]


async def test_r96_only_a_proposed_step_is_applied_or_dismissed_and_what_is_dismissed_not_counted(
    stores: Stores, noon: datetime
) -> None:
    await violate(stores, noon, Severity.SERIOUS)
    await stores.sanctions.propose(LADDER, noon)
    said = WarningNote("wu", noon, "the rule was wrong")

    dismissed = await stores.sanctions.decide(1, SanctionState.DISMISSED, said)
    repeated = await stores.sanctions.decide(1, SanctionState.DISMISSED, said)
    again = await stores.sanctions.decide(1, SanctionState.APPLIED, said)
    missing = await stores.sanctions.decide(9, SanctionState.APPLIED, said)

    assert isinstance(dismissed, Sanction)
    assert repeated == dismissed
    assert len(await stores.journals.accesses()) == 1
    assert (dismissed.state, dismissed.note) == (SanctionState.DISMISSED, "the rule was wrong")
    assert (again, missing) == (SanctionRefusal.STATE, SanctionRefusal.MISSING)
    assert await next_step(stores, noon + DAY, Severity.SERIOUS) is SanctionStep.SUSPEND


async def test_r96_what_needs_no_person_is_applied_journaled_and_in_the_feed(
    stores: Stores, noon: datetime
) -> None:
    one = await closed(stores, noon)

    assert (one.state, one.decided_by) == (SanctionState.APPLIED, "automatic")
    (access,) = await stores.journals.accesses()
    assert (access.by, access.action) == ("automatic", "sanction apply")
    assert access.about == "sanction 1, close, of sp1 10690001"
    assert [change.kind for change in await stores.changes.changes(0)] == [ChangeKind.SANCTION]
    assert await stores.sanctions.changed_after(noon - DAY) == [one]
    assert await stores.sanctions.changed_after(noon) == []


async def test_r96_a_suspension_is_to_be_carried_out_until_that_is_noted(
    stores: Stores, noon: datetime
) -> None:
    await next_step(stores, noon, Severity.SERIOUS)

    (one,) = await stores.sanctions.to_carry_out()
    await stores.sanctions.carried_out(one)

    assert (one.port, one.step, one.state) == ("10690001", "suspend", "applied")
    assert await stores.sanctions.to_carry_out() == []


async def test_r97_one_approver_is_refused_and_another_reopens_with_a_probation(
    stores: Stores, noon: datetime
) -> None:
    one = await closed(stores, noon)

    terms = asked("lin", noon)
    first = await stores.sanctions.ask_reopening(one.number, terms)
    same = await stores.sanctions.approve_reopening(one.number, terms.digest, "lin", noon)
    again = await stores.sanctions.ask_reopening(one.number, asked("lin", noon + DAY))
    twice = await stores.sanctions.ask_reopening(one.number, replace(terms, daily_max=20_000))
    other = await stores.sanctions.ask_reopening(one.number, asked("wu", noon))
    still = await stores.sanctions.in_force(noon)
    reopened = await stores.sanctions.approve_reopening(one.number, terms.digest, "wu", noon)
    repeated = await stores.sanctions.approve_reopening(one.number, terms.digest, "wu", noon + DAY)
    third = await stores.sanctions.approve_reopening(one.number, terms.digest, "wei", noon)

    assert isinstance(first, Sanction)
    assert first.state is SanctionState.APPLIED
    assert (same, twice) == (SanctionRefusal.SAME_PERSON, SanctionRefusal.SAME_PERSON)
    assert (again, repeated) == (first, reopened)
    assert (other, third) == (SanctionRefusal.ASKED, SanctionRefusal.STATE)
    assert [found.state for found in still] == ["applied"]
    assert isinstance(reopened, Sanction)
    assert (reopened.state, reopened.reopened_by) == (SanctionState.REOPENED, "wu")
    assert reopened.probation_until == noon + 30 * DAY
    assert await stores.sanctions.in_force(noon + 29 * DAY) == [reopened]
    assert await stores.sanctions.in_force(noon + 30 * DAY) == []
    assert [(found.by, found.action) for found in await stores.journals.accesses()] == [
        ("wu", "sanction reopen"),
        ("lin", "sanction reopen ask"),
        ("automatic", "sanction apply"),
    ]


async def test_r97_what_is_declined_stays_closed_and_may_be_asked_for_again(
    stores: Stores, noon: datetime
) -> None:
    one = await closed(stores, noon)
    await stores.sanctions.ask_reopening(one.number, asked("lin", noon))
    said = WarningNote("wu", noon, "the same lists")

    declined = await stores.sanctions.decline_reopening(one.number, said)
    twice = await stores.sanctions.decline_reopening(one.number, said)
    digest = asked("lin", noon).digest
    approved = await stores.sanctions.approve_reopening(one.number, digest, "wu", noon)
    again = await stores.sanctions.ask_reopening(one.number, asked("wu", noon))

    assert isinstance(declined, Sanction)
    assert declined.reopening is None
    assert (twice, approved) == (SanctionRefusal.STATE, SanctionRefusal.STATE)
    assert isinstance(again, Sanction)


async def test_r97_who_asked_may_not_change_the_terms_before_another_approves(
    stores: Stores, noon: datetime
) -> None:
    one = await closed(stores, noon)
    first = await stores.sanctions.ask_reopening(one.number, asked("lin", noon))

    own = await stores.sanctions.decline_reopening(one.number, WarningNote("lin", noon, "mine"))

    assert own is SanctionRefusal.SAME_PERSON
    assert await stores.sanctions.get(one.number) == first


async def test_r97_an_approval_is_of_the_terms_that_were_read_and_of_no_others(
    stores: Stores, noon: datetime
) -> None:
    one, mild = await closed(stores, noon), asked("lin", noon)
    await stores.sanctions.ask_reopening(one.number, mild)
    await stores.sanctions.decline_reopening(one.number, WarningNote("wei", noon, "in league"))
    broad = replace(mild, at=noon + DAY, daily_max=1_000_000)
    waiting = await stores.sanctions.ask_reopening(one.number, broad)

    of_mild = await stores.sanctions.approve_reopening(one.number, mild.digest, "wu", noon)
    kept = await stores.sanctions.get(one.number)
    of_broad = await stores.sanctions.approve_reopening(one.number, broad.digest, "wu", noon)

    assert (of_mild, kept) == (SanctionRefusal.OTHER_TERMS, waiting)
    assert isinstance(of_broad, Sanction)
    assert of_broad.state is SanctionState.REOPENED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lin", "client lin"),
        ("client lin", "lin"),
        ("lin", "user: lin"),
        ("user: lin", "lin"),
        ("client lin", "user: lin"),
    ],
)
async def test_r97_who_acts_in_two_ways_is_not_two_persons(
    stores: Stores, noon: datetime, first: str, second: str
) -> None:
    one = await closed(stores, noon)
    terms = asked(first, noon)
    waiting = await stores.sanctions.ask_reopening(one.number, terms)

    approved = await stores.sanctions.approve_reopening(one.number, terms.digest, second, noon)
    declined = await stores.sanctions.decline_reopening(one.number, WarningNote(second, noon, "no"))

    assert (approved, declined) == (SanctionRefusal.OTHER_CHANNEL,) * 2
    assert await stores.sanctions.get(one.number) == waiting


async def test_r97_a_notice_and_what_is_only_proposed_are_not_reopened(
    stores: Stores, noon: datetime
) -> None:
    await next_step(stores, noon, Severity.GENERAL)
    await violate(stores, noon, Severity.MAJOR, KIND._replace(rule="R60"))
    await stores.sanctions.propose(LADDER, noon)

    found = [await stores.sanctions.ask_reopening(one, asked("lin", noon)) for one in (1, 2, 3)]

    assert found == [SanctionRefusal.STATE, SanctionRefusal.STATE, SanctionRefusal.MISSING]


async def test_r97_a_reopened_suspension_is_to_be_carried_out_again(
    stores: Stores, noon: datetime
) -> None:
    await next_step(stores, noon, Severity.SERIOUS)
    (before,) = await stores.sanctions.to_carry_out()
    terms = asked("lin", noon)
    await stores.sanctions.ask_reopening(1, terms)
    await stores.sanctions.approve_reopening(1, terms.digest, "wu", noon)

    late = await stores.sanctions.carried_out(before)  # by a process that was slow
    (after,) = await stores.sanctions.to_carry_out()
    in_time = await stores.sanctions.carried_out(after)

    assert (late, in_time) == (False, True)
    assert after.state is SanctionState.REOPENED
    assert await stores.sanctions.to_carry_out() == []


async def test_r98_violations_are_counted_by_code_and_sp_within_a_time(
    stores: Stores, noon: datetime
) -> None:
    await violate(stores, noon, Severity.GENERAL)
    await violate(stores, noon + 2 * DAY, Severity.SERIOUS)
    await violate(stores, noon, Severity.SERIOUS, KIND._replace(system_id="sp2"))
    await violate(stores, noon, None, KIND._replace(rule="R40"))
    await violate(stores, noon, Severity.MAJOR, KIND._replace(code=WarningCode.W12))

    found = await stores.warnings.violations(noon, noon + 3 * DAY)
    of_one = await stores.warnings.violations(noon, noon + DAY, "sp1")

    assert [(one.code, one.system_id, one.violations, one.article) for one in found] == [
        ("W12", "sp1", 1, ""),
        ("W5", "sp1", 2, "o31.18"),
        ("W5", "sp2", 1, "o31.18"),
    ]
    assert (found[1].messages, found[1].last_at) == (2, noon + 2 * DAY)
    assert [(one.code, one.violations) for one in of_one] == [("W12", 1), ("W5", 1)]


async def test_a_sanction_goes_with_its_warning_but_not_while_the_sp_is_closed(
    stores: Stores, noon: datetime
) -> None:
    await closed(stores, noon)
    await next_step(stores, noon, Severity.GENERAL, KIND._replace(rule="R40"))
    later = noon + 2000 * DAY

    due = [one.number for one in await stores.warnings.noticed_before(later)]
    await stores.warnings.forget(due, NewPurge("warnings", noon, later, len(due), later, "daily"))

    assert due == [2]
    assert [one.number for one in await stores.sanctions.find()] == [1]
