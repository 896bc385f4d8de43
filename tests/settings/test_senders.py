from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.domain.sender import (
    BindLimits,
    BindType,
    Port,
    PortOwners,
    Purpose,
    Rate,
    Route,
    Sender,
    SenderState,
)
from gateway.domain.verdict import Reason
from gateway.policy.checks import all_reasons
from gateway.settings.credentials import hash_password
from gateway.settings.senders import load_senders
from gateway.settings.smscs import SmscGroups
from gateway.settings.status_maps import shipped_maps
from gateway.smpp.status import status_named

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

PHC = hash_password("secret")
CONTRACT = f"""\
version: 1
allow_plain_passwords: false          # true only for the demo and tests
senders:
  - system_id: sp1
    password: "{PHC}"            # a PHC string, env:NAME, or plain:secret where allowed
    name: 示例商城
    state: active                      # active | suspended | expired
    binds: {{max: 250, types: [tx, rx, trx], addresses: ["127.0.0.0/8"]}}
    ports: [{{number: "10690001", extension_digits: 4, purpose: marketing}}]
    rate: {{per_s: 500, burst: 1000}}
    window: 200
"""


def one(**fields: str) -> str:
    """Write a file of one sender, with `fields` in place of or beside the usual ones."""
    lines = {"system_id": "sp1", "password": f'"{PHC}"', **fields}
    return "version: 1\nsenders:\n- " + "\n  ".join(f"{k}: {v}" for k, v in lines.items()) + "\n"


def several(*ports: str) -> str:
    """Write a file of one sender for each of `ports`."""
    return "version: 1\nsenders:\n" + "".join(
        f'- {{system_id: sp{index}, ports: [{owned}], password: "{PHC}"}}\n'
        for index, owned in enumerate(ports)
    )


def port(number: str, extension_digits: int = 0) -> str:
    return f'{{number: "{number}", extension_digits: {extension_digits}, purpose: service}}'


def test_the_contract_loads_as_it_was_promised(write: Write) -> None:
    senders = load_senders(write("senders.yaml", CONTRACT))

    assert senders == {
        "sp1": Sender(
            system_id="sp1",
            password=PHC,
            name="示例商城",
            state=SenderState.ACTIVE,
            binds=BindLimits(250, frozenset(BindType), (ip_network("127.0.0.0/8"),)),
            ports=(Port("10690001", 4, Purpose.MARKETING),),
            rate=Rate(500, 1000),
            window=200,
        )
    }


