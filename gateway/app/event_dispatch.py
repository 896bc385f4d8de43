"""Who attends to what the tick hands over."""

from dataclasses import dataclass

import structlog

from gateway.app.followers import Driven
from gateway.dataplane import attention
from gateway.proxy.consent_asker import ConsentAsker
from gateway.proxy.hold_writer import HoldWriter
from gateway.proxy.mt_sender import Confirmation
from gateway.proxy.operations import Operations
from gateway.proxy.receipts import OwnReceipt
from gateway.proxy.release_sender import Release
from gateway.proxy.running_errands import OnErrand
from gateway.proxy.scheduled_canceller import OnCancel
from gateway.proxy.sessions import Sessions
from gateway.proxy.smsc_dialler import Dialler
from gateway.proxy.tick import Tick
from gateway.session.states import Side

log = structlog.get_logger()

_FRAMING = "command_length"


@dataclass(frozen=True, slots=True)
class Attendants:
    """Everyone who attends to something."""

    sessions: Sessions
    dialler: Dialler
    holding: HoldWriter
    operations: Operations
    asking: ConsentAsker
    driven: Driven


def attend_with(who: Attendants, tick: Tick) -> None:
    """Let `who` attend to what `tick` hands over."""

    def turned() -> None:
        who.holding.turned()
        who.sessions.leaving.turned()

    tick.attend = lambda item: _attend(who, tick, item)
    tick.turned = turned
    tick.forget = who.sessions.forget


def _attend(  # noqa: C901, PLR0912 - a table, a line for each kind
    who: Attendants, tick: Tick, item: attention.Attention
) -> None:
    match item:
        case attention.Hold():
            who.holding.hold(item)
        case attention.Ask():
            who.asking.begin(item)
        case attention.OwnAnswer(errand=attention.Ask() as errand):
            who.asking.answered(item, errand)
        case attention.ReleaseReceipt():
            who.driven.receipts.received(item)
        case attention.OwnAnswer(errand=Release() as errand):
            who.driven.releasing.submitting.answered(item, errand)
        case attention.OwnAnswer(errand=OwnReceipt() as errand):
            who.driven.receipts.answered(item, errand)
        case attention.OwnAnswer(errand=Confirmation() as errand):
            who.driven.replies.answered(item, errand)
        case attention.OwnAnswer(errand=OnErrand() as errand):
            who.driven.errands.answered(item, errand)
        case attention.OwnAnswer(errand=OnCancel() as errand):
            who.driven.cancelling.answered(item, errand)
        case attention.ScheduledAtSmsc():
            who.driven.cancelling.taken(item)
        case attention.SubscriberMessage():
            who.driven.replies.heard(item)
        case attention.Operation():
            who.operations.begin(item)
        case attention.Bind():
            who.sessions.joining.bind(item)
        case attention.BindAnswer():
            who.dialler.answered(item)
        case attention.Unbind():
            who.sessions.leaving.unbinding(item)
        case attention.Unbound():
            who.sessions.leaving.unbound(item)
        case attention.FramingFault():
            _close(who, tick, item)
        case attention.Wait():
            who.sessions.wait(item)
        case attention.OwnAnswer():
            pass


def _close(who: Attendants, tick: Tick, item: attention.FramingFault) -> None:
    connection = tick.connections.get(item.link)
    if connection is None:
        return
    if item.link.side is Side.ESME and not item.link.system_id:
        # The length is whatever a stranger sent, and reasons are a closed list.
        is_framing = item.problem.startswith(_FRAMING)
        reason = _FRAMING if is_framing else item.problem
        who.sessions.strangers.closed(reason, connection.peer_address)
    else:
        event = "esme.closed" if item.link.side is Side.ESME else "smsc.lost"
        about = {"system_id": item.link.system_id, "session": item.link.number}
        log.warning(event, **about, reason=item.problem)
    connection.close()
