"""`bench run --log wandb|mlflow|tensorboard`: send progress, tables and figures of a run to an experiment tracker.

A tracker changes nothing: the numbers stay in the results folder. One that cannot start is an error before anything is
measured; one that fails later is not called again, and the run continues.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.engine.progress import Silent
from bench.engine.run import Prepared, carry_out
from bench.errors import StoreError, UsageError
from bench.folder.tables import results
from bench.text import escape_unprintable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "robust-imagenet-bench"
"""Default project or experiment, unless the tracker's own environment variables give one."""


class Tracker(Protocol):
    """Receives progress, numbers, tables and figures."""

    def number(self, name: str, value: float, step: int) -> None:
        """Log one value of a series, at `step` images."""

    def table(self, name: str, frame: "pd.DataFrame") -> None:
        """Log a table, as in `bench.results`."""

    def figure(self, name: str, figure: "Figure") -> None:
        """Log a figure."""

    def close(self) -> None:
        """Close the tracker."""


class WandbTracker:
    """Weights & Biases; respects its own variables (WANDB_MODE, WANDB_DIR, WANDB_PROJECT)."""

    def __init__(self, run: str, config: dict[str, Any]) -> None:
        self.wandb = _module("wandb", "wandb")
        project = os.environ.get("WANDB_PROJECT", TITLE)
        self.run = self.wandb.init(project=project, name=run, config=config)

    def number(self, name: str, value: float, step: int) -> None:
        self.run.log({name: value, "images": step})

    def table(self, name: str, frame: "pd.DataFrame") -> None:
        self.run.log({name: self.wandb.Table(dataframe=frame)})

    def figure(self, name: str, figure: "Figure") -> None:
        self.run.log({name: self.wandb.Image(_picture(figure))})

    def close(self) -> None:
        self.run.finish()


class MlflowTracker:
    """MLflow; respects its own variables (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME)."""

    def __init__(self, run: str, config: dict[str, Any]) -> None:
        self.client = _module("mlflow", "mlflow-skinny")
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ:
            self.client.set_experiment(TITLE)
        self.client.start_run(run_name=run)
        self.client.log_params({name: str(value)[:500] for name, value in config.items()})

    def number(self, name: str, value: float, step: int) -> None:
        self.client.log_metric(_spelt(name), value, step=step)

    def table(self, name: str, frame: "pd.DataFrame") -> None:
        self.client.log_text(frame.to_csv(index=False), f"{name}.csv")

    def figure(self, name: str, figure: "Figure") -> None:
        self.client.log_figure(figure, f"figures/{name}.png")

    def close(self) -> None:
        self.client.end_run()


