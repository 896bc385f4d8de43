"""Verdicts and the findings they rest on."""

from dataclasses import replace

from gateway.domain.verdict import (
    OF_CONTENT,
    Action,
    Basis,
    Finding,
    Reason,
    Verdict,
    likely_spam,
)

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


def test_a_reason_is_found_by_its_name_in_a_record() -> None:
    assert Reason("RATE") is Reason.RATE  # type: ignore[call-arg]
    assert (Reason.RATE.basis, Reason.RATE.status) == (Basis.MOMENT, "ESME_RTHROTTLED")


def test_records_are_enough_to_ask_again_about_a_recipient() -> None:
    assert {reason for reason in Reason if reason.basis is Basis.RECIPIENT} == {
        Reason.OUT_OF_SCOPE,
        Reason.OPTED_OUT,
        Reason.CONSENT_NONE,
        Reason.CONSENT_UNPROVEN,
        Reason.PUBLIC_INTEREST,
        Reason.OUTSIDE_WINDOW,
        Reason.FREQUENCY,
        Reason.NUMBER_WALK,
    }


def test_what_a_text_says_is_the_basis_of_what_people_can_teach() -> None:
    assert {
        Reason.CONTENT,
        Reason.SUSPICIOUS,
        Reason.BAD_LINK,
        Reason.IMPOSTOR,
        Reason.CONTACT_GIVEN,
    } == OF_CONTENT


def test_what_rounds_to_a_hundred_percent_is_told_as_no_certainty() -> None:
    told = [likely_spam(percent) for percent in (0, 99, 100)]

    assert told == [
        ("0 % likely spam", "0 % 可能是垃圾短信"),
        ("99 % likely spam", "99 % 可能是垃圾短信"),
        ("over 99 % likely spam", "超过 99 % 可能是垃圾短信"),
    ]
