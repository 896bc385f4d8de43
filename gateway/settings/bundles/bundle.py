"""One directory of policy files: loaded whole or refused with all its faults; their schemas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
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
from gateway.settings.schema import Id, Reply, Shape, Text, Version, validate
from gateway.settings.yaml import Document, FaultCollector, SettingsError

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
    posture: Id = USUAL_POSTURE
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
    said = dict(file) | {"unreadable": Action(file.unreadable)}
    return ContentRule(**{one.name: said[one.name] for one in fields(ContentRule)})


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


_FILES: Mapping[BundlePart, type[Shape]] = {
    BundlePart.BUNDLE: BundleFile,
    BundlePart.RULES: RulesFile,
    BundlePart.REPLIES: RepliesFile,
    BundlePart.KEYWORDS: KeywordsFile,
    BundlePart.CONTENT: ContentFile,
    BundlePart.SELFTEST: SelfTestFile,
}

# What an editor shows beside each key, whichever file it stands in.
_SAID: Mapping[str, str] = {
    "version": "The version of this kind of file: 1.",
    "name": "What the bundle is called.",
    "posture": "balanced, or a folder of postures/ that is laid over these files: watch, strict.",
    "profile": "A folder of profiles/ that is laid over these files.",
    "zone": "The time zone of subscribers whose number tells none, and of clock limits.",
    "calendar": "The file of public holidays, as calendars/cn.yaml.",
    "frequency_capacity": "How many keys each frequency limit of a worker may hold.",
    "rules": "The rules, each with the article that asks for it.",
    "id": "What verdicts and records call it; unique in the bundle.",
    "check": "What is asked of a message.",
    "title": "What it is called, for people.",
    "zh": "In Chinese.",
    "en": "In English.",
    "article": "What asks for the rule: law and article, or practice.",
    "mode": "enforce stops messages, shadow only records that it would, off is not asked.",
    "applies_to": "The classes of messages it is asked of.",
    "action": "What becomes of a message that it finds against.",
    "status": "The command_status that the sender hears, by name, instead of the usual one.",
    "on_error": "For each class what becomes of it while what is asked cannot be read.",
    "warning": "What its sender is warned of: W1 to W13.",
    "severity": "How grave a violation that is; a plain warning without.",
    "overrides": "Other modes for single senders or ports.",
    "sender": "The system_id of a sender.",
    "port": "The number of a port, as in senders.yaml. Stronger than a sender.",
    "because": "Why, for those who read it later.",
    "hours": 'From when until when: "08:00-21:00", in quotes.',
    "weekdays": "The days on which it opens; all without.",
    "holidays": "closed keeps it shut on public holidays.",
    "per": "What messages have in common that are counted together.",
    "at_most": "How many may pass.",
    "every": 'minute, hour or day by the clock, or a time that moves along, as "rolling 24h".',
    "on_holidays": "How many may pass instead on public holidays.",
    "for": "For how long it may send nothing: 3 working days.",
    "looks_at_text": "Whether it is spared while nothing is against the texts over the cap.",
    "same_text": "How many people must get one text before that is against it.",
    "restore_words": "Words that lift it, written to the carrier's own code, as HF.",
    "self_restore": "How often a number may do that in restore_span; 0 is never.",
    "restore_span": 'In how long, as "30d", which it is without.',
    "reply": "What the number is told once, from the carrier's own code, in one message.",
    "refused": "What answers a word that may lift nothing any more, in one message.",
    "tolerates": "How large a share of innocent texts may be stopped, as 0.5 %.",
    "opted_out": "What confirms a refusal to the subscriber, in one message.",
    "restored": "What confirms that the subscriber is back, in one message.",
    "category": "What the words are about; stands beside each hit.",
    "words": "The words, as people write them; 代开…发票 is both with a few letters between.",
    "exceptions": "Longer words in which a word of the list does not count.",
    "patterns": "Regular expressions of RE2 over the folded text, each under a name for people.",
    "gap": "How many letters may lie between the parts of a combination.",
    "sound": "Whether what is read like a word counts as the word.",
    "weight": "What a hit counts as evidence; without one each hit decides by itself.",
    "threshold": "What the weights in a text must come to for the action to be taken.",
    "owner": "Who answers for the list.",
    "not_before": 'The first day it holds, as "2027-03-31".',
    "not_after": "The last day it holds.",
    "file": "A text file beside this one, one word a line.",
    "unreadable": "What becomes of octets in which no text can be read.",
    "parts_ttl_s": "How long the parts of a long message are remembered, in seconds.",
    "late_parts_s": "How long parts that come after that are judged with them, in seconds.",
    "long_messages": "progressive judges part by part; assemble lets all parts go on or none.",
    "quarantine_ttl_s": "How long a held message waits for a person, in seconds.",
    "cases": "Texts, and what must become of them.",
    "text": "A text as people get it.",
    "from": "What the port is for, as marketing, or the number that sends it, in quotes.",
    "to": "Whom it is sent to: a number in quotes.",
    "time": "When, with the zone: 2026-03-04T09:30+08:00.",
    "consent": "What the addressee has answered its sender: agreed or refused.",
    "suspended": "Whether the number that sends it is suspended.",
    "rule": "The rule that must have decided so, where all rules are asked.",
    "data_coding": "How it is encoded: 0 to 255, or auto.",
    "expect": "What must become of it.",
    "list": "The list that must have decided so.",
    "why": "Why, for those who read it later.",
}


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
    if isinstance(required, list) and names & {"version", "check", "zh"}:
        schema["required"] = [name for name in required if name in ("version", "id")]
    if "discriminator" in schema:
        del schema["discriminator"]
        schema["anyOf"] = schema.pop("oneOf")
