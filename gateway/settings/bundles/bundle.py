"""One directory of policy files: loaded whole or refused with all its faults; their schemas."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from pkgutil import get_data
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, Strict

from gateway.domain.categories import CATEGORIES, category_of, likely_category, lineage_of
from gateway.domain.detector import (
    MOST_LAG_DAYS,
    Baseline,
    Detector,
    DetectorLevel,
    Measure,
)
from gateway.domain.policy import (
    ContentRule,
    KeywordList,
    ListAction,
    LongMessages,
    OverdueAction,
    RefusalScope,
    RepliesRule,
    ReviewLimit,
    SelfTestCase,
)
from gateway.domain.verdict import Action
from gateway.domain.warning import WarningCode
from gateway.policy.bundle import Bundle
from gateway.policy.hours import CalendarError, HolidayCalendar, RuleLocale, parse
from gateway.settings import yaml
from gateway.settings.bundles.check_fields import Duration, Fallback
from gateway.settings.bundles.keyword_lists import KeywordsFile, load_lists
from gateway.settings.bundles.layers import (
    HEAD,
    RULES,
    USUAL_POSTURE,
    BundleSource,
    Layers,
    find_layers,
)
from gateway.settings.bundles.rules import RuleContext, RulesFile, load_rules
from gateway.settings.bundles.selftest import SelfTestFile, load_selftest, selftest_faults
from gateway.settings.schema import Count, Id, Reply, Shape, Text, Version, validate, without
from gateway.settings.yaml import Document, FaultCollector, SettingsError

_DAY_S = 86_400
_MAX_DETECTORS = _MAX_LIMITS = 100
# The category of what may be against the law, fraud and phishing among it.
UNLAWFUL = "illegal"
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
    posture: Id = USUAL_POSTURE
    profile: Id | None = None
    zone: Annotated[Text, AfterValidator(_is_zone)] = "Asia/Shanghai"
    calendar: Text | None = None
    frequency_capacity: Annotated[int, Field(ge=1, le=MAX_CAPACITY)] = 1_000_000


_PLACEHOLDER = re.compile(r"\{[^{}]*\}?|\}")
_PLACEHOLDERS = frozenset({"{sender}", "{orders}"})


def _unknown_placeholder(text: str) -> str | None:
    unknown = set(_PLACEHOLDER.findall(text)) - _PLACEHOLDERS
    return "knows {sender} and {orders}, and no other braces" if unknown else None


NamingReply = Annotated[Reply, without(_unknown_placeholder)]


class RepliesFile(Shape):
    """`replies.yaml`."""

    version: Version
    opted_out: NamingReply = "您已退订{sender}的商业信息。如需恢复请回复HF"
    opted_out_orders: NamingReply = (
        "已退订{sender}商业信息。收费业务{orders}继续，退订请回0000；恢复回HF"
    )
    restored: NamingReply = "您已恢复接收{sender}的信息。如需退订请回复TD"
    how_to: NamingReply | None = (
        "不想再收到{sender}的商业信息，请回复TD；查询、退订收费业务请回复0000"
    )
    help: NamingReply | None = None
    all_senders: Text = "所有单位"
    scope: Annotated[RefusalScope, Strict(False)] = RefusalScope.SENDER


class ReviewLimitShape(Shape):
    """`review.CATEGORY`."""

    within: Duration
    then: Annotated[OverdueAction, Strict(False)] = OverdueAction.KEEP


class ContentFile(Shape):
    """`content.yaml`."""

    version: Version
    unreadable: Fallback = "quarantine"
    parts_ttl_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 60
    late_parts_s: Annotated[float, Field(ge=_DAY_S, le=30 * _DAY_S)] = 7 * _DAY_S
    quarantine_ttl_s: Annotated[float, Field(ge=60, le=90 * _DAY_S)] = _DAY_S
    long_messages: Annotated[LongMessages, Strict(False)] = LongMessages.PROGRESSIVE
    code_life_s: Annotated[float, Field(ge=60, le=3600)] = 600
    review: dict[Text, ReviewLimitShape] = Field(default_factory=dict, max_length=_MAX_LIMITS)


class DetectorShape(Shape):
    """`detectors.ID`."""

    warning: Annotated[WarningCode, Strict(False)]
    counts: Annotated[Measure, Strict(False)]
    per: Annotated[Measure, Strict(False)] | None = None
    level: Annotated[DetectorLevel, Strict(False)] = DetectorLevel.PORT
    window: Duration = timedelta(hours=1)
    baseline: Annotated[Baseline, Strict(False)] = Baseline.NONE
    z: Annotated[float, Field(ge=1, le=100)] = 3.5
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    times: Annotated[float, Field(ge=1, le=1000)] = 1.0
    lag_days: Annotated[int, Field(ge=0, le=MOST_LAG_DAYS)] = 0
    events: Count = 200
    least: Count = 1
    silence: Duration = timedelta(hours=2)
    enabled: bool = True


class DetectorsFile(Shape):
    """`detectors.yaml`."""

    version: Version
    detectors: Annotated[dict[Id, DetectorShape], Field(max_length=_MAX_DETECTORS)]


@dataclass(frozen=True, slots=True)
class BundleHead:
    """The head of a bundle. `calendar` is None where it names none."""

    name: str
    posture: str
    surroundings: RuleLocale
    calendar: HolidayCalendar | None


# Stands for a head that could not be read: of its calendar nothing is known, nor missed.
UNREAD = BundleHead("", USUAL_POSTURE, RuleLocale(), HolidayCalendar("unread"))


def load_head(layers: Layers) -> BundleHead:
    """Read `bundle.yaml` and the calendar it names. Raises SettingsError with their faults."""
    # Without the file itself there is no bundle: reading it raises then.
    document = layers.top(HEAD) or yaml.read(layers.source.directory / HEAD)
    shape = validate(document, BundleFile)
    calendar = _calendar(layers, document, shape.calendar) if shape.calendar else None
    return BundleHead(
        shape.name,
        shape.posture,
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
        posture=head.posture,
        selftest=gathering.take(partial(_selftest, layers), ()),
        detectors=gathering.take(partial(_detectors, layers), ()),
    )
    gathering.close()
    return ReadBundle(replace(bundle, digest=source.digest()), source.files)


def _replies(layers: Layers) -> RepliesRule | None:
    document = layers.top("replies.yaml")
    if document is None:
        return None
    file = validate(document, RepliesFile)
    said: dict[str, Any] = {name: one or "" for name, one in file if name != "version"}
    return RepliesRule(**said)


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
    known = frozenset(words.category for words in lists)
    faults = [
        document.fault(("review", *where), f"review.{'.'.join(where)}: {problem}", at_key=at_key)
        for where, problem, at_key in _limit_problems(file, known)
    ]
    if faults:
        raise SettingsError(faults)
    limits = {
        name: ReviewLimit(one.within.total_seconds(), one.then) for name, one in file.review.items()
    }
    said = dict(file) | {"unreadable": Action(file.unreadable), "review": limits}
    return ContentRule(**{one.name: said[one.name] for one in fields(ContentRule)})


def _limit_problems(
    file: ContentFile, known: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield what is wrong with the limits: where, what to write, and whether the key is meant."""
    for name, limit in file.review.items():
        category = category_of(name)
        if category is not None and category.id != name:
            yield (name,), f"is another name of a category: write {category.id}", True
        elif category is None and name not in known:
            like = likely_category(name)
            hint = like.id if like is not None else ", ".join(one.id for one in _ROOTS)
            yield (name,), f"is no category, nor that of a list: write {hint}", True
        elif limit.then is OverdueAction.RELEASE and UNLAWFUL in lineage_of(name):
            unread = "what may be against the law is not released unread: write discard or keep"
            yield (name, "then"), unread, False
        elif limit.then is OverdueAction.RELEASE and limit.within < _LEAST_BEFORE_RELEASE:
            yield (name, "within"), "people need 10m at least before it is released", False
        if limit.within.total_seconds() >= file.quarantine_ttl_s:
            late = f"a held message expires after {file.quarantine_ttl_s:g} s (quarantine_ttl_s)"
            yield (name, "within"), f"{late}: write less, or raise that", False


