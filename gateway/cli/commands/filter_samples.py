"""`smsward filter samples`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.record_options import By
from gateway.cli.sample_options import ALL_SAMPLES, SampleVerdict, WantedSamples

samples = App(name="samples", help="Texts that people have judged, to learn from (样本).")

Number = Annotated[int, Parameter(name="NO")]


@samples.command(name="list")
def list_all(
    *, wanted: WantedSamples = ALL_SAMPLES, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List samples, the newest first, with the beginning of each text.

    A held message that is released becomes one of ham, one that is discarded becomes one of
    spam, if its words were what held it; so does what the authority was told of. Numbers are
    taken out of the texts, and nothing tells to whom they went.

    Example: smsward filter samples list --label spam --category loan
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.sample_list import list_samples

    return asyncio.run(list_samples(load_settings(config), config, wanted, as_json=as_json))


@samples.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one sample with its whole text.

    Example: smsward filter samples show 12
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.sample_list import show_sample

    return asyncio.run(show_sample(load_settings(config), number, as_json=as_json))


@samples.command
def count(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Count samples by label, category and kind of verdict.

    Example: smsward filter samples count
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.sample_list import count_samples

    return asyncio.run(count_samples(load_settings(config), as_json=as_json))


@samples.command
def add(*, said: SampleVerdict, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Keep what somebody says of the text on the standard input, numbers taken out.

    For what a subscriber complained of, and for messages that were sampled to see whether the
    filter is right. The last word on a text stands.

    Example: smsward filter samples add --label spam --source complaint --category loan < text
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.sample_list import add_sample

    return asyncio.run(add_sample(load_settings(config), said, as_json=as_json))


@samples.command
def forget(
    numbers: Annotated[list[int], Parameter(name="NO", negative="", help="Numbers of samples.")],
    /,
    *,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Delete samples: a verdict was wrong, or a text says too much. The purge log tells of it.

    What was trained on them stays as it is. The exit code is 1 when one was not on record.

    Example: smsward filter samples forget 12 13 --by lin
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.sample_list import forget_samples

    return asyncio.run(forget_samples(load_settings(config), numbers, by, as_json=as_json))
