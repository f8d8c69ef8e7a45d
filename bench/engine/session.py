"""State of a worker during units: models, data sets, and recently decoded images."""

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import sleep
from typing import Any

import torch

from bench.datasets.base import Dataset, Picture, RandomOrder, Shuffled, Subset
from bench.datasets.content import ChangedError, Loaded, PassingError, UnreadableError
from bench.datasets.preprocess import input_spec, rule
from bench.datasets.sampled import sampled, take_sample
from bench.datasets.table import DataRoots, open_dataset, parse_roots
from bench.engine.allocator import keep_large_blocks
from bench.engine.decoded import picture_cache
from bench.engine.pictures import PictureCache, Unread, View, Viewed, ViewedOrUnread
from bench.engine.readers import Readers
from bench.errors import DataError, UsageError, first_line
from bench.folder.kept import KeptPictures
from bench.known_models import KnownModel, read_known_models, recognise
from bench.metrics.told import Rule
from bench.options.run import InputRule
from bench.record import SAMPLE, SAMPLE_STATE, digest
from bench.sample import write_sample
from bench.store import Store
from bench.suites.base import Setup
from model_zoo.card import InputSpec
from model_zoo.model import Model

RETRIES = (0.1, 0.5, 2.0)
"""Seconds before an image is read again after a temporary failure."""

READ_SECONDS = 300.0
"""Seconds after which a read is considered to hang."""

PATIENCE = 8
"""Maximum number of images of a session to wait for; a disk that fails them all is not waited for again."""


OWN = "standard.from_file"
"""Room of users' own models, whose input they state in each call."""


@dataclass(frozen=True)
class Subject:
    """A model to be measured, with its input under the run's protocol."""

    model: Model
    known: KnownModel
    spec: InputSpec

    @classmethod
    def of(cls, model: Model, protocol: InputRule, known: Sequence[KnownModel] = ()) -> "Subject":
        """Make a subject of `model` under the input protocol, with the name that a results folder with the models
        `known` uses."""
        is_ = recognise(model.name, model.identity(), model.origin, known)
        return cls(model, is_, input_spec(model.input, protocol))

    @property
    def fingerprint(self) -> str:
        """Identifier of the model, part of its cells."""
        return self.known.fingerprint

    def remarks(self, *, photographs: bool) -> Iterator[str]:
        """Yield what a user's own model is given that its user did not state, or not that of it."""
        if self.model.card.room != OWN:
            return
        own, used = (rule(spec, "published").partition(": ")[2] for spec in (self.model.input, self.spec))
        if photographs and own != used:
            yield (
                f"photographs are prepared by {used} (protocol canonical, one rule for all models), not by its own "
                f"input ({own}): protocol published uses that"
            )
        if self.model.name.startswith("file:") and not {"mean", "std"} & set(
            re.findall(r"[?&](\w+)=", self.model.name)
        ):
            yield (
                "its images are normalised by ImageNet's mean and std, as nothing else is said: for a network that "
                "does it itself add mean=0,0,0&std=1,1,1"
            )


def subjects_of(models: Iterable[Model], protocol: InputRule, store: Store) -> list[Subject]:
    """Make subjects of `models` to be measured into `store`; a model with stored records keeps its fingerprint
    there."""
    known = read_known_models(store)
    found = []
    for model in models:
        found.append(Subject.of(model, protocol, known))
        known.append(found[-1].known)
    return found


Subjects = Sequence[Subject] | Mapping[int, Subject]
"""Models by their index in the plan; a worker holds those that its units need."""


