"""Verdicts and the findings they rest on."""

from copy import deepcopy
from dataclasses import replace

import orjson
import pytest

from gateway.domain.verdict import (
    Action,
    Basis,
    Finding,
    Reason,
    ReasonCode,
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
    shared = {name: one for name, one in vars(Reason).items() if isinstance(one, ReasonCode)}

    assert shared["RATE"] is Reason.RATE
    assert [one.value for one in shared.values()] == [*shared] == [str(one) for one in shared]
    assert (Reason.RATE.basis, Reason.RATE.status) == (Basis.MOMENT, "ESME_RTHROTTLED")


def test_a_reason_is_found_by_its_name_in_a_record() -> None:
    by_name = dict.fromkeys([Reason.RATE], 1)

    assert by_name[orjson.loads(orjson.dumps(Reason.RATE))] == 1
    assert "RATE" == Reason.RATE != "CONTENT"
    assert f"{Reason.RATE}: {Reason.RATE!r}" == "RATE: 'RATE'"


def test_there_is_one_reason_of_each_name() -> None:
    with pytest.raises(ValueError, match="RATE: another reason has this name"):
        ReasonCode("RATE", Basis.CONTENT)

    assert ReasonCode.known["RATE"] is Reason.RATE
    assert deepcopy(HIT).reason is Reason.CONTENT


def test_what_rounds_to_a_hundred_percent_is_told_as_no_certainty() -> None:
    told = [likely_spam(percent) for percent in (0, 99, 100)]

    assert told == [
        ("0 % likely spam", "0 % 可能是垃圾短信"),
        ("99 % likely spam", "99 % 可能是垃圾短信"),
        ("over 99 % likely spam", "超过 99 % 可能是垃圾短信"),
    ]
