"""What is said of messages that have findings."""

from dataclasses import replace

from gateway.dataplane.plane import Trials
from gateway.domain.records import Why
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.domain.warning import WarningCode


def finding(rule: str, warning: WarningCode | None = None) -> Finding:
    return Finding(
        rule,
        Reason.CONTENT,
        Action.REJECT,
        "word",
        shadow=True,
        category="fraud",
        warning=warning,
        campaign="c0000000000000001",
    )


def test_the_first_finding_is_told_and_any_that_warns_is_known() -> None:
    quiet, warning = finding("K"), finding("L", WarningCode.W8)
    trials = Trials()

    alone, both = trials.of((quiet,), "digest"), trials.of((quiet, warning), "digest")

    about = ("fraud", "c0000000000000001")
    assert alone.why == Why("shadow", "CONTENT", "K", "", "digest", *about, (quiet,))
    assert both.why == Why("shadow", "CONTENT", "K", "", "digest", *about, (quiet, warning))
    assert (alone.reason, alone.warns, both.warns) == ("CONTENT", False, True)


def test_the_same_findings_are_worked_out_once_for_each_policy() -> None:
    one, trials = finding("K"), Trials()

    first, again = trials.of((one,), "digest"), trials.of((one,), "digest")
    under_another = trials.of((one,), "other")

    assert first is again
    assert under_another.why.digest == "other"


def test_what_is_said_of_messages_that_are_stopped_is_worked_out_once_too() -> None:
    quiet, trials = finding("K"), Trials()
    against = replace(finding("L"), shadow=False)
    found = (quiet, against)
    verdict = Verdict(Action.REJECT, found, "digest")

    first, again = (trials.stopped(found, verdict, "ESME_RSUBMITFAIL") for _ in range(2))
    other = trials.stopped(found, verdict, "ESME_RX_R_APPN")

    assert first is again
    assert (first.why.action, first.why.rule, first.why.findings) == ("reject", "L", found)
    assert other.why.status == "ESME_RX_R_APPN"
    assert trials.stopped(found, replace(verdict, digest="next"), "").why.digest == "next"


def test_what_is_kept_is_bounded() -> None:
    trials = Trials()

    for number in range(5000):
        trials.of((finding(f"K{number}"),), "digest")

    assert len(trials._kept) <= 4096
    assert len(trials._at_hand) <= 4096
