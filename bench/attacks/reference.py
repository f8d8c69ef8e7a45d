"""pyautoattack itself, through the same interface and into the same records (`--attack-engine reference`).

It is the authors' AutoAttack (arXiv 2003.01690) under its PyPI name: the measure that the native engine is held to.
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
from bench.attacks.network import Cost, Network, Precision, frozen_if_copied
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, judged
from bench.errors import UsageError

COMPONENTS = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The standard ensemble, in its order."""

CLASSES_NEEDED = 4
"""What the targeted DLR loss is defined for."""

STEPS_UNKNOWN = -1
"""What stands in a record's `steps`: pyautoattack does not say when an image broke."""

NORMS: dict[Norm, str] = {"linf": "Linf", "l2": "L2", "l1": "L1"}


class Counted(nn.Module):
    """`model`, with every image that goes through it either way counted in `cost`."""

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
    """The standard ensemble as pyautoattack runs it: the name of the native `autoattack`, another `implementation`.

    One component after the other on the images that stand, as the package itself does it, so that the record tells
    which one broke an image. Every verdict is that of a fresh forward pass over the images handed back.
    """

    @property
    def implementation(self) -> str:
        """The code behind the number."""
        return f"pyautoattack {version('pyautoattack')}"

    def searched_in(self, precision: Precision) -> Attack:
        """Refuse: pyautoattack runs in the model's own precision."""
        raise UsageError(f"--precision {precision}: --attack-engine reference has none; leave one of the two out")

    def carry_out(self, request: Request) -> AttackResult:
        """Attack with randomness that belongs to the batch: `seed`, `batch_size` and the order of images matter."""
        # pyautoattack takes views of gradients, which inherit the images' layout.
        images, labels = request.images.contiguous(), request.labels
        run = _Run(self, request)
        clean = clean_logits(request, Network(request.model, request.device))
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
    """pyautoattack's standard ensemble, with as many targets as the classes suffice for. Raises `UsageError` for a
    norm or a budget that cannot be meant."""
    return ReferenceAttack("autoattack", check_budget(norm, eps), eps, (), standard(classes))


class _Run:
    """pyautoattack set up for one call; `attacked` is the frozen copy that it sees, `model` the one that judges."""

    def __init__(self, attack: ReferenceAttack, request: Request) -> None:
        self.model, self.batch_size, self.device = request.model, request.batch_size, request.device
        self.attacked = Counted(frozen_if_copied(self.model, attack.through))
        self.runner = pyautoattack.AutoAttack(
            self.attacked,
            norm=NORMS[attack.norm],
            eps=float(attack.eps),
            version="standard",
            seed=request.seed,
            device=self.device,
        )
        self.runner.verbose = False
        for part in (self.runner.apgd_targeted, self.runner.fab):
            part.n_target_classes = min(part.n_target_classes, attack.fields.targets or TARGETS)

    def component(self, name: str, images: Tensor, labels: Tensor) -> Tensor:
        """The images [n, 3, h, w] that one component hands back, the clean one where it failed."""
        self.runner.attacks_to_run = [name]
        with _tracing_kept():
            found: Tensor = self.runner.run_standard_evaluation(images, labels, batch_size=self.batch_size)[0]
        return found

    def score(self, images: Tensor) -> Tensor:
        """Logits [n, k] on the CPU, of the model itself."""
        self.attacked.cost.forward += len(images)
        with torch.no_grad():
            chunks = torch.split(images, self.batch_size)
            return torch.cat([self.model(chunk.to(self.device)).float().cpu() for chunk in chunks])


@contextmanager
def _tracing_kept() -> Iterator[None]:
    """pyautoattack's check for dynamic defences switches the interpreter's tracing off, which debuggers rely on."""
    before = sys.gettrace()
    try:
        yield
    finally:
        sys.settrace(before)
