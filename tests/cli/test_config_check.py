import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from shutil import copytree
from subprocess import CompletedProcess

import pytest

from gateway.cli.config_check import law_not_in_force, unknown_holidays_of
from gateway.policy.bundle import Bundle
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.settings.bundles.bundle import load_bundle

ROOT = Path(__file__).parents[2]
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
    write("config/keys.yaml", cli("keys", "new").stdout)
    (deployment / "config/keys.yaml").chmod(0o600)
    work.mkdir()
    monkeypatch.chdir(work)

    summary = json.loads(cli("check", "--json", *options).stdout)

    assert [summary[name] for name in ("store", "records", "keys")] == [
        str(deployment / "config" / place) for place in ("var/smsward.db", "var/cdr", "keys.yaml")
    ]
    assert summary["models"] == str(work / "var/models")  # the default, which no file names


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


@pytest.mark.parametrize("server", ["", 'mail: {server: "127.0.0.1:25", sender: "gw@c.example"}'])
def test_an_address_for_alerts_without_a_mail_server_is_warned_of(
    cli: Cli, write: Write, options: tuple[str, ...], server: str
) -> None:
    write(
        "config/senders.yaml",
        "version: 1\nallow_plain_passwords: true\nsenders:\n"
        '  - {system_id: shop, password: "plain:secret", ports: [], mail: "ops@shop.example"}\n',
    )
    with (Path(options[1]) / "gateway.yaml").open("a") as file:
        file.write(f"{server}\n")

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("MAIL UNSENT: alerts to shop go nowhere by mail" in ran.stderr) is (server == "")
    assert "ops@shop.example" not in ran.stderr


@pytest.mark.parametrize(
    ("types", "smsc", "codes", "warned"),
    [
        ("[tx]", "", '"10086"', True),
        ("[tx]", "", "", False),
        ("[tx, rx]", "", '"10086"', False),
        ("[tx]", ', own_bind: {system_id: gw, password: "plain:gw"}', '"10086"', False),
    ],
)
def test_an_sp_that_only_transmits_is_warned_of_while_there_is_no_own_bind(
    cli: Cli, options: tuple[str, ...], types: str, smsc: str, codes: str, *, warned: bool
) -> None:
    config = Path(options[1])
    binds = f'{{system_id: shop, password: "plain:secret", ports: [], binds: {{types: {types}}}}}'
    (config / "senders.yaml").write_text(
        f"version: 1\nallow_plain_passwords: true\nsenders: [{binds}]\n", encoding="utf-8"
    )
    text = (config / "gateway.yaml").read_text(encoding="utf-8").replace('2776"', f'2776"{smsc}')
    (config / "gateway.yaml").write_text(f"{text}hub: {{codes: [{codes}]}}\n", encoding="utf-8")

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("REFUSALS UNHEARD: shop may bind as transmitters only" in ran.stderr) is warned


@pytest.mark.parametrize("has_own_bind", [True, False])
def test_r80_report_codes_that_no_bind_would_hear_are_warned_of(
    cli: Cli, options: tuple[str, ...], *, has_own_bind: bool
) -> None:
    file = Path(options[1]) / "gateway.yaml"
    own = ', own_bind: {system_id: gw, password: "plain:gw"}' if has_own_bind else ""
    text = file.read_text(encoding="utf-8").replace('2776"', f'2776"{own}')
    file.write_text(f'{text}complaints: {{codes: {{"12321": star}}}}\n', encoding="utf-8")

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("COMPLAINTS UNHEARD" in ran.stderr) is not has_own_bind
    assert ("written to 12321 on" in ran.stderr) is not has_own_bind


def test_a_report_code_that_is_a_port_is_a_fault(cli: Cli, options: tuple[str, ...]) -> None:
    file = Path(options[1]) / "gateway.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f'{text}complaints: {{codes: {{"1069000177": star}}}}\n', encoding="utf-8")

    ran = cli("check", *options)

    assert ran.returncode == 2
    assert "1069000177 is a report code in gateway.yaml" in ran.stdout


