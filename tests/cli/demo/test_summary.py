import json
from pathlib import Path

import pytest

from gateway.cli.demo.cast import Audit, SpReport, Stage
from gateway.cli.demo.view import DemoSummary, Moment, hints, print_ending
from gateway.settings.schema import Address
from gateway.terminal.screen import print_json

STAGE = Stage(
    Path("/tmp/demo"),
    Address("127.0.0.1", 2775),
    Address("127.0.0.1", 9464),
    Address("127.0.0.1", 8080),
)
BALANCED = Audit(6, 1, 0, 0, 0, 0)
SHORT = Audit(5, 1, 1, 0, 0, 0)


def ending(audit: Audit) -> DemoSummary:
    told = {"shop": SpReport(submitted=10, forwarded=6, refused=2, quarantined=1, throttled=1)}
    verdicts = {("forward", ""): 6, ("reject", "CONTENT"): 2}
    return DemoSummary(Moment(10.0, 400.0, told, verdicts, 0.5, 2.5, 1, {}), audit, 0)


def test_the_audit_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_ending(ending(BALANCED), STAGE, ())

    said = capsys.readouterr().out
    assert "system_id guest" not in said
    assert "every accepted message is at the SMSC (6) or in quarantine (1)" in said
    assert "sent with: yes" in said
    assert "/tmp/demo" in said


def test_an_audit_that_fails_says_what_and_where_to_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_ending(ending(SHORT), STAGE, ())

    said = capsys.readouterr().out
    assert "sent with: NO" in said
    assert "missing 1" in said
    assert "gateway.log" in said


def test_who_keeps_the_demo_is_told_which_file_to_change() -> None:
    _, second, _ = hints(STAGE, keep=True, has_pages=True)

    assert second.startswith("2. Save a change in ")
    assert "demo-reject.yaml" in second


@pytest.mark.parametrize("keep", [False, True])
def test_to_decide_on_a_message_comes_first(*, keep: bool) -> None:
    first, *_ = hints(STAGE, keep=keep, has_pages=True)

    assert first.startswith("1. Open the link to the console")
    for act in ("decide on a held message", "r releases", "s confirms spam", "d discards"):
        assert act in first


def test_there_are_three_things_to_try_next(capsys: pytest.CaptureFixture[str]) -> None:
    print_ending(ending(BALANCED), STAGE, hints(STAGE))

    said = capsys.readouterr().out
    assert "demo-reject.yaml" not in said  # of this run: the next has a directory of its own
    assert "Run `smsward demo --keep`" in said
    assert "smsward quarantine list --config /tmp/demo/config" in said
    for what in ("127.0.0.1:2775", "system_id guest", "password demo", "10690001"):
        assert what in said


def test_the_command_to_try_next_works_without_a_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [str(Path.cwd() / ".venv/bin/smsward"), "demo"])

    print_ending(ending(BALANCED), STAGE, hints(STAGE))

    said = capsys.readouterr().out
    assert " .venv/bin/smsward quarantine list" in said
    assert "`.venv/bin/smsward demo --keep`" in said


@pytest.mark.parametrize("keep", [False, True])
def test_what_needs_a_running_gateway_is_offered_for_one(*, keep: bool) -> None:
    for hint in hints(STAGE, keep=keep, has_pages=keep):
        assert ("--keep" in hint) is not keep


def test_the_ending_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(ending(BALANCED).as_json(STAGE))

    said = json.loads(capsys.readouterr().out)
    assert said["audit"] == {
        "balanced": True,
        "at_smsc": 6,
        "in_quarantine": 1,
        "missing": 0,
        "unasked": 0,
        "altered": 0,
        "doubled": 0,
    }
    assert said["senders"]["shop"]["refused"] == 2
    assert {"action": "reject", "reason": "CONTENT", "messages": 2} in said["verdicts"]
