"""The cases of `selftest.yaml`: texts and messages, and what must become of them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gateway.domain.consent import Answer
from gateway.domain.msisdn import is_mobile
from gateway.domain.policy import Expectation, SelfTestCase, SelfTestMessage
from gateway.domain.sender import Purpose
from gateway.settings.fault import Fault
from gateway.settings.schema import validate
from gateway.settings.selftest_shape import CaseShape, SelfTestFile
from gateway.settings.yaml import Document, Mark, Value

# What is not said: advertising, from a port that is for it, to somebody.
_PORT, _SOMEBODY = "10690000", "13800000000"


def load_selftest(document: Document, directory: Path) -> tuple[SelfTestCase, ...]:
    """Return the cases with their places in the bundle of `directory`.

    Raises SettingsError with all faults.
    """
    file = validate(document, SelfTestFile, _contradictions)
    marks = (document.mark(("cases", number)) for number in range(len(file.cases)))
    return tuple(
        _case(shape, mark, directory) for shape, mark in zip(file.cases, marks, strict=True)
    )


def _case(shape: CaseShape, mark: Mark, directory: Path) -> SelfTestCase:
    return SelfTestCase(
        text=shape.text,
        expect=shape.expect,
        list_id=shape.list or shape.rule or "",
        data_coding=shape.data_coding,
        message=_message(shape) if shape.is_message else None,
        file=mark.path.relative_to(directory).as_posix(),
        line=mark.line,
        column=mark.column,
    )


def _message(shape: CaseShape) -> SelfTestMessage:
    source = shape.from_ or Purpose.MARKETING
    is_port = source in set(Purpose)
    return SelfTestMessage(
        source=_PORT if is_port else source,
        purpose=Purpose(source) if is_port else Purpose.SERVICE,
        destination=shape.to or _SOMEBODY,
        at=shape.time,
        answer=Answer(shape.consent) if shape.consent is not None else None,
        is_suspended=shape.suspended,
    )


def _contradictions(document: Document) -> Iterable[Fault]:
    for where, case in document.find("cases", "*"):
        for key, problem in _of_one(case) if isinstance(case, dict) else ():
            yield document.fault((*where, key), problem)


def _of_one(case: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for key in ("list", "rule"):
        if key in case and case.get("expect") == Expectation.FORWARD:
            yield key, f"no {key} finds a text that is forwarded"
    if "list" in case and "rule" in case:
        yield "rule", "names another than list does, and one alone decides"
    if case.get("suspended") is True and not is_mobile(str(case.get("from")).encode()):
        yield "suspended", "from must be the number of a person, in quotes"
