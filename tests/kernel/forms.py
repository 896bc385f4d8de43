"""Compiled loops as they run, and as the Python that they are compiled from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import pytest

from gateway.filter import fingerprints
from gateway.kernel import display_loops, fingerprint_loops, gram_loops, number_rows, view_loops
from gateway.systems.learning import linear_model as descent

_LOOPS = (display_loops, fingerprint_loops, gram_loops, number_rows, view_loops)
# They have imported compiled functions by name.
_CALLERS = (descent, fingerprints)

Form = Callable[[], AbstractContextManager[None]]


@contextmanager
def as_python() -> Iterator[None]:
    """Run the loops as Python: slowly, but every line is seen, and every index is looked at."""
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
        for module in (*_LOOPS, *_CALLERS):
            for name, function in list(vars(module).items()):
                if hasattr(function, "py_func"):
                    patch.setattr(module, name, function.py_func)
        yield


in_both_forms = pytest.mark.parametrize("form", [nullcontext, as_python])
