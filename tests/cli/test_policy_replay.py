"""`smsward policy replay`: what a bundle would have made of recorded traffic."""

import json
import shutil
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import Answer
from gateway.domain.records import Row, Why
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.settings.bundles.archive import packed
from gateway.settings.bundles.bundle import read_bundle
from gateway.stores import Stores
from gateway.systems.policy_history import NewPolicyVersion

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Replay = Callable[..., CompletedProcess[str]]
Record = Callable[[int, str, Answer], None]

HOUR = 383_480  # 2013-09-30, 08 UTC
NUMBER = "13800138000"
CLEAN, SPAM, LOAN = "会员日八折", "代开发票", "黑户贷款"
WHY = {
    CLEAN: ("forward", "", ""),
    SPAM: ("reject", "CONTENT", "K-FRAUD"),
    LOAN: ("quarantine", "CONTENT", "K-LOAN"),
}


def rows(*texts: str, system_id: str = "shop", hour: int = HOUR) -> list[Row]:
    return [
        (
            *("d", hour * 3600.0 + number, (1, system_id, 4), number),
            *(b"10690001", NUMBER.encode(), Why(*WHY[text], "", "digest"), 0),
            (8, text.encode("utf-16-be")),
        )
        for number, text in enumerate(texts)
    ]


def write_records(directory: Path, recorded: list[Row]) -> None:
    lines, files = RecordLines(), HourFiles(directory)
    for hour, _, octets in lines.by_hour(recorded):
        files.append(hour, octets)
    files.close()


@pytest.fixture
def recorded(deployment: Path, in_store: InStore) -> Path:
    """Give a deployment that has run, and records of three messages; return its directory."""
    in_store(lambda _stores: None)
    write_records(deployment / "var/cdr", rows(CLEAN, SPAM, LOAN))
    return deployment


@pytest.fixture
def replay(cli: Cli, recorded: Path) -> Replay:
    config = str(recorded / "config")
    return lambda *arguments: cli("policy", "replay", *arguments, "--config", config)


@pytest.fixture
def policies(recorded: Path) -> str:
    return str(recorded / "policies")


def shown(ran: CompletedProcess[str]) -> dict[str, object]:
    assert ran.returncode == 0, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def kinds(ran: CompletedProcess[str]) -> list[dict[str, object]]:
    found = shown(ran)["by_rule"]
    assert isinstance(found, list)
    return found


def test_records_under_the_policy_of_their_day_do_not_change(replay: Replay, policies: str) -> None:
    ran = replay(policies)

    assert ran.returncode == 0
    assert "no verdict would change among the 3 judged\n" in ran.stdout
    assert "records.texts" not in ran.stdout
    assert "as they stand in the store now" in ran.stdout
    assert ran.stderr == ""


def test_what_words_find_is_not_said_to_be_unchanged_where_no_text_was_kept(
    replay: Replay, policies: str, recorded: Path
) -> None:
    shutil.rmtree(recorded / "var/cdr")
    untold = [(*row[:-1], None) for row in rows(CLEAN, SPAM, LOAN)]
    write_records(recorded / "var/cdr", untold)

    ran = replay(policies)

    assert "no verdict would change among the 1 judged\n" in ran.stdout
    assert "the words of 3 could not be judged: set records.texts in gateway.yaml" in ran.stdout


def test_programs_hear_why_verdicts_were_not_judged(
    replay: Replay, policies: str, recorded: Path
) -> None:
    write_records(recorded / "var/cdr", rows(CLEAN, CLEAN, system_id="old"))

    assert shown(replay(policies, "--json"))["not_judged"] == {"sender_gone": 2}


def test_a_change_is_told_by_rule_sender_and_place(
    replay: Replay, policies: str, recorded: Path
) -> None:
    (recorded / "policies/keywords/fraud.yaml").unlink()

    found = shown(replay(policies, "--json"))

    assert found["by_action"] == [{"old": "reject", "new": "forward", "count": 1}]
    assert found["by_rule"] == [
        {
            "old": {"action": "reject", "rule": "K-FRAUD"},
            "new": {"action": "forward", "rule": ""},
            "count": 1,
            "samples": [
                {
                    "file": "cdr-20130930-08.jsonl",
                    "line": 4,
                    "at": "2013-09-30T08:00:01.000Z",
                    "system_id": "shop",
                    "destination": "138****8000",
                }
            ],
        }
    ]
    assert found["by_sender"] == {"shop": {"changed": 1, "stopped": 0, "passed": 1}}
    totals = ("lines", "decisions", "judged", "without_text", "changed", "would_be_stopped")
    assert [found[name] for name in (*totals, "would_pass")] == [6, 3, 3, 0, 1, 0, 1]
    assert found["old"] is None


