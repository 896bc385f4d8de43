import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli.config_check import unknown_holidays_of
from gateway.policy.bundle import Bundle
from gateway.policy.hours import HolidayCalendar, RuleLocale

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]


def test_a_sound_deployment_is_summed_up(cli: Cli, options: tuple[str, ...]) -> None:
    ran = cli("check", *options)

    assert ran.returncode == 0
    words = ran.stdout.split()
    summary = dict(zip(words[::2], words[1::2], strict=True))
    assert summary["senders"] == "2"
    assert summary["ports"] == "3"
    assert summary["lists"] == "3"
    assert summary["words"] == "3"
    assert (summary["rules"], summary["enforced"]) == ("1", "1")
    assert len(summary["digest"]) == 12


@pytest.mark.parametrize(("mode", "told"), [(0o644, ["READABLE SECRETS"]), (0o640, [])])
def test_the_summary_is_json_for_programs(
    cli: Cli, options: tuple[str, ...], deployment: Path, mode: int, told: list[str]
) -> None:
    (deployment / "config/senders.yaml").chmod(mode)

    summary = json.loads(cli("check", "--json", *options).stdout)

    assert summary["ok"] is True
    assert summary["faults"] == []
    assert summary["bundle"] == "test"
    assert summary["listeners"] == "127.0.0.1:2775"
    assert [warning.split(":")[0] for warning in summary["warnings"]] == [
        "PLAIN PASSWORDS",
        *told,
        "RECORDS NOT SEALED",
    ]


