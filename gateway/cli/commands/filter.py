"""`smsward filter`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.filter_options import THIS_MODEL, Chosen, Made, Places
from gateway.cli.options import AsJson

filter_commands = App(
    name="filter",
    help="Train the classifier (分类模型) on labelled texts, measure it, ask it.",
    sort_key=8,
)


@filter_commands.command
def train(*, data: Places, made: Made, as_json: AsJson = False) -> int:
    """Train a model; what it was trained on and how good it is goes on its card.

    A text is one line, `label lang source text` between tabs, the label ham or spam. Of a
    directory train_*.tsv are trained on, and dev_*.tsv are what probabilities and thresholds
    are measured on; without any, every tenth campaign is held out. Files *_bulk.tsv hold what
    ports send, others what people write; texts without Han get a model of their own. No text
    enters the model: only weights of hashed n-grams.

    Example: smsward filter train --data data -o model.npz

    Example: openssl genpkey -algorithm ed25519 -out model.pem;
    smsward filter train --data ours_bulk.tsv --key model.pem -o model.npz
    """
    from gateway.cli.model_training import train_model

    return train_model(data, made, as_json=as_json)


@filter_commands.command
def evaluate(
    files: Annotated[list[Path], Parameter(name="FILE", negative="")],
    /,
    *,
    chosen: Chosen = THIS_MODEL,
    train: Annotated[
        list[Path] | None,
        Parameter(negative="", help="What it was trained on: count the texts that stand in both."),
    ] = None,
    plot: Annotated[
        Path | None,
        Parameter(help="Draw into this PNG how probabilities and shares of spam agree."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Measure a model on labelled texts: F1, AUC, recall by the false alarms it takes.

    By class, by source, by category where sources name one (fbs/IL:Gambling, mine/loan), and
    by disguise where a file has nothing but spam and its sources are disguises, one of them
    none. Lines named in a .suspect file beside are left out in a second row. In the plot every
    square is a tenth of the probabilities, left to right, at the height of the share that was
    spam; the nearer to the diagonal, the better. It is drawn without labels.

    Example: smsward filter evaluate dev_zh_bulk.tsv adv_dev.tsv --model model.npz

    Example: smsward filter evaluate dev_*.tsv --train train_*.tsv --plot dev.png --json
    """
    from gateway.cli.model_measuring import evaluate_model

    return evaluate_model(files, chosen, train or [], plot, as_json=as_json)


@filter_commands.command
def score(
    *,
    chosen: Chosen = THIS_MODEL,
    tolerate: Annotated[
        float, Parameter(help="So large a share of innocent texts may be stopped.")
    ] = 0.01,
    person: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="People have written this, it is from no port."
        ),
    ] = False,
    evidence: Annotated[
        int, Parameter(help="Tell of so many pieces of the text what they weigh.")
    ] = 8,
) -> int:
    """Read `label lang source text` lines, print one line of JSON each.

    `score` is the probability of spam; `severity` advert, fraud or illegal; `action` what the
    thresholds of the model ask for: forward, quarantine, or reject for fraud and illegal
    offers that stand above the threshold of one innocent text in a thousand.

    Example: smsward filter score --model model.npz < dev_zh_bulk.tsv
    """
    from gateway.cli.model_scoring import score_lines

    return score_lines(chosen, tolerate, evidence, is_port=not person)


@filter_commands.command
def compare(
    old: Annotated[Path, Parameter(name="OLD")],
    new: Annotated[Path, Parameter(name="NEW")],
    /,
    *,
    data: Annotated[
        list[Path] | None,
        Parameter(negative="", help="Measure both on these; else their cards are compared."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two models, on labelled texts or by what their cards say.

    On texts it counts as well those that one stops and the other lets pass, at one false alarm
    in a hundred.

    Example: smsward filter compare model.npz new.npz --data dev_zh_bulk.tsv
    """
    from gateway.cli.model_measuring import compare_models

    return compare_models(old, new, data or [], as_json=as_json)
