"""What a system brings to the console, and what it builds it from.

The module pages of a system declares a `SystemPages`, its module api a `SystemApi`. The console
finds both by looking, and gives each router the same context. Stores are those of its `database`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from fastapi import APIRouter

from gateway.policy.hours import HolidayCalendar
from gateway.settings.console import TwoPersonSettings
from gateway.storage.database import Database
from gateway.web.access import NoteLook, SubscriberSessions
from gateway.web.pages import PageLink, PortsOf, Templates

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WebContext:
    """What all paths are built from.

    `calendar` returns the working days by which clocks run, `ports` those of each SP there is.
    `joins` are what systems need of others, made by the console: at most one of each class.
    """

    database: Database
    utcnow: Callable[[], datetime]
    calendar: Callable[[], HolidayCalendar]
    ports: Callable[[], Mapping[str, Collection[str]]]
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
class ApiContext(WebContext):
    """What HTTP paths are built from. `subscribers` finds who has proved a number."""

    note_look: NoteLook
    subscribers: SubscriberSessions
    two_persons: TwoPersonSettings


@dataclass(frozen=True, slots=True)
class SystemPages:
    """The pages of a system. Their templates are in the folder beside the module.

    `links` are its rows of the navigation. A page that is open asks for the paths of `polled` by
    itself, which keeps no session open.
    """

    routers: tuple[Callable[[PageContext], APIRouter], ...]
    links: tuple[PageLink, ...] = ()
    polled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemApi:
    """The HTTP paths of a system."""

    routers: tuple[Callable[[ApiContext], APIRouter], ...]
