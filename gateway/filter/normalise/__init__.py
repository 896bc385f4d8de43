"""A text behind its disguises: folding, its views, and other ways to read it."""
