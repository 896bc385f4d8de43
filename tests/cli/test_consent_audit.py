"""Audits of asserted consents: drawn, shown, answered, listed."""

import csv
import json
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.records import Access
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Read = Callable[[], list[Access]]

FIRST = 8613800138000
SINCE = datetime(2025, 10, 1, tzinfo=UTC)
WHY = ("--unmask", "--reason", "抽查 2025-11")
GIVEN = [
    *(ConsentAnswer(FIRST + at, "shop", Answer.ASSERTED, SINCE, "import") for at in range(20)),
    ConsentAnswer(FIRST + 50, "shop", Answer.AGREED, SINCE, "mo", "message 7"),
    ConsentAnswer(FIRST + 51, "gone", Answer.ASSERTED, SINCE, "import"),
]


@pytest.fixture
def audit(cli: Cli, deployment: Path, in_store: InStore) -> Cli:
    in_store(lambda stores: stores.consent.record(GIVEN))

    def audit(*arguments: str) -> CompletedProcess[str]:
        return cli("consent", "audit", *arguments, "--config", str(deployment / "config"))

    return audit


@pytest.fixture
def accesses(in_store: InStore) -> Read:
    def read() -> list[Access]:
        found: list[Access] = []

        async def look(stores: Stores) -> None:
            found.extend(await stores.journals.accesses())

        in_store(look)
        return found

    return read


@pytest.fixture
def answer_of(in_store: InStore) -> Callable[[int], ConsentAnswer]:
    def read(msisdn: int) -> ConsentAnswer:
        found: list[ConsentAnswer | None] = []

        async def look(stores: Stores) -> None:
            found.append(await stores.consent.answer_of(msisdn, "shop"))

        in_store(look)
        assert found[0] is not None
        return found[0]

    return read


def draw(audit: Cli, *arguments: str) -> dict[str, object]:
    ran = audit("draw", "--system-id", "shop", "--json", *arguments)
    assert ran.returncode == 0, ran.stderr
    drawn: dict[str, object] = json.loads(ran.stdout)
    return drawn


def items(drawn: dict[str, object]) -> list[dict[str, object]]:
    found = drawn["items"]
    assert isinstance(found, list)
    return found


def test_r26_a_sample_is_drawn_of_what_the_sp_only_asserts(audit: Cli) -> None:
    drawn = draw(audit, "--sample", "5", "--seed", "7", "--by", "lin")

    assert (drawn["number"], drawn["system_id"], drawn["seed"]) == (1, "shop", "7")
    assert (drawn["size"], drawn["population"], drawn["open"]) == (5, 20, 5)
    assert (drawn["by"], drawn["share_proven"]) == (acting("lin"), None)
    assert [item["item"] for item in items(drawn)] == [1, 2, 3, 4, 5]
    assert all("138****80" in str(item["number"]) for item in items(drawn))


def test_r26_the_same_seed_draws_the_same_again(audit: Cli) -> None:
    first = items(draw(audit, "--sample", "5", "--seed", "7", *WHY))
    again = items(draw(audit, "--sample", "5", "--seed", "7", *WHY))

    assert first == again


def test_r26_without_a_seed_one_is_chosen_and_said(audit: Cli) -> None:
    seeds = {draw(audit, "--sample", "1")["seed"] for _ in range(2)}

    assert len(seeds) == 2


def test_r26_a_table_is_drawn_for_people(audit: Cli) -> None:
    ran = audit("draw", "--system-id", "shop", "--sample", "3", "--seed", "7")

    assert "drawn: audit 1, 3 of 20, seed 7" in ran.stdout
    assert ran.stdout.count("138****80") == 3
    assert "38001380" not in ran.stdout


def test_r26_the_list_for_the_sp_has_whole_numbers_for_a_reason_that_is_journaled(
    audit: Cli, tmp_path: Path, accesses: Read
) -> None:
    path = tmp_path / "sample.csv"

    ran = audit("draw", "--system-id", "shop", "--sample", "3", "--csv", str(path), *WHY)

    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert ran.returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(rows) == 3
    assert all(row["number"].startswith("86138001380") for row in rows)
    assert rows[0]["since"] == SINCE.isoformat()
    (access,) = accesses()
    assert (access.action, access.reason, access.about) == (
        "consent audit draw",
        "抽查 2025-11",
        "a sample of 3 of shop",
    )


def test_a_list_without_a_reason_is_masked(audit: Cli, tmp_path: Path, accesses: Read) -> None:
    path = tmp_path / "sample.csv"

    audit("draw", "--system-id", "shop", "--csv", str(path))

    assert "38001380" not in path.read_text(encoding="utf-8")
    assert accesses() == []


