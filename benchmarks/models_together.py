"""CPU time of the live suite: one run of three models compared with three runs of one.

Run: `python benchmarks/models_together.py FOLDER [--limit 4] [--models a,b,c]`. The default is three small networks
with negligible forward passes, so that the shared work (decoding, corrupting, JPEG) dominates.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.engine.run import carry_out, prepare
from bench.testing import fake_model
from model_zoo.load import load_model
from model_zoo.model import Model


def seconds(models: list[Model], folder: Path, limit: int) -> float:
    """Return the process's CPU seconds, all threads, for a new run of `models`."""
    with tempfile.TemporaryDirectory() as out:
        prepared = prepare(models, "imagenet-c-live", data=f"imagenet={folder}", out=out, limit=limit)
        started = time.process_time()
        carry_out(prepared, quiet=True)
        return time.process_time() - started


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--models", default="")
    options = parser.parse_args()
    names = options.models.split(",") if options.models else []
    models = [load_model(name) for name in names] or [fake_model(f"fake{i}", size=224, seed=i) for i in range(3)]
    seconds(models[:1], options.folder, 1)  # compilation and tables, once per process
    together = seconds(models, options.folder, options.limit)
    apart = sum(seconds([model], options.folder, options.limit) for model in models)
    print(
        f"{len(models)} models, {options.limit} images, 76 conditions: together {together:.1f} CPU s, "
        f"apart {apart:.1f} CPU s, ratio {apart / together:.2f}"
    )


if __name__ == "__main__":
    main()