def test_where_the_gateway_has_its_files_is_said_in_full(
    cli: Cli,
    options: tuple[str, ...],
    deployment: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, work = deployment / "config/gateway.yaml", deployment / "work"
    relative = path.read_text(encoding="utf-8").replace(f"{deployment}/", "")
    write("config/gateway.yaml", f"{relative}privacy: {{keys: keys.yaml, current: k1}}\n")
    write("work/keys.yaml", cli("keys", "new").stdout)
    (work / "keys.yaml").chmod(0o600)
    monkeypatch.chdir(work)

    summary = json.loads(cli("check", "--json", *options).stdout)

    assert [summary[name] for name in ("store", "records", "models", "keys")] == [
        str(work / place) for place in ("var/smsward.db", "var/cdr", "var/models", "keys.yaml")
    ]


def test_every_fault_of_every_file_is_named_by_its_place(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    write("config/gateway.yaml", "version: 1\nlisteners: []\nsmscs: []\nextra: 1\n")
    write("policies/keywords/fraud.yaml", "version: 1\nid: K\naction: rejet\n")

    ran = cli("check", *options)

    assert ran.returncode == 2
    places = {line.split(" ")[0].removeprefix(f"{deployment}/") for line in ran.stdout.splitlines()}
    assert {
        "config/gateway.yaml:2:12",
        "config/gateway.yaml:3:8",
        "config/gateway.yaml:4:1",
        "policies/keywords/fraud.yaml:3:9",
    } <= places


def test_faults_are_json_for_programs(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    write("policies/bundle.yaml", "version: 1\nname: no\nname: twice\n")

    ran = cli("check", "--json", *options)

    assert ran.returncode == 2
    report = json.loads(ran.stdout)
    assert report["ok"] is False
    (fault,) = report["faults"]
    assert (fault["path"], fault["line"]) == (str(deployment / "policies" / "bundle.yaml"), 3)
    assert fault["problem"]


def test_a_missing_directory_is_a_fault_and_no_traceback(cli: Cli, deployment: Path) -> None:
    ran = cli("check", "--config", str(deployment / "nowhere"))

    assert ran.returncode == 2
    assert "nowhere/gateway.yaml:1:1 " in ran.stdout
    assert "name the one that holds gateway.yaml" in ran.stderr


def test_a_policy_that_stops_nothing_is_said_loudly(
    cli: Cli, deployment: Path, options: tuple[str, ...]
) -> None:
    for name in ("rules/consent.yaml", "keywords/fraud.yaml", "keywords/loan.yaml"):
        (deployment / "policies" / name).unlink()

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert "OPEN POLICY" in ran.stderr


def test_an_exception_for_somebody_unknown_is_said_and_no_fault(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    rules = (deployment / "policies/rules/consent.yaml").read_text(encoding="utf-8")
    exceptions = """\
    overrides:
      - {sender: shop, mode: shadow}
      - {sender: nobody, mode: off}
      - {port: "10690002", mode: off}
      - {port: "95588", mode: off}
"""
    write("policies/rules/consent.yaml", rules + exceptions)

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert "UNKNOWN SENDER: R21 makes an exception for nobody" in ran.stderr
    assert "UNKNOWN PORT: R21 makes an exception for 95588" in ran.stderr
    assert ran.stderr.count("UNKNOWN") == 2


def test_a_category_that_is_none_is_said_at_its_place_and_no_fault(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    path = "policies/keywords/loan.yaml"
    written = (deployment / path).read_text(encoding="utf-8")
    write(path, written.replace("category: loan", "category: laon"))

    ran = cli("check", *options)
    alone = cli("policy", "check", str(deployment / "policies"))

    for one in (ran, alone):
        assert one.returncode == 0
        assert f"UNKNOWN CATEGORY: {deployment / path}:3:11 category: laon" in one.stderr


@pytest.mark.parametrize(
    ("today", "warned"), [("2026-11-30", False), ("2026-12-01", True), ("2027-05-01", True)]
)
def test_a_year_whose_holidays_nobody_knows_is_said_in_time(today: str, warned: bool) -> None:  # noqa: FBT001 - a parameter of the test
    calendar = HolidayCalendar("cn", frozenset({date(2026, 5, 1)}), years=frozenset({2026}))
    bundle = Bundle("test", "0" * 12, surroundings=RuleLocale(calendar=calendar))

    said = tuple(unknown_holidays_of(bundle, date.fromisoformat(today)))

    assert bool(said) is warned
    assert all("the calendar cn has none for 2027" in line for line in said)


def test_without_a_calendar_no_holidays_are_missed() -> None:
    assert tuple(unknown_holidays_of(Bundle("test", "0" * 12), date(2027, 5, 1))) == ()


PROVINCIAL = """\
version: 1
rules: [{id: R04, check: other_province, title: {zh: 省, en: P}, article: a, mode: MODE}]
"""


@pytest.mark.parametrize(
    ("mode", "table", "warned"),
    [
        ("enforce", None, True),
        ("shadow", None, False),
        ("enforce", "1380591,福建\n", False),
    ],
)
def test_r04_a_rule_about_provinces_that_nobody_knows_is_warned_of(
    cli: Cli, write: Write, options: tuple[str, ...], mode: str, table: str | None, *, warned: bool
) -> None:
    write("policies/rules/identity.yaml", PROVINCIAL.replace("MODE", mode))
    if table is not None:
        write("config/provinces.csv", table)

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("PROVINCES UNKNOWN: R04" in ran.stderr) is warned


def test_faults_of_the_table_of_provinces_are_named_by_their_place(
    cli: Cli, write: Write, options: tuple[str, ...]
) -> None:
    write("config/provinces.csv", "1380591\n")

    ran = cli("check", *options)

    assert ran.returncode == 2
    assert "provinces.csv:1:1 names no province" in ran.stdout


def test_plain_passwords_are_said_loudly_and_not_shown(cli: Cli, options: tuple[str, ...]) -> None:
    ran = cli("check", *options)

    assert "PLAIN PASSWORDS: written out for 2 senders" in ran.stderr
    assert "secret" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("url", "networks", "warned"),
    [
        ("https://10.20.0.7/told", "", True),
        ("https://10.20.0.7/told", "10.20.0.0/16", False),
        ("https://10.20.0.7/told", "10.21.0.0/16", True),
        ("https://169.254.169.254/", "", True),
        ("https://[fd00::7]:8443/told", "", True),
        ("https://10.5122/", "", True),  # as resolvers read 10.0.20.2
        ("http://localhost:8080/", "", True),
        ("http://127.0.0.1:8080/", "127.0.0.0/8", False),
        ("https://8.8.8.8/told", "", False),
        ("https://shop.example/told", "", False),  # only a name server knows
        (f"https://{'a' * 64}.example/told", "", False),  # nor does one know of these
        ("https://shop..example/told", "", False),
    ],
)
def test_a_webhook_at_an_address_that_is_never_dialled_is_warned_of(
    cli: Cli, write: Write, options: tuple[str, ...], url: str, networks: str, *, warned: bool
) -> None:
    webhook = f'webhook: {{url: "{url}", key: "plain:{"k" * 64}"}}'
    write(
        "config/senders.yaml",
        "version: 1\nallow_plain_passwords: true\nsenders:\n"
        f'  - {{system_id: shop, password: "plain:secret", ports: [], {webhook}}}\n',
    )
    if networks:
        with (Path(options[1]) / "gateway.yaml").open("a") as file:
            file.write(f"webhooks: {{networks: [{networks}]}}\n")

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("WEBHOOK UNREACHABLE: notices to shop go nowhere" in ran.stderr) is warned
    assert url.split("//")[1].rstrip("/") not in ran.stderr


def test_nothing_is_warned_of_where_all_is_well(
    cli: Cli, deployment: Path, write: Write, options: tuple[str, ...]
) -> None:
    write("config/senders.yaml", "version: 1\nsenders: []\n")
    write("keys.yaml", cli("keys", "new").stdout)
    (deployment / "keys.yaml").chmod(0o600)
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"privacy: {{keys: {deployment}/keys.yaml, current: k1}}\n")

    ran = cli("check", *options)

    assert (ran.returncode, ran.stderr) == (0, "")
