"""`linkage.yaml`: members and their keys, and every fault at its place."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.domain.linkage import AcceptRule, MemberRole, NumberRoute
from gateway.settings.linkage import load_linkage

FaultsOf = Callable[[Callable[[], object]], list[str]]
A, B = "A" * 42 + "E=", "A" * 42 + "I="
WHOLE = f"""\
version: 1
own: unicom-gd
key: linkage.pem
members:
  - name: unicom-gd
    carrier: 中国联通
    province: 广东
    url: https://unicom.example/
    keys:
      - kid: unicom-1
        public: {A}
        not_before: 2026-01-01T00:00:00+08:00
        not_after: 2027-01-01T00:00:00+08:00
  - name: hub
    carrier: 12321
    province: 全国
    role: hub
    url: https://hub.example/
    certificates: ["sha256:{"5c" * 32}"]
    keys:
      - kid: hub-1
        public: {B}
        not_before: 2026-01-01T00:00:00+08:00
        not_after: 2027-01-01T00:00:00+08:00
        revoked: 2026-06-01T00:00:00+08:00
""".replace("carrier: 12321", 'carrier: "12321"')


ROUTE = "{prefix: '106900012', member: unicom-gd}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    key = Ed25519PrivateKey.generate()
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "linkage.pem").write_bytes(octets)
    (tmp_path / "linkage.yaml").write_text(WHOLE, encoding="utf-8")
    return tmp_path / "linkage.yaml"


def test_a_file_says_who_takes_part_and_with_which_keys(path: Path) -> None:
    settings = load_linkage(path)

    registry = settings.registry
    assert settings.key == path.with_name("linkage.pem")
    assert registry.own_member.carrier == "中国联通"
    hub = registry.find("hub")
    assert hub is not None
    assert hub.role is MemberRole.HUB
    assert hub.certificates == (b"\x5c" * 32,)
    assert hub.keys[0].revoked == datetime(2026, 5, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("own: unicom-gd", "own: mobile", "2:6 own: no member of this name"),
        ("kid: hub-1", "kid: unicom-1", "21:14 members[1].keys[0].kid: as in line 10 already"),
        (f"public: {B}", f"public: {A}", "22:17 members[1].keys[0].public: as in line 11 already"),
        ("name: hub", "name: unicom-gd", "14:11 members[1].name: as in line 5 already"),
        ("url: https://hub", "url: http://hub", "18:10 members[1].url: must be https://"),
        (f"public: {A}", "public: AAAA", "11:17 members[0].keys[0].public: must be the 32"),
        (f"public: {A}", "public: '*'", "11:17 members[0].keys[0].public: must be the 32"),
        ("2026-06-01T00:00:00+08:00", "2026-06-01", "25:18 members[1].keys[0].revoked: must be"),
        ("2026-06-01T00:00:00+08:00", "soon", "25:18 members[1].keys[0].revoked: must be"),
        ("not_after: 2027", "not_after: 2025", "10:9 members[0].keys[0]: not_after is not after"),
        ("role: hub", "role: king", "17:11 members[1].role: "),
        ("sha256:5c", "sha256:5", "19:20 members[1].certificates[0]: must be"),
        ("key: linkage.pem", "key: linkage.yaml", "3:6 key: holds no private Ed25519 key"),
        ("key: linkage.pem", "key: linkage.pem\nhub: none", "4:6 hub: no member of this name"),
        ("key: linkage.pem", "key: linkage.pem\nhub: unicom-gd", "4:6 hub: this node is that"),
        ("key: linkage.pem", "key: linkage.pem\naccept: all", "4:9 accept: "),
        ("members:", f"routes: [{ROUTE}, {ROUTE}]\nmembers:", "4:61 routes[1].prefix: as in"),
        ("members:", "routes: [{prefix: '10655', member: a}]\nmembers:", "4:36 member: no member"),
        (
            "members:",
            "routes: [{prefix: '10655', member: hub}]\nmembers:",
            "4:36 member: a hub acts",
        ),
        (
            'carrier: "12321"\n    province: 全国\n    role: hub',
            "carrier: 中国联通\n    province: 广东",
            "14:5 the member of line 5 has this carrier and province",
        ),
        ("province: 全国", f"province: {'国' * 59}", "14:5 carrier/province: at most 64"),
        (
            "members:",
            "routes: [{prefix: '10', member: unicom-gd}]\nmembers:",
            "4:19 routes[0].prefix: ",
        ),
        ("key: linkage.pem", "key: none.pem", "3:6 key: no such file"),
    ],
)
def test_a_fault_stands_at_its_place(
    path: Path, faults_of: FaultsOf, old: str, new: str, fault: str
) -> None:
    path.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")

    (found,) = faults_of(lambda: load_linkage(path))

    assert found.startswith(f"linkage.yaml:{fault}")


def test_agreement_keys_stand_with_the_member_and_their_private_halves_in_files(
    path: Path,
) -> None:
    private = X25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (path.parent / "agrees.pem").write_bytes(pem)
    public = b64encode(private.public_key().public_bytes_raw()).decode()
    given = "{kid: unicom-a, public: '%s', not_before: '%s', not_after: '%s'}"
    key = given % (public, "2026-01-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00")
    text = WHOLE.replace("    keys:", f"    agreement_keys: [{key}]\n    keys:", 1)
    path.write_text(f"{text}agreement_keys: [agrees.pem]\n", encoding="utf-8")

    settings = load_linkage(path)

    assert settings.agreement_keys == (path.parent / "agrees.pem",)
    (found,) = settings.registry.own_member.agreement_keys
    assert (found.kid, found.public) == ("unicom-a", private.public_key().public_bytes_raw())


def test_an_agreement_key_of_another_kind_is_a_fault(path: Path, faults_of: FaultsOf) -> None:
    path.write_text(f"{WHOLE}agreement_keys: [linkage.pem]\n", encoding="utf-8")

    (found,) = faults_of(lambda: load_linkage(path))

    assert "agreement_keys[0]: holds no private X25519 key" in found


def test_routes_say_which_member_must_act_on_which_numbers(path: Path) -> None:
    path.write_text(WHOLE + f"accept: person\nroutes: [{ROUTE}]\n", encoding="utf-8")

    settings = load_linkage(path)

    assert settings.routes == (NumberRoute("106900012", "unicom-gd"),)
    assert settings.accept is AcceptRule.PERSON
