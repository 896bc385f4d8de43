"""Programs search records and follow messages: masked, in pages, and journaled (R73)."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.console import records_api
from gateway.records.archive import hour_of
from gateway.systems.approvals.service import TwoPersonRule
from tests.console.api.conftest import NOON, Ask, Desk
from tests.records.finding_rows import decided, enforced, lines

SEARCH, TRACE = "/v1/records/search", "/v1/records/trace"
LONG = {"since": "2025-11-25T08:00:00Z"}


EARLIER, LATER = NOON - timedelta(minutes=150), NOON - timedelta(minutes=30)


def add(place: Path, at: datetime, *written: bytes) -> None:
    """Write lines behind those of an hour."""
    with (place / f"cdr-{at:%Y%m%d-%H}.jsonl").open("ab") as file:
        file.writelines(line + b"\n" for line in written)


@pytest.fixture
def recorded(desk: Desk, tmp_path: Path) -> Path:
    """Records of two hours: three messages of sp1, one of sp2."""
    began, later = EARLIER, LATER
    for at, rows in (
        (began, (decided(1, system_id="sp1", at=began.timestamp()),)),
        (
            later,
            (
                decided(2, enforced("K-FRAUD"), system_id="sp1", at=later.timestamp()),
                decided(3, system_id="sp2", source="10690009", at=later.timestamp()),
                decided(4, system_id="sp1", gateway_id=7, at=later.timestamp()),
            ),
        ),
    ):
        add(tmp_path, at, *lines(*rows))
    assert hour_of(began) < hour_of(later)
    desk.records = tmp_path
    return tmp_path


@pytest.mark.usefixtures("recorded")
async def test_the_newest_come_first_and_an_hour_as_a_rule(ask: Ask) -> None:
    last = (await ask("auditor", "POST", SEARCH, json={})).json()["records"]
    every = (await ask("auditor", "POST", SEARCH, json=LONG)).json()["records"]

    assert [one["system_id"] for one in last] == ["sp1", "sp2", "sp1"]
    assert len(every) == 4
    assert [one["at"] for one in every] == sorted((one["at"] for one in every), reverse=True)
    assert "13800138" not in str(every)


async def test_what_is_written_meanwhile_moves_no_record_to_another_page(
    ask: Ask, recorded: Path
) -> None:
    page = (await ask("auditor", "POST", SEARCH, json=LONG | {"limit": 2})).json()
    add(recorded, LATER, *lines(decided(5, system_id="sp2", at=NOON.timestamp() - 60)))
    found = list(page["records"])
    while page["next"]:
        asked = LONG | {"limit": 2, "cursor": page["next"]}
        page = (await ask("auditor", "POST", SEARCH, json=asked)).json()
        found += page["records"]

    assert len(found) == 4
    assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"system_id": "sp2"}, 1),
        ({"rule": "K-FRAUD"}, 1),
        ({"reason": "CONTENT"}, 1),
        ({"action": "reject"}, 1),
        ({"port": "10690009"}, 1),
        ({"kind": "delivery"}, 0),
        ({"system_id": "sp_"}, 0),
        ({"system_id": "%"}, 0),
    ],
)
async def test_a_search_is_narrowed(ask: Ask, asked: dict[str, str], count: int) -> None:
    found = (await ask("auditor", "POST", SEARCH, json=LONG | asked)).json()["records"]

    assert len(found) == count


@pytest.mark.parametrize(
    "asked",
    [
        {"port": "13800138000"},
        {"since": "2025-11-25T13:00:00Z"},
        {"since": "2025-01-01T00:00:00Z"},
        {"cursor": "abc"},
        {"cursor": "WyJyZWNvcmRzIiwiMToieCJd"},
        {"cursor": "WyJyZWNvcmRzIiwieDoxIl0"},
        {"limit": 501},
    ],
)
async def test_a_search_that_can_find_nothing_or_must_not_is_a_422(
    ask: Ask, asked: dict[str, object]
) -> None:
    assert (await ask("auditor", "POST", SEARCH, json=asked)).status_code == 422


@pytest.mark.usefixtures("recorded")
async def test_a_message_is_followed_by_its_id_without_a_reason(ask: Ask, desk: Desk) -> None:
    answer = await ask("viewer", "POST", TRACE, json={"message_id": "7"})
    found = await ask("auditor", "POST", TRACE, json={"message_id": "7"})

    assert answer.status_code == 403
    assert [one["gateway_id"] for one in found.json()["records"]] == [7]
    assert await desk.stores.journals.accesses() == []


@pytest.mark.usefixtures("recorded")
async def test_a_look_for_a_person_is_journaled_with_its_reason(ask: Ask, desk: Desk) -> None:
    asked = {"number": "13800138000", "reason": "工单 2026-118"}

    masked = await ask("auditor", "POST", TRACE, json=asked)
    refused = await ask("auditor", "POST", TRACE, json=asked | {"unmask": True})
    whole = await ask("reviewer", "POST", TRACE, json=asked | {"unmask": True})

    assert len(masked.json()["records"]) == len(whole.json()["records"]) == 4
    assert "13800138000" not in masked.text
    assert "13800138000" in whole.text
    assert refused.status_code == 403
    looks = await desk.stores.journals.accesses()
    assert [(one.by, one.action, one.about, one.reason) for one in looks] == [
        ("api: reviewer", "trace unmask", "1 number: 138****8000", "工单 2026-118"),
        ("api: auditor", "trace", "138****8000", "工单 2026-118"),
    ]


async def test_an_unmasked_trace_counts_the_numbers_that_it_shows(
    ask: Ask, desk: Desk, tmp_path: Path
) -> None:
    named = [
        row.replace(b"13800138000", b"1380013800%d" % last)
        for last in range(3)
        for row in lines(decided(last, gateway_id=7, at=LATER.timestamp()))
    ]
    add(tmp_path, LATER, *named)
    desk.records, desk.rule = tmp_path, TwoPersonRule(unmask_in_bulk_above=2)
    asked = {"message_id": "7", "reason": "工单 2026-118", "unmask": True}

    refused = await ask("reviewer", "POST", TRACE, json=asked)
    before = await desk.stores.journals.accesses()
    desk.rule = TwoPersonRule(unmask_in_bulk_above=5)
    shown = [await ask("reviewer", "POST", TRACE, json=asked) for _ in range(2)]

    assert (refused.status_code, "1380013800" in refused.text, before) == (409, False, [])
    assert [one.status_code for one in shown] == [200, 409]
    [look] = await desk.stores.journals.accesses()
    assert (look.action, look.about) == ("trace unmask", "3 numbers: 7")


@pytest.mark.usefixtures("recorded")
async def test_the_id_of_a_trace_says_no_count_of_its_own(ask: Ask, desk: Desk) -> None:
    desk.rule = TwoPersonRule(unmask_in_bulk_above=1)
    asked = {"message_id": "7", "reason": "工单 2026-118", "unmask": True}
    await ask("reviewer", "POST", TRACE, json=asked)

    answers = [
        await ask("reviewer", "POST", TRACE, json=asked | {"message_id": one})
        for one in ("0 numbers: 7", "refusals of 0 numbers: 7", "7")
    ]

    assert [one.status_code for one in answers] == [200, 200, 409]
    assert [one.json()["records"] for one in answers[:2]] == [[], []]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"message_id": "1", "number": "13800138000", "reason": "x"},
        {"number": "13800138000"},
        {"message_id": "1", "unmask": True},
    ],
)
async def test_a_trace_names_one_thing_and_a_person_needs_a_reason(
    ask: Ask, asked: dict[str, object]
) -> None:
    assert (await ask("admin", "POST", TRACE, json=asked)).status_code == 422


@pytest.mark.usefixtures("recorded")
async def test_a_look_that_takes_too_long_is_told(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_api, "LOOK_S", -1.0)

    for path, asked in ((SEARCH, LONG), (TRACE, {"message_id": "1"})):
        answer = await ask("auditor", "POST", path, json=asked)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "shorter" in answer.json()["detail"]


async def test_records_that_cannot_be_read_are_told(ask: Ask, recorded: Path) -> None:
    add(recorded, LATER, b"{no record")

    answer = await ask("auditor", "POST", SEARCH, json=LONG)

    assert (answer.status_code, answer.json()["detail"]) == (503, "the records cannot be read")
