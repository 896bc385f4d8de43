"""`smsward explain bind`: whether an SP would get in, and why not (R01)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.cli.explain_peers import _WORDS
from gateway.domain.filings import Licence
from gateway.domain.sanction import SanctionLadder, SanctionStep
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.runtime.clock import utcnow
from gateway.session.binding import BindReason
from gateway.stores import Stores

Ask = Callable[..., dict[str, Any]]
Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

LICENCE = Licence("shop", "粤B2-20080001", date(2013, 10, 31))
LAST_SECOND, FIRST_SECOND = "2013-10-31T23:59:59+08:00", "2013-11-01T00:00:00+08:00"
# Reasons that hang on the password or on what else is bound: only a running gateway knows.
OF_THE_MOMENT = {BindReason.CREDENTIALS, BindReason.LOCKED}


@pytest.fixture
def explain(cli: Cli, options: tuple[str, ...], in_store: InStore) -> Command:
    """Return a function that asks about a bind; give what should be otherwise."""
    in_store(lambda _stores: None)

    def explain(*more: str, **changes: str) -> CompletedProcess[str]:
        asked = {"system-id": "shop", "peer": "127.0.0.1"} | changes
        bind = [f"--{name}={value}" for name, value in asked.items()]
        return cli("explain", "bind", *bind, *options, *more)

    return explain


@pytest.fixture
def verdict(explain: Command) -> Ask:
    """Return a function that asks for JSON and reads it."""

    def verdict(**changes: str) -> dict[str, Any]:
        ran = explain("--json", **changes)
        assert ran.returncode == 0, ran.stderr
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    return verdict


@pytest.fixture
def licensed(in_store: InStore) -> None:
    """Have the licence of the SP on file."""
    in_store(lambda stores: stores.filings.put([LICENCE]))


def test_an_sp_that_nothing_stands_against_gets_in(verdict: Ask) -> None:
    said = verdict()

    assert said == {
        "action": "accept",
        "reason": "ok",
        "said": {"zh": "可以绑定", "en": "it gets in, with the right password"},
        "rule": "R01",
        "article": "通信短信息服务管理规定（2015）第六、七条",
        "status": "ESME_ROK",
        "warnings": [],
    }


@pytest.mark.usefixtures("licensed")
@pytest.mark.parametrize(
    ("at", "action", "reason", "status"),
    [
        (LAST_SECOND, "accept", "ok", "ESME_ROK"),
        (FIRST_SECOND, "refuse", "LICENCE_EXPIRED", "ESME_RBINDFAIL"),
    ],
)
def test_r01_a_licence_holds_through_its_last_day(
    verdict: Ask, at: str, action: str, reason: str, status: str
) -> None:
    said = verdict(at=at)

    assert (said["action"], said["reason"], said["status"]) == (action, reason, status)


@pytest.mark.usefixtures("licensed")
def test_a_licence_is_asked_about_for_now_unless_a_time_is_named(verdict: Ask) -> None:
    assert verdict()["reason"] == "LICENCE_EXPIRED"


def test_a_time_without_an_offset_is_nobodys(explain: Command) -> None:
    ran = explain(at="2013-10-01T12:00")

    assert ran.returncode == 2
    assert "--at: a time with its offset, as 2025-11-25T22:30+08:00" in ran.stderr


@pytest.mark.parametrize(("required", "reason"), [("true", "LICENCE_MISSING"), ("false", "ok")])
def test_r01_who_filed_no_licence_gets_in_unless_one_is_required(
    verdict: Ask, deployment: Path, required: str, reason: str
) -> None:
    path = deployment / "config" / "gateway.yaml"
    settings = path.read_text(encoding="utf-8")
    path.write_text(f"{settings}filings: {{licence_required: {required}}}\n", encoding="utf-8")

    assert verdict()["reason"] == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"system-id": "gone"}, "suspended"),
        ({"peer": "203.0.113.7"}, "address"),
        ({"peer": "2001:db8::7"}, "address"),
        ({"type": "tx", "system-id": "hears"}, "bind_type"),
        ({"type": "rx", "system-id": "hears"}, "ok"),
        ({"system-id": "late"}, "expired"),
    ],
)
def test_every_bar_is_told(
    verdict: Ask, deployment: Path, changes: dict[str, str], reason: str
) -> None:
    path = deployment / "config" / "senders.yaml"
    more = """\
  - {system_id: hears, password: "plain:secret", binds: {types: [rx]}, ports: [
      {number: "10690004", purpose: service}]}
  - {system_id: late, password: "plain:secret", state: expired, ports: [
      {number: "10690005", purpose: service}]}
"""
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")

    assert verdict(**changes)["reason"] == reason


def test_r96_a_closed_sp_hears_rbindfail_and_the_sanction_is_said(
    verdict: Ask, in_store: InStore
) -> None:
    async def close(stores: Stores) -> None:
        kind = WarningKind(WarningCode.W12, "R60", "shop", "10690001")
        at = utcnow()
        await stores.warnings.add([WarningCount(kind, Severity.MAJOR, 1, 0, at, at)])
        ladder = replace(SanctionLadder(), automatic=frozenset(SanctionStep))
        await stores.sanctions.propose(ladder, at)

    in_store(close)

    said = verdict()

    assert (said["action"], said["reason"]) == ("refuse", "suspended")
    assert said["status"] == "ESME_RBINDFAIL"
    assert "closed by sanction 1 since" in said["warnings"][0]


@pytest.mark.usefixtures("licensed")
@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "许可证已过期"), ("en", "its licence has ended")]
)
def test_people_are_told_in_their_language_with_the_article(
    explain: Command, lang: str, said: str
) -> None:
    ran = explain("--lang", lang, at=FIRST_SECOND)

    assert ran.returncode == 0
    assert "REFUSE" in ran.stdout
    assert f"LICENCE_EXPIRED: {said}" in ran.stdout
    assert "通信短信息服务管理规定（2015）第六、七条 (R01)" in ran.stdout
    assert "ESME_RBINDFAIL" in ran.stdout


def test_people_are_told_who_gets_in(explain: Command) -> None:
    ran = explain()

    assert "ACCEPT" in ran.stdout
    assert "with the right password" in ran.stdout
    assert ran.stderr == ""


def test_every_reason_against_a_bind_has_words_in_both_languages() -> None:
    assert set(_WORDS) == set(BindReason) - OF_THE_MOMENT
    assert all(zh and en for zh, en in _WORDS.values())


def test_without_a_store_it_is_said_that_no_licence_is_known(
    explain: Command, deployment: Path
) -> None:
    (deployment / "var" / "smsward.db").unlink()

    ran = explain()

    assert ran.returncode == 0
    assert "no filing is known here" in ran.stderr


def test_a_store_that_cannot_be_read_is_warned_of(verdict: Ask, write: Write) -> None:
    write("var/smsward.db", "no database " * 100)

    assert "cannot be used" in verdict()["warnings"][0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"system-id": "nobody"}, "no sender nobody"),
        ({"peer": "shop.example"}, "is no IP address"),
        ({"type": "any"}, "--type"),
        ({"at": "tomorrow"}, "--at"),
    ],
)
def test_what_no_bind_could_be_is_a_misuse(
    explain: Command, changes: dict[str, str], problem: str
) -> None:
    ran = explain(**changes)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert ran.stdout == ""
