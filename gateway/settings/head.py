"""What `bundle.yaml` says of the whole bundle: its name, its time zone, its holidays."""

from dataclasses import dataclass

from gateway.policy.bundle import RuleLocale
from gateway.policy.calendar import CalendarError, HolidayCalendar, parse
from gateway.settings import yaml
from gateway.settings.bundle_file import BundleFile
from gateway.settings.fault import SettingsError
from gateway.settings.layers import HEAD, Layers
from gateway.settings.schema import validate
from gateway.settings.yaml import Document


@dataclass(frozen=True, slots=True)
class BundleHead:
    """The head of a bundle. `calendar` is None where it names none."""

    name: str
    surroundings: RuleLocale
    calendar: HolidayCalendar | None


# Stands for a head that could not be read: of its calendar nothing is known, nor missed.
UNREAD = BundleHead("", RuleLocale(), HolidayCalendar("unread"))


def load_head(layers: Layers) -> BundleHead:
    """Read `bundle.yaml` and the calendar it names. Raises SettingsError with their faults."""
    # Without the file itself there is no bundle: reading it raises then.
    document = layers.top(HEAD) or yaml.read(layers.source.directory / HEAD)
    shape = validate(document, BundleFile)
    calendar = _calendar(layers, document, shape.calendar) if shape.calendar else None
    return BundleHead(
        shape.name,
        RuleLocale(
            zone=shape.zone,
            calendar=calendar or HolidayCalendar("none"),
            capacity=shape.frequency_capacity,
        ),
        calendar,
    )


def _calendar(layers: Layers, head: Document, name: str) -> HolidayCalendar:
    where = ("calendar",)
    try:
        path = layers.resolve(head.mark(where).path, name)
    except ValueError as error:
        raise SettingsError([head.fault(where, f"calendar: {error}")]) from error
    document = layers.source.document(path)
    try:
        calendar = parse(document.value)
    except CalendarError as error:
        faults = [*document.faults, *(document.fault(*fault) for fault in error.faults)]
        raise SettingsError(faults) from error
    if document.faults:
        raise SettingsError(document.faults)
    return calendar
