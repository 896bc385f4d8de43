"""A subscriber's phone that writes to ports by way of a simulated SMSC that runs."""

from simulators import builders
from simulators.esme import RawEsme
from simulators.esme.raw import Answer
from simulators.smsc.session import HANDSET


async def write_mo(
    smsc: tuple[str, int], source: str, to: str, text: str, *, system_id: str = ""
) -> Answer:
    """Write to a port or a code as the subscriber `source`; raise OSError where no SMSC is.

    `system_id` is the ESME that gets it, "" the first that is bound to receive.
    """
    async with await RawEsme.connect(*smsc) as handset:
        sequence = handset.next_sequence()
        bind = builders.bind(system_id, "", kind="tx", system_type=HANDSET, sequence=sequence)
        await handset.request(bind)
        return await handset.submit(source, to, text)
