"""What a system brings to the console, and what it builds it from.

The module pages of a system declares a `SystemPages`, its module api a `SystemApi`. The console
finds both by looking, and gives each router the same context. Stores are those of its `database`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from fastapi import APIRouter

from gateway.policy.hours import HolidayCalendar
from gateway.storage.database import Database
from gateway.web.pages import PageLink, PortsOf, Templates

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WebContext:
    """What all paths are built from.

    `calendar` returns the working days by which clocks run. `joins` are what systems need of
    others, made by the console: at most one of each class.
    """

    database: Database
    utcnow: Callable[[], datetime]
    calendar: Callable[[], HolidayCalendar]
    joins: tuple[object, ...]

    def find(self, kind: type[T]) -> T | None:
        """Return the join of a class, None where this console has none."""
        return next((one for one in self.joins if isinstance(one, kind)), None)

    def join(self, kind: type[T]) -> T:
        """Return the join of a class. Raises LookupError where the console has made none."""
        found = self.find(kind)
        if found is None:
            raise LookupError(f"the console joins no {kind.__name__}")
        return found


@dataclass(frozen=True, slots=True)
class PageContext(WebContext):
    """What pages are built from. `mask` hides the numbers in a text."""

    templates: Templates
    mask: Callable[[str], str]
    ports_of: PortsOf


@dataclass(frozen=True, slots=True)
class SystemPages:
    """The pages of a system, whose templates are in the folder beside the module.

    `links` are its rows of the navigation. A page that is open asks for the paths of `polled` by
    itself, which keeps no session open.
    """

    routers: tuple[Callable[[PageContext], APIRouter], ...]
    links: tuple[PageLink, ...] = ()
    polled: tuple[str, ...] = ()
