"""The classifier that is installed, for commands that judge as the gateway does."""

# ruff: noqa: PLC0415 - reading a model imports what takes most of a second

from gateway.filter.text_score import Scorer
from gateway.policy.rules import Title
from gateway.settings.gateway import LearningSettings

_STATE = "models.json"


def installed_scorer(learning: LearningSettings) -> tuple[Scorer | None, tuple[Title, ...]]:
    """Return the model in force (None without one) and a message about what is wrong with it."""
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
        return None, (_unusable(learning, str(error)),)
    return models.active, (_unusable(learning, problem),) if problem else ()


def _unusable(learning: LearningSettings, problem: str) -> Title:
    said = f"{learning.models}: {problem}"
    return Title(f"分类模型无法使用：{said}", f"MODEL UNUSABLE: {said}")
