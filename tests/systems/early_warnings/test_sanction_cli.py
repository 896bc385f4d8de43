"""Sanctions as people decide them, and the register of violations, on the command line."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from subprocess import CompletedProcess

import pytest

from gateway.domain.sanction import ReopeningTerms, SanctionLadder
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

PERSON = "13911112222"
LOGIN = "gateway.terminal.options.login_name"
ANY = "0123456789ab"  # the digest of no terms
VIOLATIONS = (
    (WarningCode.W5, Severity.MAJOR, "shop", PERSON),
    (WarningCode.W3, Severity.GENERAL, "shop", "10690001"),
    (WarningCode.W12, Severity.SERIOUS, "bank", "10690003"),
    (WarningCode.W10, Severity.GENERAL, "bank", "10690003"),
)


@pytest.fixture
def run(cli: Cli, options: tuple[str, ...], in_store: InStore) -> Cli:
    """Return `smsward warnings` in a deployment with four violations and what is proposed."""

    async def violate(stores: Stores) -> None:
        at = utcnow() - timedelta(days=1)
        for code, severity, system_id, port in VIOLATIONS:
            kind = WarningKind(code, "R1", system_id, port)
            await stores.warnings.add([WarningCount(kind, severity, 2, 0, at, at)])
        await stores.sanctions.propose(SanctionLadder(), utcnow())

    in_store(violate)
    return lambda *arguments: cli("warnings", *arguments, *options[:2])


def asked_terms(run: Cli, number: str) -> str:
    shown = json.loads(run("sanctions", "show", number, "--json").stdout)
    return str(shown["reopening"]["terms"])


def listed(run: Cli, *arguments: str) -> list[int]:
    shown = json.loads(run("sanctions", "list", "--json", *arguments).stdout)
    return [one["number"] for one in shown]


def test_r96_proposed_steps_are_listed_and_no_whole_number_of_a_person(run: Cli) -> None:
    shown = run("sanctions", "list").stdout

    assert listed(run) == [4, 3, 2, 1]
    assert listed(run, "--system-id", "bank", "--limit", "1") == [4]
    assert listed(run, "--before", "2", "--state", "proposed") == [1]
    assert "--before 4" in run("sanctions", "list", "--limit", "1").stdout
    assert "no such sanctions" in run("sanctions", "list", "--state", "reopened").stdout
    assert "139****2222" in shown
    assert PERSON not in shown + run("sanctions", "list", "--json").stdout
    for text in ("close", "notice", "suspend", "warning 1", "major"):
        assert text in shown


def test_r96_a_person_applies_or_dismisses_a_step_once(run: Cli) -> None:
    applied = run("sanctions", "apply", "1", "--note", "seen", "--by", "wu")
    again = run("sanctions", "apply", "1", "--note", "seen")
    dismissed = run("sanctions", "dismiss", "2", "--note", "the rule was wrong", "--json")
    missing = run("sanctions", "apply", "9", "--note", "seen")
    empty = run("sanctions", "apply", "3", "--note", " ")

    assert "sanction 1 (close of shop): applied" in applied.stdout
    assert [one.returncode for one in (applied, again, dismissed, missing, empty)] == [
        *(0, 1, 0, 1, 2)
    ]
    assert "sanction 1 (close) is applied" in again.stderr
    assert "there is no sanction 9" in missing.stderr
    assert json.loads(dismissed.stdout)["state"] == "dismissed"
    (one,) = json.loads(run("sanctions", "list", "--state", "applied", "--json").stdout)
    assert one["decided_by"] == acting("wu")


def test_r97_one_person_is_not_two_whatever_name_is_given(
    run: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = ("--reason", "new owner", "--condition", "own lists only")
    run("sanctions", "apply", "1", "--note", "seen")
    monkeypatch.setattr(LOGIN, lambda: "")
    nobody = run("sanctions", "reopen", "1", *terms)
    monkeypatch.setattr(LOGIN, lambda: "lin")

    first = run("sanctions", "reopen", "1", *terms)
    twice = run("sanctions", "reopen", "1", *terms, "--days", "60")
    digest = asked_terms(run, "1")
    alone = run("sanctions", "approve", "1", "--terms", digest)
    named = run("sanctions", "approve", "1", "--terms", digest, "--by", "wu")
    waiting = run("sanctions", "list", "--state", "applied").stdout
    monkeypatch.setattr(LOGIN, lambda: "wu")
    other = run("sanctions", "reopen", "1", *terms)
    unread = run("sanctions", "approve", "1")
    others = run("sanctions", "approve", "1", "--terms", ANY)
    approved = run("sanctions", "approve", "1", "--terms", digest, "--json")
    shown = run("sanctions", "list", "--state", "reopened").stdout

    assert "an account alone is no person" in nobody.stderr
    assert "one approval of two that it is reopened" in first.stdout
    for refused in (twice, alone):
        assert refused.returncode == 1
        assert "another person must approve or decline it" in refused.stderr
    assert (named.returncode, unread.returncode, others.returncode) == (2, 2, 1)
    assert "other terms are asked for" in others.stderr
    assert "reopening asked by lin" in waiting
    assert "somebody has asked for that already" in other.stderr
    told = json.loads(approved.stdout)
    assert (told["state"], told["reopened_by"]) == ("reopened", "wu")
    assert told["reopening"]["daily_max"] == 10_000
    assert "capped until" in shown


def test_r97_one_sanction_is_shown_with_the_terms_that_an_approval_names(
    run: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGIN, lambda: "lin")
    run("sanctions", "apply", "1", "--note", "seen")
    before = run("sanctions", "show", "1").stdout
    run("sanctions", "reopen", "1", "--reason", "new owner", "--condition", "own lists")

    shown = run("sanctions", "show", "1").stdout
    missing = run("sanctions", "show", "9")

    assert "reopening" not in before
    for said in ("new owner", "own lists", "10000", "lin", asked_terms(run, "1")):
        assert said in shown
    assert "139****2222" in shown
    assert PERSON not in shown + run("sanctions", "show", "1", "--json").stdout
    assert missing.returncode == 1
    assert "there is no sanction 9" in missing.stderr


def test_r97_what_was_asked_for_may_be_declined(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOGIN, lambda: "lin")
    run("sanctions", "apply", "1", "--note", "seen")
    run("sanctions", "reopen", "1", "--reason", "new owner", "--condition", "own lists")

    own = run("sanctions", "decline", "1", "--note", "other terms")
    named = run("sanctions", "decline", "1", "--note", "other terms", "--by", "wu")
    monkeypatch.setattr(LOGIN, lambda: "wu")
    declined = run("sanctions", "decline", "1", "--note", "the same lists")
    again = run("sanctions", "decline", "1", "--note", "the same lists")

    assert (own.returncode, named.returncode) == (1, 2)
    assert "another person must approve or decline it" in own.stderr
    assert "not reopened" in declined.stdout
    assert again.returncode == 1


def test_r97_what_was_asked_for_over_the_api_is_decided_there(
    run: Cli, in_store: InStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(stores: Stores) -> None:
        terms = ReopeningTerms("client lin", utcnow(), "new owner", "own lists only")
        await stores.sanctions.ask_reopening(1, terms)

    run("sanctions", "apply", "1", "--note", "seen")
    in_store(ask)
    monkeypatch.setattr(LOGIN, lambda: "lin")

    approved = run("sanctions", "approve", "1", "--terms", ANY)

    assert approved.returncode == 1
    assert "it was asked for over the API or in the console: decide on it there" in approved.stderr


@pytest.mark.parametrize(
    "terms",
    [
        ("--days", "0"),
        ("--days", "367"),
        ("--daily-max", "0"),
        ("--condition", ""),
        ("--reason", "x" * 1001),
    ],
)
def test_r97_terms_have_bounds(
    run: Cli, monkeypatch: pytest.MonkeyPatch, terms: tuple[str, ...]
) -> None:
    monkeypatch.setattr(LOGIN, lambda: "lin")
    given = {"--reason": "new owner", "--condition": "own lists"}
    given |= {terms[0]: terms[1]}

    done = run("sanctions", "reopen", "1", *(word for pair in given.items() for word in pair))

    assert done.returncode == 2


def test_r98_the_register_counts_violations_by_article_and_sp(run: Cli) -> None:
    told = json.loads(run("violations", "--by-article", "--json").stdout)
    shown = run("violations", "--by-article").stdout

    assert [one["article"] for one in told["articles"]] == ["o31.18", "o31.19", ""]
    first, _, other = told["articles"]
    assert [(one["system_id"], one["violations"]) for one in first["violations"]] == [
        ("bank", 1),
        ("shop", 1),
    ]
    assert first["violations"][0]["messages"] == 2
    assert "一万元以上三万元以下罚款" in first["penalty"]
    assert other["penalty"] == ""
    assert told["unobserved_articles"] == [
        *("o31.7", "o31.8", "o31.9", "o31.10", "o31.11", "o31.12", "o31.15", "o31.20", "o31.27(3)")
    ]
    assert "not observed here, though penalised: o31.7, " in shown
    assert "10 000 to 30 000 yuan" in shown
    assert "none known" in shown


def test_r98_the_register_of_one_sp_is_exported(run: Cli) -> None:
    told = json.loads(run("violations", "--system-id", "bank", "--json").stdout)
    everything = json.loads(run("violations", "--json").stdout)

    assert [one["system_id"] for one in told["senders"]] == ["bank"]
    assert [one["code"] for one in told["senders"][0]["violations"]] == ["W10", "W12"]
    assert [one["system_id"] for one in everything["senders"]] == ["bank", "shop"]
    assert "no violations" in run("violations", "--system-id", "nobody").stdout
    assert run("violations", "--days", "0").returncode == 2
