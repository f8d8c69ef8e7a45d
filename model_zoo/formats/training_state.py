"""Variables in TensorFlow files that belong to the training, not to the network; readers skip them."""

import re

_SLOTS = r"(Momentum|Adam|RMSProp|Adagrad|Ftrl|AccumGrad)(_\d+)?"
_PATTERN = re.compile(
    rf"global_step|learning_rate|lr|beta[12]_power|.*/{_SLOTS}"  # counters and optimiser slots
    r"|EMA/.*"  # tensorpack's summaries of losses; a batch norm's `bn/mean/EMA` is a weight
)


def is_training_state(name: str) -> bool:
    """Return whether the variable `name` is a counter, an optimiser slot or a summary."""
    return _PATTERN.fullmatch(name) is not None
