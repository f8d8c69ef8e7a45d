"""All tables and figures of a paper, from its released networks or the tiny zoo."""

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
    """The figures' files, and the steps that could not run, each with the reason."""

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
    """Run every possible step of a paper and draw its figures; a missing file skips only the steps that need it.

    data: root folder of ImageNet sets, for the released networks; without it, the tiny zoo is used
    limit: largest number of images per set
    random_weights: use untrained networks of the cards, under `random:` names
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
            missing.append(str(error) if str(error).startswith(step.suite) else f"{step.suite}: {error}")
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
    """Yield the models that can be loaded; the reasons for the others are added to `missing`."""
    for name in names:
        try:
            yield _loaded(f"{RANDOM}{name}" if random_weights else name)
        except ZooError as error:
            missing.append(str(error))
        except OSError as error:
            missing.append(f"{name}: {error}")


@functools.lru_cache(maxsize=8)
def _loaded(name: str) -> Model:
    return load_model(name)
