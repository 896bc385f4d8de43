from types import FunctionType

import numpy as np
import pytest

from gateway.kernel.compiler import compiled, float64, int64, row_of, table_of


def total(row: list[int]) -> int:
    found = 0
    for one in row:
        found += one
    return found


def test_a_function_computes_the_same_when_it_is_compiled() -> None:
    compiled_total = compiled(int64(row_of(int64)))(total)

    assert compiled_total(np.array([1, 2, 39])) == total([1, 2, 39])  # type: ignore[arg-type]


def test_where_nothing_may_be_written_it_is_compiled_all_the_same() -> None:
    # What is compiled is kept beside the source, and here there is none.
    nowhere = FunctionType(total.__code__.replace(co_filename="<nowhere>"), globals())

    assert compiled(int64(row_of(int64)))(nowhere)(np.array([1, 2])) == 3


def test_a_function_takes_nothing_but_what_it_is_compiled_for() -> None:
    def corner(table: list[list[float]]) -> float:
        return table[0][0]

    compiled_corner = compiled(float64(table_of(float64)))(corner)

    assert compiled_corner(np.ones((1, 1))) == 1  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="No matching definition"):
        compiled_corner(np.ones(1))  # type: ignore[arg-type]