@dataclass
class Session:
    """Everything that units need, opened once."""

    roots: DataRoots
    limit: int | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch_size: int = 32
    seed: int = 0
    rule: Rule | None = None
    kept: KeptPictures | None = None
    readers: int = field(default_factory=lambda: max(2, min(16, os.cpu_count() or 2)))
    cache: PictureCache = field(default_factory=picture_cache)
    coming: dict[tuple[str, int, tuple[View, ...]], Future[ViewedOrUnread]] = field(default_factory=dict)
    """Images of the next unit that threads have begun to decode, by shelf, index and views."""
    _datasets: dict[tuple[str, str, bool], Dataset] = field(default_factory=dict)
    _kept: dict[str, Any] = field(default_factory=dict)
    _given_up: int = 0

    @functools.cached_property
    def pool(self) -> Readers:
        """Threads that decode ahead."""
        return Readers(self.readers)

    def dataset(self, name: str, part: str = "", shuffled: bool = False) -> Dataset:
        """Return the data set, opened on first use and limited as the run; `shuffled` as for diagnostics."""
        if (name, part, shuffled) not in self._datasets:
            self._datasets[name, part, shuffled] = (
                Shuffled(self.dataset(name, part)) if shuffled else self._open(name, part)
            )
        return self._datasets[name, part, shuffled]

    def dataset_of(self, setup: Setup) -> Dataset:
        """Return the data set of a condition, in the condition's order."""
        return self.dataset(setup.dataset, setup.part, bool(setup.probes))

    def is_open(self, setup: Setup) -> bool:
        """Return whether the condition's data set was opened before."""
        return (setup.dataset, setup.part, bool(setup.probes)) in self._datasets

    def _open(self, name: str, part: str) -> Dataset:
        whole = open_dataset(name, self.roots, part)
        cut = self.limit is not None and self.limit < len(whole)
        chosen = Subset(whole, int(self.limit or 0)) if cut else whole
        return RandomOrder(chosen, self.rule) if self.rule else chosen

    @property
    def left_out(self) -> list[str]:
        """Return what the readers of the data sets left out, one line each."""
        return [f"{name}: {line}" for (name, _, _), dataset in self._datasets.items() for line in dataset.notes]

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what `make` made when it was first called for `key`."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def sample(self, dataset: Dataset) -> dict[str, str]:
        """Return metadata that tells the set from another one with the same listing, for any share of it measured
        here."""
        key, state = f"sample {dataset.shelf}", self.sample_state(dataset)

        def take() -> str:
            found = self.pool.submit(lambda: take_sample(dataset, self._sampled(dataset)))
            try:
                return write_sample(found.result(READ_SECONDS))
            except TimeoutError:
                raise DataError(f"{dataset.name}: {hangs('its images were', READ_SECONDS)}") from None

        text: str = self.keep(key, take)
        return {SAMPLE: text, SAMPLE_STATE: state}

    def sample_state(self, dataset: Dataset) -> str:
        """Return the state of the files in the set's sample; empty if there are none."""
        return state_of(dataset, self._sampled(dataset))

    def _sampled(self, dataset: Dataset) -> list[int]:
        indices: list[int] = self.keep(f"sampled {dataset.shelf}", lambda: sampled(dataset))
        return indices

    def show(
        self, dataset: Dataset, index: int, views: Sequence[View], make: Callable[[Loaded, View], Picture]
    ) -> ViewedOrUnread:
        """Return image `index` in all `views`, from the cache or decoded once. Runs in the reading threads."""
        known = self.cache.get((dataset.shelf, index), views, state_of(dataset, [index]))
        if known is not None and all(v in known.views for v in views):
            return known
        try:
            loaded = self._load(dataset, index)
        except PassingError as error:
            return Unread(str(error), passing=True)
        except UnreadableError as error:
            return Unread(str(error))
        if known is not None and known.content != loaded.content:
            raise ChangedError(f"{dataset.name}: {dataset.ids[index]} is not the image that was read before")
        views_made = {view: make(loaded, view) for view in views}
        return Viewed({**(known.views if known else {}), **views_made}, loaded.content)

    def _load(self, dataset: Dataset, index: int) -> Loaded:
        """Read the image, again after a while if the failure may be temporary."""
        for seconds in RETRIES:
            try:
                return dataset.load(index)
            except PassingError:
                if self._given_up >= PATIENCE:
                    raise
            sleep(seconds)
        try:
            return dataset.load(index)
        except PassingError:
            self._given_up += 1
            raise


def hangs(what: str, seconds: float) -> str:
    """Return the message for a read that does not end."""
    return (
        f"{what} not read within {seconds:.0f} s: the disk or network behind --data hangs; finished units are kept, "
        "the same command continues"
    )


def state_of(dataset: Dataset, indices: Iterable[int]) -> str:
    """Return a hash that changes when anybody writes to the files of these images; empty if there are none."""
    states = [dataset.state(index) for index in indices]
    return digest([str(state) for state in states]) if any(state is not None for state in states) else ""


@dataclass(frozen=True)
class Settings:
    """Arguments of a session as the user gave them: a remote worker opens its own on its device and data."""

    data: str | None = None
    limit: int | None = None
    device: str | None = None
    batch_size: int | None = None
    seed: int = 0
    rule: Rule | None = None
    kept: KeptPictures | None = None

    def open(self, *, elsewhere: bool = False) -> Session:
        """Open a session here. Raises `UsageError` for a device that cannot be used, unless work runs `elsewhere`,
        and `DataError` if `data` is not a folder on this machine."""
        place = default_device(self.device) if elsewhere else usable_device(self.device)
        if place.type == "cpu" and not elsewhere:
            keep_large_blocks()
        roots = parse_roots(self.data, os.environ.get("BENCH_DATA"))
        batch = self.batch_size or default_batch(place)
        return Session(roots, self.limit, place, batch, self.seed, self.rule, self.kept)


def default_device(name: str | None) -> torch.device:
    """Return the device called `name`, or CUDA if there is one. Raises `UsageError` for an unknown device."""
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UsageError(
            f"--device {name}: no device of torch ({first_line(error)}); expected cpu, cuda, cuda:1, mps, xpu"
        ) from None


def usable_device(name: str | None) -> torch.device:
    """Return the device after a test allocation. Raises `UsageError` if that fails."""
    place = default_device(name)
    try:
        if place.type == "meta":
            raise RuntimeError("it cannot hold tensors")
        torch.zeros(1, device=place).add_(1).cpu()
    except Exception as error:  # torch raises what its backend does: AssertionError, RuntimeError, NotImplementedError
        raise UsageError(
            f"--device {name or place}: cannot be used ({first_line(error)}); "
            "next: name another, or leave out --device to use CUDA if available, else the CPU"
        ) from None
    return place


def default_batch(device: torch.device) -> int:
    """Default number of images in a forward pass."""
    return 256 if device.type == "cuda" else 32


def settle_torch(threads: int | None = None) -> None:
    """Set full float32 precision and `threads` (default: OMP_NUM_THREADS, or all cores that this process may use).
    Decoding threads mostly wait for the network, so keeping a core free for them wastes it."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if threads is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or usable_cores())


def usable_cores() -> int:
    """Return the cores that this process may use; a container or job scheduler may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
