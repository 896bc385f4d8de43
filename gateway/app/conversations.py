"""The dialogue with subscribers, put together."""

from collections.abc import Callable
from datetime import datetime

from gateway.app.own_holds import own_holds_in
from gateway.domain.hub import Hub
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.hold_words import HoldCommand
from gateway.policy.hub_words import HubCommand
from gateway.proxy.consent_asker import ConsentAsker
from gateway.proxy.consent_book import ConsentBook
from gateway.proxy.mo_receiver import MoReceiver
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.replies import Replies
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.stores.open import Stores
from gateway.systems.preferences.commands import obey as prefer
from gateway.systems.quarantine.own_words import OwnWords
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.desk import SubscriptionDesk
from gateway.systems.subscriptions.dialogue import Dialogue
from gateway.systems.subscriptions.word import Word


def asking_for_consent(tick: Tick, stores: Stores) -> ConsentAsker:
    """Return what lets SPs' requests for consent go, or not."""
    dialogue = Dialogue(Catalogue)  # nobody speaks here: orders are heard elsewhere
    return ConsentAsker(tick, SubscriptionDesk(stores.subscriptions, stores.consent, dialogue))


def replies_to_subscribers(
    tick: Tick,
    stores: Stores,
    sets: ConsentSets,
    routes: Routes,
    hub: Hub,
    catalogue: Callable[[], Catalogue],
) -> Replies:
    """Return what hears subscribers, with the catalogue that is in force each time."""
    own_words = OwnWords(own_holds_in(stores), stores.subscriptions)

    async def obey(word: Word, command: HubCommand, at: datetime) -> str:
        if isinstance(command, HoldCommand):
            return await own_words.obey(word.msisdn, word.port, command, at)
        return await prefer(stores.preferences, word.msisdn, command, at)

    return Replies(
        tick,
        MoReceiver(tick.pipeline.plane, hub, catalogue),
        SubscriptionDesk(stores.subscriptions, stores.consent, Dialogue(catalogue, hub.cancel_all)),
        ConsentBook(stores.consent, sets),
        MtSender(tick, routes),
        obey,
    )
