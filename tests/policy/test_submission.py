"""One message to one subscriber."""

from tests.policy.conftest import submission


def test_a_new_submission_has_nothing_against_it() -> None:
    new = submission()

    assert (new.msisdn, new.findings, new.verdict) == (None, (), None)
    assert (new.facts, new.timing, new.deferral, new.template) == (None, None, None, "")


def test_a_submission_knows_the_port_it_comes_from() -> None:
    mine, foreign = submission(source=b"10690001"), submission(source=b"95588")

    assert mine.port is not None
    assert mine.port.number == "10690001"
    assert foreign.port is None


def test_a_submission_costs_one_token_unless_told_otherwise() -> None:
    assert submission().units == 1
    assert submission(units=3).units == 3
