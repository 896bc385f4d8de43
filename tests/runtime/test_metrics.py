from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.runtime.metrics import GatewayCollector, render_snapshot
from gateway.runtime.snapshot import (
    MAX_SYSTEM_IDS,
    Counters,
    PolicyIdentity,
    RecordsHealth,
    Snapshot,
)
from gateway.smpp.status import CommandStatus

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
Build = Callable[[Counters], Snapshot]


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot(
        counters=Counters(),
        sessions={("esme", "bound_trx"): 3, ("smsc", "bound_trx"): 2},
        in_flight={"sp1": 17},
        held={"held": 5, "released": 1},
        records=RecordsHealth(
            pending=9, failing=True, written=100, lost=4, malformed=3, failures=2
        ),
        policy=PolicyIdentity("cn-default", "0123456789ab", "balanced"),
        unlisted_events=6,
    )


def told(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(
    samples: Mapping[tuple[str, tuple[tuple[str, str], ...]], float], name: str, /, **labels: str
) -> float:
    return samples[f"smsward_{name}", tuple(sorted(labels.items()))]


def test_what_was_counted_is_told_by_name(snapshot: Snapshot) -> None:
    counters = snapshot.counters
    counters.submits.add(("reject", "CONTENT"), 3)
    counters.submits.add(("reject", "CONTENT"))
    counters.findings = {("K-LOAN", "shadow"): 7}
    counters.sender_submits.add(("sp1", "reject"))
    counters.answers.add(CommandStatus.ESME_RTHROTTLED)
    counters.binds.add("credentials")
    counters.link_losses += 1
    counters.stray_answers += 2
    counters.framing_errors += 3
    counters.timeouts += 4
    counters.malformed_pdus += 5
    counters.filter_failures += 6
    counters.classifier_failures += 10
    counters.tick_failures += 7
    counters.replies_put_back += 8
    counters.replies_unheard += 9

    samples = told(render_snapshot(snapshot))

    assert value(samples, "submits_total", action="reject", reason="CONTENT") == 4
    assert value(samples, "findings_total", rule="K-LOAN", mode="shadow") == 7
    assert value(samples, "sender_submits_total", system_id="sp1", action="reject") == 1
    assert value(samples, "answers_total", status="ESME_RTHROTTLED") == 1
    assert value(samples, "binds_total", reason="credentials") == 1
    assert value(samples, "link_losses_total") == 1
    assert value(samples, "stray_answers_total") == 2
    assert value(samples, "framing_errors_total") == 3
    assert value(samples, "timeouts_total") == 4
    assert value(samples, "malformed_pdus_total") == 5
    assert value(samples, "filter_failures_total") == 6
    assert value(samples, "classifier_failures_total") == 10
    assert value(samples, "tick_failures_total") == 7
    assert value(samples, "replies_put_back_total") == 8
    assert value(samples, "replies_unheard_total") == 9


def test_how_things_stand_is_told(snapshot: Snapshot) -> None:
    samples = told(render_snapshot(snapshot))

    assert value(samples, "sessions", side="esme", state="bound_trx") == 3
    assert value(samples, "in_flight", system_id="sp1") == 17
    assert value(samples, "quarantine_messages", state="held") == 5
    assert (
        value(samples, "policy_info", name="cn-default", digest="0123456789ab", posture="balanced")
        == 1
    )
    assert value(samples, "records_pending") == 9
    assert value(samples, "records_failing") == 1
    assert value(samples, "records_written_total") == 100
    assert value(samples, "records_lost_total") == 4
    assert value(samples, "records_malformed_total") == 3
    assert value(samples, "records_failures_total") == 2
    assert value(samples, "log_unlisted_total") == 6
    assert ("process_resident_memory_bytes", ()) in samples


def test_values_the_specification_does_not_know_come_together(snapshot: Snapshot) -> None:
    for status in (0x0400, 0x0401, 0xFFFF_FFFF):
        snapshot.counters.answers.add(status)

    assert value(told(render_snapshot(snapshot)), "answers_total", status="other") == 3


def test_the_series_stay_bounded_with_any_number_of_sps(snapshot: Snapshot) -> None:
    many = {f"sp{number}": 1 for number in range(MAX_SYSTEM_IDS + 500)} | {"other": 1}

    samples = told(render_snapshot(replace(snapshot, in_flight=many)))

    in_flight = {
        labels: count for (name, labels), count in samples.items() if name == "smsward_in_flight"
    }
    assert len(in_flight) == MAX_SYSTEM_IDS + 1
    assert sum(in_flight.values()) == len(many)


def test_an_sp_cannot_break_the_exposition_with_its_name(snapshot: Snapshot) -> None:
    name = 'a"} 1\nsmsward_forged 1\\'
    snapshot.counters.sender_submits.add((name, "forward"))

    samples = told(render_snapshot(snapshot))

    assert value(samples, "sender_submits_total", system_id=name, action="forward") == 1
    assert ("smsward_forged", ()) not in samples


def test_a_histogram_is_told_with_limits_in_seconds(snapshot: Snapshot) -> None:
    for tick_us in (0, 1, 900, 5_000_000_000):
        snapshot.counters.tick_us.observe(tick_us)

    samples = told(render_snapshot(snapshot))

    assert value(samples, "tick_seconds_bucket", le="0") == 1
    assert value(samples, "tick_seconds_bucket", le="1e-06") == 2
    assert value(samples, "tick_seconds_bucket", le="0.001023") == 3
    assert value(samples, "tick_seconds_bucket", le="+Inf") == 4
    assert value(samples, "tick_seconds_count") == 4
    assert value(samples, "tick_seconds_sum") == pytest.approx(5000.000901)


def test_registering_takes_no_snapshot_and_every_scrape_takes_one(snapshot: Snapshot) -> None:
    taken: list[Snapshot] = []

    def take() -> Snapshot:
        taken.append(snapshot)
        return snapshot

    registry = CollectorRegistry()
    registry.register(GatewayCollector(take))
    assert taken == []

    generate_latest(registry)
    generate_latest(registry)
    assert len(taken) == 2
