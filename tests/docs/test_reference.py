"""The reference pages say what the code does: no row too many, none missing."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias, get_args, get_type_hints

import pytest
from pydantic.fields import FieldInfo

from gateway.app.linkage_metrics import LinkageCollector
from gateway.domain.quarantine import FINAL_STATES, HoldState
from gateway.domain.verdict import Action
from gateway.policy.checks import all_checks, all_reasons
from gateway.runtime.logging import EVENTS
from gateway.runtime.metrics import GatewayCollector
from gateway.runtime.snapshot import Counters, PolicyIdentity, RecordsHealth, Snapshot
from gateway.session.binding import BindReason
from gateway.settings.bundles.bundle import BundleFile, ContentFile, RepliesFile
from gateway.settings.bundles.keyword_lists import KeywordsFile
from gateway.settings.bundles.rules import SHAPES, FindingShape
from gateway.settings.bundles.selftest import SelfTestFile
from gateway.settings.console import ConsoleSettings
from gateway.settings.filings import FilingsFile
from gateway.settings.gateway import GatewaySettings
from gateway.settings.linkage import LinkageSettings
from gateway.settings.schema import Address, ReadAs, Section, Shape
from gateway.settings.senders import SendersFile
from gateway.settings.services import ServicesFile
from gateway.settings.status_maps import shipped_maps
from gateway.storage.tables import metadata
from gateway.stores import open_store  # noqa: F401 - with it every table is known
from gateway.systems.linkage.model import LinkageCounts, LinkageStanding

Rows = list[tuple[str, ...]]
Table = Callable[[str, str], Rows]

FILES = [
    ("reference/configuration.md", "## gateway.yaml", GatewaySettings),
    ("reference/configuration.md", "## senders.yaml", SendersFile),
    ("reference/configuration.md", "## services.yaml", ServicesFile),
    ("reference/configuration.md", "## console.yaml", ConsoleSettings),
    ("reference/configuration.md", "## filings.yaml", FilingsFile),
    ("reference/configuration.md", "## linkage.yaml", LinkageSettings),
    ("reference/policies.md", "## bundle.yaml", BundleFile),
    ("reference/policies.md", "## keywords/*.yaml", KeywordsFile),
    ("reference/policies.md", "## replies.yaml", RepliesFile),
    ("reference/policies.md", "## content.yaml", ContentFile),
    ("reference/policies.md", "## selftest.yaml", SelfTestFile),
]

Model: TypeAlias = Shape | Section


def settings_of(shape: type[Model], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting below `shape` with its default as a file would write it."""
    for attribute, field in fields_of(shape).items():
        name = field.alias or attribute
        notes = (one.written for one in field.metadata if isinstance(one, ReadAs))
        annotation = next(notes, field.annotation)
        inner = inner_shape(annotation)
        if inner is None:
            default = (
                "required"
                if field.is_required()
                else written(field.get_default(call_default_factory=True))
            )
            yield f"{before}{name}", default
        else:
            is_many, is_map = "list[" in str(annotation), "dict[" in str(annotation)
            each = "[]" if is_many else ".CATEGORY" if is_map else ""
            yield from settings_of(inner, f"{before}{name}{each}.")


def fields_of(shape: type[Model]) -> dict[str, FieldInfo]:
    if issubclass(shape, Shape):
        return shape.model_fields
    hints = get_type_hints(shape, include_extras=True)
    plain: Any = shape
    return {
        one.name: FieldInfo.from_annotated_attribute(hints[one.name], one) for one in fields(plain)
    }


def inner_shape(annotation: object) -> type[Model] | None:
    if isinstance(annotation, ReadAs):
        return inner_shape(annotation.written)
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return annotation
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = [inner for one in reversed(get_args(annotation)) if (inner := inner_shape(one))]
    return found[0] if found else None


def written(value: object) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case Enum():
            return str(value.value)
        case Address():
            return str(value)
        case dict() if value:
            return ", ".join(f"{key}: {written(item)}" for key, item in value.items())
        case tuple() | list():
            return ", ".join(written(item) for item in value) or "[]"
        case _:
            return str(value)


@pytest.mark.parametrize(("page", "heading", "shape"), FILES)
def test_every_setting_stands_in_the_reference_with_its_default(
    table: Table, page: str, heading: str, shape: type[Shape]
) -> None:
    rows = table(page, heading)

    described = {row[0]: row[1] for row in rows}

    assert len(rows) == len(described)
    assert described == dict(settings_of(shape))


