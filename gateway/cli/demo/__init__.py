"""The demo: an SMSC, a gateway and three SPs in one process, with traffic to look at."""
