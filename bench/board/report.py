"""`bench.report`: a results folder as a site."""

import os
from collections.abc import Sequence
from pathlib import Path

from bench.board.site.build import SiteOptions, write_site
from bench.datasets.table import parse_roots
from bench.errors import UsageError
from bench.folder.kept import KeptPictures
from bench.published.outside import read_outside


def report(
    directory: str | Path,
    out: str | Path = "reports",
    *,
    title: str = SiteOptions.title,
    outside: Sequence[str | Path] = (),
    thumbnails: int = 0,
    data: str | Path | None = None,
    single_file: bool = False,
    adversarial: str | Path | None = None,
    figures: bool = True,
    serve: bool = False,
    port: int | None = None,
) -> list[Path]:
    """Write the results folder `directory` as an HTML site that opens from disk into `out`; returns its pages, the
    leaderboard first.

    outside: files or folders of RobustBench's or timm's tables, shown as columns marked outside; thumbnails: number of
    each model's worst images on its page, read from `data`, a folder as for `bench run`; single_file: style and
    script in each page, to be sent alone, in place of once in `assets/`; adversarial: the folder that a run's
    `--keep-adversarial` left, None for where the runs of `directory` say, within it or the working directory; figures:
    whether the papers' figures are drawn on a page of their own; serve: show it on this machine at `port` (0: any that
    is free, None: the usual one) while runs go on, until Ctrl-C, in place of writing it. Raises `StoreError` for a
    folder without results, `UsageError` where `out` cannot be a folder or has somebody else's file where one of the
    site would stand, `DataError` where `data` is none.
    """
    if thumbnails < 0:
        raise UsageError(f"--thumbnails: expected a whole number, 0 for none, found {thumbnails}")
    others = [number for path in outside for number in read_outside(Path(path))]
    roots = parse_roots(None if data is None else str(data), os.environ.get("BENCH_DATA"))
    kept = KeptPictures.parse(None if adversarial is None else str(adversarial))
    options = SiteOptions(title, others, thumbnails, roots, single_file, kept, figures=figures)
    if not serve:
        return write_site(directory, out, options)
    from bench.board.live.server import serve as show

    show(directory, port, options)
    return []
