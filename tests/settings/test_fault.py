from pathlib import Path

import pytest

from gateway.settings.yaml import Fault, FaultCollector, SettingsError

HERE = Path("a.yaml")


def test_a_fault_reads_as_compilers_write_it() -> None:
    assert str(Fault(HERE, 3, 7, "unknown key")) == "a.yaml:3:7 unknown key"


def test_a_fault_keeps_escape_sequences_off_the_terminal() -> None:
    assert str(Fault(HERE, 1, 1, "bad \x1b[31m\nkey")) == "a.yaml:1:1 bad ?[31m?key"


def test_a_fault_stays_short_whatever_it_quotes() -> None:
    assert len(str(Fault(HERE, 1, 1, "x" * 5000))) == len("a.yaml:1:1 ") + 400


def test_faults_are_in_file_order_and_each_once() -> None:
    late, early, other = (
        Fault(HERE, 9, 1, "late"),
        Fault(HERE, 2, 5, "early"),
        Fault(Path("b.yaml"), 1, 1, "other"),
    )

    error = SettingsError([other, late, early, late])

    assert error.faults == (early, late, other)
    assert str(error) == "a.yaml:2:5 early\na.yaml:9:1 late\nb.yaml:1:1 other"


def test_an_error_stays_bounded_and_says_how_many_more_there_are() -> None:
    error = SettingsError(Fault(HERE, line, 1, "bad") for line in range(1, 701))

    assert len(error.faults) == 501
    assert str(error.faults[-1]) == "a.yaml:500:1 and 200 faults more"


def fail(line: int) -> str:
    raise SettingsError([Fault(HERE, line, 1, "bad")])


def test_a_gathering_goes_on_past_a_bad_file_and_raises_at_its_end() -> None:
    gathering = FaultCollector()

    assert gathering.take(lambda: fail(4), None) is None
    assert gathering.take(lambda: "good", None) == "good"
    assert gathering.take(lambda: fail(2), "instead") == "instead"

    with pytest.raises(SettingsError) as raised:
        gathering.close()
    assert [fault.line for fault in raised.value.faults] == [2, 4]


def test_a_gathering_without_faults_closes_quietly() -> None:
    gathering = FaultCollector()

    gathering.take(lambda: "good", None)

    gathering.close()
