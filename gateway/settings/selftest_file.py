"""The cases of `selftest.yaml`: texts, and what their author says must become of them."""

from collections.abc import Iterable

from gateway.domain.policy import Expectation, SelfTestCase
from gateway.settings.bundle_file import CaseShape, SelfTestFile
from gateway.settings.fault import Fault
from gateway.settings.schema import validate
from gateway.settings.yaml import Document


def load_selftest(document: Document) -> tuple[SelfTestCase, ...]:
    """Return the cases with their places. Raises SettingsError with all faults of the file."""
    file = validate(document, SelfTestFile, _lists_of_forwards)
    return tuple(_case(document, number, shape) for number, shape in enumerate(file.cases))


def _case(document: Document, number: int, shape: CaseShape) -> SelfTestCase:
    line, column = document.marks["cases", number]
    return SelfTestCase(
        text=shape.text,
        expect=shape.expect,
        list_id=shape.list or "",
        data_coding=shape.data_coding,
        line=line,
        column=column,
    )


def _lists_of_forwards(document: Document) -> Iterable[Fault]:
    for where, case in document.find("cases", "*"):
        if isinstance(case, dict) and case.get("expect") == Expectation.FORWARD and "list" in case:
            yield document.fault((*where, "list"), "no list finds a text that is forwarded")
