"""`smsward filter`: train models, measure them, install them, and keep samples to learn from."""

# ruff: noqa: PLC0415 - see gateway.terminal

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.systems.learning.cli.options import (
    BY_ALL_SOURCES,
    BY_THEIR_CARDS,
    THIS_MODEL,
    UNREASONED,
    ComparisonOptions,
    EvaluationOptions,
    ModelChangeOptions,
    ModelChoice,
    Places,
    TrainingTarget,
)
from gateway.systems.learning.cli.samples import sample_commands
from gateway.terminal.options import FLAG, AsJson, ConfigDirectory

filter_commands = App(
    name="filter",
    help="Train the classifier (分类模型) on labelled texts, measure it, ask it.",
    sort_key=8,
)
filter_commands.command(sample_commands)


@filter_commands.command
def train(
    *, data: Places, made: TrainingTarget, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Train a model; what it was trained on and how good it is goes on its card.

    A text is one line, `label lang source text` between tabs, the label ham or spam. Of a
    directory `train_*.tsv` are trained on, and `dev_*.tsv` are what probabilities and thresholds
    are measured on; without any, every tenth campaign is held out. Texts of ports, of people and
    those without Han get a model each: --class says who sends those of files, a fifth column
    `port` or `person` that of a line. No text enters the model: only weights of hashed n-grams.

    With --add-samples what people have decided of messages here is trained on too; none of a
    campaign that is measured on, and no campaign more than twenty times.

    Example: smsward filter train --data data --class port -o model.npz

    Example: smsward filter train --data data --class "*_chats.tsv=person" --class port
    --add-samples --config config -o model.npz

    Example: openssl genpkey -algorithm ed25519 -out model.pem;
    smsward filter train --data ours_bulk.tsv --class port --key model.pem -o model.npz
    """
    from gateway.systems.learning.cli.model_trainer import train_model

    return train_model(data, made, config, as_json=as_json)


@filter_commands.command
def evaluate(
    files: Annotated[list[Path], Parameter(name="FILE", negative="")],
    /,
    *,
    chosen: ModelChoice = THIS_MODEL,
    asked: EvaluationOptions = BY_ALL_SOURCES,
    plot: Annotated[
        Path | None,
        Parameter(help="Draw into this PNG how probabilities and shares of spam agree."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    r"""Measure a model on labelled texts: F1, AUC, recall by the false alarms it takes.

    By class, by source, by category where sources name one (fbs/IL:Gambling, mine/loan), and
    by disguise where a file has nothing but spam and its sources are disguises, one of them
    none. Lines named in a .suspect file beside are left out in a second row. In the plot every
    square is a tenth of the probabilities, left to right, at the height of the share that was
    spam; the nearer to the diagonal, the better. Ports are blue, people orange, what has no Han
    green.

    Example: smsward filter evaluate dev_zh_bulk.tsv adv_dev.tsv --class port --model model.npz

    Example: smsward filter evaluate dev_\*.tsv --class port --train train_\*.tsv --plot dev.png

    Example: smsward filter evaluate dev_\*.tsv --class port --judge-by ours
    """
    from gateway.systems.learning.cli.model_trainer import evaluate_model

    return evaluate_model(files, chosen, asked, plot, as_json=as_json)


@filter_commands.command
def score(
    *,
    chosen: ModelChoice = THIS_MODEL,
    tolerate: Annotated[
        float, Parameter(help="So large a share of innocent texts may be stopped.")
    ] = 0.01,
    person: Annotated[
        bool, FLAG, Parameter(help="People have written this, it is from no port.")
    ] = False,
    evidence: Annotated[
        int, Parameter(help="Tell of so many pieces of the text what they weigh.")
    ] = 8,
) -> int:
    """Read `label lang source text` lines, print one line of JSON each, as soon as it can.

    `score` is the probability of spam; `severity` advert, fraud or illegal; `action` what the
    thresholds of the model ask for: forward, quarantine, or reject for fraud and illegal
    offers that stand above the threshold of one innocent text in a thousand. It is null where
    the model was not measured at so small a share as --tolerate says. A line that cannot be
    read is answered with `line`, its number, and `error`; the exit code is then 2.

    Example: smsward filter score --model model.npz < dev_zh_bulk.tsv
    """
    from gateway.systems.learning.cli.model_files import score_lines

    return score_lines(chosen, tolerate, evidence, is_port=not person)


@filter_commands.command
def compare(
    old: Annotated[Path | None, Parameter(name="OLD")] = None,
    new: Annotated[Path | None, Parameter(name="NEW")] = None,
    /,
    *,
    compared: ComparisonOptions = BY_THEIR_CARDS,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Compare two models, on labelled texts or by what their cards say, or on live traffic.

    On texts it counts as well those that one stops and the other lets pass, at one false alarm
    in a hundred. With --live it is told what the running gateway has counted so, of each text
    that was new to it. A text that the two dispute has a name, which `b2sum -l 64` makes of it;
    with --texts those that stand in the records are shown, numbers taken out.

    Example: smsward filter compare model.npz new.npz --data dev_zh_bulk.tsv --class port

    Example: smsward filter compare --live --texts
    """
    if compared.live:
        from gateway.systems.learning.cli.model_life import show_live
        from gateway.terminal.deployment import load_settings
        from gateway.terminal.failure import misused

        if old or new or compared.data:
            raise misused("--live compares the models that are installed, and no other")
        return show_live(load_settings(config), with_texts=compared.texts, as_json=as_json)
    from gateway.systems.learning.cli.model_trainer import compare_models

    return compare_models(old, new, compared, as_json=as_json)


@filter_commands.command
def models(
    *,
    history: Annotated[bool, FLAG, Parameter(help="What was done, the newest first.")] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show which models are installed: active, shadow or former, since when, by whom, and why.

    Example: smsward filter models

    Example: smsward filter models --history
    """
    from gateway.systems.learning.cli.model_life import list_models
    from gateway.terminal.deployment import load_settings

    return list_models(load_settings(config), history=history, as_json=as_json)


@filter_commands.command
def install(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    reasoned: ModelChangeOptions = UNREASONED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Put a model into shadow: it is asked of every text and decides nothing.

    It takes the place of another in shadow. With learning.trusted_keys in gateway.yaml one of
    them must have signed it. A file that is broken or too large is refused, and all stays.

    Example: smsward filter install model.npz --note "with the reviews of November"
    """
    from gateway.systems.learning.cli.model_life import install_model
    from gateway.terminal.deployment import load_settings

    return install_model(load_settings(config), file, reasoned, as_json=as_json)


@filter_commands.command
def promote(
    *,
    reasoned: ModelChangeOptions = UNREASONED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Put the model in shadow in force. The one in force before can be put back.

    Example: smsward filter promote --note "finds twice the loans, no more banks"
    """
    from gateway.systems.learning.cli.model_life import promote_model
    from gateway.terminal.deployment import load_settings

    return promote_model(load_settings(config), reasoned, as_json=as_json)


@filter_commands.command
def rollback(
    *,
    shadow: Annotated[
        bool, FLAG, Parameter(help="Take the model in shadow out, nothing else.")
    ] = False,
    reasoned: ModelChangeOptions = UNREASONED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Put the model that was in force before back, or none before the first; five times in a row.

    Example: smsward filter rollback --note "held honest banks"
    """
    from gateway.systems.learning.cli.model_life import roll_back_model
    from gateway.terminal.deployment import load_settings

    return roll_back_model(load_settings(config), reasoned, shadow=shadow, as_json=as_json)
