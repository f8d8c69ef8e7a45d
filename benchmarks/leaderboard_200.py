"""Build time, size, loading and sorting time of the site for 200 synthetic models x 100 conditions.

`python benchmarks/leaderboard_200.py [--models N] [--images N] [--short] [--results DIR]`; times in a browser need
Chromium. `--short` omits corruptions and all but one budget per attack, for a tenth of the time.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.board.site.build import write_site
from bench.metrics.corruption import CORRUPTIONS, SEVERITIES
from bench.testing import write_results

PGD = "imagenet/pgd-linf-eps{}_255-k10-a1_255-r1-untargeted"
BUDGETS = (0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24)
OTHERS = ("imagenet-sketch", "stylized")


def suites(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return a hundred conditions: clean, 75 corruptions, 12 budgets of PGD with their clean one, other shifts."""
    skill = rng.uniform(0.4, 0.9)
    found = {
        "imagenet": {"imagenet/clean": skill},
        "pgd": {"imagenet/clean": skill, **{PGD.format(f"{e:g}"): skill * 0.9**e for e in BUDGETS}},
        "imagenet-c": {f"imagenet-c/{c}/{s}": skill * (1 - 0.1 * s) for c in CORRUPTIONS for s in SEVERITIES},
        **{name: {f"{name}/clean": skill * rng.uniform(0.3, 0.8)} for name in OTHERS},
    }
    extra = 100 - sum(len(conditions) for conditions in found.values())
    found["robustbench-5k"] = {
        "robustbench-5k/clean": skill,
        **{f"robustbench-5k/autoattack-linf-eps{i + 1}_255-standard": skill * 0.8 ** (i + 1) for i in range(extra - 1)},
    }
    return found


def short(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return ten of the hundred conditions, with all columns but mCE."""
    found = {
        name: dict(list(conditions.items())[:2]) for name, conditions in suites(rng).items() if name != "imagenet-c"
    }
    variants = ("imagenet-v2", "imagenet-v2-threshold0.7", "imagenet-v2-top-images")
    return found | {"imagenet-v2": {f"{name}/clean": rng.uniform(0.3, 0.8) for name in variants}}


Suites = Callable[[np.random.Generator], dict[str, dict[str, float]]]


def write(folder: Path, models: int, images: int, made: Suites) -> None:
    """Write the results folder, without syncing to disk, which would take longest."""
    os.fsync = lambda _: None  # type: ignore[assignment]
    for seed in range(models):
        write_results(folder, f"model_{seed:03d}", made(np.random.default_rng(seed)), n=images, seed=seed)


def in_browser(site: Path) -> dict[str, float]:
    """Return seconds until the page has loaded, and median seconds from a click on a column's header to the drawing."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("BENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{site.as_uri()}/index.html")
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
        click = """async (column) => {
          const button = document.querySelectorAll('#board thead th button')[column];
          const start = performance.now();
          button.click();
          document.body.offsetHeight;
          const sorted = performance.now();
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return [sorted - start, performance.now() - start];
        }"""
        times = [page.evaluate(click, column) for column in (2, 3, 4, 5, 2, 3, 0)]
        browser.close()
    laid_out, drawn = (statistics.median(t[i] for t in times) / 1000 for i in (0, 1))
    return {
        "open": load,
        "sort and lay out": laid_out,
        "sort and draw": drawn,
        "slowest sort": max(t[1] for t in times) / 1000,
    }


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--images", type=int, default=100, help="images of each condition")
    parser.add_argument("--short", action="store_true", help="10 conditions, without corruptions")
    parser.add_argument("--results", type=Path, help="keep the made-up results here, or use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results, site = options.results or Path(scratch) / "results", Path(scratch) / "site"
        if not results.exists():
            started = time.perf_counter()
            write(results, options.models, options.images, short if options.short else suites)
            print(f"made up {options.models} models in {time.perf_counter() - started:.1f} s", flush=True)
        started, cpu = time.perf_counter(), time.process_time()
        written = write_site(results, site)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"built in {wall:.1f} s ({cpu:.1f} s of CPU), {len(written)} pages")
        for page in written[:4]:
            print(f"  {page.relative_to(site)}: {page.stat().st_size / 1e6:.2f} MB")
        print(f"  all: {sum(page.stat().st_size for page in written) / 1e6:.1f} MB")
        for what, seconds in in_browser(site).items():
            print(f"  {what}: {1000 * seconds:.0f} ms")


if __name__ == "__main__":
    main()
