"""JSON Schemas of the files of a bundle, for the editors of those who write them."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from gateway.settings.bundles.bundle import BundleFile, ContentFile, RepliesFile
from gateway.settings.bundles.keyword_lists import KeywordsFile
from gateway.settings.bundles.rules import RulesFile
from gateway.settings.bundles.selftest import SelfTestFile
from gateway.settings.schema import Shape

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class BundlePart(StrEnum):
    """A kind of file of a bundle."""

    BUNDLE = "bundle"
    RULES = "rules"
    REPLIES = "replies"
    KEYWORDS = "keywords"
    CONTENT = "content"
    SELFTEST = "selftest"


SHAPES: Mapping[BundlePart, type[Shape]] = {
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
    schema: dict[str, object] = SHAPES[part].model_json_schema()
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
