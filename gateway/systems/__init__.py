"""The systems of the plan, one folder each; what they bring to others is found by looking."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def system_modules(name: str) -> Iterator[ModuleType]:
    """Yield the module of a name (`api`, `cli`, `pages`) of each system that has one."""
    for one in iter_modules(__path__, f"{__name__}."):
        if one.ispkg and find_spec(f"{one.name}.{name}") is not None:
            yield import_module(f"{one.name}.{name}")


def declared_in_systems(name: str, kind: type[T]) -> dict[str, T]:
    """Return what these modules declare of a class, by the package of its system."""
    return {
        module.__name__.rpartition(".")[0]: one
        for module in system_modules(name)
        for one in vars(module).values()
        if isinstance(one, kind)
    }
