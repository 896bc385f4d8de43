"""`python -m gateway` is `smsward`."""

from gateway.cli import main

main()
