"""`smsward keys`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory

keys = App(name="keys", help="Keys that records and the store are sealed with (密钥).", sort_key=9)


@keys.command
def new(*, key_id: Annotated[str, Parameter("--id", help="What to call it.")] = "k1") -> int:
    """Print a fresh key, one line for the file that privacy.keys in gateway.yaml names.

    To rotate, add a line with another id, name it in privacy.current, and keep the old lines:
    what was sealed with them is opened with them. Losing a key is losing what it sealed.

    Example: (umask 077; smsward keys new --id k1 > /etc/smsward/keys.yaml)

    Example: smsward keys new --id k2 >> /etc/smsward/keys.yaml
    """
    from gateway.cli.new_key import print_key

    return print_key(key_id)


@keys.command
def reseal(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Seal subscribers' numbers and texts in the store with the key that privacy.current names.

    Once keys are set up for a store that had none, and after each rotation: until then neither
    the gateway nor the API nor any command opens the store. Stop them first; a million answers
    take about a minute. Whatever stops this, call it again.

    Example: smsward keys reseal --config /etc/smsward
    """
    from gateway.cli.deployment import load_settings
    from gateway.cli.key_change import reseal as work

    return work(load_settings(config), as_json=as_json)
