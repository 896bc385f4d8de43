"""What people decide of messages, kept as samples to learn from beside the decision itself."""

import re
from collections.abc import Iterable, Sequence

from gateway.cli.held_messages import texts_of, texts_together
from gateway.cli.screen import warn
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.quarantine import HeldMessage
from gateway.domain.sample import SampleLabel, SampleSource
from gateway.domain.verdict import Reason
from gateway.ports.errors import StoreUnavailable
from gateway.ports.samples import SampleStore
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from

# A campaign is held for whom it reaches, and its words may be anybody's.
_OF_ITS_WORDS = frozenset(
    {
        Reason.CONTENT,
        Reason.SUSPICIOUS,
        Reason.BAD_LINK,
        Reason.IMPOSTOR,
        Reason.CONTACT_GIVEN,
    }
)
_AT_ONCE = 500
# SMS ports, and the short codes of services and carriers as they are or with a few digits more.
# All else may be a person's: mobile and fixed lines, here or abroad, with or without their plus.
_PORT = re.compile(r"106[0-9]{2,17}|9[56][0-9]{3,6}|1[0-2][0-9]{3,6}")


async def learn_from_reviews(
    settings: GatewaySettings,
    samples: SampleStore,
    messages: Iterable[HeldMessage],
    label: SampleLabel,
    by: str,
) -> None:
    """Keep what a reviewer decided of messages that ports sent and that content held.

    What was held for another reason says nothing of its words; what a person wrote to another
    is on record with its words nowhere (R70). The parts of a long message are one text. Never
    fails: the decision stands, and what was not kept is warned of.
    """
    now = utcnow()
    together: dict[int, list[HeldMessage]] = {}
    for held in messages:
        if held.reason in _OF_ITS_WORDS and _is_from_port(held.source):
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
    await _keep(settings, samples, verdicts)


async def learn_from_reports(
    settings: GatewaySettings, samples: SampleStore, reports: Iterable[AuthorityReport], by: str
) -> None:
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
    await _keep(settings, samples, verdicts)


async def _keep(
    settings: GatewaySettings, samples: SampleStore, verdicts: Sequence[PersonVerdict]
) -> None:
    if not settings.learning.samples:
        return
    found = [sample for verdict in verdicts if (sample := learnt_from(verdict)) is not None]
    learnt = list({sample.digest: sample for sample in found}.values())
    try:
        for at in range(0, len(learnt), _AT_ONCE):
            await samples.keep(learnt[at : at + _AT_ONCE])
    except StoreUnavailable as error:
        warn(f"the decision stands, but not every text was kept to learn from: {error}")


def _is_from_port(source: str) -> bool:
    return _PORT.fullmatch(source) is not None


def _text_of(parts: Sequence[HeldMessage]) -> str:
    if len(parts) > 1:
        texts = texts_together(sorted(parts, key=lambda held: held.part))
        if texts:
            return texts[0]
    return parts[0].joined or texts_of(parts[0])[0]
