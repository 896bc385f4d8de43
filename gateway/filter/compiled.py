"""Functions that numba compiles for the machine when their module is imported.

Importing numba takes a quarter of a second of processor time, and so does compiling a function
the first time: a module of compiled functions is to be imported where one of them is needed.
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
    """Return the type of a row of `item` that is only read: of octets, say, which nobody may."""
    return Array(item, 1, "C", readonly=True)


def table_of(item: Type) -> Type:
    """Return the type of a table of `item` that is only read, row by row."""
    return Array(item, 2, "C", readonly=True)


def tuple_of(item: Type, count: int) -> Type:
    """Return the type of `count` of `item` together."""
    return Tuple((item,) * count)  # type: ignore[no-untyped-call]


def compiled(
    signature: object, *, in_any_order: bool = False
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Compile a function for arguments of one `signature`; it takes no others.

    What was compiled is kept for the next start: where NUMBA_CACHE_DIR says, or in `__pycache__`
    beside the source, or where that may not be written in the cache of the user. Where nothing
    may be written every start compiles. What is kept is known by its own source file alone: a
    compiled function calls only those of its own module, and takes what else may change as
    an argument.

    What is computed `in_any_order` may be other in the last digits on another machine.
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
