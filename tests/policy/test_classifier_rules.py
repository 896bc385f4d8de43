"""What is said where a rule asks for a classifier that there is not, or that was not measured."""

from dataclasses import replace

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action
from gateway.policy.bundle import Override
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.suspicious import Suspicious, Tolerance, unscored
from tests.policy.conftest import rule
from tests.policy.scorers import WordScorer

ON_TRIAL = rule("R61", Suspicious(0.005), mode=Enforcement.SHADOW)


def test_r61_a_rule_that_judges_nothing_for_want_of_a_classifier_is_told() -> None:
    (said,) = unscored([ON_TRIAL, rule("R21", OptOut())], None)

    assert said.en == "NO CLASSIFIER: R61: no text is judged, for there is no model"


def test_r61_that_messages_are_stopped_for_it_is_told_too() -> None:
    for one in (
        rule("R61", Suspicious(0.005)),
        rule(
            "R61",
            Suspicious(0.005),
            mode=Enforcement.OFF,
            overrides=(Override(Enforcement.ENFORCE, sender="sp1"),),
        ),
    ):
        (said,) = unscored([one], None)
        assert "what is asked is stopped unjudged" in said.en
        assert "smsward filter install" in said.en


def test_r61_a_rule_that_lets_pass_what_nobody_judged_stops_nothing_without_a_classifier() -> None:
    passing = replace(
        rule("R61", Suspicious(0.005)), on_error={TrafficClass.COMMERCIAL: Action.FORWARD}
    )

    (said,) = unscored([passing], None)

    assert said.en == "NO CLASSIFIER: R61: no text is judged, for there is no model"


def test_a_rule_that_is_off_needs_no_classifier() -> None:
    assert list(unscored([rule("R61", Suspicious(0.005), mode=Enforcement.OFF)], None)) == []


def test_r61_a_share_that_was_measured_for_no_class_is_told() -> None:
    apart = Suspicious(0.005, (Tolerance(0.0005, sender="sp1"),))

    (said,) = unscored([rule("R61", apart, mode=Enforcement.SHADOW)], WordScorer())

    assert said.en == (
        "NOT MEASURED: R61 tolerates 0.05 % of innocent texts,"
        " and the model knows no threshold for so few of class port: those texts are not judged"
    )
    assert list(unscored([ON_TRIAL], WordScorer())) == []
