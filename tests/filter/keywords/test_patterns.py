"""Regular expressions of operators: linear, and refused when they are none."""

import pytest

from gateway.filter.keywords import index
from gateway.filter.keywords.index import PatternError, PatternSet, compiled


def test_every_expression_that_matches_is_told() -> None:
    patterns = PatternSet(["微信", "[0-9]{5,}", "电报"])

    assert sorted(patterns.matching("微信12345")) == [0, 1]
    assert list(patterns.matching("您好")) == []


def test_no_expressions_match_nothing() -> None:
    assert PatternSet([]).matching("您好") == ()


def test_a_lone_surrogate_does_not_hide_what_stands_beside_it() -> None:
    patterns = PatternSet(["12345"])

    assert list(patterns.matching("\ud80012345")) == [0]
    assert patterns.span_of(0, "\ud80012345") == (1, 6)


@pytest.mark.parametrize("expression", ["(", "[", r"(?<=a)b", r"(a)\1", "a{2000}"])
def test_what_re2_does_not_take_is_refused_with_its_reason(expression: str) -> None:
    with pytest.raises(PatternError, match=r".+"):
        compiled(expression)


def test_a_set_out_of_memory_is_an_error_and_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("re2.Set.Match", lambda _set, _text: None)
    patterns = PatternSet(["微信"])

    with pytest.raises(PatternError, match="memory"):
        patterns.matching("微信")


def test_a_set_too_large_to_compile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_MAX_MEMORY", 200_000)

    with pytest.raises(PatternError, match="88 patterns are too large together"):
        PatternSet([f"(?:a|b){{{n}}}[^c]*x{n}" for n in range(2, 90)])


def test_an_expression_that_would_backtrack_for_ever_takes_a_moment() -> None:
    assert list(PatternSet(["(a+)+$"]).matching("a" * 65_000 + "b")) == []
