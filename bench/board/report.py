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
    """Write the results folder `directory` as an HTML site into `out`; return its pages, the leaderboard first.

    outside: files or folders of RobustBench's or timm's tables, shown as columns marked outside; thumbnails: number of
    each model's worst images on its page, read from `data`, a folder as for `bench run`; single_file: put style and
    script into each page instead of `assets/`, so that a page can be sent alone; adversarial: a folder written by
    `--keep-adversarial`, None for the one that the runs of `directory` used, within it or the working directory;
    figures: add a page of the papers' figures; serve: show the site on this machine at `port` (0: any free one, None:
    the default) during runs, until Ctrl-C, instead of writing it.

    Raises `StoreError` for a folder without results, `UsageError` if `out` cannot be a folder or contains another file
    with the name of one of the site's, `DataError` if `data` does not exist.
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
