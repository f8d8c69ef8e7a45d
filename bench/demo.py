"""`bench demo`: run everything once, without a download: the tiny models, and a few real photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.options import RunOptions

ZOO = (
    "tiny_std",
    "tiny_at",
    "tiny_mix",
    "tiny_mbn@clean",
    "tiny_mbn@adv",
    "tiny_sat_silu",
    "tiny_advprop@clean",
    "tiny_nofrost",
)
"""One seed of the models of the papers' main comparisons."""

ATTACKED = ("tiny_std", "tiny_at", "tiny_mbn@adv", "tiny_sat_silu", "tiny_nofrost")
"""Those of them that the ensemble attacks, which takes most of the demo's time."""


@dataclass(frozen=True)
class Stage:
    """A `bench run` of the demo."""

    title: str
    models: Sequence[str]
    suites: Sequence[str]
    options: RunOptions


# The reliability verdict repeats attacks with hundreds of steps, which takes minutes on a CPU: `reliability=0`.
STAGES = (
    Stage(
        "The tiny zoo on 200 images: clean, PGD-20, natural adversarial, stylised, cue conflict",
        ZOO,
        ("tiny", "tiny-pgd", "tiny-a", "tiny-stylized", "tiny-cue-conflict"),
        RunOptions(limit=200, reliability=0),
    ),
    Stage("The tiny zoo on 40 images under 75 corruptions", ZOO, ("tiny-c",), RunOptions(limit=40)),
    Stage(
        "Five of them under aa-fast at eps 8/255",
        ATTACKED,
        ("aa-fast",),
        RunOptions(limit=25, eps="8/255", reliability=0),
    ),
    Stage(
        "What the two batch norms of the mixture-BN model know, on 100 images",
        ("tiny_mbn",),
        ("batchnorm",),
        RunOptions(limit=100),
    ),
    Stage(
        "EfficientNet-Lite0 on twenty ImageNet photographs: clean, 75 corruptions, PGD-10 at eps 4/255",
        ("efficientnet_lite0",),
        ("clean", "imagenet-c-live", "pgd"),
        RunOptions(dataset="sample", reliability=0),
    ),
)


def demo(out: str | Path = "demo", say: Callable[[str], None] = lambda _line: None) -> pd.DataFrame:
    """Measure, and write `leaderboard.csv`, the pages of `report/` and the figures of `figures/` under `out`.

    Returns the leaderboard; `say` is called with each next step. Needs the extra `demo`.
    """
    from bench.board.leaderboard import leaderboard
    from bench.board.report import report
    from bench.engine.run import carry_out, prepare_run
    from bench.figures import write_figures
    from bench.safe_csv import to_csv

    folder = Path(out)
    for stage in STAGES:
        say(stage.title)
        carry_out(prepare_run(stage.models, stage.suites, replace(stage.options, out=folder / "runs")))
    say("Leaderboard, pages and figures")
    board = leaderboard(folder / "runs")
    (folder / "leaderboard.csv").write_text(to_csv(board), encoding="utf-8")
    report(folder / "runs", folder / "report")
    write_figures(str(folder / "runs"), folder / "figures")
    return board
