"""smsward: an SMPP proxy gateway against spam SMS."""

__version__ = "0.1.0"
