"""All that rules say for evidence can be read in Chinese."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.policy
from gateway.domain.sender import SenderState
from gateway.filter.contacts import ContactKind
from gateway.filter.lookalike import Likeness
from gateway.policy.check import Evidence
from gateway.policy.checks import user_preference
from gateway.policy.checks.bad_link import LIKENESSES, BadLink
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.engine import explain
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Account
from tests.policy.conftest import BUNDLE, EVERYTHING, FRAUD, SERVICE, World, rule, sender
from tests.policy.rulesets import message, rules
from tests.policy.scorers import WordScorer

_SAYING = {"Evidence", "Finding", "_evidence"}
# What these count stands in the words, which are in English alone.
_ENGLISH_ALONE = {"similar_texts.py", "too_often.py"}


def said() -> Iterator[tuple[str, str, str]]:
    """Yield file, English and Chinese of what stands in the source as evidence."""
    for path in Path(gateway.policy.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _SAYING:
                texts = list(filter(None, map(words, node.args)))
                english = next((at for at, text in enumerate(texts) if " " in text), None)
                zh = [words(one.value) for one in node.keywords if one.arg == "zh"]
                if english is not None:
                    yield path.name, texts[english], (*zh, *texts[english + 1 :], "")[0]


def words(argument: ast.expr) -> str:
    """Return a constant, of a text with values its parts, and the names of values."""
    match argument:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(parts):
            return "".join(map(words, parts))
        case ast.Name() | ast.Subscript():
            return ast.unparse(argument)
        case _:
            return ""


def test_every_constant_evidence_has_its_chinese() -> None:
    found = list(said())
    english_alone = [one for one in found if not one[2]]

    assert ("opt_out.py", "the subscriber refused", "用户已拒收") in found
    assert len(found) > 30
    assert {file for file, _, _ in english_alone} <= _ENGLISH_ALONE


def test_what_is_made_of_a_few_words_has_its_chinese_too() -> None:
    closed = [one for one in SenderState if one is not SenderState.ACTIVE]
    standing = [Account(sender(state=one)).standing for one in closed]
    made = [one.zh for one in user_preference._FOUND.values()]
    made += [one.zh for one in standing if one is not None]

    assert len(made) == len(user_preference._FOUND) + len(closed)
    assert [one for one in made if not one or re.search("[a-z]", one)] == []
    assert {"用户屏蔽了发送号码", "用户要求拦截此类内容", "服务商已暂停"} <= {*made}


CONTACTS = ContactInText(frozenset(ContactKind))
BAD = BadLink(block=("bad.com",), brands=("chunxiao.com",), disguised=True)
NAMES = Impostor(names=("工商银行",))


@pytest.mark.parametrize(
    ("check", "text", "english", "chinese"),
    [
        (
            Suspicious(0.005),
            "【春晓书店】恭喜您成为幸运读者，点此领奖",
            "97 % likely spam: fraud_prize; ",
            "97 % 可能是垃圾短信: fraud_prize; ",
        ),
        (
            BAD,
            "看 bad.com 吧",
            "links to what is blocked: bad.com (3-9)",
            "链接指向已封禁的网站: bad.com (3-9)",
        ),
        (
            BAD,
            "看 http://m.сhunxiao.com 吧",
            "a link made to be taken for chunxiao.com (spelling) (3-23)",
            "链接仿冒 chunxiao.com （拼写相同） (3-23)",
        ),
        (
            BAD,
            "看 888点com 吧",
            "a link written so that only people read it (3-9)",
            "链接经变形，只有人能读懂 (3-9)",
        ),
        (
            BadLink(only_allowed=True),
            "看 other.com 吧",
            "links to what is not allowed (3-11)",
            "链接指向未获允许的网站 (3-11)",
        ),
        (CONTACTS, "加微信 abc12345", "asks to come to: wechat; ", "引导联系：微信; "),
        (
            CONTACTS,
            "加微信 Ｃhunxiao88",
            "asks to come to: wechat, in disguise; ",
            "引导联系：微信（变形书写）; ",
        ),
        (
            NAMES,
            "【工伤银行】您好",
            "a signature made to be taken for 工商银行 (sound)",
            "签名仿冒 工商银行 （读音相近）",
        ),
    ],
)
def test_names_places_and_words_stay_as_they_are(
    check: BadLink | ContactInText | Impostor | Suspicious, text: str, english: str, chinese: str
) -> None:
    known = Knowledge(scorer=WordScorer())
    world = World(rule("R61", check, applies_to=EVERYTHING), knowledge=known)
    verdict = explain(world.rules, world.message(SERVICE), (text,), 0.0, 0.0)
    (found,) = [one for one in verdict.findings if one.rule == "R61"]

    assert found.evidence.startswith(english)
    assert found.zh.startswith(chinese)


def test_a_word_of_a_list_is_evidence_as_it_stands() -> None:
    text = "the text names no sender"
    compiled = rules(replace(BUNDLE, keyword_lists=(replace(FRAUD, words=(text,)),)))
    verdict = explain(compiled, message(compiled), (text,), 0.0, 0.0)
    (found,) = [one for one in verdict.findings if one.rule == "K-FRAUD"]

    assert found.evidence.startswith("the text names no sender")
    assert found.zh == ""


@pytest.mark.parametrize("likeness", Likeness)
def test_by_what_a_name_is_like_another_is_told_in_chinese(likeness: Likeness) -> None:
    assert re.search("[a-z]", LIKENESSES[likeness]) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_of_the_details_of_a_text_nothing_is_lost(zh: str, details: str) -> None:
    detailed = Evidence("the text", zh=zh).with_details(details)

    assert detailed.text == f"the text{details}"
    assert detailed.zh == (f"{zh}{details}" if zh else "")
