"""What is on file, as people and programs are shown it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from subprocess import CompletedProcess

import pytest

from gateway.domain.filings import Approval, Licence, PortScope, Signature, Template, TemplateKind
from gateway.stores import Stores
from gateway.systems.filings import filing_table, service

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

LICENCE = Licence("shop", "粤B2-20200001", date(2026, 12, 1))
FILED = (
    LICENCE,
    Signature("shop", "示例商城", ("1069000112",)),
    Signature("shop", "示例会员"),
    Template("shop", "T-001", TemplateKind.VERIFICATION, "您的验证码{1}", 8),
    PortScope("shop", "10690002", "福建"),
    Approval("shop", "10690002", "应急〔2026〕1号", date(2026, 1, 1), date(2026, 11, 30)),
    Licence("bank", "闽B2-20210002", date(2026, 11, 20)),
    Licence("clinic", "闽B2-20210003", date(2029, 1, 1)),
    Signature("plain", "无证商城"),
)


@pytest.fixture(autouse=True)
def _at_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be the evening of 24 November in UTC, and 25 November in Shanghai."""
    monkeypatch.setattr(service, "utcnow", lambda: datetime(2026, 11, 24, 20, tzinfo=UTC))


@pytest.fixture
def config(options: tuple[str, ...], in_store: InStore) -> tuple[str, ...]:
    """Return the option that names a deployment in which FILED is on file."""
    in_store(lambda stores: stores.filings.put(FILED))
    return options[:2]


def test_each_sp_is_listed_with_the_days_its_licence_has_left(
    cli: Cli, config: tuple[str, ...]
) -> None:
    lines = cli("filings", "list", *config).stdout.splitlines()

    (shop,) = [line for line in lines if "shop" in line]
    assert "粤B2-20200001" in shop
    assert "in 6 days" in shop
    assert "5 days ago" in next(line for line in lines if "bank" in line)
    assert "none" in next(line for line in lines if "plain" in line)


def test_programs_get_the_list_as_json(cli: Cli, config: tuple[str, ...]) -> None:
    told = json.loads(cli("filings", "list", "--sender", "shop", "--json", *config).stdout)

    assert told == [
        {
            "system_id": "shop",
            "licence": "粤B2-20200001",
            "valid_until": "2026-12-01",
            "ends_in_days": 6,
            "signatures": 2,
            "templates": 1,
            "scopes": 1,
            "approvals": 1,
        }
    ]


def test_where_nothing_is_on_file_that_is_said(
    cli: Cli, options: tuple[str, ...], in_store: InStore
) -> None:
    in_store(lambda _stores: None)

    assert "nothing is on file" in cli("filings", "list", *options[:2]).stdout
    assert json.loads(cli("filings", "list", "--json", *options[:2]).stdout) == []


def test_all_that_an_sp_filed_is_shown(cli: Cli, config: tuple[str, ...]) -> None:
    shown = cli("filings", "show", "shop", *config).stdout

    for text in (
        "through 2026-12-01, ends in 6 days",
        "1069000112",
        "any of its ports",
        "verification, variables of up to 8: 您的验证码{1}",
        "福建",
        "from 2026-01-01 through 2026-11-30, ends in 5 days",
    ):
        assert text in shown


def test_a_licence_that_has_ended_is_shown_as_such(cli: Cli, config: tuple[str, ...]) -> None:
    assert "ended 5 days ago" in cli("filings", "show", "bank", *config).stdout


def test_programs_get_what_an_sp_filed_in_the_shape_of_the_file(
    cli: Cli, config: tuple[str, ...]
) -> None:
    told = json.loads(cli("filings", "show", "shop", "--json", *config).stdout)

    assert told["licence"] == {"number": "粤B2-20200001", "valid_until": "2026-12-01"}
    assert told["signatures"][1] == {"name": "示例商城", "sources": ["1069000112"]}


def test_an_sp_that_filed_nothing_is_no_sp_on_file(cli: Cli, config: tuple[str, ...]) -> None:
    done = cli("filings", "show", "nobody", *config)

    assert done.returncode == 1
    assert "on file are those of: bank, clinic, plain, shop" in done.stderr


def test_r01_what_ends_within_thirty_days_is_listed_the_most_urgent_first(
    cli: Cli, config: tuple[str, ...]
) -> None:
    told = json.loads(cli("filings", "expiring", "--json", *config).stdout)

    assert [(one["system_id"], one["kind"], one["ends_in_days"]) for one in told] == [
        ("bank", "licence", -5),
        ("shop", "approval", 5),
        ("shop", "licence", 6),
    ]
    assert told[1]["name"] == "10690002 应急〔2026〕1号"


def test_people_are_told_the_same(cli: Cli, config: tuple[str, ...]) -> None:
    lines = cli("filings", "expiring", "--within", "5", *config).stdout.splitlines()

    assert "5 days ago" in next(line for line in lines if "bank" in line)
    assert not any("粤B2" in line for line in lines)


def test_where_nothing_ends_soon_that_is_said(
    cli: Cli, config: tuple[str, ...], in_store: InStore
) -> None:
    in_store(lambda stores: stores.filings.remove(FILED))

    assert "nothing ends within 30 days" in cli("filings", "expiring", *config).stdout


@pytest.mark.parametrize("within", ["-1", "3651"])
def test_days_that_cannot_be_meant_are_refused(
    cli: Cli, config: tuple[str, ...], within: str
) -> None:
    done = cli("filings", "expiring", f"--within={within}", *config)

    assert done.returncode == 2
    assert "0 to 3650" in done.stderr


def test_what_ends_today_holds_through_today() -> None:
    assert filing_table.in_days(filing_table.days_left(date(2026, 11, 25))) == "today"
    assert filing_table.days_left(date(2026, 11, 24)) == -1