def test_a_list_that_cannot_be_written_says_why_and_the_audit_stays(
    audit: Cli, tmp_path: Path
) -> None:
    ran = audit("draw", "--system-id", "shop", "--csv", str(tmp_path / "missing" / "x.csv"))

    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert audit("show", "1").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--sample", "0"), "--sample: 1 to 10000"),
        (("--sample", "10001"), "--sample: 1 to 10000"),
        (("--seed", "-1"), "--seed: 0 to"),
        (("--seed", str(2**63)), "--seed: 0 to"),
        (("--unmask",), "--unmask needs --reason"),
    ],
)
def test_a_sample_that_cannot_be_meant_is_refused(
    audit: Cli, arguments: tuple[str, ...], problem: str
) -> None:
    ran = audit("draw", "--system-id", "shop", *arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr


def test_an_sp_that_asserts_nothing_has_nothing_to_audit(audit: Cli) -> None:
    ran = audit("draw", "--system-id", "nobody")

    assert ran.returncode == 1
    assert "nobody asserts nothing" in ran.stderr
    assert "there is no sender nobody" in ran.stderr
    assert audit("list").stdout == "no audits\n"


def test_r26_what_is_proven_counts_as_agreed_with_its_evidence(
    audit: Cli, answer_of: Callable[[int], ConsentAnswer]
) -> None:
    drawn = items(draw(audit, "--sample", "2", "--seed", "7", *WHY))
    number = int(str(drawn[0]["number"]))

    ran = audit("answer", "1", "--item", "1", "--proven", "--evidence", "form 117", "--by", "wu")

    assert ran.returncode == 0
    assert "proven: the answer counts as agreed" in ran.stdout
    assert "1 of 2 still open" in ran.stdout
    assert str(number)[2:] not in ran.stdout
    kept = answer_of(number)
    assert (kept.answer, kept.since, kept.channel, kept.evidence) == (
        Answer.AGREED,
        SINCE,
        "audit",
        "form 117",
    )


def test_r26_what_is_not_proven_stays_or_is_taken_back(
    audit: Cli, answer_of: Callable[[int], ConsentAnswer]
) -> None:
    drawn = items(draw(audit, "--sample", "2", "--seed", "7", *WHY))
    first, second = (int(str(item["number"])) for item in drawn)

    stays = audit("answer", "1", "--item", "1", "--unproven", "--evidence", "no form")
    goes = json.loads(
        audit("answer", "1", "--item", "2", "--unproven", "--revoke", "--json").stdout
    )

    assert "the asserted answer stands" in stays.stdout
    assert goes["outcome"] == "revoked"
    assert goes["audit"]["share_proven"]["share"] == 0.0
    assert answer_of(first).answer is Answer.ASSERTED
    assert answer_of(second).answer is Answer.REFUSED


def test_r26_what_the_subscriber_said_since_is_said_and_stands(
    audit: Cli, in_store: InStore, answer_of: Callable[[int], ConsentAnswer]
) -> None:
    drawn = items(draw(audit, "--sample", "1", *WHY))
    number = int(str(drawn[0]["number"]))
    later = ConsentAnswer(number, "shop", Answer.REFUSED, SINCE + timedelta(days=9), "mo")
    in_store(lambda stores: stores.consent.record([later]))

    ran = audit("answer", "1", "--item", "1", "--proven", "--evidence", "form 117")

    assert "the subscriber has said something else since" in ran.stdout
    assert answer_of(number) == later


def test_r26_audits_are_listed_with_the_share_that_was_proven(audit: Cli) -> None:
    draw(audit, "--sample", "4")
    draw(audit, "--sample", "1")
    for item in ("1", "2", "3"):
        audit("answer", "1", "--item", item, "--proven", "--evidence", "form")
    audit("answer", "1", "--item", "4", "--unproven")

    table = audit("list").stdout
    second, first = json.loads(audit("list", "--json").stdout)

    assert "75.0% (30.1% to 95.4%)" in table
    assert (first["proven"], first["unproven"], first["open"]) == (3, 1, 0)
    assert first["share_proven"]["share"] == 0.75
    assert second["share_proven"] is None
    assert [
        one["number"] for one in json.loads(audit("list", "--json", "--before", "2").stdout)
    ] == [1]
    assert json.loads(audit("list", "--json", "--system-id", "gone").stdout) == []


def test_an_audit_shows_what_was_found(audit: Cli, accesses: Read, tmp_path: Path) -> None:
    draw(audit, "--sample", "2", "--seed", "7")
    audit("answer", "1", "--item", "2", "--unproven", "--evidence", "no form", "--by", "wu")

    shown = audit("show", "1")
    whole = json.loads(audit("show", "1", "--json", *WHY).stdout)
    audit("show", "1", "--csv", str(tmp_path / "out.csv"))

    assert "no form" in shown.stdout
    assert "138****80" in shown.stdout
    assert [item["state"] for item in whole["items"]] == ["open", "unproven"]
    assert str(whole["items"][0]["number"]).startswith("8613800138")
    assert [access.action for access in accesses()] == ["consent audit show"]
    assert "no form" in (tmp_path / "out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem", "code"),
    [
        (("show", "9"), "there is no audit 9", 1),
        (("answer", "9", "--item", "1", "--unproven"), "there is no audit 9", 1),
        (("answer", "1", "--item", "9", "--unproven"), "audit 1 has no item 9", 1),
        (("answer", "1", "--item", "1"), "either --proven or --unproven", 2),
        (("answer", "1", "--item", "1", "--proven", "--unproven"), "either --proven", 2),
        (("answer", "1", "--item", "1", "--proven"), "--proven needs --evidence", 2),
        (
            ("answer", "1", "--item", "1", "--proven", "--evidence", "x", "--revoke"),
            "--revoke goes with --unproven",
            2,
        ),
        (("list", "--limit", "0"), "--limit: 1 to", 2),
    ],
)
def test_what_cannot_be_done_is_said(
    audit: Cli, arguments: tuple[str, ...], problem: str, code: int
) -> None:
    draw(audit, "--sample", "1")

    ran = audit(*arguments)

    assert ran.returncode == code
    assert problem in ran.stderr


def test_an_item_is_answered_once(audit: Cli) -> None:
    draw(audit, "--sample", "1")
    audit("answer", "1", "--item", "1", "--unproven")

    ran = audit("answer", "1", "--item", "1", "--proven", "--evidence", "form 117")

    assert ran.returncode == 1
    assert "item 1 was answered before: nothing is changed" in ran.stderr
