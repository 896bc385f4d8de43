"""Files of filings: what they say, every fault of theirs, and that they can be written."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.filings import (
    KEYS,
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
    clashes_in,
    key_of,
    problems_of,
)
from gateway.domain.sender import BindLimits, Port, Rate, Sender, SenderState
from gateway.settings import yaml
from gateway.settings.filings import filings_of, load_filings, written
from gateway.settings.yaml import SettingsError

WHOLE = """\
version: 1
senders:
  - system_id: shop
    licence: {number: 粤B2-20200001, valid_until: 2027-03-31}
    signatures:
      - {name: 示例商城}
      - {name: 示例会员, sources: ["1069000112", "1069000113"]}
    templates:
      - {id: T-001, kind: verification, text: "您的验证码{1}，5分钟内有效。", max_variable: 8}
      - {id: T-002, kind: consent_request, text: "回复Y同意接收{1}的优惠，每月两条，为期一年。"}
    scopes:
      - {port: "10690002", province: 福建}
    approvals:
      - {port: "10690002", reference: 应急〔2026〕1号, valid_from: 2026-01-01, valid_until: 2026-12-31}
  - system_id: bank
    licence: {number: 00123, valid_until: "2026-06-30"}
"""  # noqa: E501 - as people write it
SHOP = Sender(
    system_id="shop",
    password="",
    name="shop",
    state=SenderState.ACTIVE,
    binds=BindLimits(1, frozenset(), ()),
    ports=(Port("10690001", 4), Port("10690002")),
    rate=Rate(1, 1),
    window=1,
)
PLAIN = "version: 1\nsenders:\n  - system_id: shop\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "filings.yaml"


def faults_of(file: Path, text: str, senders: dict[str, Sender] | None = None) -> list[str]:
    """Return the faults of a file as ``line:column problem``."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_filings(file, senders)
    return [str(fault).partition(f"{file}:")[2] for fault in refused.value.faults]


def test_r23_a_request_for_consent_that_leaves_something_out_is_a_fault_of_its_line(
    file: Path,
) -> None:
    request = "{id: T1, kind: consent_request, text: 想每月给您发两条新书短信，回复Y同意}"

    (fault,) = faults_of(file, f"{PLAIN}    templates:\n      - {request}\n")

    assert fault.startswith("5:9 senders[0].templates[0]")
    assert fault.endswith("must say for how long (为期一年)")


def test_a_file_says_what_is_filed(file: Path) -> None:
    file.write_text(WHOLE, encoding="utf-8")

    assert load_filings(file) == (
        Licence("shop", "粤B2-20200001", date(2027, 3, 31)),
        Signature("shop", "示例商城"),
        Signature("shop", "示例会员", ("1069000112", "1069000113")),
        Template("shop", "T-001", TemplateKind.VERIFICATION, "您的验证码{1}，5分钟内有效。", 8),
        Template(
            "shop",
            "T-002",
            TemplateKind.CONSENT_REQUEST,
            "回复Y同意接收{1}的优惠，每月两条，为期一年。",
        ),
        PortScope("shop", "10690002", "福建"),
        Approval("shop", "10690002", "应急〔2026〕1号", date(2026, 1, 1), date(2026, 12, 31)),
        Licence("bank", "00123", date(2026, 6, 30)),
    )


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("    licence: {number: 粤B2, valid_until: 2027-02-30}", "4:41 senders[0].licence"),
        ("    licence: {number: 粤B2, valid_until: 20270331}", "must be a day"),
        ("    licence: {number: 粤B2, valid_until: 0027-03-31}", "between 2000 and 2200"),
        ("    licence: {number: 粤B2}", "valid_until: is missing"),
        (
            "    licence: {number: 粤B2, until: 2027-03-31}",
            "4:28 senders[0].licence.until: unknown",
        ),
        ("    signatures: [{name: 客服通知}]", "4:25 senders[0].signatures[0].name: names nobody"),
        ("    signatures: [{name: 商}]", "2 to 32 characters"),
        ("    signatures: [{name: 商城, sources: [10690001]}]", "put numbers"),
        ("    signatures: [{name: 商城, sources: ['1069x']}]", "1 to 20 digits"),
        ("    signatures: [{name: 商城}, {name: 商城}]", "4:37 filed in line 4 already"),
        (
            "    signatures: [{name: 商城, sources: ['1']}, {name: 会员, sources: ['1']}]",
            "4:67 belongs to the signature in line 4 already",
        ),
        ("    templates: [{id: T, kind: service, text: '{1}{2}好的'}]", "beside each other"),
        ("    templates: [{id: T, kind: service, text: '见http://a.cn/{1}'}]", "beside a link"),
        ("    templates: [{id: T, kind: service, text: '{1}'}]", "letters of its own"),
        ("    templates: [{id: T, kind: advert, text: 您好}]", "4:31 senders[0].templates[0].kind"),
        ("    templates: [{id: T, kind: service, text: 您好, max_variable: 65}]", "64"),
        ("    templates: [{id: '', kind: service, text: 您好}]", "1 to 64 characters"),
        ("    scopes: [{port: '1a', province: 福建}]", "1 to 20 digits"),
        ("    scopes: [{port: '1', province: 福建}, {port: '1', province: 广东}]", "already"),
        (
            (
                "    approvals: [{port: '1', reference: 1号, valid_from: 2026-02-01,"
                " valid_until: 2026-01-01}]"
            ),
            "ends before it begins",
        ),
        ("    state: active", "4:5 senders[0].state: unknown key"),
        ("  - system_id: shop", "as in line 3 already"),
        ("  - system_id: 'sp 1'", "visible ASCII"),
    ],
)
def test_every_fault_is_told_with_its_place(file: Path, lines: str, fault: str) -> None:
    assert any(fault in told for told in faults_of(file, f"{PLAIN}{lines}\n"))


