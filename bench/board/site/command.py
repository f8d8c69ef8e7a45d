"""The command that repeats a number, from what `run.json` says was asked for."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

DEFAULTS = {"protocol": "canonical", "norm": "linf", "restarts": "1", "attack_engine": "native", "reliability": "32"}

OPTIONS = (
    "dataset",
    "protocol",
    "limit",
    "seed",
    "weights",
    "eps",
    "norm",
    "steps",
    "step_size",
    "restarts",
    "attack_engine",
    "reliability",
)
"""What changes a number. Device, batch, shard and folders do not."""


def repeat(model: str, suite: str, given: Mapping[str, Any]) -> str:
    """`bench run ...` for one model and one suite; the data's place is the reader's own."""
    words = ["bench", "run", "--model", model, "--suite", suite]
    for name in OPTIONS:
        value = str(given.get(name, ""))
        if value and value != DEFAULTS.get(name):
            words += [f"--{name.replace('_', '-')}", _listed(value) if name == "eps" else value]
    words += ["--targeted"] if str(given.get("targeted")) == "True" else []
    return shlex.join(words) + (' --data "$BENCH_DATA"' if given.get("data") else "")


def _listed(value: str) -> str:
    """`4/255,8/255`, also where Python was given a list."""
    return ",".join(re.findall(r"[\d.]+(?:/[\d.]+)?", value))
