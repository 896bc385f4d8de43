"""The evidence of a referred case, in a file that an authority can check."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.policy.hours import HolidayCalendar
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.cases.model import Actor, CaseComplaint
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.model import Complaint, ComplaintSource
from tests.systems.linkage.conftest import Node

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

PERSON, REPORTER = "13911112222", "13800138000"
TEXT = "内部消息，跟单稳赚，加微信领取"
UNMASK = ("--unmask", "--reason", "referred to the police")


@pytest.fixture
def export(cli: Cli, config: Path, in_store: InStore, tmp_path: Path) -> Cli:
    """Open case 1 with two complaints, refer it, and return what exports it."""
    now = utcnow()
    complaint = Complaint(
        number=0,
        source=ComplaintSource.CUSTOMER_SERVICE,
        source_id="call 1",
        reported_at=now,
        taken_at=now,
        sender=PERSON,
        text=TEXT,
        reporter=int(f"86{REPORTER}"),
        port="",
        case_number=1,
    )

    async def fill(stores: Stores) -> None:
        other = replace(complaint, source_id="call 2", reporter=None)
        await stores.complaints.receive([complaint, other], lambda _one: [])
        desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
        given = [
            CaseComplaint(number, "c1", PERSON, None, now, "b/广东", "fraud") for number in (1, 2)
        ]
        await desk.take(given, "match")
        await desk.verify(1, Actor("lin", now))
        await desk.attach(1, "ab" * 32, Actor("lin", now, "the picture"))

    in_store(fill)

    def export(*more: str, is_referred: bool = True) -> CompletedProcess[str]:
        async def refer(stores: Stores) -> None:
            desk = CaseDesk(stores.cases, lambda: HolidayCalendar("none"))
            for person in ("lin", "wu"):
                await desk.refer(1, "police", Actor(person, now))

        if is_referred:
            in_store(refer)
        return cli(
            *("cases", "export", "1", str(tmp_path / "case.json"), "--config", str(config)), *more
        )

    return export


def payload_of(path: Path) -> dict[str, object]:
    coded = json.loads(path.read_bytes())["payload"]
    found: dict[str, object] = json.loads(urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
    return found


def test_r90_the_evidence_of_a_referred_case_is_signed_with_the_key_of_this_node(
    export: Cli, nodes: dict[str, Node], tmp_path: Path
) -> None:
    ran = export(*UNMASK, "--json")

    signed = json.loads((tmp_path / "case.json").read_bytes())
    signature = signed["signature"] + "=" * (-len(signed["signature"]) % 4)
    said = f"{signed['protected']}.{signed['payload']}".encode()
    nodes["b"].private.public_key().verify(urlsafe_b64decode(signature), said)  # RFC 7515
    found = payload_of(tmp_path / "case.json")
    complaints = found["complaints"]
    assert json.loads(ran.stdout)["complaints"] == 2
    assert isinstance(complaints, list)
    assert [(one["sender"], one["text"]) for one in complaints] == [(PERSON, TEXT)] * 2
    assert [one["reporter"] for one in complaints] == [None, f"86{REPORTER}"]
    assert found["authority"] == "police"
    assert '"about":"' + "ab" * 32 in json.dumps(found, separators=(",", ":"))
    assert (tmp_path / "case.json").stat().st_mode & 0o777 == 0o600


def test_r90_without_a_reason_evidence_has_no_text_and_no_whole_number(
    export: Cli, tmp_path: Path
) -> None:
    ran = export()

    whole = json.dumps(payload_of(tmp_path / "case.json"), ensure_ascii=False) + ran.stdout
    assert "signed with the key b-1" in ran.stdout
    assert "text_sha256" in whole
    assert not [one for one in (PERSON, REPORTER, TEXT) if one in whole]


def test_evidence_is_for_a_case_that_two_persons_have_referred(export: Cli, tmp_path: Path) -> None:
    ran = export(*UNMASK, is_referred=False)

    assert ran.returncode == 1
    assert "case 1 is verifying" in ran.stderr
    assert not (tmp_path / "case.json").exists()
