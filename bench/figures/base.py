"""The definition of a figure, and the decorator that makes one of a function."""

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
    """A figure cannot be drawn: its measurements are missing and nothing was published."""


@dataclass(frozen=True)
class FigureSpec:
    """One figure: its file name, the paper's figure or table that it follows, and the run that measures it.

    command: arguments of the `bench run` that measures it on the tiny models; empty if it needs no data
    steps: numbers of attack steps; the command runs once for each
    needs: traits (`bench.figures.facts`) that a model must state to be drawn; every model that states them is drawn
    draw: raises `NotMeasuredError` if there is nothing to draw
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
        """Return the arguments of every `bench run` that the figure needs."""
        if not self.steps:
            return (self.command,) if self.command else ()
        return tuple(f"{self.command} --steps {count}" for count in self.steps)

    def to_measure(self, directory: str) -> str:
        """Return the shell command that measures the figure into this results folder."""
        if not self.steps:
            return f"bench run {self.command} --out {directory}"
        counts = " ".join(map(str, self.steps))
        return f"for K in {counts}; do bench run {self.command} --steps $K --out {directory}; done"

    def missing(self, data: Numbers) -> NotMeasuredError:
        """Return the error that names the models' missing traits and the command that measures the figure."""
        silent = "".join(f"; {text}" for text in data.silent(self.needs))
        traits = " (say it in the card's [traits], or with --traits FILE)" if silent else ""
        return NotMeasuredError(f"{self.name}: not measured{silent}{traits}; next: {self.to_measure(data.address)}")


def figure(
    name: str, title: str, follows: str, command: str = "", needs: tuple[str, ...] = (), steps: tuple[int, ...] = ()
) -> Callable[[Callable[[FigureSpec, Numbers], "Figure"]], FigureSpec]:
    """Return a decorator that makes a `FigureSpec` of the function that draws it; the arguments are its fields."""
    return lambda draw: FigureSpec(
        name, title, follows, command, lambda spec, data: style.end_at_100(draw(spec, data)), needs, steps
    )


def figures_of(*modules: ModuleType) -> tuple[FigureSpec, ...]:
    """Return the figures that the modules declare, in the order of declaration."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, FigureSpec))