def test_a_sender_needs_little_more_than_a_password(write: Write) -> None:
    sender = load_senders(write("senders.yaml", one()))["sp1"]

    assert sender.name == "sp1"
    assert sender.state is SenderState.ACTIVE
    assert sender.binds == BindLimits(
        10, frozenset(BindType), (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    )
    assert sender.ports == ()
    assert sender.rate == Rate(100, 100)
    assert sender.window == 100
    assert sender.statuses == {}


def test_a_burst_is_one_second_of_the_rate_at_least_one_message(write: Write) -> None:
    for per_s, burst in (("0.2", 1), ("2.5", 3), ("70", 70)):
        text = one(rate=f"{{per_s: {per_s}}}")

        rate = load_senders(write("senders.yaml", text))["sp1"].rate

        assert rate == Rate(float(per_s), burst)


def test_an_sp_may_hear_other_statuses(write: Write) -> None:
    text = one(statuses="{CONTENT: ESME_RINVMSGLEN, RATE: ESME_RMSGQFUL}")

    sender = load_senders(write("senders.yaml", text))["sp1"]

    assert sender.statuses == {"CONTENT": "ESME_RINVMSGLEN", "RATE": "ESME_RMSGQFUL"}


def test_an_sp_may_hear_a_vendors_own_status_and_reason_and_rule_in_a_tlv(write: Write) -> None:
    text = one(statuses="{CONTENT: 0x410}", refusal_tlvs="true")

    sender = load_senders(write("senders.yaml", text))["sp1"]

    assert (sender.statuses, sender.refusal_tlvs) == ({"CONTENT": "0x410"}, True)


def test_an_sp_may_hear_the_statuses_of_a_map_but_for_its_own(write: Write) -> None:
    text = one(status_map="cmpp", statuses="{CONTENT: 0x499}")

    sender = load_senders(write("senders.yaml", text))["sp1"]

    assert sender.statuses["RATE"] == "0x408"
    assert sender.statuses["CONTENT"] == "0x499"


def test_an_sp_may_hear_of_some_reasons_in_a_receipt(write: Write) -> None:
    text = one(accept="[CONTENT, CONSENT_NONE]")

    sender = load_senders(write("senders.yaml", text))["sp1"]

    assert sender.accept == {"CONTENT", "CONSENT_NONE"}


def test_an_sp_may_hear_of_itself_by_mail(write: Write) -> None:
    text = one(mail='"ops@sp.example.com"')

    assert load_senders(write("senders.yaml", text))["sp1"].mail == "ops@sp.example.com"
    assert not load_senders(write("senders.yaml", one()))["sp1"].mail


def test_a_map_of_the_file_takes_the_place_of_a_shipped_one(write: Write) -> None:
    text = one(status_map="cmpp") + "status_maps: {cmpp: {CONTENT: ESME_RINVMSGLEN}}\n"

    sender = load_senders(write("senders.yaml", text))["sp1"]

    assert sender.statuses == {"CONTENT": "ESME_RINVMSGLEN"}


def test_faults_of_a_map_are_named(write: Write, faults_of: FaultsOf) -> None:
    text = one() + "status_maps: {mine: {SPAM: 0x410, CONTENT: 0x3FF}}\n"
    path = write("senders.yaml", text)

    problem = "no error status: a name, as ESME_RSUBMITFAIL, or a number from 0x400 to 0x4FF"
    assert faults_of(lambda: load_senders(path)) == [
        "senders.yaml:5:22 no such reason",
        f"senders.yaml:5:44 {problem}",
    ]


def test_the_map_for_cmpp_has_a_vendors_own_status_for_each_reason_that_is_heard() -> None:
    cmpp = shipped_maps()["cmpp"]
    told_otherwise = {Reason.PUBLIC_INTEREST, Reason.PARTS_AWAITED}  # never heard
    told_otherwise |= {Reason.MALFORMED, Reason.OVERLOADED}  # each with a status of its own

    assert cmpp.keys() == all_reasons().keys() - told_otherwise
    assert all(0x400 <= status_named(status) <= 0x4FF for status in cmpp.values())
    own = [status for status in cmpp.values() if status_named(status) >= 0x420]
    assert sorted(set(own)) == sorted(own)


def test_no_sender_at_all_is_no_fault(write: Write) -> None:
    assert load_senders(write("senders.yaml", "version: 1\nsenders: []\n")) == {}


def test_a_password_may_stand_in_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SP1_PASSWORD", "secret")

    sender = load_senders(write("senders.yaml", one(password="env:SP1_PASSWORD")))["sp1"]

    assert sender.password == "env:SP1_PASSWORD"


def test_a_plain_password_loads_where_it_is_allowed(write: Write) -> None:
    text = "allow_plain_passwords: true\n" + one(password="plain:secret")

    assert load_senders(write("senders.yaml", text))["sp1"].password == "plain:secret"


BROKEN = {
    "system_id of 16": (
        {"system_id": "a" * 16},
        "3:14 senders[0].system_id: must be 1 to 15 visible ASCII characters",
    ),
    "system_id in Chinese": (
        {"system_id": "商城"},
        "3:14 senders[0].system_id: must be 1 to 15 visible ASCII characters",
    ),
    "system_id of digits": (
        {"system_id": "106900"},
        "3:14 senders[0].system_id: must be text: put numbers, true and false in quotes",
    ),
    "password bare": (
        {"password": "secret"},
        (
            '4:13 senders[0].password: must be "$argon2id$…" (smsward sender hash-password),'
            " env:NAME or plain:secret"
        ),
    ),
    "password plain": (
        {"password": "plain:secret"},
        "4:13 plain: passwords need allow_plain_passwords: true (demo and tests only)",
    ),
    "password cut short": (
        {"password": "$argon2id$…"},
        (
            "4:13 senders[0].password: not a whole argon2id hash;"
            " make one with: smsward sender hash-password"
        ),
    ),
    "password unset": (
        {"password": "env:SMSWARD_NO_SUCH"},
        "4:13 senders[0].password: environment variable SMSWARD_NO_SUCH is not set",
    ),
    "password as number": (
        {"password": "12345678"},
        "4:13 senders[0].password: must be text: put numbers, true and false in quotes",
    ),
    "unknown key": ({"windows": "3"}, "5:3 senders[0].windows: unknown key"),
    "state": (
        {"state": "on"},
        "5:10 senders[0].state: Input should be 'active', 'suspended' or 'expired'",
    ),
    "bind type": (
        {"binds": "{types: [tx, trx, xx]}"},
        "5:28 senders[0].binds.types[2]: Input should be 'tx', 'rx' or 'trx'",
    ),
    "no bind type": (
        {"binds": "{types: []}"},
        "5:18 senders[0].binds.types: List should have at least 1 item after validation, not 0",
    ),
    "network": (
        {"binds": '{addresses: ["127.0.0.0/8", "10.0.0.1/8"]}'},
        "5:38 senders[0].binds.addresses[1]: 10.0.0.1/8 has host bits set",
    ),
    "network by name": (
        {"binds": "{addresses: [localhost]}"},
        (
            "5:23 senders[0].binds.addresses[0]:"
            " 'localhost' does not appear to be an IPv4 or IPv6 network"
        ),
    ),
    "rate of none": (
        {"rate": "{per_s: 0}"},
        "5:17 senders[0].rate.per_s: Input should be greater than 0",
    ),
    "burst of none": (
        {"rate": "{burst: 0}"},
        "5:17 senders[0].rate.burst: Input should be greater than or equal to 1",
    ),
    "window of none": (
        {"window": "0"},
        "5:11 senders[0].window: Input should be greater than or equal to 1",
    ),
    "port without purpose": (
        {"ports": '[{number: "10690001"}]'},
        "5:11 senders[0].ports[0].purpose: is missing",
    ),
    "port as number": (
        {"ports": "[{number: 10690001, purpose: service}]"},
        "5:20 senders[0].ports[0].number: must be text: put numbers, true and false in quotes",
    ),
    "port with letters": (
        {"ports": '[{number: "1069x", purpose: service}]'},
        "5:20 senders[0].ports[0].number: must be 1 to 20 digits, or a name from a letter on",
    ),
    "digits behind a name": (
        {"ports": '[{number: "AX-HDFC", extension_digits: 2, purpose: service}]'},
        "5:49 no digits follow a port that is a name",
    ),
    "a name too long": (
        {"ports": '[{number: "Frühling", purpose: service}]'},
        "5:20 senders[0].ports[0].number: must be 1 to 20 digits, or a name from a letter on",
    ),
    "port too long": (
        {"ports": f'[{{number: "{"1" * 21}", purpose: service}}]'},
        "5:20 senders[0].ports[0].number: must be 1 to 20 digits, or a name from a letter on",
    ),
    "port with extension too long": (
        {"ports": f"[{port('1' * 17, 4)}]"},
        "5:20 number and extension together exceed 20 digits",
    ),
    "extension behind a person's number": (
        {"ports": f"[{port('13800138000', 2)}]"},
        "5:53 digits behind a person's mobile number would make it a port: 0 at most here",
    ),
    "extension behind a person's number with 86": (
        {"ports": f"[{port('8613800138000', 1)}]"},
        "5:55 digits behind a person's mobile number would make it a port: 0 at most here",
    ),
    "extension beyond people's numbers": (
        {"ports": f"[{port('139', 9)}]"},
        "5:45 digits behind a person's mobile number would make it a port: 8 at most here",
    ),
    "negative extension": (
        {"ports": f"[{port('1069', -1)}]"},
        "5:46 senders[0].ports[0].extension_digits: Input should be greater than or equal to 0",
    ),
    "extension in words": (
        {"ports": '[{number: "1069", extension_digits: "2", purpose: service}]'},
        "5:46 senders[0].ports[0].extension_digits: must be a whole number",
    ),
    "a port that is none": (
        {"ports": "[10690001]"},
        "5:11 senders[0].ports[0]: must be a mapping",
    ),
    "the same port twice": (
        {"ports": f"[{port('10690001')}, {port('10690001', 2)}]"},
        "5:81 overlaps the port in line 5",
    ),
    "reason": (
        {"statuses": "{SPAM: ESME_RSUBMITFAIL}"},
        "5:14 no such reason",
    ),
    "status": (
        {"statuses": "{CONTENT: ESME_RSPAM}"},
        "5:23 no error status: a name, as ESME_RSUBMITFAIL, or a number from 0x400 to 0x4FF",
    ),
    "accepted though it would pass later": (
        {"accept": "[CONTENT, RATE]"},
        "5:21 the SP must hear of this one in the answer",
    ),
    "no address of mail": (
        {"mail": '"ops@sp.example.com, all@sp.example.com"'},
        "5:9 senders[0].mail: must be as name@example.com",
    ),
    "unknown status map": (
        {"status_map": "sgip"},
        "5:15 there is no map sgip: cmpp is",
    ),
    "status that tells a lie": (
        {"statuses": "{CONTENT: ESME_ROK}"},
        "5:23 no error status: a name, as ESME_RSUBMITFAIL, or a number from 0x400 to 0x4FF",
    ),
    "status as number": (
        {"statuses": "{CONTENT: 69}"},
        "5:23 senders[0].statuses.CONTENT: must be text: put numbers, true and false in quotes",
    ),
}


@pytest.mark.parametrize(("fields", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_bad_field_is_named(
    fields: dict[str, str], fault: str, write: Write, faults_of: FaultsOf
) -> None:
    path = write("senders.yaml", one(**fields))

    assert faults_of(lambda: load_senders(path)) == [f"senders.yaml:{fault}"]


PEER = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: cmcc, kind: peer, password: "plain:secret", binds: {max: 2}}
"""


def test_r63_a_peer_names_no_ports(write: Write) -> None:
    peer = load_senders(write("senders.yaml", PEER))["cmcc"]

    assert (peer.is_peer, peer.ports, peer.scope) == (True, (), "mt_in")


def test_r63_peers_need_a_node_at_the_receiving_side(write: Write, faults_of: FaultsOf) -> None:
    path = write("senders.yaml", PEER)

    assert faults_of(lambda: load_senders(path, takes_peers=False)) == [
        "senders.yaml:4:29 peer needs node.role: terminating in gateway.yaml"
    ]


def test_r63_a_peer_with_ports_and_an_sp_of_the_name_of_all_peers_are_refused(
    write: Write, faults_of: FaultsOf
) -> None:
    text = PEER.replace("binds: {max: 2}", f"ports: [{port('10690001')}]")
    path = write("senders.yaml", text.replace("cmcc", "mt_in"))

    assert faults_of(lambda: load_senders(path)) == [
        "senders.yaml:4:17 mt_in stands for all other networks",
        "senders.yaml:4:69 a peer sends from any number but ours",
    ]


@pytest.mark.parametrize("ports", [port("13800138000"), port("139", 8), port("12520", 15)])
def test_people_may_be_owned_as_long_as_they_stay_people(ports: str, write: Write) -> None:
    path = write("senders.yaml", one(ports=f"[{ports}]"))

    assert load_senders(path)["sp1"].ports


def test_two_senders_of_one_system_id_are_refused(write: Write, faults_of: FaultsOf) -> None:
    text = one() + one().split("senders:\n")[1]
    path = write("senders.yaml", text)

    assert faults_of(lambda: load_senders(path)) == [
        "senders.yaml:5:14 senders[1].system_id: as in line 3 already"
    ]


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (port("10690001"), port("10690001"), "4:37 overlaps the port in line 3"),
        (port("10690001", 4), port("106900012345"), "4:37 overlaps the port in line 3"),
        (port("106900012345"), port("10690001", 4), "3:37 overlaps the port in line 4"),
        (port("10690001", 1), port("106900012", 3), "4:37 overlaps the port in line 3"),
        (port("1", 19), port("1" * 20), "4:37 overlaps the port in line 3"),
    ],
)
def test_two_senders_cannot_own_one_source_address(
    first: str, second: str, fault: str, write: Write, faults_of: FaultsOf
) -> None:
    path = write("senders.yaml", several(first, second))

    assert faults_of(lambda: load_senders(path)) == [f"senders.yaml:{fault}"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (port("10690001"), port("10690002")),
        (port("10690001"), port("106900011")),
        (port("10690001", 2), port("10690001123")),
        (port("10690001", 2), port("1069000", 0)),
    ],
)
def test_neighbouring_ports_may_have_different_owners(
    first: str, second: str, write: Write
) -> None:
    assert len(load_senders(write("senders.yaml", several(first, second)))) == 2


def test_a_port_may_be_a_name_as_abroad(write: Write) -> None:
    owned = '[{number: "AX-HDFCBK", purpose: service}, {number: "Vodafone UK", purpose: marketing}]'

    sender = load_senders(write("senders.yaml", one(ports=owned)))["sp1"]

    assert sender.port_of("AX-HDFCBK") == sender.ports[0]
    assert sender.port_of("AX-HDFCBK1") is None
    assert sender.port_of("ax-hdfcbk") is None


def test_two_sps_can_not_have_names_that_differ_in_case_alone(
    write: Write, faults_of: FaultsOf
) -> None:
    path = write("senders.yaml", several(port("AX-HDFCBK"), port("Ax-HdfcBk")))

    (fault,) = faults_of(lambda: load_senders(path))

    assert "overlaps the port in line 3" in fault


SHARED = '{number: "BANK", shared: true, purpose: service}'


def test_sps_share_a_port_if_all_of_them_say_so(write: Write) -> None:
    senders = load_senders(write("senders.yaml", several(SHARED, SHARED, SHARED)))

    assert all(sender.ports[0].shared for sender in senders.values())
    assert PortOwners(senders.values()).of("BANK") == ("sp0", "sp1", "sp2")
    assert PortOwners(senders.values()).sharing == {"sp0", "sp1", "sp2"}


@pytest.mark.parametrize(
    ("ports", "line"),
    [
        ((SHARED, port("BANK")), 4),
        ((port("BANK"), SHARED), 4),
        ((SHARED, SHARED.replace("true", "false")), 4),
        ((SHARED, SHARED.replace("BANK", "Bank")), 4),
        ((f"{SHARED}, {SHARED}",), 3),
        ((SHARED, f"{SHARED}, {SHARED}"), 4),
        (
            (SHARED.replace("BANK", "1069"), SHARED.replace('BANK"', '1069", extension_digits: 4')),
            4,
        ),
        (
            (
                SHARED.replace('BANK"', '1069", extension_digits: 4'),
                SHARED.replace("BANK", "10691"),
            ),
            4,
        ),
    ],
)
def test_a_port_that_not_all_share_is_refused(
    write: Write, faults_of: FaultsOf, ports: tuple[str, ...], line: int
) -> None:
    path = write("senders.yaml", several(*ports))

    (fault,) = faults_of(lambda: load_senders(path))

    assert fault.startswith(f"senders.yaml:{line}:")
    assert "overlaps the port in line 3" in fault


@pytest.mark.parametrize(
    ("code", "is_fault"), [("1069", True), ("10691", True), ("106912", False), ("106", False)]
)
def test_no_port_owns_a_report_code(
    write: Write, faults_of: FaultsOf, code: str, *, is_fault: bool
) -> None:
    own = '{number: "1069", extension_digits: 1, purpose: service}'
    path = write("senders.yaml", several(port("2000"), own))

    def load() -> object:
        return load_senders(path, report_codes=[code])

    if not is_fault:
        load()
        return
    (fault,) = faults_of(load)

    assert fault.startswith("senders.yaml:4:")
    assert f"{code} is a report code in gateway.yaml" in fault


def test_a_port_may_be_registered_for_several_purposes(write: Write) -> None:
    listed = '[{number: "10690001", purpose: [verification, marketing, marketing]}]'

    (owned,) = load_senders(write("senders.yaml", one(ports=listed)))["sp1"].ports

    assert owned.purposes == (Purpose.VERIFICATION, Purpose.MARKETING)


def test_an_sp_may_register_part_of_its_port_for_another_purpose(write: Write) -> None:
    path = write("senders.yaml", several(f"{port('10690001', 4)}, {port('1069000199')}"))

    assert len(load_senders(path)["sp0"].ports) == 2


def test_many_senders_are_checked_in_passing(write: Write) -> None:
    text = several(*(port(f"1069{index:06}", 4) for index in range(300)))

    assert len(load_senders(write("senders.yaml", text))) == 300


def test_no_fault_shows_a_password(write: Write, faults_of: FaultsOf) -> None:
    path = write("senders.yaml", one(password='"plain:letmein99"'))

    faults = faults_of(lambda: load_senders(path))

    assert len(faults) == 2
    assert "letmein" not in "".join(faults)


def test_senders_of_no_shape_at_all_are_refused(write: Write, faults_of: FaultsOf) -> None:
    path = write("senders.yaml", "version: 1\nsenders: [1, [], {ports: 3, statuses: [x]}]\n")

    assert len(faults_of(lambda: load_senders(path))) >= 4


def test_accounts_of_one_company_name_it(write: Write) -> None:
    [named] = load_senders(write("senders.yaml", one(owner='"B2-20130117"'))).values()
    [unnamed] = load_senders(write("senders.yaml", one())).values()

    assert (named.owner, unnamed.owner) == ("B2-20130117", "")


@pytest.mark.parametrize("owner", ["''", "20130117", "x" * 65, "[a]"])
def test_an_owner_is_a_name_of_bounded_length(
    write: Write, faults_of: FaultsOf, owner: str
) -> None:
    path = write("senders.yaml", one(owner=owner))

    [fault] = faults_of(lambda: load_senders(path))

    assert "owner" in fault


GROUPS = SmscGroups(frozenset({"main", "codes", "abroad"}), frozenset({"main", "abroad"}))


def test_a_sender_names_its_group_of_smscs(write: Write) -> None:
    path = write("senders.yaml", one(group="codes"))

    (sender,) = load_senders(path, GROUPS).values()

    assert sender.group == "codes"


@pytest.mark.parametrize(
    ("routes", "numbers", "group"),
    [
        ((Route("codes", "1069"),), ("10690001", "10690002"), "codes"),
        ((Route("codes", "1069"), Route("abroad", "10690")), ("10690001",), "abroad"),
        ((Route("codes", "BANK"),), ("BANK",), "codes"),
        ((Route("codes", "1068"),), ("10690001",), "main"),
        ((Route("abroad", "106900"),), ("10690001", "10680001"), "main"),  # message by message
        ((Route("codes", "1069"),), (), "main"),
        ((Route("abroad", "1069", "852"),), ("10690001",), "main"),
    ],
)
def test_a_sender_whose_ports_all_go_to_one_group_binds_there(
    write: Write, routes: tuple[Route, ...], numbers: tuple[str, ...], group: str
) -> None:
    path = write("senders.yaml", one(ports=f"[{', '.join(map(port, numbers))}]"))

    (sender,) = load_senders(path, replace(GROUPS, routes=routes)).values()

    assert sender.group == group


@pytest.mark.parametrize(
    "ports",
    [f"[{port('10690001')}, {port('10680001')}]", f"[{port('106', 4)}]"],
)
def test_ports_that_go_to_several_groups_need_pooled_ones(
    write: Write, faults_of: FaultsOf, ports: str
) -> None:
    path = write("senders.yaml", one(ports=ports))
    groups = replace(GROUPS, routes=(Route("codes", "1069"),))

    (fault,) = faults_of(lambda: load_senders(path, groups))

    assert fault.endswith(
        "its ports go to the groups codes, main, and a session has one bind: all of them, and its"
        " own group, must be pooled"
    )


@pytest.mark.parametrize("changes", [{"group": "gone"}, {}])
def test_a_group_without_an_smsc_is_a_fault(
    write: Write, faults_of: FaultsOf, changes: dict[str, str]
) -> None:
    path = write("senders.yaml", one(**changes))

    [fault] = faults_of(lambda: load_senders(path, SmscGroups(frozenset({"codes"}))))

    assert fault.endswith(f"no SMSC in gateway.yaml is of the group {changes.get('group', 'main')}")
