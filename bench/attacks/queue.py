"""The queue of all attacks: it keeps a batch full, and an image leaves when its verdict is final.

Each image passes through the attack's trials in order (`bench.attacks.schedule`). Images in work are rows of the active
batch of their search. Each pass takes as many rows as fit in a batch, from any search, that need the same kind of
output (logits, or a gradient as well).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.attacks.budget import Norm
from bench.attacks.network import Network
from bench.attacks.randomness import generator
from bench.attacks.schedule import TrialSchedule, When
from bench.attacks.search import ActiveBatch, ModelOutput, NewImages, Search
from bench.attacks.targets import CANDIDATES, Targets

AnySearch = Search[Any]


@dataclass(frozen=True)
class Trial:
    """One run of a search, with its restart and target class.

    rank: 0 for none; r >= 1 for the r-th most likely wrong class of the clean image; -1 for one drawn uniformly from
    the wrong classes. near: the likeliest alternate with those of the nearest boundary in this norm.
    when: "led" for images on which the first trial's gradients raised its objective, "misled" for the others.
    """

    search: AnySearch
    restart: int = 0
    rank: int = 0
    near: Norm | None = None
    when: When = "always"

    @property
    def classes(self) -> int:
        """The minimum number of classes."""
        return max(self.search.classes, self.rank + 1)

    @property
    def number(self) -> int:
        """Key that separates this trial's random numbers from those of the search's other trials."""
        return self.restart * 1000 + max(self.rank, 0)


@dataclass(frozen=True)
class Workload:
    """The images to attack, in host memory: images [n, 3, h, w], labels [n], ids, and clean logits [n, k]."""

    images: Tensor
    labels: Tensor
    ids: Sequence[str]
    logits: Tensor


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial: index of the image and of the trial, whether it claims to have broken the image, whether its
    gradients misled it, passes, and the image [3, h, w]."""

    index: int
    trial: int
    broken: bool
    misled: bool
    passes: int
    image: Tensor


