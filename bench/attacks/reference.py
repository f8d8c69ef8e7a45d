"""The engine `--attack-engine reference`: pyautoattack with the same interface and records.

pyautoattack is the authors' AutoAttack (arXiv 2003.01690) under its PyPI name. The native engine is tested against it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version

import pyautoattack
import torch
from torch import Tensor, nn

from bench.attacks.autoattack import TARGETS, standard
from bench.attacks.base import Attack, AttackResult
from bench.attacks.budget import Norm, check_budget
from bench.attacks.checks import check_classes
from bench.attacks.clean import clean_logits
from bench.attacks.losses import misclassified
from bench.attacks.memory import as_it_came
from bench.attacks.network import Cost, Network, Precision, frozen_if_copied
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, judged
from bench.errors import UsageError

COMPONENTS = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The components of the standard ensemble, in order."""

CLASSES_NEEDED = 4
"""Minimum number of classes of the targeted DLR loss."""

STEPS_UNKNOWN = -1
"""Value of a record's `steps`: pyautoattack does not report when an image broke."""

NORMS: dict[Norm, str] = {"linf": "Linf", "l2": "L2", "l1": "L1"}


class Counted(nn.Module):
    """`model` with every pass of an image, forward or backward, counted in `cost`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.cost = model, Cost()

    def forward(self, x: Tensor) -> Tensor:
        self.cost.forward += len(x)
        if x.requires_grad:
            x.register_hook(self._backward)  # type: ignore[no-untyped-call]
        logits: Tensor = self.model(x)
        return logits

    def _backward(self, gradient: Tensor) -> None:
        self.cost.backward += len(gradient)


@dataclass(frozen=True)
class ReferenceAttack(Attack):
    """The standard ensemble as run by pyautoattack: the name of the native `autoattack`, another `implementation`.

    Components run one after the other on the surviving images, as in the package, so that the record gives the one that
    broke an image. Verdicts are from a new forward pass over the returned images.
    """

    @property
    def implementation(self) -> str:
        """The code behind the number, with its version."""
        return f"pyautoattack {version('pyautoattack')}"

    def searched_in(self, precision: Precision) -> Attack:
        """Refuse: pyautoattack runs in the model's own precision."""
        raise UsageError(f"--precision {precision}: --attack-engine reference has none; leave one of the two out")

    def carry_out(self, request: Request) -> AttackResult:
        """Attack with random draws that depend on the batch: `seed`, `batch_size` and the order of images matter."""
        # pyautoattack takes views of gradients, which inherit the images' layout.
        images, labels = request.images.contiguous(), request.labels
        run = _Run(self, request)
        clean = clean_logits(request, Network(request.model, request.device), as_it_came(request.model))
        check_classes(self.family, max(CLASSES_NEEDED, (self.fields.targets or TARGETS) + 1), clean.shape[1])
        broken_by = [CLEAN if wrong else None for wrong in misclassified(clean, labels).tolist()]
        adversarial = images.clone()
        for component in COMPONENTS:
            rows = [i for i, verdict in enumerate(broken_by) if verdict is None]
            request.progress(len(images) - len(rows), len(images))
            if not rows:
                break
            found = run.component(component, images[rows], labels[rows])
            for row, wrong, picture in zip(rows, misclassified(run.score(found), labels[rows]), found, strict=True):
                if wrong:
                    broken_by[row], adversarial[row] = component, picture
        steps = torch.full_like(labels, STEPS_UNKNOWN)
        return judged(request, self, adversarial, run.score(adversarial), broken_by, steps, run.attacked.cost)


def reference(norm: str, eps: Fraction, classes: int = TARGETS + 1) -> ReferenceAttack:
    """Make pyautoattack's standard ensemble, with as many targets as there are classes for. Raises `UsageError` for
    an invalid norm or budget."""
    return ReferenceAttack("autoattack", check_budget(norm, eps), eps, (), standard(classes))


class _Run:
    """pyautoattack configured for one call; it attacks the frozen copy `attacked`, and the model itself judges."""

    def __init__(self, attack: ReferenceAttack, request: Request) -> None:
        self.request = request
        self.attacked = Counted(frozen_if_copied(request.model, attack.through))
        self.runner = pyautoattack.AutoAttack(
            self.attacked,
            norm=NORMS[attack.norm],
            eps=float(attack.eps),
            version="standard",
            seed=request.seed,
            device=request.device,
        )
        self.runner.verbose = False
        for part in (self.runner.apgd_targeted, self.runner.fab):
            part.n_target_classes = min(part.n_target_classes, attack.fields.targets or TARGETS)

    def component(self, name: str, images: Tensor, labels: Tensor) -> Tensor:
        """Return the images [n, 3, h, w] of one component, with the clean image where it failed."""
        self.runner.attacks_to_run = [name]
        with _tracing_kept():
            found: Tensor = self.runner.run_standard_evaluation(images, labels, batch_size=self.request.batch_size)[0]
        return found

    def score(self, images: Tensor) -> Tensor:
        """Return logits [n, k] on the CPU, of the model itself."""
        self.attacked.cost.forward += len(images)
        return self.request.score(images)


@contextmanager
def _tracing_kept() -> Iterator[None]:
    """Keep the interpreter's tracing on, which debuggers need and pyautoattack's check for dynamic defences switches
    off."""
    before = sys.gettrace()
    try:
        yield
    finally:
        sys.settrace(before)
