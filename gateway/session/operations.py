"""The sides of the gateway, the states of a session, and what a PDU means in each (2.2)."""

from enum import StrEnum

from gateway.domain.sender import BindType
from gateway.smpp.commands import RESPONSE_BIT, CommandId


class Side(StrEnum):
    """The peer that a session of ours faces."""

    ESME = "esme"
    """Faces an SP, so we act as the SMSC."""
    SMSC = "smsc"
    """Faces the SMSC, so we act as an ESME."""


class SessionState(StrEnum):
    """How far a session has come. The state is the same word on both sides."""

    OPEN = "open"
    BINDING = "binding"
    """The bind was received (esme side) or sent (smsc side) and is not yet answered."""
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    """An unbind was received or sent: what is outstanding is still answered, nothing new starts."""
    CLOSED = "closed"

    can_submit: bool
    """Whether requests may travel from the SP to the SMSC."""
    can_deliver: bool
    """Whether requests may travel from the SMSC to the SP."""
    is_bound: bool
    """Whether the bind was accepted and no unbind has come since."""


# Plain attributes: as properties these cost the tick 1.5 us a message (an enum member is
# hashed by Python code).
for _state in SessionState:
    _state.can_submit = _state in {SessionState.BOUND_TX, SessionState.BOUND_TRX}
    _state.can_deliver = _state in {SessionState.BOUND_RX, SessionState.BOUND_TRX}
    _state.is_bound = _state.can_submit or _state.can_deliver


BOUND_STATES: dict[BindType, SessionState] = {
    BindType.TX: SessionState.BOUND_TX,
    BindType.RX: SessionState.BOUND_RX,
    BindType.TRX: SessionState.BOUND_TRX,
}
"""The state that an accepted bind leads to."""


class Ruling(StrEnum):
    """What to do with one PDU."""

    JUDGE = "judge"
    """A request of the SP with a text: policy first, then the SMSC."""
    RELAY = "relay"
    """A request without a text of the SP: it goes to the other side unchanged."""
    RELAY_RESPONSE = "relay_response"
    """An answer to a request that we forwarded; one that matches none is dropped and counted."""
    AWAIT_BIND = "await_bind"
    """A request behind a bind that is not answered yet: it waits, and is ruled on again then."""
    OUTBIND = "outbind"
    """Bind on that connection if an SMSC that is configured asks for it; else as NACK_COMMAND."""
    BIND = "bind"
    BIND_RESP = "bind_resp"
    """The answer to our bind. Only a bind_*_resp with ESME_ROK binds: see generic_nack below."""
    UNBIND = "unbind"
    UNBIND_RESP = "unbind_resp"
    ENQUIRE_LINK = "enquire_link"
    ENQUIRE_LINK_RESP = "enquire_link_resp"
    REFUSE_STATE = "refuse_state"
    """Answer ESME_RINVBNDSTS in the matching response; nothing is forwarded."""
    PUT_OFF = "put_off"
    """Answer ESME_RX_T_APPN in the matching response: the SMSC sends the delivery again."""
    ALREADY_BOUND = "already_bound"
    """Answer ESME_RALYBND in the matching response; the session stays as it is."""
    NACK_COMMAND = "nack_command"
    """Answer generic_nack with ESME_RINVCMDID and the same sequence_number; the session stays."""
    IGNORE = "ignore"
    """Count it and do nothing else."""


_COLUMNS = (
    SessionState.OPEN,
    SessionState.BINDING,
    SessionState.BOUND_TX,
    SessionState.BOUND_RX,
    SessionState.BOUND_TRX,
    SessionState.UNBINDING,
)
_Rows = dict[tuple[CommandId, ...], tuple[Ruling, Ruling, Ruling, Ruling, Ruling, Ruling]]

_C = CommandId
_BIND, _BOUND = Ruling.BIND, Ruling.BIND_RESP
_TWICE = Ruling.ALREADY_BOUND
_JUDGE, _RELAY, _ANSWER = Ruling.JUDGE, Ruling.RELAY, Ruling.RELAY_RESPONSE
_REFUSE, _IGNORE, _WAIT = Ruling.REFUSE_STATE, Ruling.IGNORE, Ruling.AWAIT_BIND
_LATER = Ruling.PUT_OFF
_NACK = Ruling.NACK_COMMAND
_LINK, _ALIVE = Ruling.ENQUIRE_LINK, Ruling.ENQUIRE_LINK_RESP
_UNBIND, _GONE = Ruling.UNBIND, Ruling.UNBIND_RESP

# The columns are the table, so they stay aligned.
# fmt: off

# The same on both sides. enquire_link is answered even before the bind: 3.4 asks for it only when
# bound, but peers probe early, and a nack makes them drop the link. unbind is also answered in
# every state, so that a peer can leave in order, even if its unbind crosses ours. Responses to
# requests that we cannot have sent yet are ignored.
_EITHER_SIDE: _Rows = {
    #                            OPEN     BINDING  BOUND_TX BOUND_RX BOUND_TRX UNBINDING
    (_C.ENQUIRE_LINK,):         (_LINK,   _LINK,   _LINK,   _LINK,   _LINK,    _LINK),
    (_C.ENQUIRE_LINK_RESP,):    (_IGNORE, _IGNORE, _ALIVE,  _ALIVE,  _ALIVE,   _ALIVE),
    (_C.UNBIND,):               (_UNBIND, _UNBIND, _UNBIND, _UNBIND, _UNBIND,  _UNBIND),
    (_C.UNBIND_RESP,):          (_IGNORE, _IGNORE, _IGNORE, _IGNORE, _IGNORE,  _GONE),
}

