"""All checks that a rule can ask: one module for each, found by looking."""

from functools import cache
from importlib import import_module
from operator import attrgetter
from pkgutil import iter_modules

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
