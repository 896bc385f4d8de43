"""How often reviewers decide alike on what was dealt to two of them."""
