"""Progress of a run: a bar at a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

LINE_SECONDS = 20.0
"""Minimum seconds between plain lines."""


class Reporter(Protocol):
    """Notified of each finished unit."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def finished(self, what: str, images: int) -> None:
        """Add `images` (times models) done, under condition `what`."""

    def said(self, text: str) -> None:
        """Report something unexpected; the run continues."""


class Silent:
    """Reports nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def finished(self, what: str, images: int) -> None:
        """Do nothing."""

    def said(self, text: str) -> None:
        """Do nothing."""


class Lines(Silent):
    """Prints plain lines to standard error, for logs."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.started = self.last = time.monotonic()

    def finished(self, what: str, images: int) -> None:
        self.done += images
        now = time.monotonic()
        if self.done < self.total and now - self.last < LINE_SECONDS:
            return
        self.last = now
        rate = self.done / max(now - self.started, 1e-9)
        left = (self.total - self.done) / rate
        print(
            f"{self.done}/{self.total} images, {rate:.1f} images/s, {left:.0f} s left, last {what}",
            file=sys.stderr,
            flush=True,
        )

    def said(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Left(TimeRemainingColumn):
    """Shows the time left; unknown during reliability checks, which count no images."""

    def render(self, task: Task) -> Text:
        return Text("?", style="progress.remaining") if task.fields["checking"] else super().render(task)


class Bar(Silent):
    """Shows a bar with images per second and time left, then the number of finished reliability `checks`."""

    def __init__(self, total: int, checks: int = 0) -> None:
        self.progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            BarColumn(bar_width=10),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]:.1f} images/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            Left(),
            expand=True,
        )
        self.task = self.progress.add_task("starting", total=total, rate=0.0, checking=total == 0)
        self.started, self.done, self.total = time.monotonic(), 0, total
        self.checked, self.checks = 0, checks

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def finished(self, what: str, images: int) -> None:
        self.done += images
        self.checked += not images
        checking = self.done >= self.total and self.checked < self.checks
        if images:
            self.progress.update(self.task, rate=self.done / max(time.monotonic() - self.started, 1e-9))
        if checking:
            what = f"checking reliability: {self.checked} of {self.checks} done"
        self.progress.update(self.task, advance=images, description=what, checking=checking)

    def said(self, text: str) -> None:
        self.progress.console.print(text, markup=False, highlight=False)


def reporter(total: int, checks: int = 0, *, quiet: bool = False) -> Silent:
    """Return a bar at a terminal, lines otherwise, and nothing when `quiet` or when there is nothing to do; reliability
    `checks` follow the images."""
    if quiet or not (total or checks):
        return Silent()
    if sys.stderr.isatty():
        return Bar(total, checks)
    return Lines(total) if total else Silent()
