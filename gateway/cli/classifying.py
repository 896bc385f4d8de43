"""The classifier that is installed, for commands that judge as the gateway does."""

# ruff: noqa: PLC0415 - reading a model imports what takes most of a second

from gateway.filter.scoring import Scorer
from gateway.settings.gateway import Learning

_STATE = "models.json"


def installed_scorer(learning: Learning) -> tuple[Scorer | None, tuple[str, ...]]:
    """Return the model in force, None where there is none, and what is wrong with it in words."""
    if not (learning.models / _STATE).exists():
        return None, ()
    from gateway.filter.model.model_file import ModelFileError
    from gateway.systems.learning.keys import KeyFileError, trusted_key
    from gateway.systems.learning.model_directory import ModelDirectory
    from gateway.systems.learning.model_history import ModelStateError

    try:
        keys = [trusted_key(path) for path in learning.trusted_keys]
        models, problem = ModelDirectory(learning.models, keys).pair()
    except (KeyFileError, ModelFileError, ModelStateError, OSError) as error:
        return None, (f"MODEL UNUSABLE: {learning.models}: {error}",)
    return models.active, (f"MODEL UNUSABLE: {learning.models}: {problem}",) if problem else ()
