"""The operator's regular expressions, matched in linear time for any expression."""

from collections.abc import Sequence
from typing import Protocol

import re2

# The default of 8 MiB is too little for some hundred expressions.
_MAX_MEMORY = 256 * 2**20
# Matches everything. A set that runs out of memory reports no match, like a set without matches:
# if even this expression is missing, memory was the cause.
_ALWAYS = ""


class PatternError(ValueError):
    """A regular expression that RE2 does not accept, or a set of them that is too large."""


class PatternMatch(Protocol):
    """Where an expression matched."""

    def span(self) -> tuple[int, int]:
        """Return its place."""


class Re2Pattern(Protocol):
    """One expression of RE2; RE2 has no type hints of its own."""

    def search(self, text: str) -> PatternMatch | None:
        """Return the first match in `text`."""


class PatternSet:
    """Finds which of its expressions match in a text. Immutable."""

    def __init__(self, expressions: Sequence[str]) -> None:
        """Compile; raises PatternError."""
        self._expressions = tuple(map(compiled, expressions))
        if not expressions:
            return
        self._set = re2.Set.SearchSet(_options())
        try:
            for expression in (*expressions, _ALWAYS):
                self._set.Add(expression)
            self._set.Compile()
        except re2.error as error:
            raise PatternError(f"{len(expressions)} patterns are too large together") from error

    def matching(self, text: str) -> Sequence[int]:
        """Return the indices of the expressions that match. Raises PatternError if memory runs out.

        The time is linear in the length of the text.
        """
        if not self._expressions:
            return ()
        # Octets: a lone surrogate cannot be encoded, and RE2 works on octets in any case.
        found: Sequence[int] | None = self._set.Match(text.encode(errors="replace"))
        if found is None:
            raise PatternError("the patterns need more memory than they may have")
        last = len(self._expressions)
        return [place for place in found if place != last]

    def span_of(self, place: int, text: str) -> tuple[int, int] | None:
        """Return where the expression at `place` matches first, None if it does not."""
        found = self._expressions[place].search(text.encode(errors="replace").decode())
        return None if found is None else found.span()


def compiled(expression: str) -> Re2Pattern:
    """Return one expression, compiled. Raises PatternError with the message of RE2."""
    try:
        ready: Re2Pattern = re2.compile(expression, _options())
    except re2.error as error:
        problem = error.args[0] if error.args else ""
        said = problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
        raise PatternError(said) from None
    return ready


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    return options