def test_every_setting_that_all_rules_have_stands_in_the_reference(table: Table) -> None:
    rows = table("reference/policies.md", "## rules/*.yaml")

    version, *described = [(row[0], row[1]) for row in rows]
    assert version == ("version", "required")
    assert set(described) - {("rules[].check", "required")} == set(
        settings_of(FindingShape, "rules[].")
    )


@pytest.mark.parametrize("check", SHAPES)
def test_every_check_stands_in_the_reference_with_what_it_is_told(table: Table, check: str) -> None:
    explained = {row[0] for row in table("reference/policies.md", "### Checks")}
    common = {"check", *(name for name, _ in settings_of(FindingShape))}
    if set(SHAPES[check].check_type.allowed_actions) != {Action.REJECT, Action.QUARANTINE}:
        common.remove("action")  # it has more to choose from
    own = {name: default for name, default in settings_of(SHAPES[check]) if name not in common}

    assert check in explained
    if own:
        described = {row[0]: row[1] for row in table("reference/policies.md", f"#### {check}")}
        assert described == own


def test_checks_stand_in_the_reference_in_the_order_in_which_they_are_asked(table: Table) -> None:
    names = [check.name for check in all_checks()]

    assert [row[0] for row in table("reference/policies.md", "### Checks")] == names


def test_every_reason_stands_in_the_reference_with_its_status(table: Table) -> None:
    rows = table("reference/statuses.md", "# Reasons and statuses")

    assert {row[0]: row[1] for row in rows} == {
        name: reason.status for name, reason in all_reasons().items()
    }


def test_the_map_for_cmpp_stands_in_the_reference(table: Table) -> None:
    rows = table("reference/statuses.md", "## Maps of statuses")

    found = {reason.strip("`"): row[0] for row in rows for reason in row[1].split(", ")}
    assert found == shipped_maps()["cmpp"]


def test_every_reason_of_a_bind_stands_in_the_reference(table: Table) -> None:
    rows = table("reference/statuses.md", "## Binds")

    assert [row[0] for row in rows] == [reason.value for reason in BindReason]


def test_every_log_event_stands_in_the_reference_with_its_meaning(table: Table) -> None:
    rows = table("reference/events.md", "# Log events")

    assert sorted(row[0] for row in rows) == sorted(EVENTS)
    assert [row for row in rows if not row[1].endswith(".")] == []


def test_every_metric_stands_in_the_reference(table: Table) -> None:
    snapshot = Snapshot(
        counters=Counters(),
        sessions={},
        in_flight={},
        held={},
        records=RecordsHealth(0, failing=False, written=0, lost=0, malformed=0, failures=0),
        policy=PolicyIdentity("cn", "0123456789ab", "balanced"),
    )

    families = list(GatewayCollector(lambda: snapshot).collect())

    suffixes = {"counter": "_total", "info": "_info"}
    assert {row[0]: (row[1], row[3]) for row in table("reference/metrics.md", "# Metrics")} == {
        family.name + suffixes.get(family.type, ""): (family.type, family.documentation)
        for family in families
    }


def test_every_metric_of_the_linkage_stands_in_the_reference(table: Table) -> None:
    standing, now = LinkageStanding(0, None, 0, 0), datetime(2026, 11, 30, tzinfo=UTC)

    families = list(LinkageCollector(LinkageCounts(), standing, now).collect())

    suffixes = {"counter": "_total"}
    assert {row[0]: (row[1], row[3]) for row in table("reference/metrics.md", "## Linkage")} == {
        family.name + suffixes.get(family.type, ""): (family.type, family.documentation)
        for family in families
    }


def test_every_state_of_the_quarantine_is_explained(table: Table) -> None:
    rows = table("howto/quarantine.md", "# Work the quarantine")

    assert {row[0] for row in rows} == {state.value for state in HoldState}


def test_the_final_states_of_the_quarantine_are_named(table: Table) -> None:
    rows = table("glossary.md", "## States of a held message")

    assert {row[0] for row in rows if row[2] == "yes"} == {s.value for s in FINAL_STATES}


def test_every_table_of_the_store_stands_among_what_grows(table: Table) -> None:
    rows = table("reference/growth.md", "## Tables")

    assert set(re.findall("[a-z_]+", " ".join(row[0] for row in rows))) == set(metadata.tables)
