from dataclasses import replace
from pathlib import Path

from gateway.app.first_lines import tell_directories, tell_known_passwords
from gateway.settings.senders import load_senders

LogLines = list[dict[str, object]]
SAMPLE = Path(__file__).parents[2] / "config/senders.yaml"


def test_one_line_names_both_directories(log: LogLines, tmp_path: Path) -> None:
    tell_directories(tmp_path / "config", tmp_path / "policies", are_shipped=False)

    (line,) = log
    assert (line["event"], line["level"]) == ("directories.chosen", "info")
    assert line["config"] == str(tmp_path / "config")
    assert line["policies"] == str(tmp_path / "policies")


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
