"""Messages that the SMSC keeps for later, so that a refusal can cancel them."""
