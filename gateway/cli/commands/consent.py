"""`smsward consent`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import NO_SCOPE, AsJson, ConfigDirectory, Scope
from gateway.domain.consent import Answer

consent = App(
    name="consent", help="Record and look up what subscribers said (同意与退订).", sort_key=6
)

Numbers = Annotated[
    list[str],
    Parameter(
        name="NUMBER", allow_leading_hyphen=True, negative="", help="Numbers, or - to read stdin."
    ),
]


@consent.command
def refuse(numbers: Numbers, /, *, scope: Scope = NO_SCOPE, config: ConfigDirectory = None) -> int:
    """Record that subscribers refused (退订). A running gateway obeys within a second.

    A refusal stops messages from ports of the purposes in consent.yaml, and also those that
    are already held. Verification codes and service messages go on.

    Example: smsward consent refuse --system-id sp1 13800138000 13800138001

    Example: smsward consent refuse --all-senders - < numbers.txt
    """
    return _record(Answer.REFUSED, numbers, scope, config)


@consent.command
def agree(numbers: Numbers, /, *, scope: Scope = NO_SCOPE, config: ConfigDirectory = None) -> int:
    """Record that subscribers agreed. It also takes back an earlier refusal of that scope.

    Given to --all-senders it lifts a refusal of every SP, but is nobody's consent: where
    policy asks for consent, it has to be given to the SP itself.

    Example: smsward consent agree --system-id sp1 --channel contract 13800138000
    """
    return _record(Answer.AGREED, numbers, scope, config)


@consent.command
def show(
    number: Annotated[str, Parameter(name="NUMBER")],
    /,
    *,
    system_id: Annotated[str | None, Parameter(help="Ask for this SP alone.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what a subscriber said to each SP of senders.yaml, and to all at once.

    Example: smsward consent show 13800138000
    """
    import asyncio

    from gateway.cli.answering import show_answers
    from gateway.settings.locate import config_directory

    directory = config_directory(config)
    return asyncio.run(show_answers(directory, number, system_id, as_json=as_json))


def _record(answer: Answer, numbers: list[str], scope: Scope, config: ConfigDirectory) -> int:
    import asyncio

    from gateway.cli.answering import record_answers
    from gateway.settings.locate import config_directory

    return asyncio.run(record_answers(config_directory(config), answer, numbers, scope))
