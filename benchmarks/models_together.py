"""CPU time of the live suite: three models in one run against three runs of one.

Run: `python benchmarks/models_together.py FOLDER [--limit 4] [--models a,b,c]`; without models, three small networks
whose forward pass costs next to nothing, so that what is shared (decoding, corrupting, JPEG) is what is timed.
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
    """CPU seconds of the process, all threads, to measure `models` from nothing."""
    with tempfile.TemporaryDirectory() as out:
        prepared = prepare(models, "imagenet-c-live", data=f"imagenet={folder}", out=out, limit=limit)
        started = time.process_time()
        carry_out(prepared, quiet=True)
        return time.process_time() - started


def main() -> None:
    """Prints both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--models", default="")
    options = parser.parse_args()
    names = options.models.split(",") if options.models else []
    models = [load_model(name) for name in names] or [fake_model(f"fake{i}", size=224, seed=i) for i in range(3)]
    seconds(models[:1], options.folder, 1)  # compilation and tables, once a process
    together = seconds(models, options.folder, options.limit)
    apart = sum(seconds([model], options.folder, options.limit) for model in models)
    print(
        f"{len(models)} models, {options.limit} images, 76 conditions: together {together:.1f} CPU s, "
        f"apart {apart:.1f} CPU s, ratio {apart / together:.2f}"
    )


if __name__ == "__main__":
    main()
