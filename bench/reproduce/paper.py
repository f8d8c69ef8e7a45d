"""A paper's whole set of tables and figures, on its released networks or on the tiny zoo."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, IncompleteError
from bench.figures import FIGURES, write_figures
from bench.options import RunOptions
from bench.reproduce.steps import steps
from model_zoo.errors import ZooError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import RANDOM


@dataclass(frozen=True)
class Reproduction:
    """What was done: the figures' files, and what could not be, each with the reason."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def reproduce(
    paper: str,
    out: str | Path = "results/reproduce",
    *,
    data: str | None = None,
    models: Sequence[str] = (),
    limit: int | None = None,
    random_weights: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Reproduction:
    """Run every step of a paper that can be, and draw its figures; what is missing costs its own steps alone.

    data: a root of ImageNet sets, for the released networks; without it the tiny zoo stands in
    limit: images of each set; random_weights: networks as the cards build them, under `random:` names
    """
    from bench.board.site.build import write_site
    from bench.engine.run import carry_out, prepare_run

    folder, missing = Path(out) / paper, list[str]()
    options = {"out": folder / "runs", **({"data": data} if data else {})}
    for step in steps(paper, real=data is not None, models=models, limit=limit):
        say(str(step))
        there = list(_models(step.models, missing, random_weights))
        if not there:
            continue
        try:
            carry_out(prepare_run(there, [step.suite], RunOptions.of({**step.options, **options})))
        except (BenchError, ZooError) as error:
            missing.append(f"{step.suite}: {error}")
    if not (folder / "runs").is_dir():
        raise IncompleteError(f"{paper}: nothing could be measured; " + "; ".join(dict.fromkeys(missing)))
    write_site(folder / "runs", folder / "report")
    names = [spec.name for spec in FIGURES if spec.name.startswith(f"{paper}-")]
    files: list[Path] = []
    for name in names:
        try:
            files += write_figures(str(folder / "runs"), folder / "figures", only=[name]).files
        except IncompleteError as error:
            missing.append(str(error))
    return Reproduction(tuple(files), tuple(dict.fromkeys(missing)))


def _models(names: Sequence[str], missing: list[str], random_weights: bool) -> Iterator[str | Model]:
    """The models that can be loaded; why the others cannot goes to `missing`."""
    for name in names:
        try:
            yield _loaded(f"{RANDOM}{name}" if random_weights else name)
        except (ZooError, OSError) as error:
            missing.append(f"{name}: {error}")


@functools.lru_cache(maxsize=8)
def _loaded(name: str) -> Model:
    return load_model(name)
