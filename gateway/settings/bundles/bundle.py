"""One directory of policy files, loaded whole or refused with all its faults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, Strict

from gateway.domain.policy import (
    ContentRule,
    KeywordList,
    ListAction,
    LongMessages,
    RepliesRule,
    SelfTestCase,
)
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle
from gateway.policy.hours import CalendarError, HolidayCalendar, RuleLocale, parse
from gateway.settings import yaml
from gateway.settings.bundles.check_fields import Fallback
from gateway.settings.bundles.keyword_lists import load_lists
from gateway.settings.bundles.layers import HEAD, RULES, BundleSource, Layers, find_layers
from gateway.settings.bundles.rules import RuleContext, load_rules
from gateway.settings.bundles.selftest import load_selftest, selftest_faults
from gateway.settings.fault import FaultCollector, SettingsError
from gateway.settings.schema import Id, Reply, Shape, Text, Version, validate
from gateway.settings.yaml import Document

_DAY_S = 86_400
# A key costs 4 to 450 octets (gateway.policy.checks.too_often).
MAX_CAPACITY = 20_000_000


def _is_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone, as Asia/Shanghai is") from error
    return text


class BundleFile(Shape):
    """`bundle.yaml`."""

    version: Version
    name: Text
    profile: Id | None = None
    zone: Annotated[Text, AfterValidator(_is_zone)] = "Asia/Shanghai"
    calendar: Text | None = None
    frequency_capacity: Annotated[int, Field(ge=1, le=MAX_CAPACITY)] = 1_000_000


class RepliesFile(Shape):
    """`replies.yaml`."""

    version: Version
    opted_out: Reply = "您已退订，我们不再向您发送商业信息。如需恢复请回复HF"
    restored: Reply = "您已恢复接收我们的信息。如需退订请回复TD"


class ContentFile(Shape):
    """`content.yaml`."""

    version: Version
    unreadable: Fallback = "quarantine"
    parts_ttl_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 60
    late_parts_s: Annotated[float, Field(ge=_DAY_S, le=30 * _DAY_S)] = 7 * _DAY_S
    quarantine_ttl_s: Annotated[float, Field(ge=60, le=90 * _DAY_S)] = _DAY_S
    long_messages: Annotated[LongMessages, Strict(False)] = LongMessages.PROGRESSIVE


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


@dataclass(frozen=True, slots=True)
class ReadBundle:
    """A bundle, and the octets of its files by name: what a history can keep."""

    bundle: Bundle
    files: Mapping[str, bytes]


def load_bundle(directory: Path, profile: str | None = None) -> Bundle:
    """Read the bundle in `directory`. Raises SettingsError with the faults of all its files.

    With `profile` it is read as if `bundle.yaml` named that one.
    """
    return read_bundle(directory, profile).bundle


def read_bundle(directory: Path, profile: str | None = None) -> ReadBundle:
    """Read the bundle in `directory` with its files. Raises SettingsError as load_bundle."""
    source = BundleSource(directory)
    gathering = FaultCollector()
    layers = find_layers(source, gathering, profile)
    head = gathering.take(partial(load_head, layers), UNREAD)
    lists = load_lists(layers, gathering)
    beside = RuleContext(head.calendar, frozenset(words.id for words in lists))
    documents = layers.documents(RULES, gathering)
    bundle = Bundle(
        name=head.name,
        digest="",
        keyword_lists=lists,
        rules=gathering.take(partial(load_rules, documents, beside), ()),
        replies=gathering.take(partial(_replies, layers), None),
        content=gathering.take(partial(_content, layers, lists), ContentRule()),
        surroundings=head.surroundings,
        selftest=gathering.take(partial(_selftest, layers), ()),
    )
    gathering.close()
    return ReadBundle(replace(bundle, digest=source.digest()), source.files)


def _replies(layers: Layers) -> RepliesRule | None:
    document = layers.top("replies.yaml")
    if document is None:
        return None
    file = validate(document, RepliesFile)
    return RepliesRule(file.opted_out, file.restored)


def _content(layers: Layers, lists: tuple[KeywordList, ...]) -> ContentRule:
    """Read `content.yaml`.

    Without it, a text that cannot be read is held where keywords could have stopped it: an
    odd encoding must be no way around them. Where none can, it passes.
    """
    document = layers.top("content.yaml")
    if document is None:
        judges = any(words.action is not ListAction.SHADOW for words in lists)
        return ContentRule(unreadable=Action.QUARANTINE if judges else Action.FORWARD)
    file = validate(document, ContentFile)
    return ContentRule(
        Action(file.unreadable),
        file.parts_ttl_s,
        file.quarantine_ttl_s,
        file.long_messages,
        file.late_parts_s,
    )


def _selftest(layers: Layers) -> tuple[SelfTestCase, ...]:
    document = layers.top("selftest.yaml", "cases")
    if document is None:
        return ()
    return load_selftest(document, layers.source.directory)


def load_proven(directory: Path) -> Bundle:
    """Read a bundle and run its self-test. Raises SettingsError with the faults of either."""
    bundle = load_bundle(directory)
    faults = selftest_faults(bundle, directory) if bundle.selftest else ()
    if faults:
        raise SettingsError(faults)
    return bundle
