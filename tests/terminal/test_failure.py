from gateway.terminal.failure import CommandError, ExitCode, known, misused


def test_an_error_is_a_failure_unless_it_says_otherwise() -> None:
    assert CommandError("broken").exit_code is ExitCode.FAILED
    assert misused("no such option").exit_code is ExitCode.MISUSED


def test_names_are_listed_in_order() -> None:
    assert known({"shop", "bank"}) == "bank, shop"


def test_a_list_of_names_ends_somewhere() -> None:
    assert known(("a", "b", "c"), maximum=2) == "a, b and 1 more"


def test_no_names_are_called_so() -> None:
    assert known(()) == "none"
