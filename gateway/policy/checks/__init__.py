"""The checks of rules, by subject: each module turns a check's values into a function that asks."""
