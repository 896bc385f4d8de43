"""Where in the text of a held message its evidence stands, and the octets that it came in."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import structlog

from gateway.console.held_review import SampleWriter, masked_numbers, texts_of, texts_together
from gateway.dataplane.carriers import read_carrier
from gateway.domain.msisdn import is_mobile
from gateway.domain.quarantine import BETWEEN_WORDS, HeldMessage
from gateway.domain.verdict import TextMark
from gateway.filter.contacts import contacts_of
from gateway.filter.links import links_of
from gateway.filter.normalise.folding import compact, folded, sound_of
from gateway.filter.normalise.views import Trace, Views, letters_traced
from gateway.filter.traffic_class import signature_of
from gateway.policy.bundle import ALWAYS, Bundle, citation_of
from gateway.policy.checks import all_reasons
from gateway.smpp.commands import LAYOUTS
from gateway.smpp.fields import TEXT_TAGS, Tag
from gateway.smpp.pdu import HEADER, HEADER_OCTETS
from gateway.smpp.status import DecodeError
from gateway.storage.journals import SqlJournals
from gateway.systems.learning.model import SampleLabel
from gateway.systems.learning.sql import SampleStore
from gateway.systems.quarantine.model import PersonDecision
from gateway.systems.quarantine.review_limits import UNLIMITED, FindLimit
from gateway.systems.quarantine.review_tools import (
    OctetDump,
    OctetRow,
    Place,
    ReviewTools,
    RuleCitation,
)

log = structlog.get_logger()

CiteRule: TypeAlias = Callable[[str], RuleCitation | None]
"""Returns what a rule of the policy in force is, None for an id that it does not have."""

# Tracing every character takes 2 us; a page shows no more of a text either.
MAX_TRACED_CHARS = 4_000
_MAX_WORDS, _MAX_PLACES = 32, 200
_PART = "…"
_PLACE_TOLD = re.compile(r" \([0-9]+-[0-9]+\)\Z")


def evidence_places(text: str, reason: str, evidence: str) -> list[Place]:
    """Return the spans (start, end) of `text` that a finding is about, through disguises.

    Words of a list are looked for as the filter finds them; links, contacts and a signature are
    what the reason is about (`TextMark`). The list is empty for reasons without a place in the
    text, and for those that are not known here.
    """
    views = Views(text[:MAX_TRACED_CHARS])
    known = all_reasons().get(reason)
    mark = None if known is None else known.mark
    return list(_places_of(mark, views, evidence))[:_MAX_PLACES]


def _places_of(mark: TextMark | None, views: Views, evidence: str) -> Iterable[Place]:
    match mark:
        case TextMark.WORDS:
            return _word_places(views, evidence)
        case TextMark.LINKS:
            return ((one.start, one.end) for one in links_of(views))
        case TextMark.CONTACTS:
            return ((one.start, one.end) for one in contacts_of(views))
        case TextMark.SIGNATURE:
            return _signature_places(views.raw)
        case None:
            return ()


def judged_first(texts: tuple[str, ...], reason: str, evidence: str) -> tuple[str, ...]:
    """Return readings of a message, the first of them that has its evidence before the others."""
    if len(texts) == 1 or evidence_places(texts[0], reason, evidence):
        return texts
    judged = next((one for one in texts[1:] if evidence_places(one, reason, evidence)), texts[0])
    return (judged, *(one for one in texts if one != judged))


def _signature_places(text: str) -> Iterator[Place]:
    name = signature_of(text)
    if name:
        at = text.find(name)  # the brackets around it are of the signature
        yield max(0, at - 1), min(len(text), at + len(name) + 1)


def _word_places(views: Views, evidence: str) -> Iterator[Place]:
    """Yield where the words of a list stand; by their sound only where not by their letters."""
    traces = [letters_traced(one.trace_folded()) for one in (views, *views.further)]
    spoken: Trace | None = None
    for word in evidence.split(BETWEEN_WORDS)[:_MAX_WORDS]:
        for part in _PLACE_TOLD.sub("", word).split(_PART):
            letters = compact(folded(part))
            if not letters:
                continue
            found = [place for trace in traces for place in _places_in(trace, letters)]
            if not found:
                spoken = spoken or letters_traced(views.trace_sound())
                found = list(_places_in(spoken, compact(sound_of(folded(part)))))
            yield from found


def _places_in(trace: Trace, letters: str) -> Iterator[Place]:
    at = trace.text.find(letters)
    for _ in range(_MAX_PLACES):
        if at < 0:
            return
        yield trace.original(at, at + len(letters))
        at = trace.text.find(letters, at + len(letters))


MAX_DUMPED_OCTETS = 1_024
_ROW = 16
_HIDDEN, _HIDDEN_CHARACTER = "**", "*"
# Numbers in these are a person's, in whichever digits: what they hold is hidden as a whole.
_NUMBER_TAGS = frozenset({Tag.CALLBACK_NUM, Tag.CALLBACK_NUM_ATAG})
_ADDRESSES = frozenset({"destination_addr", "dest_address"})


def octet_dump(pdu: bytes) -> OctetDump:
    """Return the octets of a request, without those of subscribers' numbers.

    Hidden are the addresses of subscribers, callback numbers, and runs of eight figures and more
    in what can be read as text, as `masked_numbers` hides them. A PDU that cannot be taken apart
    is hidden behind its header.
    """
    fields, is_whole = _fields_of(pdu)
    hidden = _hidden_in(pdu, fields) if is_whole else set(range(HEADER_OCTETS, len(pdu)))
    rows = []
    for offset in range(0, min(len(pdu), MAX_DUMPED_OCTETS), _ROW):
        places = range(offset, min(offset + _ROW, len(pdu)))
        digits = (_HIDDEN if at in hidden else f"{pdu[at]:02x}" for at in places)
        shown = (_HIDDEN_CHARACTER if at in hidden else _ascii_of(pdu[at]) for at in places)
        rows.append(OctetRow(offset, " ".join(digits), "".join(shown)))
    return OctetDump(rows, max(0, len(pdu) - MAX_DUMPED_OCTETS), [*fields.items()])


def _ascii_of(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F else "."


def _fields_of(pdu: bytes) -> tuple[dict[str, Place], bool]:
    """Return the spans of the header and of the mandatory fields, and whether all were read."""
    fields: dict[str, Place] = {"header": (0, min(HEADER_OCTETS, len(pdu)))}
    if len(pdu) < HEADER_OCTETS:
        return fields, False
    at, end = HEADER_OCTETS, len(pdu)
    try:
        for field in LAYOUTS[HEADER.unpack_from(pdu)[1]]:
            _, following = field.read(pdu, at, end)
            fields[field.name] = (at, following)
            at = following
    except (DecodeError, KeyError):
        return fields, False
    return fields, True


def _hidden_in(pdu: bytes, fields: Mapping[str, Place]) -> set[int]:
    hidden: set[int] = set()
    for name in _ADDRESSES & fields.keys():
        hidden.update(range(*fields[name]))
    start, end = fields.get("source_addr", (0, 0))
    if is_mobile(pdu[start:end].rstrip(b"\0")):
        hidden.update(range(start, end))
    behind = max(end for _, end in fields.values())
    hidden |= _runs(pdu, range(behind, len(pdu)))
    texts = [fields["short_message"]] if "short_message" in fields else []
    for tag, start, end in _tlvs_of(pdu, behind):
        if tag in _NUMBER_TAGS:
            hidden.update(range(start, end))
        if tag in TEXT_TAGS:
            texts.append((start, end))
    for start, end in texts:
        found = _runs(pdu, range(start, end)) | _runs_of_han(pdu, start, end)
        # Packed septets lie on no octets: what has a number in any reading is hidden as a whole.
        hidden |= found if found or not _has_number(pdu) else set(range(start, end))
    return hidden


def _has_number(pdu: bytes) -> bool:
    """Tell whether any reading of a text has a number to hide."""
    try:
        readings = read_carrier(pdu).texts()
    except DecodeError:
        return True
    return any(masked_numbers(text) != text for piece in readings for text in piece)


def _tlvs_of(pdu: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield the tag of each TLV, and the span of its value."""
    while at + 4 <= len(pdu):
        tag, length = int.from_bytes(pdu[at : at + 2]), int.from_bytes(pdu[at + 2 : at + 4])
        start, at = at + 4, at + 4 + length
        yield tag, start, min(at, len(pdu))


