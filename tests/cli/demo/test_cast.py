import asyncio

import pytest

from gateway.cli.demo import cast
from gateway.cli.demo.cast import PASSWORD, Ledger, Performer, SpReport, enter
from gateway.settings.schema import Address
from gateway.smpp.status import CommandStatus
from gateway.stores import Stores
from simulators.esme import UNANSWERED, Answer, BindRefusedError
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.traffic import PersonaName


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (Answer(0, "100001"), SpReport(submitted=1, forwarded=1)),
        (Answer(0, "8176407200000001000"), SpReport(submitted=1, quarantined=1)),
        (Answer(CommandStatus.ESME_RTHROTTLED, ""), SpReport(submitted=1, throttled=1)),
        (Answer(CommandStatus.ESME_RSUBMITFAIL, ""), SpReport(submitted=1, refused=1)),
        (Answer(UNANSWERED, ""), SpReport(submitted=1, unanswered=1)),
    ],
)
def test_each_answer_is_counted_as_what_it_means(answer: Answer, counted: SpReport) -> None:
    told = SpReport()

    told.count(answer)

    assert told == counted


@pytest.mark.parametrize("name", list(PersonaName))
async def test_an_sp_sends_and_enters_what_it_was_promised(
    stores: Stores, name: PersonaName
) -> None:
    ledger = Ledger(stores.quarantine, ["bank", "shop", "spammer"])
    async with SimulatedSmsc(behaviour=Behaviour(receipts=True)) as smsc:
        voice = await enter(name, Address(smsc.host, smsc.port))
        performer = Performer(name, voice, ledger)
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(performer.perform(stopped))
            await smsc.received(5)
            stopped.set()
        await performer.voice.leave()
        ledger.deliver(smsc.journal)

    audit = await ledger.audit()

    assert audit.is_balanced
    assert audit.at_smsc == performer.told.forwarded == performer.told.submitted >= 5


@pytest.mark.parametrize("name", [PersonaName.BANK, PersonaName.RETAILER])
async def test_an_sp_that_is_not_let_in_says_so(name: PersonaName) -> None:
    refusing = Behaviour(passwords={"bank": "other", "shop": "other"})
    async with SimulatedSmsc(behaviour=refusing) as smsc:
        with pytest.raises((ConnectionRefusedError, BindRefusedError)):
            await enter(name, Address(smsc.host, smsc.port))


async def test_a_session_that_is_closed_ends_the_act(stores: Stores) -> None:
    ledger = Ledger(stores.quarantine, ["shop"])
    async with SimulatedSmsc(behaviour=Behaviour(disconnect_every=3)) as smsc:
        voice = await enter(PersonaName.RETAILER, Address(smsc.host, smsc.port))
        performer = Performer(PersonaName.RETAILER, voice, ledger)

        with pytest.raises(ConnectionResetError):
            await performer.perform(asyncio.Event())
        await performer.voice.leave()


def test_the_spammer_sends_more_than_it_may() -> None:
    assert cast.PACES[PersonaName.SPAMMER] > 40
    assert len(PASSWORD) <= 8
