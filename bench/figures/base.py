"""What a figure is, and how a function becomes one."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import IncompleteError
from bench.figures import style
from bench.figures.measured import Numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class NotMeasuredError(IncompleteError):
    """A figure has nothing to show: its measurements are missing and nothing is published."""


@dataclass(frozen=True)
class FigureSpec:
    """One figure: its file's name, the paper's figure or table that it follows, and what makes its measurements.

    `command` is the run that measures what it shows on the tiny models, once for each of `steps` where there are some;
    empty where it needs no data. `needs` are the traits (`bench.figures.facts`) that a model must say to enter it: any
    model that does, does. `draw` raises `NotMeasuredError` where there is nothing to draw.
    """

    name: str
    title: str
    follows: str
    command: str
    draw: Callable[["FigureSpec", Numbers], "Figure"]
    needs: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """The arguments of `bench run` of every run that it needs."""
        if not self.steps:
            return (self.command,) if self.command else ()
        return tuple(f"{self.command} --steps {count}" for count in self.steps)

    def to_measure(self, directory: str) -> str:
        """What to type in a shell to measure it into this results folder."""
        if not self.steps:
            return f"bench run {self.command} --out {directory}"
        counts = " ".join(map(str, self.steps))
        return f"for K in {counts}; do bench run {self.command} --steps $K --out {directory}; done"

    def missing(self, data: Numbers) -> NotMeasuredError:
        """The error that names the fields that are missing, of which model, and the command that measures."""
        silent = "".join(f"; {text}" for text in data.silent(self.needs))
        traits = " (say it in the card's [traits], or with --traits FILE)" if silent else ""
        return NotMeasuredError(f"{self.name}: not measured{silent}{traits}; next: {self.to_measure(data.address)}")


def figure(
    name: str, title: str, follows: str, command: str = "", needs: tuple[str, ...] = (), steps: tuple[int, ...] = ()
) -> Callable[[Callable[[FigureSpec, Numbers], "Figure"]], FigureSpec]:
    """Make a `FigureSpec` of the function that draws it; its fields are said where the function stands."""
    return lambda draw: FigureSpec(
        name, title, follows, command, lambda spec, data: style.end_at_100(draw(spec, data)), needs, steps
    )


def figures_of(*modules: ModuleType) -> tuple[FigureSpec, ...]:
    """The figures that the modules declare, in the order in which they stand there."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, FigureSpec))
