"""All checks that a rule can ask: one module for each, found by looking."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from operator import attrgetter
from pkgutil import iter_modules
from types import MappingProxyType

from gateway.domain.verdict import Basis, ReasonCode
from gateway.policy.check import Check


@cache
def all_checks() -> tuple[type[Check], ...]:
    """Return every check, in the order in which a message meets them."""
    modules = (import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__))
    found = (
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Check) and one.__module__ == module.__name__
    )
    return tuple(sorted(found, key=attrgetter("order")))


def all_reasons() -> Mapping[str, ReasonCode]:
    """Return every reason by its name: those of checks, and those that stages give."""
    all_checks()  # a module makes its reasons when it is imported
    return MappingProxyType(ReasonCode.known)


@cache
def reasons_on(*bases: Basis) -> frozenset[ReasonCode]:
    """Return the reasons that rest on any of `bases`."""
    return frozenset(one for one in all_reasons().values() if one.basis in bases)