class Queue:
    """Runs `trials` over the images of a workload.

    `findings` holds for each finished image the finding of the first trial that broke it, else of the last. `misled` is
    what earlier queues found of the first trial, and is kept up to date.
    """

    def __init__(
        self,
        network: Network,
        trials: Sequence[Trial],
        load: Workload,
        seed: int,
        batch_size: int,
        misled: list[bool] | None = None,
    ) -> None:
        self.network, self.trials, self.load, self.seed, self.batch_size = network, trials, load, seed, batch_size
        self.findings: dict[int, TrialResult] = {}
        known = [True] * len(load.ids) if misled is None else misled
        self._schedule = TrialSchedule([trial.when for trial in trials], known)
        self._steps = torch.zeros(len(load.ids), len(trials), dtype=torch.int64)
        self._targets = Targets(network, load.images, load.labels, load.logits)
        self._active: dict[AnySearch, ActiveBatch] = {}
        self._known: dict[AnySearch, tuple[ActiveBatch, list[bool]]] = {}

    def add(self, index: int, trial: int = 0) -> None:
        """Queue image `index` for a trial; after the last trial its finding is final."""
        if trial < len(self.trials):
            self.findings.pop(index, None)
            self._steps[index, trial:] = 0
            self._schedule.add(index, trial)

    def following(self, index: int, trial: int) -> int:
        """Return the first trial from `trial` on that image `index` goes through; the number of trials if none."""
        return self._schedule.following(index, trial)

    def drain(self) -> None:
        """Run until no image waits. An image that a trial failed to break waits for the next one."""
        while self._schedule or self._active:
            self._admit()
            for search, batch, done in self._pass():
                self._settle(search, batch, done)
            if self._schedule.given_up:
                self._give_up()

    @property
    def steps(self) -> Tensor:
        """Return int64 [n]: passes of each image up to the end of the first trial that broke it."""
        counted = torch.arange(len(self.trials)) <= torch.tensor(self._schedule.limit)[:, None]
        return (self._steps * counted).sum(1)

    def _wanting(self) -> tuple[int, int]:
        """Return how many rows need only logits, and how many a gradient."""
        gradient = sum(sum(self._wants(search)) for search in self._active)
        return sum(map(len, self._active.values())) - gradient, gradient

    def _wants(self, search: AnySearch) -> list[bool]:
        """Find for each row of the search's batch whether it needs a gradient; this synchronises the device once per
        pass."""
        batch = self._active[search]
        if search not in self._known or self._known[search][0] is not batch:
            self._known[search] = batch, search.wants_gradient(batch).tolist()
        return self._known[search][1]

    def _admit(self) -> None:
        """Add waiting images. If rows are of two kinds, up to two batches are kept, so that one kind always fills a
        pass."""
        wanting = self._wanting()
        room = min(self.batch_size - max(wanting), 2 * self.batch_size - sum(wanting))
        entering: defaultdict[AnySearch, list[tuple[int, int]]] = defaultdict(list)
        for index, trial in self._schedule.take(room):
            entering[self.trials[trial].search].append((index, trial))
        for search, places in entering.items():
            self._put(search, search.start(self._new_images(places)))

    def _new_images(self, places: Sequence[tuple[int, int]]) -> NewImages:
        """Return the images of (index, trial) pairs on the network's device, with targets and random numbers."""
        index, trial = torch.tensor(places).T
        trials = [self.trials[t] for _, t in places]
        draws = [
            generator(self.seed, self.load.ids[i], t.search.stream, t.number)
            for (i, _), t in zip(places, trials, strict=True)
        ]
        label = self.load.labels[index]
        wrong = self._wrong_classes(places)
        ranks = [
            int(g.integers(wrong.shape[1])) if t.rank < 0 else t.rank - 1 for g, t in zip(draws, trials, strict=True)
        ]
        aimed = torch.tensor(ranks)
        target = torch.where(aimed >= 0, wrong.gather(1, aimed.clamp(min=0)[:, None]).squeeze(1), label)
        device = self.network.device
        image = self.load.images[index].to(device).contiguous(memory_format=torch.channels_last)
        return NewImages(index.to(device), trial.to(device), image, label.to(device), target.to(device), draws)

    def _wrong_classes(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """Return int64 [b, k - 1]: the wrong classes of each image, in the order in which its trial aims at them."""
        wanted = [(i, self.trials[t].near) for i, t in places]
        for i in self._targets.find(wanted, self.batch_size):
            trial = min(t for other, t in places if other == i)
            self._steps[i, trial] += min(CANDIDATES, self.load.logits.shape[1] - 1)
        return self._targets.of(wanted)

    def _put(self, search: AnySearch, batch: ActiveBatch) -> None:
        """Append rows to the search's batch."""
        parts = [part for part in (self._active.pop(search, None), batch) if part is not None and len(part)]
        if parts:
            self._active[search] = batch.join(parts)

    def _pass(self) -> list[tuple[AnySearch, ActiveBatch, Tensor]]:
        """Run one pass of the network over one batch; return the rows that took part, and which of them are done.

        Out of memory halves the batch; no state changes before the network has returned.
        """
        logits, gradients = self._wanting()
        parts = self._take(gradients >= logits)
        try:
            outputs = self._ask(parts, gradients >= logits)
        except torch.OutOfMemoryError:
            if self.batch_size == 1:
                raise
            self.batch_size //= 2
            for search, batch in parts:
                self._put(search, batch)
            return []
        with torch.no_grad():
            return [(s, batch, s.update(batch, output)) for (s, batch), output in zip(parts, outputs, strict=True)]

    def _take(self, gradient: bool) -> list[tuple[AnySearch, ActiveBatch]]:
        """Return up to one batch of rows that need a gradient (or that do not), longest waiting first."""
        room, parts = self.batch_size, []
        for search, batch in list(self._active.items()):
            rows = range(len(batch))
            chosen = [row for row, wants in zip(rows, self._wants(search), strict=True) if wants == gradient][:room]
            if not chosen:
                continue
            room -= len(chosen)
            del self._active[search], self._known[search]
            if len(chosen) < len(batch):
                self._put(search, batch.select(self._rows(sorted(set(rows) - set(chosen)))))
                batch = batch.select(self._rows(chosen))
            parts.append((search, batch))
        return parts

    def _rows(self, rows: list[int]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64).to(self.network.device, non_blocking=True)

    def _ask(self, parts: list[tuple[AnySearch, ActiveBatch]], gradient: bool) -> list[ModelOutput]:
        """Return the network's outputs, from one pass over all parts. If only logits are needed there may be room
        for several points per image."""
        most = 1 if gradient else max(self.batch_size // sum(len(batch) for _, batch in parts), 1)
        points = [search.points(batch, most) for search, batch in parts]
        sizes = [len(own) for own in points]
        x = torch.cat(points) if len(points) > 1 else points[0]
        if not gradient:
            return self.network.logits(x).split(sizes)

        def objective(logits: Tensor) -> Tensor:
            rows = zip(parts, torch.split(logits, sizes), strict=True)
            return torch.cat([search.objective(batch, own) for (search, batch), own in rows])

        return self.network.gradient(x, objective).split(sizes)

    def _settle(self, search: AnySearch, batch: ActiveBatch, done: Tensor) -> None:
        """Record the rows that are done, and put the others back."""
        batch.passes = batch.passes + 1
        ended = done.tolist()
        if not any(ended):
            return self._put(search, batch)
        self._put(search, batch.select(self._rows([row for row, end in enumerate(ended) if not end])))
        gone = batch.select(self._rows([row for row, end in enumerate(ended) if end]))
        rows = zip(
            gone.index.tolist(),
            gone.trial.tolist(),
            gone.broken.tolist(),
            search.misled(gone).tolist(),
            gone.passes.tolist(),
            search.result(gone).cpu(),
            strict=True,
        )
        for finding in (TrialResult(*row) for row in rows):
            self._note(finding)
        return None

    def _note(self, finding: TrialResult) -> None:
        """Keep a finding unless a better one exists: the first that breaks the image, else the last."""
        if not self._schedule.end(finding.index, finding.trial, finding.broken, finding.misled):
            return
        self._steps[finding.index, finding.trial] += finding.passes
        there = self.findings.get(finding.index)
        if finding.broken or there is None or (finding.trial > there.trial and not there.broken):
            self.findings[finding.index] = finding

    def _give_up(self) -> None:
        """Drop the rows of images that an earlier trial has broken."""
        self._schedule.given_up = False
        limit = torch.tensor(self._schedule.limit, device=self.network.device)
        for search, batch in list(self._active.items()):
            counts = batch.trial <= limit[batch.index]
            if not counts.all():
                del self._active[search]
                self._put(search, batch.select(counts))
