"""`smsward policy posture`, `enforce`, `shadow` and `off`: one word, written into local.d."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from gateway.domain.policy import Enforcement
from gateway.settings.bundles.bundle import load_bundle

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
STRICT = "version: 1\nrules: [{id: R21, mode: shadow}]\n"


def test_a_posture_is_chosen_by_one_word(cli: Cli, write: Write, deployment: Path) -> None:
    write("policies/postures/strict/rules/consent.yaml", STRICT)
    policies = deployment / "policies"

    chosen = cli("policy", "posture", "strict", "--policies", str(policies))
    shown = cli("policy", "posture", "--policies", str(policies), "--json")

    assert (chosen.returncode, chosen.stderr) == (0, "")
    assert "posture: balanced -> strict, in " in chosen.stdout
    assert "smsward policy reload" in chosen.stdout
    assert load_bundle(policies).posture == "strict"
    assert json.loads(shown.stdout) == {"posture": "strict", "postures": ["balanced", "strict"]}


def test_postures_are_listed_with_the_one_in_force(
    cli: Cli, write: Write, deployment: Path
) -> None:
    write("policies/postures/strict/rules/consent.yaml", STRICT)

    shown = cli("policy", "posture", "--policies", str(deployment / "policies")).stdout

    (row,) = [line for line in shown.splitlines() if "in force" in line]
    assert "balanced" in row
    assert "strict" in shown


def test_a_posture_that_is_not_there_is_told_with_those_that_are(
    cli: Cli, deployment: Path
) -> None:
    ran = cli("policy", "posture", "stern", "--policies", str(deployment / "policies"))

    assert ran.returncode == 2
    assert ran.stderr == "error: there is no posture stern\nhint: there are: balanced\n"


def test_a_rule_is_switched_for_everybody_and_for_one_sender(cli: Cli, deployment: Path) -> None:
    policies = deployment / "policies"
    where = ("--policies", str(policies))

    for_all = cli("policy", "shadow", "R21", *where)
    for_one = cli("policy", "off", "R21", "--sender", "sp1", *where, "--json")

    assert "R21: enforce -> shadow, in " in for_all.stdout
    said = json.loads(for_one.stdout)
    assert (said["rule"], said["sender"], said["mode"]) == ("R21", "sp1", "off")
    (rule,) = load_bundle(policies).rules
    assert rule.mode is Enforcement.SHADOW
    assert [(one.sender, one.mode) for one in rule.overrides] == [("sp1", Enforcement.OFF)]
    assert "R21: shadow -> enforce" in cli("policy", "enforce", "R21", *where).stdout


def test_a_rule_that_is_not_there_is_told_with_those_that_are(cli: Cli, deployment: Path) -> None:
    ran = cli("policy", "enforce", "R99", "--policies", str(deployment / "policies"))

    assert ran.returncode == 2
    assert ran.stderr == "error: there is no rule R99\nhint: there are: R21\n"


def test_a_bundle_with_faults_is_told_and_left_alone(
    cli: Cli, write: Write, deployment: Path
) -> None:
    write("policies/local.d/rules/mine.yaml", "version: 1\nrules: [{id: R21, mode: off}]\n")

    ran = cli("policy", "enforce", "R21", "--policies", str(deployment / "policies"))

    assert ran.returncode == 2
    assert "R21: stands in mine.yaml line 2 already" in ran.stdout + ran.stderr
    assert not (deployment / "policies/local.d/rules/modes.yaml").exists()
