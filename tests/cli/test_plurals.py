import pytest

from gateway.cli.plurals import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 notices"), (1, "1 notice"), (2, "2 notices"), (1000, "1000 notices")]
)
def test_one_of_a_kind_is_not_said_in_the_plural(count: int, said: str) -> None:
    assert counted(count, "notice") == said
