"""Learning: models of spam trained on labelled texts, measured, and compared."""