def _runs(pdu: bytes, places: range) -> set[int]:
    """Return the octets of runs of figures, read one octet a character."""
    text = pdu[places.start : places.stop].decode("latin-1")
    return {places.start + at for at in _masked_places(text)}


def _runs_of_han(pdu: bytes, start: int, end: int) -> set[int]:
    """Return the octets of runs of figures in a text of wide characters, however it is aligned."""
    found: set[int] = set()
    for first in (start, start + 1):
        wide = pdu[first : end - (end - first) % 2].decode("utf-16-be", "surrogatepass")
        at = first
        hidden = frozenset(_masked_places(wide))
        for place, one in enumerate(wide):
            octets = 2 if ord(one) < 0x10000 else 4
            if place in hidden:
                found.update(range(at, at + octets))
            at += octets
    narrow = pdu[start:end].decode("gb18030", "replace")
    if narrow.encode("gb18030", "replace") == pdu[start:end]:
        at = start
        hidden = frozenset(_masked_places(narrow))
        for place, one in enumerate(narrow):
            octets = len(one.encode("gb18030"))
            if place in hidden:
                found.update(range(at, at + octets))
            at += octets
    return found


def _masked_places(text: str) -> Iterator[int]:
    masked = masked_numbers(text)
    return (at for at, one in enumerate(text) if masked[at] != one)


def _unknown(_rule: str) -> None:
    """Know no rule: what shows nothing to people cites none."""


def review_tools(
    journals: SqlJournals,
    samples: SampleStore,
    cite: CiteRule = _unknown,
    limit_of: FindLimit = UNLIMITED,
    *,
    learns: bool,
) -> ReviewTools:
    """Return what the review pages use; `learns` is what learning.samples says."""
    writer = SampleWriter(samples, _log_unkept, is_on=learns)

    def texts(held: HeldMessage, parts: Sequence[HeldMessage]) -> tuple[str, ...]:
        found = (texts_together(parts) if parts else ()) or texts_of(held)
        return judged_first(found, held.reason, held.evidence)

    async def learn(messages: Sequence[HeldMessage], decision: PersonDecision, by: str) -> None:
        await writer.learn_from_reviews(messages, _LABELS[decision], by)

    journal = journals.note_access
    return ReviewTools(
        texts, masked_numbers, evidence_places, octet_dump, cite, learn, journal, limit_of
    )


_LABELS = {PersonDecision.RELEASED: SampleLabel.HAM, PersonDecision.REJECTED: SampleLabel.SPAM}


def _log_unkept(said: str) -> None:
    log.warning("review.samples_unkept", said=said)


def citations_of(bundle: Bundle) -> dict[str, RuleCitation]:
    """Return what each rule and list of a policy is, and what is always enforced, by their ids."""
    found = {}
    for one in (*bundle.ids(), *ALWAYS):
        citation = citation_of(bundle, one)
        found[one] = RuleCitation(citation.title.zh, citation.title.en, citation.article)
    return found
