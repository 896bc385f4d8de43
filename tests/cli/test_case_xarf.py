"""`smsward cases xarf`: a report about a case, from the command line."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from xarf import parse

from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.cases.model import Actor, CaseComplaint
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

FOREIGN, HOST = "447700900123", "abuse@host.example"
XARF = """
xarf: {org: b, contact: abuse@b.example, domain: b.example}
"""


@pytest.fixture
def config(deployment: Path, in_store: InStore) -> Path:
    """Return the configuration of a deployment with a case that two persons have referred."""
    path = deployment / "config/gateway.yaml"
    path.write_text(path.read_text("utf-8") + XARF, "utf-8")
    now = utcnow()
    complaint = Complaint(
        number=0,
        source=ComplaintSource.CUSTOMER_SERVICE,
        source_id="call 1",
        reported_at=now,
        taken_at=now,
        sender=FOREIGN,
        text="中奖了，请汇税款",
        case_number=1,
    )

    async def fill(stores: Stores) -> None:
        await stores.complaints.receive([complaint], lambda _one: [])
        desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
        given = CaseComplaint(1, "c1", FOREIGN, None, now, "b/广东", "fraud")
        await desk.take([given], "match")
        await desk.verify(1, Actor("lin", now))
        for person in ("lin", "wu"):
            await desk.refer(1, HOST, Actor(person, now))

    in_store(fill)
    return deployment / "config"


def test_r90_a_report_is_written_noted_and_shown_with_the_case(
    cli: Cli, config: Path, tmp_path: Path
) -> None:
    file, places = tmp_path / "case.json", ("--config", str(config))
    command = ("cases", "xarf", "1", HOST, "--file", str(file), *places)

    masked = cli(*command)
    ran = cli(*command, "--unmask", "--reason", "case 1", "--note", "by courier", "--json")
    again = cli(*command, "--unmask", "--reason", "case 1")
    shown = cli("cases", "show", "1", *places)

    report = json.loads(file.read_text("utf-8"))
    assert parse(report).errors == []
    assert report["source_identifier"] == FOREIGN
    assert json.loads(ran.stdout) == {"case": 1, "report_id": report["report_id"], "to": str(file)}
    assert (masked.returncode, again.returncode) == (1, 1)
    assert "whole number: give --unmask" in masked.stderr
    assert "before, as " in again.stderr
    assert f"{report['report_id']} to {HOST}" in shown.stdout.replace("\n", " ")
    assert "by courier" in shown.stdout
    said = "".join(one.stdout + one.stderr for one in (masked, ran, again))
    assert FOREIGN not in said
    looks = cli("audit", "show", "--json", *places).stdout
    assert "cases xarf" in looks


def test_a_case_is_not_reported_before_gateway_yaml_says_who_reports(
    cli: Cli, deployment: Path, in_store: InStore
) -> None:
    in_store(lambda _: None)

    ran = cli("cases", "xarf", "1", HOST, "--config", str(deployment / "config"))

    assert ran.returncode == 2
    assert "gateway.yaml has no xarf" in ran.stderr
