"""How often and how fast: limits, what counts them, and how much memory they may take."""