def test_all_faults_are_told_at_once(file: Path) -> None:
    text = WHOLE.replace("示例商城", "通知").replace("福建", "''").replace("2027-03-31", "soon")

    assert [told.partition(" ")[0] for told in faults_of(file, text)] == ["4:50", "6:16", "12:38"]


def test_values_of_no_sound_shape_are_faults_and_not_more(file: Path) -> None:
    text = "version: 1\nsenders: [{system_id: 1, signatures: [1, {name: 2, sources: [[]]}]}, 3]\n"

    assert len(faults_of(file, text, {"shop": SHOP})) == 5


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("system_id: bank", "system_id: bonk", "15:16 no such sender"),
        ('"1069000113"', '"1069000213"', "7:46 no source of shop"),
        ('port: "10690002", province', 'port: "1069000112", province', "12:16 no port of shop"),
        ('port: "10690002", ref', 'port: "10690003", ref', "14:16 no port of shop"),
    ],
)
def test_what_is_filed_for_others_ports_is_told(
    file: Path, before: str, after: str, fault: str
) -> None:
    senders = {"shop": SHOP, "bank": SHOP}

    faults = faults_of(file, WHOLE.replace(before, after), senders)

    assert [told for told in faults if told.startswith(fault)]
    assert len(faults) == 1


NAMES = st.text(alphabet="商城银行AB12", min_size=3, max_size=8)
TEXTS = st.text(alphabet="您的好 nullyes:#'\"-12，{}", min_size=1, max_size=30)
NAMED = ("sp1", "no", "1e3", "0x10", "null")
SYSTEM_IDS = st.sampled_from(NAMED)
DAYS = st.dates(date(2000, 1, 1), date(2200, 12, 31))
ENDS = st.none() | DAYS
FILINGS: st.SearchStrategy[Filing] = st.one_of(
    st.builds(Licence, SYSTEM_IDS, NAMES, DAYS),
    st.builds(Signature, SYSTEM_IDS, NAMES, st.just(()) | st.just(("0106", "00000")), ENDS),
    st.builds(
        Template, SYSTEM_IDS, NAMES, st.sampled_from(TemplateKind), TEXTS, st.integers(1, 64), ENDS
    ),
    st.builds(PortScope, SYSTEM_IDS, st.from_regex("[0-9]{1,20}", fullmatch=True), NAMES),
    st.builds(Approval, SYSTEM_IDS, st.just("0106"), NAMES, DAYS, DAYS),
)


@given(st.lists(FILINGS, max_size=12))
def test_what_is_written_reads_back_as_it_was(drawn: list[Filing]) -> None:
    sound = {key_of(filing): filing for filing in drawn if not problems_of(filing)}
    filings = list(sound.values())
    by_sender = ([one for one in filings if one.system_id == sp] for sp in NAMED)
    assume(not any(map(clashes_in, by_sender)))

    document = yaml.compose(Path("filings.yaml"), written(filings).encode())

    assert set(filings_of(document)) == set(filings)


def test_the_example_of_the_documentation_can_be_filed() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "filings.md"
    _, _, example = page.read_text(encoding="utf-8").partition("```yaml\n")

    filings = filings_of(yaml.compose(page, example.partition("```")[0].encode()))

    assert {type(filing) for filing in filings} == set(KEYS)