_LEAST_BEFORE_RELEASE = timedelta(minutes=10)
_ROOTS = [one for one in CATEGORIES if not one.parent]


def _detectors(layers: Layers) -> tuple[Detector, ...]:
    document = layers.top("detectors.yaml")
    if document is None:
        return ()
    found, faults = [], []
    for name, shape in validate(document, DetectorsFile).detectors.items():
        try:
            found.append(Detector(name, **dict(shape)))
        except ValueError as error:
            faults.append(document.fault(("detectors", name), f"detectors.{name}: {error}"))
    if faults:
        raise SettingsError(faults)
    return tuple(found)


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


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class BundlePart(StrEnum):
    """A kind of file of a bundle."""

    BUNDLE = "bundle"
    RULES = "rules"
    REPLIES = "replies"
    KEYWORDS = "keywords"
    CONTENT = "content"
    SELFTEST = "selftest"
    DETECTORS = "detectors"


_FILES: Mapping[BundlePart, type[Shape]] = {
    BundlePart.BUNDLE: BundleFile,
    BundlePart.RULES: RulesFile,
    BundlePart.REPLIES: RepliesFile,
    BundlePart.KEYWORDS: KeywordsFile,
    BundlePart.CONTENT: ContentFile,
    BundlePart.SELFTEST: SelfTestFile,
    BundlePart.DETECTORS: DetectorsFile,
}

# What an editor shows beside each key, whichever file it stands in.
_KEYS = (get_data(__package__, "keys.txt") or b"").decode()
_SAID = dict(line.split(": ", 1) for line in _KEYS.splitlines())


def schema_of(part: BundlePart, *, partial: bool = False) -> dict[str, object]:
    """Return the JSON Schema of a kind of file.

    `partial` is for profiles and ``local.d/``, where a file may say less than a whole one.
    """
    schema: dict[str, object] = _FILES[part].model_json_schema()
    for found in _objects(schema):
        _describe(found)
        if partial:
            _relax(found)
    title = f"{part} of a policy bundle" + (", laid over another" if partial else "")
    return {"$schema": _DIALECT} | schema | {"title": title}


def _objects(value: object) -> Iterator[dict[str, object]]:
    """Yield every mapping in a schema."""
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from _objects(below)


def _describe(schema: dict[str, object]) -> None:
    properties = schema.get("properties")
    for name, below in properties.items() if isinstance(properties, dict) else ():
        if isinstance(below, dict) and name in _SAID:
            below.setdefault("description", _SAID[name])


def _relax(schema: dict[str, object]) -> None:
    """Ask only for what says which rule or list is meant.

    Rules without their check are of any shape, so one that fits is enough.
    """
    properties, required = schema.get("properties"), schema.get("required")
    names = set(properties) if isinstance(properties, dict) else set()
    # Lists are replaced whole, so what stands in them is whole.
    if isinstance(required, list) and names & {"version", "check", "zh", "counts"}:
        schema["required"] = [name for name in required if name in ("version", "id")]
    if "discriminator" in schema:
        del schema["discriminator"]
        schema["anyOf"] = schema.pop("oneOf")
