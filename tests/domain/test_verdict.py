"""Verdicts and the findings they rest on."""

from dataclasses import replace

from gateway.domain.verdict import Action, Finding, Reason, Verdict

HIT = Finding("K-FRAUD", Reason.CONTENT, Action.REJECT, "代开发票", category="fraud")
SHADOW_HIT = replace(HIT, rule="K-NEW", shadow=True)


def test_the_first_finding_that_is_no_shadow_decides() -> None:
    later = replace(HIT, rule="K-LATER")

    assert Verdict(Action.REJECT, (SHADOW_HIT, HIT, later), "d1").deciding is HIT


def test_a_plain_forward_has_no_deciding_finding() -> None:
    assert Verdict(Action.FORWARD, (), "d1").deciding is None


def test_shadow_findings_are_kept_and_decide_nothing() -> None:
    verdict = Verdict(Action.FORWARD, (SHADOW_HIT,), "d1")

    assert verdict.findings == (SHADOW_HIT,)
    assert verdict.deciding is None


def test_a_reason_is_written_as_its_name() -> None:
    # Records, metrics and per-SP overrides all use the name: a value that strays from it
    # would split them.
    assert [reason.value for reason in Reason] == [reason.name for reason in Reason]
