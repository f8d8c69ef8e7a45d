"""Keywords of `bench.run`, for type checkers; `make docs` writes them from `RunOptions`."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypedDict

from bench.options.values import Shard


class RunKeywords(TypedDict, total=False):
    """The fields of `RunOptions` but `data`, each as it may be given."""

    dataset: str | None
    out: str | Path
    protocol: Literal["canonical", "published"]
    limit: int | None
    until: str | float | Fraction | None
    until_told: str | Sequence[str] | None
    gap: str | float | Fraction
    seed: int
    weights: str | Path | None
    random_weights: bool
    cards: str | Path | None
    device: str | None
    batch_size: int | None
    threads: int | None
    keep_adversarial: str | Path | None
    workers: int | None
    ray: str | None
    shard: str | Shard | None
    log: Literal["wandb", "mlflow", "tensorboard"] | None
    quiet: bool
    eps: str | float | Fraction | Sequence[str | float | Fraction]
    norm: Literal["linf", "l2", "l1"]
    steps: int | None
    step_size: str | float | Fraction | None
    restarts: int
    targeted: bool | None
    attack_engine: Literal["native", "reference"]
    precision: Literal["fp32", "tf32", "bf16", "fp16"]
    reliability: int
