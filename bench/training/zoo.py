"""Train the tiny zoo: `python -m bench.training.zoo --jobs 2 --out DIR`. The same command continues."""

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from bench.errors import UsageError
from bench.training.data import Folder, TinyPictures
from bench.training.loop import Epoch, TrainingJob, train
from bench.training.recipes import RECIPES, find_recipe


class Task(NamedTuple):
    """A model of the zoo."""

    recipe: str
    seed: int


def tasks(recipes: Sequence[str], seeds: Sequence[int]) -> Iterator[Task]:
    """Yield all recipes of the first seed, then of the next, so that an interrupted zoo has every recipe once."""
    for seed in seeds:
        yield from (Task(name, seed) for name in recipes if seed in find_recipe(name).seeds)


def make_job(
    name: str,
    seed: int,
    out: Path,
    *,
    epochs: int | None = None,
    data: Path | None = None,
    size: int = 32,
    device: str | None = None,
) -> TrainingJob:
    """Return the job of the recipe `name`, on the tiny images or the folder `data`. Raises `UsageError`."""
    recipe = find_recipe(name)
    if epochs is not None and epochs < 1:
        raise UsageError(f"--epochs: expected a whole number of at least 1, found {epochs}")
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    pictures = Folder(data, size, seed) if data else TinyPictures(recipe.images, seed)
    recipe = replace(recipe, net=replace(recipe.net, classes=pictures.classes))
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return TrainingJob(recipe, seed, pictures, out, torch.device(place))


def train_recipe(
    recipe: str,
    *,
    seed: int = 0,
    out: str | Path = "results/zoo",
    epochs: int | None = None,
    data: str | Path | None = None,
    size: int = 32,
    device: str | None = None,
) -> Path:
    """Train a recipe, printing one line per epoch, and return the path of the weights; the same call continues.

    recipe: name of the recipe; seed: seed of initial weights, order and noise
    out: folder for weights, log and checkpoint; epochs: replaces the recipe's number
    data: folder with one folder of images per class, cropped to `size` x `size` pixels (default: the tiny images)
    device: any torch device

    Raises `UsageError` for an unknown recipe.
    """
    place = Path(data) if data is not None else None
    job = make_job(recipe, seed, Path(out), epochs=epochs, data=place, size=size, device=device)
    return train(job, say)


def train_task(task: Task, out: Path) -> str:
    """Train one model on one CPU thread, which is bit-reproducible; returns its name."""
    torch.set_num_threads(1)
    job = make_job(task.recipe, task.seed, out, device="cpu")
    train(job, say)
    return job.name


def say(job: TrainingJob, epoch: Epoch) -> None:
    """Print one line for the epoch."""
    print(
        f"{job.name}  epoch {epoch.epoch}/{job.recipe.epochs}  loss {epoch.loss:.4f}  {epoch.seconds:.1f} s", flush=True
    )


def main() -> None:
    """Parse the arguments and train with the requested number of processes."""
    parser = argparse.ArgumentParser(prog="python -m bench.training.zoo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/zoo"), help="weights, logs and checkpoints")
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    options = parser.parse_args()
    wanted = list(tasks(options.recipes, options.seeds))
    if options.jobs == 1:
        for task in wanted:
            print(f"{train_task(task, options.out)} is done", flush=True)
        return
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(train_task, task, options.out) for task in wanted]):
            print(f"{done.result()} is done", flush=True)


if __name__ == "__main__":
    main()
