"""`smsward sender`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from cyclopts import App

sender = App(name="sender", help="What is needed to admit an SP.", sort_key=7)


@sender.command
def hash_password() -> int:
    """Turn a password into what senders.yaml holds: a PHC string of argon2id.

    On a terminal it is asked for twice and not shown; otherwise it is the first line of the
    standard input. A bind carries at most eight octets of it (SMPP 3.4, 5.2.2).

    Example: smsward sender hash-password < password.txt
    """
    from gateway.cli.password_hash import print_hash

    return print_hash()
