"""Names in TensorFlow files that belong to a training run and not to a network; readers leave them where they are."""

import re

_SLOTS = r"(Momentum|Adam|RMSProp|Adagrad|Ftrl|AccumGrad)(_\d+)?"
_PATTERN = re.compile(
    rf"global_step|learning_rate|lr|beta[12]_power|.*/{_SLOTS}"  # counters and the optimiser's slots
    r"|EMA/.*"  # tensorpack's running summaries of losses; a batch norm's `bn/mean/EMA` is a weight and stays
)


def is_training_state(name: str) -> bool:
    """Whether the variable `name` is a counter, an optimiser's slot or a summary."""
    return _PATTERN.fullmatch(name) is not None