def test_changes_can_be_told_of_one_rule_alone(
    replay: Replay, policies: str, recorded: Path
) -> None:
    (recorded / "policies/keywords/fraud.yaml").unlink()
    (recorded / "policies/keywords/loan.yaml").unlink()

    both, one = (shown(replay(policies, "--json", *rule)) for rule in ((), ("--rule", "K-LOAN")))

    assert (both["changed"], one["changed"]) == (2, 1)
    assert one["decisions"] == both["decisions"]
    assert one["by_action"] == [{"old": "quarantine", "new": "forward", "count": 1}]


def test_programs_hear_how_far_it_is(replay: Replay, policies: str, recorded: Path) -> None:
    octets = sum(path.stat().st_size for path in (recorded / "var/cdr").iterdir())

    ran = replay(policies, "--json", "--progress")

    assert ran.stderr.splitlines()[-1] == f"{octets}/{octets}"


def test_people_see_the_same_and_no_text(replay: Replay, policies: str, recorded: Path) -> None:
    (recorded / "policies/keywords/fraud.yaml").unlink()
    write_records(recorded / "var/cdr", rows(CLEAN, system_id="old", hour=HOUR + 1))

    out = replay(policies).stdout

    for words in (
        "reject K-FRAUD",
        "cdr-20130930-08.jsonl:4 2013-09-30T08:00:01.000Z shop → 138****8000",
        "its sender is not in senders.yaml any more",
    ):
        assert words in out
    assert NUMBER not in out
    assert not {CLEAN, SPAM, LOAN} & set(out.split())


def test_what_subscribers_say_today_counts(replay: Replay, policies: str, answered: Record) -> None:
    answered(int(f"86{NUMBER}"), "shop", Answer.REFUSED)

    found = kinds(replay(policies, "--json"))

    assert [change["new"] for change in found] == [{"action": "reject", "rule": "R21"}] * 3


def test_without_a_store_nothing_is_known_and_that_is_said(
    replay: Replay, policies: str, recorded: Path
) -> None:
    (recorded / "var/smsward.db").unlink()

    ran = replay(policies)

    assert ran.returncode == 0
    assert "warning: there is no store at" in ran.stderr
    warnings = shown(replay(policies, "--json"))["warnings"]
    assert isinstance(warnings, list)
    assert "no answer, preference or filing is known here" in warnings[-1]


def test_two_bundles_are_compared_on_the_same_records(
    replay: Replay, policies: str, recorded: Path, answered: Record
) -> None:
    answered(int(f"86{NUMBER}"), "shop", Answer.REFUSED)
    old = recorded / "policies.old"
    (recorded / "policies").rename(old)
    (recorded / "policies").mkdir()
    (recorded / "policies/bundle.yaml").write_text("version: 1\nname: test\n")

    found = shown(replay(policies, "--old", str(old), "--json"))

    assert found["by_action"] == [{"old": "reject", "new": "forward", "count": 3}]
    assert isinstance(found["old"], str)


def test_a_version_of_the_history_is_judged_by(
    replay: Replay, policies: str, recorded: Path, in_store: InStore
) -> None:
    read = read_bundle(recorded / "policies")
    now = datetime(2013, 9, 30, tzinfo=UTC)
    version = NewPolicyVersion(read.bundle.digest, "test", now, "", "", packed(read.files))
    in_store(lambda stores: stores.policies.record(version))
    (recorded / "policies/keywords/loan.yaml").unlink()

    found = shown(replay(policies, "--old", "1", "--json"))

    assert found["old"] == read.bundle.digest
    assert found["by_action"] == [{"old": "quarantine", "new": "forward", "count": 1}]