# From the SP. data_sm is refused on BOUND_RX although 3.4 (2.3, table 2-1) can be read to allow it:
# a receiver that submits would exceed its bind type. deliver_sm and alert_notification come only
# from an SMSC, so they are unknown commands here (nack), and so is outbind behind a bind. An answer
# to a delivery counts while unbinding: the SMSC must learn that the SP has it. Many SPs write
# requests together with their bind.
_ESME_SIDE: _Rows = _EITHER_SIDE | {
    #                            OPEN     BINDING  BOUND_TX BOUND_RX BOUND_TRX UNBINDING
    (_C.BIND_TRANSMITTER,
     _C.BIND_RECEIVER,
     _C.BIND_TRANSCEIVER):      (_BIND,   _TWICE,  _TWICE,  _TWICE,  _TWICE,   _REFUSE),
    (_C.OUTBIND,):              (Ruling.OUTBIND, _NACK, _NACK, _NACK, _NACK,   _NACK),
    (_C.SUBMIT_SM,
     _C.SUBMIT_MULTI,
     _C.DATA_SM,
     _C.REPLACE_SM):            (_REFUSE, _WAIT,   _JUDGE,  _REFUSE, _JUDGE,   _REFUSE),
    (_C.QUERY_SM,
     _C.CANCEL_SM):             (_REFUSE, _WAIT,   _RELAY,  _REFUSE, _RELAY,   _REFUSE),
    (_C.DELIVER_SM_RESP,
     _C.DATA_SM_RESP):          (_IGNORE, _IGNORE, _IGNORE, _ANSWER, _ANSWER,  _ANSWER),
    (_C.GENERIC_NACK,):         (_IGNORE, _IGNORE, _ANSWER, _ANSWER, _ANSWER,  _ANSWER),
}

# From the SMSC. A delivery that crosses the bind or the unbind is put off with a temporary status:
# SMSCs drop what is refused with another, a receipt too. alert_notification has no response to
# refuse it with. While BINDING a generic_nack can only answer our bind (an SMSC of 3.3 knows no
# bind_transceiver), so it is a BIND_RESP: waiting for a better answer would only use up the
# session_init timer. outbind asks us to connect; we are connected.
_SMSC_SIDE: _Rows = _EITHER_SIDE | {
    #                            OPEN     BINDING  BOUND_TX BOUND_RX BOUND_TRX UNBINDING
    (_C.BIND_TRANSMITTER_RESP,
     _C.BIND_RECEIVER_RESP,
     _C.BIND_TRANSCEIVER_RESP): (_IGNORE, _BOUND,  _IGNORE, _IGNORE, _IGNORE,  _IGNORE),
    (_C.DELIVER_SM,
     _C.DATA_SM):               (_LATER,  _LATER,  _REFUSE, _RELAY,  _RELAY,   _LATER),
    (_C.ALERT_NOTIFICATION,):   (_IGNORE, _IGNORE, _IGNORE, _RELAY,  _RELAY,   _IGNORE),
    (_C.OUTBIND,):              (_IGNORE, _IGNORE, _IGNORE, _IGNORE, _IGNORE,  _IGNORE),
    (_C.SUBMIT_SM_RESP,
     _C.SUBMIT_MULTI_RESP,
     _C.DATA_SM_RESP,
     _C.REPLACE_SM_RESP,
     _C.QUERY_SM_RESP,
     _C.CANCEL_SM_RESP):        (_IGNORE, _IGNORE, _ANSWER, _IGNORE, _ANSWER,  _ANSWER),
    (_C.GENERIC_NACK,):         (_IGNORE, _BOUND,  _ANSWER, _ANSWER, _ANSWER,  _ANSWER),
}
# fmt: on


def _unlisted(state: SessionState, command_id: int) -> Ruling:
    """Rule on commands without a row: wrong direction, unsupported, unknown, or too late."""
    if state is SessionState.CLOSED or command_id & RESPONSE_BIT:
        return Ruling.IGNORE
    return Ruling.NACK_COMMAND


def _table() -> dict[tuple[Side, SessionState, int], Ruling]:
    table = {
        (side, state, int(command_id)): _unlisted(state, command_id)
        for side in Side
        for state in SessionState
        for command_id in CommandId
    }
    for side, rows in ((Side.ESME, _ESME_SIDE), (Side.SMSC, _SMSC_SIDE)):
        for commands, rulings in rows.items():
            for command_id in commands:
                for state, ruled in zip(_COLUMNS, rulings, strict=True):
                    table[side, state, int(command_id)] = ruled
    return table


RULINGS: dict[tuple[Side, SessionState, int], Ruling] = _table()
"""Side, state and command_id to ruling, complete for every CommandId in every state.

The data plane indexes it directly for the commands it knows. Only a command_id of no SMPP version
is missing, and `ruling` answers that. In CLOSED everything is ignored: there is no peer to answer.
In UNBINDING requests are refused or put off, enquiries and unbinds answered, and answers to what
was forwarded still count.
"""


def ruling(side: Side, state: SessionState, command_id: int) -> Ruling:
    """Return what to do with a PDU of any 32-bit `command_id`; never raises."""
    return RULINGS.get((side, state, command_id)) or _unlisted(state, command_id)
