"""The counters."""

from gateway.dataplane.plane import Tally


def test_verdicts_are_counted_by_action_and_reason() -> None:
    tally = Tally()

    for reason in ("RATE", "RATE", "CONTENT"):
        tally.verdict("reject", reason)

    assert tally.verdicts == {("reject", "RATE"): 2, ("reject", "CONTENT"): 1}


def test_senders_are_counted_by_action() -> None:
    tally = Tally()

    tally.sender("sp1", "forward", 5)
    tally.sender("sp1", "forward")
    tally.sender("sp2", "reject")

    assert tally.senders == {("sp1", "forward"): 6, ("sp2", "reject"): 1}