class TensorboardTracker:
    """TensorBoard event files, in `runs/RUN` or TENSORBOARD_DIR."""

    def __init__(self, run: str, config: dict[str, Any]) -> None:
        _module("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(Path(os.environ.get("TENSORBOARD_DIR", "runs")) / run))
        self.writer.add_text("options", "\n".join(f"    {name}: {value}" for name, value in config.items()))

    def number(self, name: str, value: float, step: int) -> None:
        self.writer.add_scalar(name, value, step)

    def table(self, name: str, frame: "pd.DataFrame") -> None:
        from bench.formats import render

        rows = [{str(k): str(v) for k, v in row.items()} for row in frame.to_dict("records")]
        self.writer.add_text(name, render(rows, "markdown"))

    def figure(self, name: str, figure: "Figure") -> None:
        self.writer.add_image(name, _picture(figure), dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


TRACKERS: dict[str, type[WandbTracker | MlflowTracker | TensorboardTracker]] = {
    "wandb": WandbTracker,
    "mlflow": MlflowTracker,
    "tensorboard": TensorboardTracker,
}


def _module(name: str, package: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(
            f"--log {name} needs the package {package}: pip install {package}, or 'robust-imagenet-bench[{name}]'"
        ) from None


def _spelt(name: str) -> str:
    """Replace characters that MLflow does not allow in a metric's name (letters, digits and `_-. /:`)."""
    return re.sub(r"[^\w\-. /:]", "_", name, flags=re.ASCII)


def _picture(figure: "Figure") -> Any:
    """Return a figure as uint8 [h, w, 3]."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class Careful:
    """A tracker whose first failure is reported on standard error and ends only the logging."""

    def __init__(self, tracker: Tracker, name: str) -> None:
        self.tracker, self.name, self.failed = tracker, name, False

    def tell(self, what: Callable[[Tracker], object]) -> None:
        """Call `what` with the tracker, unless it has failed before."""
        if self.failed:
            return
        try:
            what(self.tracker)
        except Exception as error:  # whatever a service, its client or a drawing raises
            self.failed = True
            why = escape_unprintable(f"{type(error).__name__}: {error}")
            print(
                f"--log {self.name} failed and gets no more data ({why}); the numbers are in the results folder,"
                " and the same command sends them again",
                file=sys.stderr,
            )

    def close(self) -> None:
        """Close the tracker, unless it has failed before."""
        if not self.failed:
            self.tell(lambda tracker: tracker.close())
            return
        with suppress(Exception):
            self.tracker.close()


class ToldTracker(Silent):
    """Notifies a tracker of each finished unit."""

    def __init__(self, careful: Careful, total: int) -> None:
        self.careful, self.total, self.done = careful, total, 0

    def finished(self, what: str, images: int) -> None:  # noqa: ARG002
        self.done += images
        share, done = self.done / max(1, self.total), self.done
        self.careful.tell(lambda tracker: tracker.number("progress/images", done, done))
        self.careful.tell(lambda tracker: tracker.number("progress/share", share, done))


def carry_out_tracked(prepared: Prepared) -> None:
    """Run what is missing, and send it to the tracker of `--log`, if given: progress, then the table of this run,
    each suite's metrics and the papers' figures that the folder can draw. Finished measurements are sent even if a
    unit fails. Raises the errors of `carry_out`, and `UsageError` if the tracker cannot start."""
    if prepared.options.log is None:
        carry_out(prepared)
        return
    with _tracker(prepared) as careful:
        try:
            carry_out(prepared, watch=ToldTracker(careful, prepared.images))
        except Exception:
            careful.tell(lambda tracker: _send(prepared, tracker))
            raise
        careful.tell(lambda tracker: _send(prepared, tracker))


@contextmanager
def _tracker(prepared: Prepared) -> Iterator[Careful]:
    models = [subject.model.name for subject in prepared.plan.subjects]
    suites = list(dict.fromkeys(entry.suite for entry in prepared.plan.entries))
    config = {"models": ", ".join(models), "suites": ", ".join(suites), **prepared.options.changed()}
    run = re.sub(r"[^\w.+-]+", "-", f"{'+'.join(models)}-{'+'.join(suites)}", flags=re.ASCII)[:100]
    name = str(prepared.options.log)
    try:
        careful = Careful(TRACKERS[name](run, config), name)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"--log {name} did not start: {type(error).__name__}: {error}; nothing was measured"
        ) from error
    try:
        yield careful
    finally:
        careful.close()


def _send(prepared: Prepared, tracker: Tracker) -> None:
    address = prepared.store.address
    try:
        frame = results(address, asked=prepared.plan.asked)
    except StoreError:  # nothing was measured
        return
    for row in frame[frame["condition"] == "all"].to_dict("records"):
        for part in ("value", "low", "high", "n"):
            name = f"{row['model']}/{row['suite']}/{row['metric']}{'' if part == 'value' else f'_{part}'}"
            if row[part] == row[part]:  # no NaN
                tracker.number(name, float(row[part]), int(row["n"]))
    tracker.table("results", frame)
    from bench.figures import FIGURES, style
    from bench.figures.base import NotMeasuredError
    from bench.figures.measured import Numbers

    data = Numbers(address)
    with style.styled():
        for spec in FIGURES:
            try:
                tracker.figure(spec.name, spec.draw(spec, data))
            except NotMeasuredError:
                continue
