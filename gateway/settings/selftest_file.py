"""The cases of `selftest.yaml`: texts, and what their author says must become of them."""

from collections.abc import Iterable
from pathlib import Path

from gateway.domain.policy import Expectation, SelfTestCase
from gateway.settings.bundle_file import CaseShape, SelfTestFile
from gateway.settings.fault import Fault
from gateway.settings.schema import validate
from gateway.settings.yaml import Document, Mark


def load_selftest(document: Document, directory: Path) -> tuple[SelfTestCase, ...]:
    """Return the cases with their places in the bundle of `directory`.

    Raises SettingsError with all faults.
    """
    file = validate(document, SelfTestFile, _lists_of_forwards)
    marks = (document.mark(("cases", number)) for number in range(len(file.cases)))
    return tuple(
        _case(shape, mark, directory) for shape, mark in zip(file.cases, marks, strict=True)
    )


def _case(shape: CaseShape, mark: Mark, directory: Path) -> SelfTestCase:
    return SelfTestCase(
        text=shape.text,
        expect=shape.expect,
        list_id=shape.list or "",
        data_coding=shape.data_coding,
        file=mark.path.relative_to(directory).as_posix(),
        line=mark.line,
        column=mark.column,
    )


def _lists_of_forwards(document: Document) -> Iterable[Fault]:
    for where, case in document.find("cases", "*"):
        if isinstance(case, dict) and case.get("expect") == Expectation.FORWARD and "list" in case:
            yield document.fault((*where, "list"), "no list finds a text that is forwarded")
