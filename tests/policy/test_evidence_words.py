"""All that rules say for evidence can be read in Chinese."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.policy
from gateway.domain.sender import SenderState
from gateway.filter.contacts import ContactKind
from gateway.filter.lookalike import Likeness, LookAlike
from gateway.policy.checks import preferences
from gateway.policy.checks.content import _by_what
from gateway.policy.evidence_words import CHINESE, evidence_in_chinese

_SAYING = {"Evidence", "Finding", "_evidence"}


def said() -> Iterator[str]:
    """Yield what stands in the source as evidence, of texts with values their constant head."""
    for path in Path(gateway.policy.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _SAYING:
                yield from filter(None, map(head, node.args))


def head(argument: ast.expr) -> str:
    if isinstance(argument, ast.JoinedStr):
        argument = argument.values[0]
    text = argument.value if isinstance(argument, ast.Constant) else ""
    return text if isinstance(text, str) and " " in text else ""


def test_every_constant_evidence_has_its_chinese() -> None:
    found = set(said())

    assert "the subscriber refused" in found
    assert {
        one for one in found if not any(key.startswith(one.strip(" :")) for key in CHINESE)
    } == set()
    whole = {one for one in found if not one.endswith(" ")}
    assert {one for one in whole if evidence_in_chinese(one) == one} == set()


def test_what_is_made_of_a_few_words_has_its_chinese_too() -> None:
    made = [one.text for one in preferences._FOUND.values()]
    made += [f"asks to come to: {kind}" for kind in ContactKind]
    made += [f"sender is {one}" for one in SenderState if one is not SenderState.ACTIVE]

    assert [one for one in made if one not in CHINESE] == []


@pytest.mark.parametrize(
    ("evidence", "chinese"),
    [
        ("the subscriber refused", "用户已拒收"),
        ("the subscriber refused meanwhile", "用户已在此期间拒收"),
        ("97 % likely spam: loan", "97 % 可能是垃圾短信: loan"),
        (
            "links to what is blocked: bad.example (3-13)",
            "链接指向已封禁的网站: bad.example (3-13)",
        ),
        (
            "asks to come to: wechat, in disguise; v*** (7-12)",
            "引导联系：微信（变形书写）; v*** (7-12)",
        ),
        (
            "a link made to be taken for bank.example (one letter) (3-13)",
            "链接仿冒 bank.example （一字之差） (3-13)",
        ),
        ("代开发票 (1-4)", "代开发票 (1-4)"),
        ("the text names no senders", "the text names no senders"),
        ("", ""),
    ],
)
def test_names_places_and_words_stay_as_they_are(evidence: str, chinese: str) -> None:
    assert evidence_in_chinese(evidence) == chinese


@pytest.mark.parametrize("likeness", Likeness)
def test_by_what_a_name_is_like_another_is_told_in_chinese(likeness: Likeness) -> None:
    told = f"a signature made to be taken for {_by_what(LookAlike('某银行', likeness))}"

    assert re.search("[a-z]", evidence_in_chinese(told)) is None


@given(st.text(max_size=40))
def test_of_other_evidence_nothing_is_lost(evidence: str) -> None:
    assert evidence_in_chinese(f"关键词 {evidence}") == f"关键词 {evidence}"
