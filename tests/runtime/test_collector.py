"""The garbage collector is kept from what stays."""

import gc
from collections.abc import Iterator

import pytest

from gateway.runtime.tasks import set_aside


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)  # what gateways of other tests set aside stays so


@pytest.mark.usefixtures("_as_it_was")
def test_what_is_loaded_is_looked_over_no_more_and_the_rest_more_rarely() -> None:
    young, middle, full = gc.get_threshold()
    loaded = [["of these"], ["and these"]]

    set_aside()

    assert not any(one is loaded for one in gc.get_objects())
    assert gc.get_threshold() == (young, middle, max(full, 100))
