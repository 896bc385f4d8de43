"""Functions that numba compiles to machine code when their module is imported.

Importing numba takes a quarter of a second of processor time, and so does the first compilation
of a function: import a module of compiled functions only where one of them is needed.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
from numba.core.types import Array, Tuple, Type

Given = ParamSpec("Given")
Result = TypeVar("Result")

boolean, float32, float64 = numba.boolean, numba.float32, numba.float64
int32, int64 = numba.int32, numba.int64
uint8, uint16 = numba.uint8, numba.uint16
uint32, uint64 = numba.uint32, numba.uint64
void = numba.void


def row_of(item: Type) -> Type:
    """Return the type of a read-only row of `item`, which also fits octets: they are read-only."""
    return Array(item, 1, "C", readonly=True)


def table_of(item: Type) -> Type:
    """Return the type of a read-only table of `item`, stored row by row."""
    return Array(item, 2, "C", readonly=True)


def tuple_of(item: Type, count: int) -> Type:
    """Return the type of a tuple of `count` values of type `item`."""
    return Tuple((item,) * count)  # type: ignore[no-untyped-call]


def compiled(
    signature: object, *, in_any_order: bool = False
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Compile a function for arguments of one `signature`; it accepts no others.

    The result is cached for the next start: in NUMBA_CACHE_DIR, or in `__pycache__` beside the
    source, or, if that is not writable, in the user's cache. If no place is writable, every start
    compiles. The cache only checks the function's own source file: so a compiled function calls
    only functions of its own module, and takes everything else that may change as an argument.

    With `in_any_order` the last digits of a result may differ on another machine.
    """
    order: bool | set[str] = {"reassoc"} if in_any_order else False

    def compile_it(function: Callable[Given, Result]) -> Callable[Given, Result]:
        try:
            make = numba.njit(signature, cache=True, fastmath=order)
            made: Callable[Given, Result] = make(function)
        except RuntimeError:  # no place to keep it
            made = numba.njit(signature, fastmath=order)(function)
        return made

    return compile_it
