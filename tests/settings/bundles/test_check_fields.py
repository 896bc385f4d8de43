"""How fields of checks are read from files."""

from typing import Annotated, Any

import pytest
from annotated_types import Gt, MaxLen
from pydantic import TypeAdapter, ValidationError

from gateway.policy.check import Notation
from gateway.settings.bundles.check_fields import file_type


@pytest.mark.parametrize(
    ("hint", "written", "read"),
    [
        (Annotated[str, Notation.NAME, MaxLen(3)], "abc", "abc"),
        (Annotated[float, Notation.SHARE, Gt(0.01)], "2 %", 0.02),
        (Annotated[tuple[Annotated[str, Notation.DOMAIN], ...], MaxLen(1)], ["A.cn"], ("a.cn",)),
        (tuple[int, ...] | None, None, None),
    ],
)
def test_a_field_is_read_by_its_notation_and_its_bounds(
    hint: Any, written: object, read: object
) -> None:
    assert TypeAdapter(file_type(hint)).validate_python(written) == read


@pytest.mark.parametrize(
    ("hint", "written"),
    [
        (Annotated[str, Notation.NAME, MaxLen(3)], "abcd"),
        (Annotated[float, Notation.SHARE, Gt(0.01)], "0.5 %"),
        (Annotated[tuple[Annotated[str, Notation.DOMAIN], ...], MaxLen(1)], ["a.cn", "b.cn"]),
        (Annotated[tuple[Annotated[str, Notation.DOMAIN], ...], MaxLen(1)], ["nothing"]),
    ],
)
def test_a_bound_beside_a_notation_counts(hint: Any, written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(file_type(hint)).validate_python(written)
