"""pyautoattack itself, through the same interface and into the same records (`--attack-engine reference`).

It is the authors' AutoAttack (arXiv 2003.01690) under its PyPI name: the measure that the native engine is held to.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version

import pyautoattack
import torch
from torch import Tensor, nn

from bench.attacks import norms
from bench.attacks.autoattack import TARGETS, standard
from bench.attacks.base import Attack, AttackResult, Progress
from bench.attacks.budget import Norm, check_budget
from bench.attacks.checks import check_call, check_classes, check_logits
from bench.attacks.losses import margin
from bench.attacks.network import Cost, Precision, freeze
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
    which one broke an image. Every verdict is that of a fresh forward pass over the pictures handed back.
    """

    @property
    def implementation(self) -> str:
        """The code behind the number."""
        return f"pyautoattack {version('pyautoattack')}"

    def searched_in(self, precision: Precision) -> Attack:
        """Refuse: pyautoattack runs in the model's own precision."""
        raise UsageError(f"--precision {precision}: --attack-engine reference has none; leave one of the two out")

    def run(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        ids: Sequence[str],
        *,
        seed: int = 0,
        batch_size: int = 32,
        progress: Progress | None = None,
        keep_adversarial: bool = False,
    ) -> AttackResult:
        """Attack as `Attack.run` does, except that randomness belongs to the batch: `seed`, `batch_size` and the order
        of images matter."""
        check_call(model, images, labels, ids)
        # pyautoattack takes views of gradients, which inherit the pictures' layout.
        images = images.contiguous()
        run = _Run(self, model, batch_size, seed)
        clean = run.score(images)
        check_logits(clean, labels)
        check_classes(self.family, max(CLASSES_NEEDED, (self.fields.targets or TARGETS) + 1), clean.shape[1])
        broken_by = ["clean" if wrong else None for wrong in (clean.argmax(1) != labels).tolist()]
        adversarial = images.clone()
        for component in COMPONENTS:
            rows = [i for i, verdict in enumerate(broken_by) if verdict is None]
            if progress:
                progress(len(images) - len(rows), len(images))
            if not rows:
                break
            found = run.component(component, images[rows], labels[rows])
            for row, wrong, picture in zip(rows, run.score(found).argmax(1) != labels[rows], found, strict=True):
                if wrong:
                    broken_by[row], adversarial[row] = component, picture
        logits = run.score(adversarial)
        prediction = logits.argmax(1)
        return AttackResult(
            prediction=prediction,
            confidence=logits.softmax(1).gather(1, prediction[:, None]).squeeze(1),
            margin=margin(logits, labels),
            distance=norms.size(adversarial - images, self.norm),
            steps=torch.full_like(labels, STEPS_UNKNOWN),
            broken_by=broken_by,
            adversarial=adversarial if keep_adversarial else None,
            cost=run.attacked.cost,
        )


def reference(norm: str, eps: Fraction, classes: int = TARGETS + 1) -> ReferenceAttack:
    """pyautoattack's standard ensemble, with as many targets as the classes suffice for. Raises `UsageError` for a
    norm or a budget that cannot be meant."""
    return ReferenceAttack("autoattack", check_budget(norm, eps), eps, (), standard(classes))


class _Run:
    """pyautoattack set up for one call; `attacked` is the frozen copy that it sees, `model` the one that judges."""

    def __init__(self, attack: ReferenceAttack, model: nn.Module, batch_size: int, seed: int) -> None:
        self.model, self.batch_size = model, batch_size
        self.device = next((t.device for t in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
        self.attacked = Counted(freeze(model, attack.through))
        self.runner = pyautoattack.AutoAttack(
            self.attacked,
            norm=NORMS[attack.norm],
            eps=float(attack.eps),
            version="standard",
            seed=seed,
            device=self.device,
        )
        self.runner.verbose = False
        for part in (self.runner.apgd_targeted, self.runner.fab):
            part.n_target_classes = min(part.n_target_classes, attack.fields.targets or TARGETS)

    def component(self, name: str, images: Tensor, labels: Tensor) -> Tensor:
        """The pictures [n, 3, h, w] that one component hands back, the clean one where it failed."""
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