@pytest.mark.parametrize(("group", "warned"), [("main", True), ("abroad", False)])
def test_an_sp_on_transparent_smscs_is_told_that_routes_by_destination_are_not_for_it(
    cli: Cli, options: tuple[str, ...], group: str, *, warned: bool
) -> None:
    config = Path(options[1])
    shop = f'{{system_id: shop, password: "plain:secret", ports: [], group: {group}}}'
    (config / "senders.yaml").write_text(
        f"version: 1\nallow_plain_passwords: true\nsenders: [{shop}]\n", encoding="utf-8"
    )
    second = (
        '2776"}, {name: b, address: "127.0.0.1:2777", group: abroad, mode: pooled, system_id: gw,'
        ' password: "plain:gw"'
    )
    text = (config / "gateway.yaml").read_text(encoding="utf-8").replace('2776"', second)
    routes = 'routes: [{group: abroad, destination: "852"}]'
    (config / "gateway.yaml").write_text(f"{text}{routes}\n", encoding="utf-8")

    ran = cli("check", *options)

    assert ran.returncode == 0
    assert ("ROUTES NOT FOR ALL: shop" in ran.stderr) is warned


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


@pytest.mark.parametrize(
    ("profile", "missing"),
    [
        ("", {"R20", "R61-campaign", "R30", "R38", "R05"}),
        ("cn-2020-draft", {"R20", "R28", "R28-unknown", "R61-campaign", "R30", "R38", "R05"}),
        ("us-tcpa", {"R20", "R40"}),
        ("in-tcccpr", {"R20", "R12-signature", "R12-template", "R50"}),
        ("uk-pecr", {"R20", "R30"}),
        ("fr", {"R20", "R30"}),
    ],
)
def test_each_rule_of_the_profiles_law_that_is_not_in_force_is_named(
    tmp_path: Path, profile: str, missing: set[str]
) -> None:
    policies = tmp_path / "policies"
    copytree(ROOT / "policies", policies)
    head = (policies / "bundle.yaml").read_text(encoding="utf-8")
    if profile:
        head = head.replace("# profile: fr", f"profile: {profile}")
    (policies / "bundle.yaml").write_text(head, encoding="utf-8")

    said = list(law_not_in_force(load_bundle(policies)))

    assert {one.split()[4] for one in said} == missing
    assert "LAW NOT IN FORCE: R20 (No commercial message without consent; " in said[0]
    assert said[0].endswith(" is off; `smsward policy enforce R20` puts it in force")


CN_LACKS = [
    "what ports say is not kept (N136, R70): records.texts in gateway.yaml",
    "0000 and 00000 have no code of the carrier's (N136, R33, R34): hub.codes",
    "an SP may bind without a licence on file (R01): filings.licence_required",
]


@pytest.mark.parametrize(
    ("profile", "lacks"),
    [
        ("cn-o31", CN_LACKS),
        ("us-tcpa", []),
        ("in-tcccpr", CN_LACKS[-1:]),
        ("uk-pecr", []),
        ("fr", []),
    ],
)
def test_what_a_law_lacks_besides_its_rules_is_said(
    cli: Cli,
    options: tuple[str, ...],
    deployment: Path,
    write: Write,
    profile: str,
    lacks: list[str],
) -> None:
    law = profile[:2]
    head = (deployment / "policies/bundle.yaml").read_text(encoding="utf-8")
    write("policies/bundle.yaml", head.replace("name: test", f"name: {profile}"))
    open_numbers = ["numbers are kept in the open: privacy.keys in gateway.yaml"]
    unheard = ["replies that refuse are not heard: replies.yaml"]

    summary = json.loads(cli("check", "--json", "--law", law, *options).stdout)

    said = [one for one in summary["warnings"] if one.startswith("LAW ")]
    assert said == [f"LAW {law.upper()} LACKS: {one}" for one in (*unheard, *open_numbers, *lacks)]


def test_another_profile_than_that_of_the_law_and_help_unanswered_are_said(
    cli: Cli, options: tuple[str, ...], write: Write
) -> None:
    write("policies/replies.yaml", "version: 1\n")

    summary = json.loads(cli("check", "--json", "--law", "us", *options).stdout)

    said = [one for one in summary["warnings"] if one.startswith("LAW US LACKS: ")]
    assert "LAW US LACKS: the bundle is test, not us-tcpa: bundle.yaml" in said
    assert "LAW US LACKS: HELP is not answered (CTIA): help in replies.yaml" in said
