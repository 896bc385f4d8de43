"""What gateway.systems.early_warnings.sql promises, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.records import NewPurge
from gateway.domain.warning import (
    MAX_SAMPLES,
    EarlyWarning,
    Severity,
    WarningCode,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.stores import Stores

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

GatheredBuilder: TypeAlias = Callable[..., WarningCount]

WALKS = WarningKind(WarningCode.W9, "R28", "sp1", "10690001")
MISUSE = WarningKind(WarningCode.W3, "R05", "sp2", "10690002")


@pytest.fixture
def gathered(noon: datetime) -> GatheredBuilder:
    """Build three messages of one kind, noticed `hours` after noon."""

    def build(
        kind: WarningKind = WALKS, hours: float = 0, severity: Severity | None = None
    ) -> WarningCount:
        first = noon + timedelta(hours=hours)
        last = first + timedelta(seconds=1)
        return WarningCount(
            kind, severity, 3, 1, first, last, ("1:7", "1:8", "8000000000000000001")
        )

    return build


async def test_what_gathered_raises_a_warning_with_its_number(
    stores: Stores, gathered: GatheredBuilder
) -> None:
    one = gathered(MISUSE, severity=Severity.SERIOUS)

    raised = await stores.warnings.add([gathered(), one])

    assert raised == [EarlyWarning(1, gathered()), EarlyWarning(2, one)]
    assert await stores.warnings.get(1) == raised[0]
    assert await stores.warnings.get(2) == raised[1]
    assert await stores.warnings.get(3) is None


async def test_r28_within_a_day_a_kind_is_counted_in_one_warning(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered()])

    again = await stores.warnings.add([gathered(hours=1), gathered(hours=23.9)])
    next_day = await stores.warnings.add([gathered(hours=24)])

    assert again == []
    assert [warning.number for warning in next_day] == [2]
    first = await stores.warnings.get(1)
    assert first is not None
    assert (first.gathered.count, first.gathered.on_trial) == (9, 3)
    assert first.gathered.first_at == noon
    assert first.gathered.last_at == noon + timedelta(hours=23.9, seconds=1)
    assert len(first.gathered.samples) == MAX_SAMPLES
    assert first.gathered.samples[:3] == gathered().samples


async def test_what_a_warning_is_about_is_kept_and_what_comes_later_adds_it_once(
    stores: Stores, gathered: GatheredBuilder
) -> None:
    loan = replace(gathered(hours=1), category="loan", campaign="c0123456789abcdef")
    games = replace(gathered(MISUSE), category="games", campaign="cfedcba9876543210")

    await stores.warnings.add([gathered(), games])
    await stores.warnings.add([loan, replace(gathered(hours=2), category="games")])

    found = await stores.warnings.find()
    assert [(one.gathered.category, one.gathered.campaign) for one in found] == [
        ("games", "cfedcba9876543210"),
        ("loan", "c0123456789abcdef"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        WALKS._replace(code=WarningCode.W8),
        WALKS._replace(rule="R28-unknown"),
        WALKS._replace(system_id="sp2"),
        WALKS._replace(port="10690002"),
    ],
)
async def test_another_code_rule_sp_or_port_is_another_warning(
    stores: Stores, gathered: GatheredBuilder, other: WarningKind
) -> None:
    raised = await stores.warnings.add([gathered(), gathered(other)])

    assert [warning.gathered.kind for warning in raised] == [WALKS, other]


async def test_what_comes_earlier_than_the_first_is_counted_in_it(
    stores: Stores, gathered: GatheredBuilder
) -> None:
    await stores.warnings.add([gathered()])

    assert await stores.warnings.add([gathered(hours=-1)]) == []
    warning = await stores.warnings.get(1)
    assert warning is not None
    assert warning.gathered.first_at == gathered(hours=-1).first_at
    assert warning.gathered.last_at == gathered().last_at


async def test_an_answer_is_noted_once_and_then_the_warning_is_closed(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered()])
    answer = WarningNote("lin", noon + timedelta(hours=2), "名单已清理")
    closing = WarningNote("wang", noon + timedelta(days=14), "checked for 14 days")

    moved = [
        await stores.warnings.answer(1, answer),
        await stores.warnings.answer(1, replace(answer, note="again")),
        await stores.warnings.close(1, closing),
        await stores.warnings.close(1, answer),
        await stores.warnings.answer(1, answer),
        await stores.warnings.answer(2, answer),
        await stores.warnings.close(2, closing),
    ]

    assert moved == [True, False, True, False, False, False, False]
    assert await stores.warnings.get(1) == EarlyWarning(
        1, gathered(), WarningState.CLOSED, answer, closing
    )


async def test_what_comes_after_the_answer_is_counted_and_the_answer_stays(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered()])
    answer = WarningNote("lin", noon, "seen")
    await stores.warnings.answer(1, answer)

    assert await stores.warnings.add([gathered(hours=3)]) == []

    warning = await stores.warnings.get(1)
    assert warning is not None
    assert (warning.state, warning.answer) == (WarningState.ANSWERED, answer)
    assert warning.gathered.count == 6


async def test_warnings_are_found_by_sp_code_state_and_severity(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    serious = gathered(MISUSE, severity=Severity.SERIOUS)
    await stores.warnings.add([gathered(), serious, gathered(hours=24)])
    await stores.warnings.close(1, WarningNote("lin", noon, "ok"))

    def numbers(found: list[EarlyWarning]) -> list[int]:
        return [one.number for one in found]

    find = stores.warnings.find
    assert numbers(await find()) == [3, 2, 1]
    assert numbers(await find(limit=2)) == [3, 2]
    assert numbers(await find(before=3)) == [2, 1]
    assert numbers(await find(system_id="sp1")) == [3, 1]
    assert numbers(await find(code=WarningCode.W3)) == [2]
    assert numbers(await find(state=WarningState.OPEN)) == [3, 2]
    assert numbers(await find(violations=True)) == [2]
    assert numbers(await find(system_id="sp1", code=WarningCode.W3)) == []


async def test_r72_old_warnings_go_with_a_log_and_their_numbers_are_not_given_again(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered(hours=-60), gathered(MISUSE), gathered(hours=-30)])
    before = noon + timedelta(seconds=1)

    first = await stores.warnings.noticed_before(before, limit=1)
    rest = await stores.warnings.noticed_before(before, after=1)
    purge = NewPurge("warnings", noon - timedelta(days=3), noon, 3, noon, "lin")
    gone = await stores.warnings.forget([1, 3, 9], purge)

    assert [one.number for one in (*first, *rest)] == [1, 3]
    assert gone == 2
    assert await stores.warnings.forget([1], purge) == 0
    assert [one.number for one in await stores.warnings.find()] == [2]
    [raised] = await stores.warnings.add([gathered(hours=-30)])
    assert raised.number == 4
    [noted] = await stores.journals.purges()
    assert (noted.what, noted.count, noted.by) == ("warnings", 2, "lin")


async def test_r95_a_warning_without_an_answer_is_escalated_once_when_it_was_due(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered(), gathered(MISUSE, hours=1)])
    due = noon + timedelta(hours=24)

    early = await stores.warnings.escalate_due(due - timedelta(seconds=1))
    first = await stores.warnings.escalate_due(due)
    again = await stores.warnings.escalate_due(due)
    later = await stores.warnings.escalate_due(due + timedelta(hours=1))

    assert (early, again) == ([], [])
    assert [(one.number, one.state) for one in first] == [(1, WarningState.ESCALATED)]
    assert [one.number for one in later] == [2]
    kept = await stores.warnings.get(1)
    assert kept == first[0]
    assert (kept.due_at, kept.escalated_at) == (due, due)


async def test_r95_many_are_escalated_in_turns_the_oldest_first(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    ports = [WALKS._replace(port=str(port)) for port in range(5)]
    await stores.warnings.add([gathered(kind) for kind in ports])
    due = noon + timedelta(hours=24)

    turns = [await stores.warnings.escalate_due(due, limit=2) for _ in range(4)]

    assert [[one.number for one in turn] for turn in turns] == [[1, 2], [3, 4], [5], []]


async def test_r95_what_is_answered_in_time_or_closed_is_not_escalated(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered(), gathered(MISUSE)])
    await stores.warnings.answer(1, WarningNote("lin", noon, "fixed"))
    await stores.warnings.close(2, WarningNote("lin", noon, "a test"))

    assert await stores.warnings.escalate_due(noon + timedelta(days=9)) == []


async def test_r95_a_late_answer_is_taken_once_and_the_escalation_stays_on_record(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered()])
    due = noon + timedelta(hours=24)
    await stores.warnings.escalate_due(due)

    overdue = await stores.warnings.find(overdue_at=due)
    is_taken = await stores.warnings.answer(1, WarningNote("lin", due, "fixed"))
    twice = await stores.warnings.answer(1, WarningNote("lin", due, "fixed again"))

    assert [one.number for one in overdue] == [1]
    assert (is_taken, twice) == (True, False)
    assert await stores.warnings.find(overdue_at=due) == []
    (kept,) = await stores.warnings.find(state=WarningState.ANSWERED)
    assert kept.escalated_at == due


async def test_r95_overdue_is_also_what_nobody_has_escalated_yet(
    stores: Stores, gathered: GatheredBuilder, noon: datetime
) -> None:
    await stores.warnings.add([gathered(), gathered(MISUSE, hours=1)])

    found = await stores.warnings.find(overdue_at=noon + timedelta(hours=24))

    assert [one.number for one in found] == [1]
