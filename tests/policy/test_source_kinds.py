"""Which sources rules tell apart."""

import pytest

from gateway.domain.filings import Signature
from gateway.domain.policy import Clock, CountDimension, Limit
from gateway.domain.sender import Port
from gateway.policy import rule_stages
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.too_often import TooOften
from gateway.policy.filings import Filings
from gateway.policy.rule_stages import SourceKinds
from gateway.policy.submission import Account
from tests.policy.conftest import sender, submission

PERSONAL = TooOften((Limit((CountDimension.SOURCE,), 1, Clock.HOUR),), sources=("1069000101",))
ACCOUNT = Account(sender())


def kinds_of(kinds: SourceKinds, filings: Filings, *sources: bytes) -> list[int]:
    """Return the identity of the kind of each source."""
    messages = [submission(ACCOUNT, source=source) for source in sources]
    return [id(kinds.sort(one, filings.of("sp1"))) for one in messages]


def test_the_sources_of_a_port_are_alike_and_each_port_is_its_own_kind() -> None:
    kinds = SourceKinds([NoSenderName()])

    one, extended, other = kinds_of(kinds, Filings(), b"10690001", b"1069000101", b"10690002")

    assert one == extended != other


def test_r43_a_limit_tells_its_own_sources_from_others() -> None:
    kinds = SourceKinds([PERSONAL])

    one, limited = kinds_of(kinds, Filings(), b"10690001", b"1069000101")

    assert one != limited


def test_r61_a_personal_number_is_told_from_a_port_with_the_same_beginning() -> None:
    account = Account(sender(ports=(Port("1", extension_digits=12),)))
    messages = [submission(account, source=source) for source in (b"10690001", b"13900000001")]
    kinds, filed = SourceKinds([Suspicious(0.01)]), Filings().of("sp1")

    port, personal = (kinds.sort(one, filed) for one in messages)

    assert port is not personal


def test_r06_a_bound_source_is_told_from_others_while_the_binding_is_on_file() -> None:
    filings = Filings()
    filings.replace("sp1", [Signature("sp1", "示例", ("1069000101",))])
    kinds = SourceKinds([SignatureSwitch()])

    one, bound = kinds_of(kinds, filings, b"10690001", b"1069000101")
    filings.replace("sp1", [])
    after = kinds_of(kinds, filings, b"10690001", b"1069000101")

    assert one != bound
    assert after[0] == after[1]


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_stages, "_MAX_KNOWN", 2)
    kinds, filings = SourceKinds([PERSONAL]), Filings()

    kinds_of(kinds, filings, b"10690001", b"1069000101", b"10690002", b"1069000202")

    assert len(kinds.known) <= 2
    assert len(kinds._alike) <= 2
