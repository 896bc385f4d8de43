"""Hand each event of the tick to its handler, and set up the dialogue with subscribers."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.app.followers import EventParts
from gateway.dataplane import attention
from gateway.dataplane.carriers import place_of, text_together
from gateway.domain.outbound_message import OutboundKind, OutboundMessage
from gateway.domain.quarantine import HeldMessage
from gateway.domain.suspension import ComplaintThreshold
from gateway.policy.checks.outside_window import AskingHours, asking_hours
from gateway.policy.hub_words import HoldCommand, HubCommand
from gateway.policy.knowledge import ConsentSets
from gateway.proxy.complaint_receiver import ComplaintReceiver
from gateway.proxy.consent_book import ConsentAsker, ConsentBook, MoReceiver
from gateway.proxy.delivery_backlog import BacklogDelivery
from gateway.proxy.mt_sender import (
    Confirmation,
    MtSender,
    OutboundRequest,
    OutboundSender,
    OutboundSource,
)
from gateway.proxy.receipts import OwnReceipt
from gateway.proxy.release_sender import Release
from gateway.proxy.replies import Replies
from gateway.proxy.routes import Routes
from gateway.proxy.scheduled_canceller import OnCancel
from gateway.proxy.tick import Tick
from gateway.stores import Stores
from gateway.systems.complaints.service import ComplaintDesk, PortReview
from gateway.systems.preferences.service import obey as prefer
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.own_holds import HeldPart, OwnHolds, OwnWords
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.subscriptions.dialogue import Dialogue, Word
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.order_requests import Courtesy, OrderDesk
from gateway.systems.subscriptions.service import SubscriptionDesk


class HeldTexts:
    """Reads held messages for code that does not know SMPP."""

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        """Return which part of a long message `held` is, None if it is not a part."""
        place = place_of(held)
        return None if place is None else HeldPart(place.reference, place.total, place.number)

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        """Return the text of one message, or of all its parts in order."""
        return text_together(together)


def own_holds_in(stores: Stores) -> OwnHolds:
    """Return the service for messages held by subscribers' own preferences (R50)."""
    # Nothing is put into quarantine here, so this desk issues no id.
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))
    return OwnHolds(stores.quarantine, desk, HeldTexts())


def asking_for_consent(tick: Tick, stores: Stores) -> ConsentAsker:
    """Return what lets SPs' requests for consent go, or not."""
    dialogue = Dialogue(Catalogue)  # nobody speaks here: orders are heard elsewhere
    return ConsentAsker(tick, SubscriptionDesk(stores.subscriptions, stores.consent, dialogue))


def replies_to_subscribers(
    tick: Tick,
    stores: Stores,
    sets: ConsentSets,
    routes: Routes,
    catalogue: Callable[[], Catalogue],
) -> Replies:
    """Return what hears subscribers, with the catalogue that is in force each time."""
    plane = tick.pipeline.plane
    dialogue = Dialogue(catalogue, lambda: plane.hub.cancel_all)
    own_words = OwnWords(own_holds_in(stores), stores.subscriptions)

    async def obey(word: Word, command: HubCommand, at: datetime) -> str:
        if isinstance(command, HoldCommand):
            return await own_words.obey(word.msisdn, word.port, command, at)
        return await prefer(stores.preferences, word.msisdn, command, at)

    return Replies(
        tick,
        MoReceiver(plane, catalogue),
        SubscriptionDesk(stores.subscriptions, stores.consent, dialogue),
        ConsentBook(stores.consent, sets),
        MtSender(tick, routes),
        obey,
    )


def complaints_of_subscribers(
    tick: Tick,
    stores: Stores,
    routes: Routes,
    hearing: MoReceiver,
    threshold: Callable[[], ComplaintThreshold],
) -> ComplaintReceiver:
    """Return what takes complaints to report codes (R80)."""
    plane, store = tick.pipeline.plane, stores.complaints
    review = PortReview(store, stores.suspended_ports, threshold)
    desk = ComplaintDesk(store, lambda: plane.rules.port_owners, review=review)
    return ComplaintReceiver(tick, hearing, MtSender(tick, routes), desk, store)


def sending_outbound(
    tick: Tick, stores: Stores, routes: Routes, catalogue: Callable[[], Catalogue]
) -> OutboundSender:
    """Return what sends them, and tells orders what became of their requests (R24)."""

    def hours() -> AskingHours:
        bundle = tick.pipeline.plane.rules.bundle
        return asking_hours(bundle.rules, bundle.surroundings)

    courtesy = Courtesy(stores.preferences, hours)
    orders = OrderDesk(stores.subscriptions, stores.consent, courtesy, catalogue)

    async def due(context: OutboundMessage, now: datetime) -> datetime | None:
        # A code is wanted now, by whoever is to read it.
        return await orders.due(context, now) if context.kind is OutboundKind.ORDER else now

    async def tell(context: OutboundMessage, now: datetime) -> None:
        if context.kind is OutboundKind.ORDER:
            await orders.asked(context, now)

    speaking = MtSender(tick, routes)
    return OutboundSender(
        tick, stores.outbound_messages, routes, speaking, OutboundSource(due, tell)
    )


def attend_with(who: EventParts, tick: Tick) -> None:
    """Let `who` attend to what `tick` hands over."""

    def turned() -> None:
        who.holding.turned()
        who.sessions.leaving.turned()

    tick.attend = lambda item: _attend(who, item)
    tick.turned = turned
    tick.forget = who.sessions.forget


def _attend(  # noqa: C901, PLR0912, PLR0915 - a table, a line for each kind
    who: EventParts, item: attention.Attention
) -> None:
    match item:
        case attention.Hold():
            who.holding.hold(item)
        case attention.AcceptedRefusals():
            who.holding.accept(item)
        case attention.Ask():
            who.asking.begin(item)
        case attention.OwnAnswer(context=attention.Ask() as context):
            who.asking.answered(item, context)
        case attention.ReleaseReceipt():
            who.receipts.received(item)
        case attention.OwnAnswer(context=Release() as context):
            who.releasing.submitting.answered(item, context)
        case attention.OwnAnswer(context=OwnReceipt() as context):
            who.receipts.answered(item, context)
        case attention.OwnAnswer(context=Confirmation() as context):
            who.replies.answered(item, context)
        case attention.OwnAnswer(context=OutboundRequest() as context):
            who.outbound_messages.answered(item, context)
        case attention.OwnAnswer(context=OnCancel() as context):
            who.cancelling.answered(item, context)
        case attention.ScheduledAtSmsc():
            who.cancelling.taken(item)
        case attention.UndeliverableMessage():
            who.undelivered.keep(item)
        case attention.OwnAnswer(context=BacklogDelivery() as context):
            who.undelivered.answered(item, context)
        case attention.SubscriberMessage():
            if not item.is_complaint or not who.complaints.takes(item):
                who.replies.heard(item)
        case attention.Operation():
            who.operations.begin(item)
        case attention.Bind():
            who.sessions.joining.bind(item)
        case attention.Outbind():
            who.sessions.outbind(item)
        case attention.BindAnswer():
            who.dialler.answered(item)
        case attention.Unbind():
            who.sessions.leaving.unbinding(item)
        case attention.Unbound():
            who.sessions.leaving.unbound(item)
        case attention.FramingFault():
            who.sessions.lose_framing(item)
        case attention.Wait():
            who.sessions.wait(item)
        case attention.OwnAnswer():
            pass