def test_a_version_that_cannot_be_read_today_is_said(
    replay: Replay, policies: str, in_store: InStore
) -> None:
    now = datetime(2013, 9, 30, tzinfo=UTC)
    files = {"bundle.yaml": b"version: 99\n"}
    version = NewPolicyVersion("d", "test", now, "", "", packed(files))
    in_store(lambda stores: stores.policies.record(version))

    ran = replay(policies, "--old", "1")

    assert ran.returncode == 1
    assert "version 1 cannot be judged by" in ran.stderr
    assert replay(policies, "--old", "7").returncode == 1


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ((), 1),
        (("--since", "2013-09-30T08:00:01"), 1),
        (("--since", "2013-09-30T08:00:02"), 0),
        (("--until", "2013-09-30T16:00:01+08:00"), 0),
        (("--sender", "shop"), 1),
        (("--sender", "gone"), 0),
    ],
)
def test_a_part_of_the_records_is_replayed(
    replay: Replay, policies: str, recorded: Path, options: tuple[str, ...], changed: int
) -> None:
    (recorded / "policies/keywords/fraud.yaml").unlink()

    assert shown(replay(policies, *options, "--json"))["changed"] == changed


def test_sealed_records_are_replayed_with_their_key(
    cli: Cli, replay: Replay, policies: str, recorded: Path
) -> None:
    keys = recorded / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    with (recorded / "config/gateway.yaml").open("a") as file:
        file.write(f"privacy: {{keys: {keys}, current: k1}}\n")
    cli("records", "seal", "--config", str(recorded / "config"))
    (recorded / "policies/keywords/fraud.yaml").unlink()

    found = shown(replay(policies, "--json"))

    assert (found["changed"], found["judged"]) == (1, 3)
    assert "cdr-20130930-08.jsonl.gz" in str(found["by_rule"])


def test_records_lie_where_they_are_said_to(
    replay: Replay, policies: str, recorded: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (recorded / "var/cdr").rename(elsewhere)

    assert replay(policies).returncode == 2
    assert shown(replay(policies, "--records", str(elsewhere), "--json"))["judged"] == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--since", "2013-10-01", "--until", "2013-09-01"), "--until: must be later than --since"),
        (("--sender", "shp"), "there is no sender shp"),
        (("--old", "nowhere"), "there is no directory nowhere"),
        (("--records", "nowhere"), "there is no directory of records nowhere"),
    ],
)
def test_what_cannot_be_meant_is_said(
    replay: Replay, policies: str, options: tuple[str, ...], said: str
) -> None:
    ran = replay(policies, *options)

    assert ran.returncode == 2
    assert said in ran.stderr


def test_faults_of_either_bundle_are_said(replay: Replay, policies: str, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty"
    faulty.mkdir()
    (faulty / "bundle.yaml").write_text("version: 1\nnmae: test\n")

    for arguments in ((str(faulty),), (policies, "--old", str(faulty))):
        ran = replay(*arguments)
        assert ran.returncode == 2
        assert f"{faulty}/bundle.yaml:2:1" in ran.stderr


def test_an_hour_that_cannot_be_read_is_said(replay: Replay, policies: str, recorded: Path) -> None:
    (recorded / "var/cdr/cdr-20130930-07.jsonl.gz").write_bytes(b"no archive")

    ran = replay(policies)

    assert ran.returncode == 1
    assert "the records of 2013-09-30 07 UTC cannot be read" in ran.stderr
    assert shown(replay(policies, "--since", "2013-09-30T08:00", "--json"))["judged"] == 3


def test_many_kinds_and_senders_are_cut_short_on_the_screen(
    replay: Replay, policies: str, monkeypatch: pytest.MonkeyPatch, recorded: Path
) -> None:
    monkeypatch.setattr("gateway.cli.policy_replay._SHOWN", 1)
    monkeypatch.setattr("gateway.records.record_replay._MAX_KINDS", 2)
    for name in ("fraud", "loan"):
        (recorded / f"policies/keywords/{name}.yaml").unlink()
    line = (recorded / "var/cdr/cdr-20130930-08.jsonl").read_bytes().splitlines()[3]
    with (recorded / "var/cdr/cdr-20130930-08.jsonl").open("ab") as file:
        file.write(line.replace(b"K-FRAUD", b"K-OTHER") + b"\n")
        file.write(line.replace(b'"shop"', b'"gone"').replace(b"10690001", b"10690003") + b"\n")

    out = replay(policies).stdout

    assert "2 more kinds" in out
    assert "1 more" in out.replace("more kinds", "")
    counts = {str(kind["old"]): kind["count"] for kind in kinds(replay(policies, "--json"))}
    assert counts["None"] == 2
