"""What `smsward filter train` takes from the store, and what it says of it."""

import asyncio
from hashlib import sha256
from pathlib import Path

from gateway.cli.deployment import load_settings
from gateway.cli.failure import misused
from gateway.cli.filter_options import TrainingTarget
from gateway.cli.sample_list import all_samples
from gateway.systems.learning.person_verdicts import ORIGIN, to_train_on
from gateway.systems.learning.sample_split import MAX_WEIGHT, SampleSplit
from gateway.systems.learning.samples import SampleFile


def samples_to_add(made: TrainingTarget, config: Path | None) -> SampleFile:
    """Return the samples on record as a file would hold them, the newest first.

    None unless they are asked for.
    """
    if not 1 <= made.weight <= MAX_WEIGHT:
        raise misused(f"--weight: 1 to {MAX_WEIGHT}")
    if not made.add_samples:
        return SampleFile(ORIGIN, "", ())
    kept = asyncio.run(all_samples(load_settings(config)))
    digest = sha256("".join(sorted(f"{one.digest} {one.label}\n" for one in kept)).encode())
    return SampleFile(ORIGIN, digest.hexdigest(), tuple(map(to_train_on, kept)))


def described_file(file: SampleFile) -> dict[str, object]:
    """Return what a model's card says of labelled texts: no text, only what they were."""
    spam = sum(sample.is_spam for sample in file.samples)
    return {
        "file": file.name,
        "sha256": file.sha256,
        "ham": len(file.samples) - spam,
        "spam": spam,
        "sources": sorted({sample.origin for sample in file.samples}),
    }


def described_addition(
    verdicts: SampleFile, added: SampleSplit, made: TrainingTarget
) -> dict[str, object]:
    """Return what a model's card says of the samples and of what became of them."""
    return {
        **described_file(verdicts),
        "added": added.added,
        "weight": made.weight,
        "left_out": added.left_out,
        "repeated": added.repeated,
    }


def told_addition(added: SampleSplit) -> str:
    """Return that in words."""
    return (
        f"samples: {added.added} added, {added.left_out} left out for their campaign is measured"
        f" on, {added.repeated} for there are enough of their campaign"
    )
