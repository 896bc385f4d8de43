"""Reports to the authority: listed, shown, exported and noted as sent."""

import json
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli import reports as reports_module
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.records import Access
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

TEXT = "代\u200b开发票，联系我"
WHY = ("--unmask", "--reason", "案 2025-7")
REPORT = NewAuthorityReport(
    message_id=8176404480000000000,
    system_id="shop",
    source="10690001",
    msisdn=8613800138000,
    recipients=1,
    action="reject",
    rule="K-FRAUD",
    category="fraud",
    keyword="代开发票",
    digest="0123456789ab",
    text=TEXT,
    text_sha256=sha256(TEXT.encode()).hexdigest(),
    stopped_at=datetime(2025, 11, 25, 12, 0, 0, 123000, tzinfo=UTC),
)
OTHER = replace(
    REPORT,
    message_id=REPORT.message_id + 1,
    system_id="gone",
    source="13900139000",
    msisdn=None,
    category="gambling",
)


@pytest.fixture
def reports(cli: Cli, deployment: Path, in_store: InStore) -> Cli:
    """Return the command over a store with two reports, of which the second is the newer."""
    in_store(lambda stores: stores.authority_reports.add([REPORT, OTHER]))

    def reports(*arguments: str) -> CompletedProcess[str]:
        return cli("reports", *arguments, "--config", str(deployment / "config"))

    return reports


@pytest.fixture
def accesses(in_store: InStore) -> Callable[[], list[Access]]:
    def read() -> list[Access]:
        found: list[Access] = []

        async def look(stores: Stores) -> None:
            found.extend(await stores.journals.accesses())

        in_store(look)
        return found

    return read


def test_r60_reports_are_listed_the_newest_first_with_masked_numbers_and_no_text(
    reports: Cli,
) -> None:
    ran = reports("list")

    assert ran.returncode == 0
    assert ran.stdout.index("gambling") < ran.stdout.index("fraud")
    assert "138****8000" in ran.stdout
    assert "139****9000" in ran.stdout
    assert "2 pending" in ran.stdout
    for kept_back in ("13800138000", "13900139000", "联系我"):
        assert kept_back not in ran.stdout


