"""Messages to subscribers from processes without a link to the SMSC."""
