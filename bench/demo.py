"""`bench demo`: the main job once through, on real photographs that come with a Python package."""

from pathlib import Path

import pandas as pd

MODEL = "efficientnet_lite0"
SUITES = ("clean", "imagenet-c-live", "pgd")
DATASET = "sample"


def demo(out: str | Path = "demo") -> pd.DataFrame:
    """EfficientNet-Lite0 on foolbox's twenty ImageNet pictures: clean, the 75 corruptions, PGD-10 at eps 4/255.

    Writes a results folder `runs` and `leaderboard.csv` under `out`; returns the leaderboard. Needs the extra `demo`.
    """
    from bench.engine.run import carry_out, prepare
    from bench.reports.leaderboard import leaderboard
    from bench.reports.spreadsheet import to_csv

    folder = Path(out)
    carry_out(prepare(MODEL, SUITES, dataset=DATASET, out=folder / "runs", reliability=0))  # minutes on a CPU
    board = leaderboard(folder / "runs")
    (folder / "leaderboard.csv").write_text(to_csv(board), encoding="utf-8")
    return board
