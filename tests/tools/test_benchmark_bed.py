"""The bed of the end-to-end benchmark lets each message of the load pass to the SMSC."""

from pathlib import Path

from benchmarks.bed import turn_on_all, write_policies
from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Rule
from gateway.policy.checks.suspicious import Suspicious
from gateway.settings.bundles.bundle import load_bundle

SHIPPED = Path(__file__).parents[2] / "policies"


def test_that_no_rule_of_the_whole_policy_stops_by_what_a_model_finds(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    write_policies(SHIPPED, policies, ["龘靐齉"], spam=False, rules=Enforcement.SHADOW)
    turn_on_all(policies)
    modes = {rule.id: rule.mode for rule in load_bundle(policies).rules if is_by_model(rule)}
    assert modes
    assert set(modes.values()) == {Enforcement.SHADOW}, modes


def is_by_model(rule: Rule) -> bool:
    return isinstance(rule.check, Suspicious)
