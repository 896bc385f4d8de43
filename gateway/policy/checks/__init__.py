"""The checks of rules, by what they look at: each module turns values into what asks."""
