"""Compiled loops as they run, and as the Python that they are compiled from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import pytest

from gateway.filter import (
    band_loops,
    batch_views,
    clue_loops,
    clue_table,
    cue_loops,
    cue_table,
    display_loops,
    fingerprint_loops,
    fingerprints,
    view_loops,
)
from gateway.filter.model import loops
from gateway.policy import number_loops, number_rows

_LOOPS = (
    *(loops, band_loops, clue_loops, cue_loops, display_loops),
    *(view_loops, fingerprint_loops, number_loops),
)

Form = Callable[[], AbstractContextManager[None]]


@contextmanager
def as_python() -> Iterator[None]:
    """Run the loops as Python: slowly, but every line is seen, and every index is looked at."""
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
        for module in (*_LOOPS, clue_table, cue_table, batch_views, fingerprints, number_rows):
            for name, function in list(vars(module).items()):
                if hasattr(function, "py_func"):
                    patch.setattr(module, name, function.py_func)
        yield


in_both_forms = pytest.mark.parametrize("form", [nullcontext, as_python])
