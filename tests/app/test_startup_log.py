from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.policies import tell_known_passwords
from gateway.app.run import tell_readable_secrets
from gateway.cli.operate import tell_directories
from gateway.domain.sender import Webhook
from gateway.settings.credentials import hash_password
from gateway.settings.senders import load_senders

LogLines = list[dict[str, object]]
SAMPLE = Path(__file__).parents[2] / "config/senders.yaml"


def test_one_line_names_both_directories(log: LogLines, tmp_path: Path) -> None:
    tell_directories(tmp_path / "config", tmp_path / "policies", are_shipped=False)

    (line,) = log
    assert (line["event"], line["level"]) == ("directories.chosen", "info")
    assert line["config"] == str(tmp_path / "config")
    assert line["policies"] == str(tmp_path / "policies")
    assert line["working_directory"] == str(Path.cwd())


def test_policies_that_are_only_shipped_are_a_warning_that_says_what_to_pass(
    log: LogLines, tmp_path: Path
) -> None:
    tell_directories(tmp_path / "config", tmp_path / "policies", are_shipped=True)

    (line,) = log
    assert (line["level"], line["own_with"]) == ("warning", "--policies DIR")
    assert line["policies"] == str(tmp_path / "policies")


def test_the_password_of_the_sample_is_told_of_and_no_other(log: LogLines) -> None:
    senders = load_senders(SAMPLE)
    own = replace(senders["sp1"], system_id="sp2", password="plain:own")

    tell_known_passwords([*senders.values(), own])
    tell_known_passwords([own])

    (line,) = log
    assert (line["event"], line["level"]) == ("senders.exposed", "warning")
    assert line["senders"] == ["bank1", "sp1"]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o646])
def test_secrets_that_every_account_can_read_are_told_of(
    log: LogLines, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "senders.yaml"
    path.touch()
    path.chmod(mode)
    [one, *_] = load_senders(SAMPLE).values()
    hashed = replace(one, password=hash_password("own"))
    hooked = replace(one, webhook=Webhook("https://a.example/", "plain:" + "k" * 32))

    for sender in (hashed, hooked, replace(one, password="plain:own")):
        tell_readable_secrets(path, [one, sender])

    assert [(line["event"], line["level"]) for line in log] == [("senders.readable", "warning")] * 3


def test_what_is_no_secret_or_stands_elsewhere_is_not_told_of(
    log: LogLines, tmp_path: Path
) -> None:
    path = tmp_path / "senders.yaml"
    path.touch()
    path.chmod(0o644)
    [sample, *_] = load_senders(SAMPLE).values()
    elsewhere = replace(
        sample, password="env:SHOP", webhook=Webhook("https://a.example/", "env:HOOK")
    )

    tell_readable_secrets(path, [sample, elsewhere])
    path.chmod(0o640)
    tell_readable_secrets(path, [replace(sample, password="plain:own")])
    tell_readable_secrets(tmp_path / "gone.yaml", [replace(sample, password="plain:own")])

    assert log == []
