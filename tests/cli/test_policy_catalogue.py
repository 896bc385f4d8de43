"""`smsward policy rules` and `policy schema`: what a bundle may say, and says."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.settings.bundles.bundle import load_bundle

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]

ROOT = Path(__file__).resolve().parents[2]
POLICIES = str(ROOT / "policies")


def test_every_rule_is_listed_with_what_asks_for_it(cli: Cli, deployment: Path) -> None:
    ran = cli("policy", "rules", str(deployment / "policies"))

    (row,) = [line for line in ran.stdout.splitlines() if "R21" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert ran.returncode == 0
    assert cells == [
        "R21",
        "Refusal",
        "test",
        "opt_out",
        "enforce",
        "commercial",
        "reject",
        "OPTED_OUT",
        "ESME_RSUBMITFAIL",
        "",
    ]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_terminal_of_eighty_columns_what_people_look_for_stays_whole(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    shown = cli("policy", "rules", POLICIES, "--lang", lang).stdout

    for word in ("R28-unknown", "ESME_RSUBMITFAIL", "OUTSIDE_WINDOW", "enforce", "commercial"):
        assert word in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert ("编号" in shown) is (lang == "zh")


def test_titles_may_be_chinese(cli: Cli, deployment: Path) -> None:
    shown = cli("policy", "rules", str(deployment / "policies"), "--lang", "zh").stdout

    assert "拒收" in shown
    assert "拒绝 reject" in shown
    assert "商业性 commercial" in shown


def test_exceptions_stand_beside_the_mode(cli: Cli, deployment: Path, write: Write) -> None:
    text = (deployment / "policies/rules/consent.yaml").read_text(encoding="utf-8")
    write("policies/rules/consent.yaml", f"{text}    overrides: [{{sender: shop, mode: off}}]\n")

    ran = cli("policy", "rules", str(deployment / "policies"))

    assert "shop: off" in ran.stdout


def test_rules_are_json_for_programs(cli: Cli) -> None:
    listed = json.loads(cli("policy", "rules", POLICIES, "--json").stdout)
    rules = {rule["id"]: rule for rule in listed["rules"]}
    bundle = load_bundle(ROOT / "policies")

    assert (listed["bundle"], listed["digest"]) == (bundle.name, bundle.digest)
    assert list(rules) == [rule.id for rule in bundle.rules]
    assert rules["R40"]["check"] == "outside_window"
    assert rules["R40"]["parameters"] == {"open": "08:00-21:00", "jitter": "30m"}
    assert rules["R40"]["status"] == "ESME_ROK"  # deferred: it waits for its hour
    assert rules["R28"]["status"] == "ESME_ROK"  # held
    assert rules["R21"]["status"] == "ESME_RSUBMITFAIL"
    assert rules["R21"]["title"]["zh"] == "用户拒收后不得再发"
    assert rules["R11"]["status"] == ""
    assert (rules["R05"]["warning"], rules["R05"]["severity"]) == ("W3", "serious")
    assert (rules["R40"]["warning"], rules["R40"]["severity"]) == (None, None)


def test_a_profile_is_listed_as_if_it_were_in_force(cli: Cli) -> None:
    listed = json.loads(cli("policy", "rules", POLICIES, "--profile", "fr", "--json").stdout)
    (r40,) = [rule for rule in listed["rules"] if rule["id"] == "R40"]

    assert listed["bundle"] == "fr"
    assert r40["parameters"]["open"] == "08:00-22:00 mon tue wed thu fri sat but holidays"


def test_a_profile_that_is_not_there_is_said_with_those_that_are(cli: Cli) -> None:
    ran = cli("policy", "rules", POLICIES, "--profile", "de")

    assert ran.returncode == 2
    assert (
        "there is no profiles/de; there are: cn-2020-draft, fr, in-tcccpr, uk-pecr, us-tcpa"
        in ran.stderr
    )


def test_the_reference_of_rules_is_what_the_code_says_of_the_shipped_bundle(cli: Cli) -> None:
    page = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")

    generated = cli("policy", "rules", POLICIES, "--markdown").stdout

    assert page[page.index("## cn-o31") :] == generated


def test_a_bundle_with_faults_has_no_page(cli: Cli, deployment: Path, write: Write) -> None:
    write("policies/bundle.yaml", "version: 2\nname: test\n")

    ran = cli("policy", "rules", str(deployment / "policies"), "--markdown")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "bundle.yaml:1:10" in ran.stderr


def test_a_schema_is_printed_for_editors(cli: Cli) -> None:
    whole = json.loads(cli("policy", "schema").stdout)
    partial = json.loads(cli("policy", "schema", "--partial", "--file", "bundle").stdout)

    assert whole["properties"]["rules"]["type"] == "array"
    assert partial["required"] == ["version"]
