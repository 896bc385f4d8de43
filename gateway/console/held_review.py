"""What a review of held messages needs of other parts: masked texts, and samples to learn from."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from gateway.dataplane.carriers import assembled, read_carrier
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Basis
from gateway.policy.checks import reasons_on
from gateway.runtime.clock import utcnow
from gateway.smpp.status import DecodeError
from gateway.storage.errors import StoreUnavailable
from gateway.systems.learning.model import SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import (
    FIGURE,
    SIGN,
    UNSEEN,
    PersonVerdict,
    learnt_from,
    outline_of,
)
from gateway.systems.learning.sql import SampleStore

log = structlog.get_logger()

# Eight figures and more of any script, width or frame, said in Han digit by digit too, with up to
# three signs between two of them, and whatever does not show.
_GAP = rf"{UNSEEN}*+(?:{SIGN}{UNSEEN}*+){{0,3}}+"
_NUMBER = re.compile(rf"{FIGURE}(?:{_GAP}{FIGURE}){{7,}}+")
_LONG, _FIRST, _LAST, _LAST_OF_SHORT = 11, 3, 4, 2


def masked_numbers(text: str) -> str:
    """Return `text` with ``*`` for the figures of each run of eight and more: 138****8000.

    Of eleven and more the first three and the last four stay, of fewer the last two; what
    stands between the figures, and all words and links, stay as they are.
    """
    characters = list(text)
    for place in _hidden_in(outline_of(text)):
        characters[place] = "*"
    return "".join(characters)


def _hidden_in(outline: str) -> Iterator[int]:
    for run in _NUMBER.finditer(outline):
        places = [place for place in range(*run.span()) if outline[place] == FIGURE]
        is_long = len(places) >= _LONG
        yield from places[_FIRST:-_LAST] if is_long else places[:-_LAST_OF_SHORT]


def texts_of(held: HeldMessage) -> tuple[str, ...]:
    """Return every plausible reading of a message's text, the best first; at least one.

    Of one piece of octets the best has the fewest control characters: spam that says it is Latin-1
    and is UCS-2 shows as what a phone that knows better shows. Of two alike the declared one.
    """
    try:
        carrier = read_carrier(held.pdu)
    except DecodeError:
        return ("",)
    texts = (text for piece in carrier.texts() for text in sorted(piece, key=_unreadable))
    return tuple(dict.fromkeys(texts)) or ("",)


_NO_TEXT = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")


def _unreadable(text: str) -> int:
    return len(_NO_TEXT.findall(text))


def texts_together(parts: Sequence[HeldMessage]) -> tuple[str, ...]:
    """Return the readings of a long message; none where a part became something else."""
    try:
        carriers = [read_carrier(part.pdu) for part in parts]
    except DecodeError:
        return ()
    if not all(one.concats for one in carriers):
        return ()
    return tuple(sorted(assembled(carriers).texts, key=_unreadable))


_AT_ONCE = 500
# SMS ports, and the short codes of services and carriers as they are or with a few digits more.
# All else may be a person's: mobile and fixed lines, here or abroad, with or without their plus.
_PORT = re.compile(r"106[0-9]{2,17}|9[56][0-9]{3,6}|1[0-2][0-9]{3,6}")


class SampleWriter:
    """Keeps what people decided of texts, to learn from.

    It never fails: the decision stands, and `warn` is told what was not kept.
    """

    def __init__(self, samples: SampleStore, warn: Callable[[str], None], *, is_on: bool) -> None:
        self._samples = samples
        self._warn = warn
        self._is_on = is_on

    async def learn_from_reviews(
        self, messages: Iterable[HeldMessage], label: SampleLabel, by: str
    ) -> None:
        """Keep what a reviewer decided of messages that ports sent and that content held.

        What was held for another reason says nothing of its words; what a person wrote to another
        is on record with its words nowhere (R70). The parts of a long message are one text.
        """
        now = utcnow()
        together: dict[int, list[HeldMessage]] = {}
        for held in messages:
            # A campaign is held for whom it reaches, and its words may be anybody's.
            if held.reason in reasons_on(Basis.CONTENT) and _is_from_port(held.source):
                together.setdefault(held.assembly or held.message_id, []).append(held)
        verdicts = [
            PersonVerdict(
                _text_of(parts),
                label,
                parts[0].category,
                SampleSource.REVIEW,
                parts[0].system_id,
                now,
                by,
            )
            for parts in together.values()
        ]
        await self._keep(verdicts)

    async def learn_from_reports(self, reports: Iterable[AuthorityReport], by: str) -> None:
        """Keep that somebody found messages to be what the authority must be told of; as above."""
        now = utcnow()
        verdicts = [
            PersonVerdict(
                report.text,
                SampleLabel.SPAM,
                report.category,
                SampleSource.REPORT,
                report.system_id,
                now,
                by,
            )
            for report in reports
            if _is_from_port(report.source)
        ]
        await self._keep(verdicts)

    async def _keep(self, verdicts: Sequence[PersonVerdict]) -> None:
        if not self._is_on:
            return
        found = [sample for verdict in verdicts if (sample := learnt_from(verdict)) is not None]
        learnt = list({sample.digest: sample for sample in found}.values())
        try:
            for at in range(0, len(learnt), _AT_ONCE):
                await self._samples.keep(learnt[at : at + _AT_ONCE])
        except StoreUnavailable as error:
            self._warn(f"the decision stands, but not every text was kept to learn from: {error}")


def _is_from_port(source: str) -> bool:
    return _PORT.fullmatch(source) is not None


def _text_of(parts: Sequence[HeldMessage]) -> str:
    if len(parts) > 1:
        texts = texts_together(sorted(parts, key=lambda held: held.part))
        if texts:
            return texts[0]
    return parts[0].joined or texts_of(parts[0])[0]
