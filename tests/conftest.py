"""What holds for every test: no machine's speed, and no terminal, decides whether one passes."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("unhurried")

# Tests start hundreds of processes, each of which would compile its libraries anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Whoever runs the tests may hand on the width of a terminal, by which tables would be folded.
os.environ.pop("COLUMNS", None)
