"""services.yaml: what subscribers can order, with every fault at its place."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.domain.sender import BindLimits, BindType, Port, Rate, Sender, SenderState
from gateway.domain.subscription import Cycle, Service, Terms
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

SENDERS = {
    system_id: Sender(
        system_id=system_id,
        password="plain:secret",
        name=name,
        state=SenderState.ACTIVE,
        binds=BindLimits(1, frozenset(BindType), (ip_network("127.0.0.0/8"),)),
        ports=(Port(port, 4),),
        rate=Rate(1, 1),
        window=1,
    )
    for system_id, name, port in (("sp1", "示例商城", "10690001"), ("sp2", "sp2", "10690002"))
}


def one(**fields: str) -> str:
    """Write a file of one service, with `fields` in place of or beside the usual ones."""
    usual = {
        "system_id": "sp1",
        "id": "weather",
        "name": "天气",
        "port": '"10690001"',
        "order_words": "[DY天气]",
        "price_fen": "500",
    }
    return "version: 1\nservices:\n" + item(**(usual | fields))


def item(**fields: str) -> str:
    return "- " + "\n  ".join(f"{k}: {v}" for k, v in fields.items()) + "\n"


def test_a_service_is_read_with_the_name_of_its_sp(write: Write) -> None:
    text = one(cycle="once", trial_days="7", order_words="[DY天气, 订天气]")

    services = load_services(write("services.yaml", text), SENDERS)

    terms = Terms("示例商城", "天气", "10690001", 500, Cycle.ONCE, 7)
    assert services == (Service("sp1", "weather", terms, ("DY天气", "订天气")),)


def test_a_service_needs_neither_cycle_nor_trial(write: Write) -> None:
    (service,) = load_services(write("services.yaml", one()), SENDERS)

    assert (service.terms.cycle, service.terms.trial_days) == (Cycle.MONTH, 0)


def test_without_the_file_there_is_no_service(tmp_path: Path) -> None:
    assert load_services(tmp_path / "services.yaml", SENDERS) == ()


def test_where_the_senders_are_not_known_services_stand_under_their_system_id(write: Write) -> None:
    (service,) = load_services(write("services.yaml", one(system_id="who")), None)

    assert service.terms.sender_name == "who"


def test_the_same_words_may_order_from_two_sps(write: Write) -> None:
    text = one() + item(
        system_id="sp2",
        id="weather",
        name="天气",
        port='"106900021"',
        order_words="[DY天气]",
        price_fen="0",
    )

    assert len(load_services(write("services.yaml", text), SENDERS)) == 2


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"system_id": "sp9"}, "services.yaml:3:14 there is no such sender in senders.yaml"),
        ({"port": '"10690002"'}, "services.yaml:6:9 is no port of sp1 in senders.yaml"),
        (
            {"port": '"106900012345678901234"'},
            "services[0].port: must be 1 to 20 digits, or a name from a letter on",
        ),
        ({"port": "10690001"}, "services[0].port: must be text"),
        ({"id": "天气"}, "services.yaml:4:7 services[0].id: must be 1 to 32 of A-Z"),
        ({"name": "十一个字的业务名称太长了"}, "services[0].name: is longer than 10 characters"),
        ({"price_fen": "-1"}, "services[0].price_fen: "),
        ({"price_fen": "5.00"}, "services[0].price_fen: must be a whole number"),
        ({"price_fen": "1000000"}, "services[0].price_fen: "),
        ({"cycle": "week"}, "services[0].cycle: "),
        ({"trial_days": "181"}, "services[0].trial_days: "),
        ({"order_words": "[]"}, "services[0].order_words: "),
        ({"price": "5"}, "services[0].price: unknown key"),
        *(
            ({"order_words": f"[{word}]"}, "services[0].order_words[0]: means something else")
            for word in ("TD天气", "退订", "同意", "YES", "拒绝", "00000", "QX2", "HF", "' 12'")
        ),
        ({"order_words": "[12345]"}, "services[0].order_words[0]: "),
        ({"order_words": '["88888"]'}, "services[0].order_words[0]: is a number"),
        ({"order_words": "[D]"}, "services[0].order_words[0]: must hold 2 to 20"),
        ({"order_words": "['！！！']"}, "services[0].order_words[0]: must hold 2 to 20"),
        ({"order_words": "[DY天气, ＤＹ 天气]"}, "services.yaml:7:23 orders the service in line 7"),
    ],
)
def test_a_fault_is_told_at_its_place(
    write: Write, faults_of: FaultsOf, fields: dict[str, str], fault: str
) -> None:
    path = write("services.yaml", one(**fields))

    faults = faults_of(lambda: load_services(path, SENDERS))

    assert any(fault in said for said in faults), faults


def test_an_id_and_a_name_are_given_once_by_an_sp(write: Write, faults_of: FaultsOf) -> None:
    again = item(
        system_id="sp1",
        id="Weather",
        name="天 气",
        port='"10690001"',
        order_words="[订天气]",
        price_fen="1",
    )
    path = write("services.yaml", one() + again)

    assert faults_of(lambda: load_services(path, SENDERS)) == [
        "services.yaml:10:7 is the one in line 4 already",
        "services.yaml:11:9 is the one in line 5 already",
    ]


def test_all_faults_of_a_file_are_told_at_once(write: Write, faults_of: FaultsOf) -> None:
    path = write("services.yaml", one(system_id="sp9", price_fen="x", order_words="[是]"))

    assert len(faults_of(lambda: load_services(path, SENDERS))) == 3


@pytest.mark.parametrize("services", ["{}", "[1, x]", "null", "[{system_id: 1, order_words: 2}]"])
def test_a_file_of_another_shape_is_a_fault(
    write: Write, faults_of: FaultsOf, services: str
) -> None:
    path = write("services.yaml", f"version: 1\nservices: {services}\n")

    assert faults_of(lambda: load_services(path, SENDERS))


def test_the_shipped_example_loads_with_the_shipped_senders() -> None:
    config = Path(__file__).resolve().parents[2] / "config"

    services = load_services(config / "services.yaml", load_senders(config / "senders.yaml"))

    assert [service.order_words for service in services] == [("DY天气",)]