def test_on_a_terminal_of_eighty_columns_numbers_and_times_of_reports_stay_whole(
    reports: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports("sent", "1", "--reference", "公网安(2025)77")
    monkeypatch.setenv("COLUMNS", "80")

    shown = reports("list").stdout

    assert all(word in shown for word in ("138****8000", "139****9000", "公网安(2025)77"))
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", shown)) == 2


def test_reports_are_listed_by_state_sender_and_page(reports: Cli) -> None:
    def numbers(*arguments: str) -> list[int]:
        return [one["number"] for one in json.loads(reports("list", "--json", *arguments).stdout)]

    assert numbers() == [2, 1]
    assert numbers("--system-id", "shop") == [1]
    assert numbers("--state", "sent") == []
    assert numbers("--before", "2") == [1]
    assert numbers("--limit", "1") == [2]
    assert "older ones: add --before 2" in reports("list", "--limit", "1").stdout


@pytest.mark.parametrize("limit", ["0", "10001"])
def test_a_list_has_a_bound(reports: Cli, limit: str) -> None:
    ran = reports("list", "--limit", limit)

    assert ran.returncode == 2
    assert "--limit: 1 to 10000" in ran.stderr


def test_without_reports_the_list_says_so(cli: Cli, deployment: Path, in_store: InStore) -> None:
    in_store(lambda _stores: None)

    assert cli("reports", "list", "--config", str(deployment / "config")).stdout == "no reports\n"


def test_r60_a_report_shows_its_evidence_and_keeps_number_and_text_back(
    reports: Cli, accesses: Callable[[], list[Access]]
) -> None:
    ran = reports("show", "1")

    assert ran.returncode == 0
    for told in ("138****8000", "K-FRAUD", "代开发票", REPORT.text_sha256, str(REPORT.message_id)):
        assert told in ran.stdout
    assert "联系我" not in ran.stdout
    assert accesses() == []


def test_r60_number_and_text_are_shown_for_a_reason_that_is_journaled(
    reports: Cli, accesses: Callable[[], list[Access]]
) -> None:
    shown = json.loads(reports("show", "1", "--json", *WHY).stdout)

    assert (shown["subscriber"], shown["text"]) == ("8613800138000", TEXT)
    (access,) = accesses()
    assert (access.action, access.reason, access.about) == (
        "reports show",
        "案 2025-7",
        "report 1",
    )


def test_nobody_sees_a_text_without_a_reason(
    reports: Cli, accesses: Callable[[], list[Access]], tmp_path: Path
) -> None:
    for command in (("show", "1"), ("export", str(tmp_path / "out.json"))):
        ran = reports(*command, "--unmask")
        assert ran.returncode == 2
        assert "--unmask needs --reason" in ran.stderr
    assert accesses() == []
    assert not (tmp_path / "out.json").exists()


def test_a_report_that_is_not_there_is_said_with_where_to_look(reports: Cli) -> None:
    ran = reports("show", "9")

    assert ran.returncode == 1
    assert "there is no report 9" in ran.stderr
    assert "smsward reports list" in ran.stderr


def test_r60_an_export_is_one_document_for_its_owner_alone_with_digests(
    reports: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_module, "_PAGE", 1)
    path = tmp_path / "out.json"

    ran = reports("export", str(path), "--by", "lin")

    octets = path.read_bytes()
    document = json.loads(octets)
    assert ran.returncode == 0
    assert "written: 2 reports" in ran.stdout
    assert sha256(octets).hexdigest() in ran.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert document["by"] == acting("lin")
    assert [one["number"] for one in document["reports"]] == [2, 1]
    assert document["reports"][1]["text_sha256"] == REPORT.text_sha256
    assert document["reports"][1]["subscriber"] == "138****8000"
    assert all("text" not in one for one in document["reports"])


def test_an_export_is_told_to_programs(reports: Cli, tmp_path: Path) -> None:
    path = tmp_path / "out.json"

    ran = reports("export", str(path), "--json")

    told = json.loads(ran.stdout)
    assert told == {
        "output": str(path),
        "reports": 2,
        "sha256": sha256(path.read_bytes()).hexdigest(),
    }


def test_an_export_of_nothing_is_a_document_too(reports: Cli, tmp_path: Path) -> None:
    path = tmp_path / "out.json"

    reports("export", str(path), "--state", "sent")

    assert json.loads(path.read_bytes())["reports"] == []


def test_an_export_that_cannot_be_written_says_why(reports: Cli, tmp_path: Path) -> None:
    ran = reports("export", str(tmp_path / "missing" / "out.json"))

    assert ran.returncode == 1
    assert "cannot be written: No such file" in ran.stderr


def test_r60_a_report_is_sent_once_under_its_reference(reports: Cli) -> None:
    first = reports("sent", "1", "--reference", "公网安77", "--by", "lin", "--json")
    again = reports("sent", "1", "2", "9", "--reference", "other", "--json")
    shown = json.loads(reports("show", "1", "--json").stdout)

    assert first.returncode == 0
    assert again.returncode == 1
    assert [one["done"] for one in json.loads(again.stdout)] == [False, True, False]
    assert (shown["state"], shown["reference"], shown["sent_by"]) == (
        "sent",
        "公网安77",
        acting("lin"),
    )
    assert shown["sent_at"] is not None


def test_what_was_not_pending_is_said_in_the_table(reports: Cli) -> None:
    reports("sent", "1", "--reference", "公网安77")

    ran = reports("sent", "1", "2", "9", "--reference", "other")

    assert "it was sent before: nothing is changed" in ran.stdout
    assert "there is no such report" in ran.stdout
    assert ran.returncode == 1


def test_a_reference_must_say_something(reports: Cli) -> None:
    ran = reports("sent", "1", "--reference", "  ")

    assert ran.returncode == 2
    assert "--reference: must not be empty" in ran.stderr
