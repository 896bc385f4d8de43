"""`smsward trace`: what belongs to one message, and what does not."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import DecisionRow, DeliveryRow, OutcomeRow, Row, Why
from gateway.domain.verdict import Action, Finding, Reason
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.stores import Stores

InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Cli = Callable[..., CompletedProcess[str]]
Trace = Callable[..., CompletedProcess[str]]
WriteRows = Callable[..., None]

HOUR = 490_000
SINCE = "2025-11-01"
NUMBER, OTHER = b"13800138000", b"13900139000"
SMSC_ID, GATEWAY_ID = "100123456789", 8_1764000000000_01_000
SHADOW = Finding("K-LOAN", Reason.CONTENT, Action.QUARANTINE, "贷款", category="loan", shadow=True)


@pytest.fixture
def record(deployment: Path) -> WriteRows:
    def record(*rows: Row, hour: int = HOUR) -> None:
        lines, files = RecordLines(), HourFiles(deployment / "var/cdr")
        files.append(hour, b"".join(map(lines.line, rows)))
        files.close()

    return record


@pytest.fixture
def trace(cli: Cli, deployment: Path) -> Trace:
    def trace(*arguments: str) -> CompletedProcess[str]:
        since = () if "--since" in arguments else ("--since", SINCE)
        return cli("trace", *arguments, *since, "--config", str(deployment / "config"))

    return trace


def submit(
    sequence: int = 7,
    *,
    after_s: float = 0,
    to: bytes = NUMBER,
    action: str = "forward",
    gateway_id: int = 0,
) -> DecisionRow:
    classed = ("commercial", "port")
    why = Why(action, "", "", "", "0123456789ab", "", "", (SHADOW,), *classed)
    at = HOUR * 3600 + after_s
    return ("d", at, (12, "shop", 4), sequence, b"10690001", to, why, gateway_id, None)


def outcome(sequence: int = 7, *, after_s: float = 1, message_id: str = SMSC_ID) -> OutcomeRow:
    at = HOUR * 3600 + after_s
    return ("o", at, (12, "shop", 4), sequence, 0, message_id.encode(), 1500, "answered")


def receipt(
    *, after_s: float = 5, whom: bytes = NUMBER, system_id: str = "shop", message_id: str = SMSC_ID
) -> DeliveryRow:
    told = ("receipt", "DELIVRD", "000", "2511252000", "2511252001")
    at, of = HOUR * 3600 + after_s, (13, system_id, 5)
    return ("m", at, of, 8, whom, b"10690001", message_id.encode(), told, None)


def delivered(*, after_s: float = 6) -> OutcomeRow:
    return ("o", HOUR * 3600 + after_s, (13, "shop", 5), 8, 0, b"", 700, "answered")


def kinds(ran: CompletedProcess[str]) -> list[object]:
    assert ran.returncode == 0, ran.stderr
    return [one["kind"] for one in json.loads(ran.stdout)]


@pytest.mark.parametrize("what", ["13800138000", "+8613800138000", SMSC_ID])
def test_a_message_is_followed_from_the_submit_to_its_receipt(
    record: WriteRows, trace: Trace, what: str
) -> None:
    record(
        submit(),
        submit(8, to=OTHER),
        outcome(),
        outcome(8, message_id="100123456790"),
        receipt(),
        receipt(whom=OTHER, message_id="100123456790"),
        receipt(whom=OTHER, system_id="bank", after_s=5.5),
        delivered(),
    )

    found = json.loads(trace(what, "--json").stdout)

    assert [one["kind"] for one in found][:3] == ["decision", "outcome", "delivery"]
    assert found[0]["destination"] == "138****8000"
    assert found[0]["findings"][0]["rule"] == "K-LOAN"
    assert (found[0]["class"], found[0]["classed_by"]) == ("commercial", "port")
    assert found[1]["message_id"] == SMSC_ID
    assert {one.get("destination") for one in found} <= {"138****8000", "10690001", None}


def test_people_see_a_line_for_each_step_and_one_for_each_finding(
    record: WriteRows, trace: Trace
) -> None:
    record(submit(), outcome(), receipt())

    shown = trace("13800138000").stdout

    assert "DELIVRD" in shown
    assert "K-LOAN" in shown
    assert "in shadow mode, would have been" in shown
    assert "13800138000" not in shown


def test_a_sequence_number_that_came_round_is_another_message(
    record: WriteRows, trace: Trace
) -> None:
    # The first was never answered: a restart, and the session and its numbers begin anew.
    record(submit(to=OTHER), submit(after_s=60), outcome(after_s=61))

    assert kinds(trace(SMSC_ID, "--json")) == ["decision", "outcome"]
    assert kinds(trace("13900139000", "--json")) == ["decision"]


def test_every_recipient_of_one_request_is_told_with_its_id_and_one_alone_with_a_number(
    record: WriteRows, trace: Trace
) -> None:
    record(submit(), submit(to=OTHER), outcome())

    assert kinds(trace(SMSC_ID, "--json")) == ["decision", "decision", "outcome"]
    assert kinds(trace("13800138000", "--json")) == ["decision", "outcome"]


def test_a_held_message_is_followed_over_its_release_to_the_receipt(
    record: WriteRows, trace: Trace
) -> None:
    about = {"system_id": "shop", "message_id": str(GATEWAY_ID)}
    record(
        submit(action="quarantine", gateway_id=GATEWAY_ID),
        ("e", HOUR * 3600 + 60.0, "judged_again", about | {"action": "defer"}),
        ("e", HOUR * 3600 + 61.0, "release", about | {"status": 0, "smsc_message_id": SMSC_ID}),
        receipt(after_s=70),
    )

    followed = kinds(trace(str(GATEWAY_ID), "--json"))

    assert followed == ["decision", "judged_again", "release", "delivery"]


def test_the_answer_to_a_release_and_a_receipt_that_came_with_it_stand_before_it(
    record: WriteRows, trace: Trace
) -> None:
    about = {"system_id": "shop", "message_id": str(GATEWAY_ID)}
    released = about | {"status": 0, "smsc_message_id": SMSC_ID}
    record(
        submit(action="quarantine", gateway_id=GATEWAY_ID),
        outcome(8, after_s=60, message_id="another"),
        outcome(9, after_s=60),
        receipt(after_s=60),
        ("e", HOUR * 3600 + 60.1, "release", released),
    )

    assert kinds(trace(str(GATEWAY_ID), "--json")) == ["decision", "outcome", "delivery", "release"]


def test_a_receipt_an_hour_later_belongs_to_it(record: WriteRows, trace: Trace) -> None:
    record(submit(), outcome())
    record(receipt(after_s=3600), hour=HOUR + 1)

    assert kinds(trace(SMSC_ID, "--json")) == ["decision", "outcome", "delivery"]


def test_nothing_on_record_is_said_with_the_time_from_which_it_was_looked_for(
    record: WriteRows, trace: Trace
) -> None:
    before = trace("13800138000").stdout
    record(submit())

    assert "nothing on record since 2025-11-01" in before
    assert "nothing on record" in trace("13800138000", "--since", "2026-01-01").stdout


def test_a_file_that_is_no_records_is_named(trace: Trace, deployment: Path) -> None:
    (deployment / "var/cdr").mkdir(parents=True)
    (deployment / "var/cdr/cdr-20251125-08.jsonl").write_text("{\n", encoding="ascii")

    ran = trace("13800138000")

    assert ran.returncode == 1
    assert "the records of 2025-11-25 08 UTC cannot be read" in ran.stderr


def test_a_look_back_to_where_an_id_was_issued_is_journaled(
    record: WriteRows, cli: Cli, deployment: Path, in_store: InStore
) -> None:
    record(submit(action="quarantine", gateway_id=GATEWAY_ID))
    asked = ("--unmask", "--reason", "complaint 7", "--config", str(deployment / "config"))
    looks: list[str] = []

    async def read(stores: Stores) -> None:
        looks.extend(one.about for one in await stores.journals.accesses())

    in_store(lambda _: None)  # there is a store
    for since in ((), ("--since", "2026-01-01")):
        assert cli("trace", str(GATEWAY_ID), *since, *asked).returncode == 0
    in_store(read)

    reach = ", and 2025-11-24T15:00+0000 to 2025-11-26T17:00+0000"
    assert sorted(one.endswith(reach) for one in looks) == [False, True]
    assert f"{GATEWAY_ID} since 2026-01-01T00:00+0000" in looks
