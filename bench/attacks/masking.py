"""What is measured of a model before its robust accuracy is believed: shares and ratios, of which higher is worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks.autoattack import apgd, square
from bench.attacks.base import Attack, AttackResult
from bench.attacks.budget import Norm
from bench.attacks.checks import relative_change
from bench.attacks.forward import answer
from bench.attacks.losses import CLASSES_NEEDED, misclassified
from bench.attacks.network import freeze, frozen_if_copied
from bench.attacks.presets import make_pgd

SHORT, LONG = 20, 200
"""Steps of the two PGD whose gap is looked at: what papers report, and what they should have run."""

QUERIES = 1000
"""Queries of Square, on what the gradients left standing."""

AGREEMENT = 0.9
"""Cosine between the gradients in float32 and float64 below which they disagree."""

UNBOUNDED: Mapping[str, Fraction] = {"linf": Fraction(254, 255), "l2": Fraction(1000)}
"""Budgets within which any image is reached from any other (nearly, for Linf: eps 1 would be refused)."""


class NotAssessableError(Exception):
    """A measurement cannot be made here, because of what its message says."""


@dataclass(frozen=True)
class AttackedModel:
    """The model under question and images that it classifies rightly: images [n, 3, h, w], labels [n], ids."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    ids: Sequence[str]
    norm: Norm
    eps: Fraction
    seed: int = 0
    batch_size: int = 32
    surrogate: nn.Module | None = None

    @cached_property
    def device(self) -> torch.device:
        """Where the model is."""
        return next((t.device for t in [*self.model.parameters(), *self.model.buffers()]), torch.device("cpu"))

    @cached_property
    def clean(self) -> Tensor:
        """Logits [n, k] of the images."""
        return self.logits(self.images)

    def logits(self, images: Tensor) -> Tensor:
        """[n, k] on the CPU, without gradients."""
        chunks = torch.split(images, self.batch_size)
        return torch.cat([answer(self.model, chunk.to(self.device)).float().cpu() for chunk in chunks])

    def select(self, rows: Tensor) -> "AttackedModel":
        """The same of the images of a mask [n]."""
        ids = [name for name, chosen in zip(self.ids, rows.tolist(), strict=True) if chosen]
        return replace(self, images=self.images[rows], labels=self.labels[rows], ids=ids)

    def attack(self, attack: Attack, rows: Tensor | None = None, model: nn.Module | None = None) -> AttackResult:
        """`attack` on all images or the `rows` of a mask [n]; on the model under question or another."""
        rows = torch.ones_like(self.labels, dtype=torch.bool) if rows is None else rows
        ids = [name for name, chosen in zip(self.ids, rows.tolist(), strict=True) if chosen]
        return attack.run(
            model or self.model,
            self.images[rows],
            self.labels[rows],
            ids,
            seed=self.seed,
            batch_size=self.batch_size,
            keep_adversarial=True,
        )

    def outlast(self, attack: Attack, rows: Tensor) -> Tensor:
        """bool [n]: which of `rows` stand against `attack`, too; the others are not attacked."""
        standing = rows.clone()
        if rows.any():
            standing[rows] = self.attack(attack, rows).robust
        return standing

    @cached_property
    def short(self) -> AttackResult:
        """PGD-20 at a quarter of the budget a step. Raises `NotAssessableError` in L1."""
        if self.norm == "l1":
            raise NotAssessableError("PGD of a fixed step is no attack in L1")
        return self.attack(make_pgd(self.norm, self.eps, SHORT, self.eps / 4))

    @cached_property
    def after_long(self) -> Tensor:
        """bool [n]: stands against PGD-20, and against PGD-200 of the same step."""
        short = self.short.robust
        return self.outlast(make_pgd(self.norm, self.eps, LONG, self.eps / 4), short)

    @cached_property
    def standing(self) -> Tensor:
        """bool [n]: no gradient attack has broken it: neither PGD, nor APGD on cross-entropy or (of 3 classes) DLR."""
        before = torch.ones_like(self.labels, dtype=torch.bool) if self.norm == "l1" else self.after_long
        standing = self.outlast(apgd(self.norm, self.eps), before)
        if self.clean.shape[1] < CLASSES_NEEDED["dlr"]:
            return standing
        return self.outlast(apgd(self.norm, self.eps, "dlr"), standing)

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the cross-entropy at the images, in float32: [n, 3 h w]."""
        return _gradient(frozen_if_copied(self.model), self, torch.float32)


def _gradient(model: nn.Module, subject: AttackedModel, dtype: torch.dtype) -> Tensor:
    rows = []
    for images, labels in zip(
        torch.split(subject.images, subject.batch_size), torch.split(subject.labels, subject.batch_size), strict=True
    ):
        leaf = images.to(subject.device, dtype).requires_grad_()
        loss = F.cross_entropy(model(leaf), labels.to(subject.device), reduction="sum")
        gradient = torch.zeros_like(leaf)
        if loss.requires_grad:
            gradient = torch.autograd.grad(loss, [leaf], allow_unused=True, materialize_grads=True)[0]
        rows.append(gradient.flatten(1).cpu())
    return torch.cat(rows)


def training_modules(subject: AttackedModel) -> float:
    """Share of modules that behave as in training: batch statistics, dropout."""
    modules = list(subject.model.modules())
    return sum(module.training for module in modules) / len(modules)


def random_forward(subject: AttackedModel) -> float:
    """Largest change of a logit when the same batch is passed again, relative to the largest logit."""
    return relative_change(subject.clean, subject.logits(subject.images))


def moved_at_zero(subject: AttackedModel) -> float:
    """Share of predictions that PGD at eps 0 changes."""
    result = subject.attack(make_pgd("linf", Fraction(0), 3, Fraction(1, 255)))  # one image, whatever the norm
    return _share(result.prediction != subject.clean.argmax(1))


def blind_gradients(subject: AttackedModel) -> float:
    """Share of images at which the gradient is exactly zero or not finite."""
    finite = subject.gradient.isfinite().all(1)
    return _share(~finite | (subject.gradient == 0).all(1))


def float64_disagreement(subject: AttackedModel) -> float:
    """Share of images at which the gradients in float32 and in float64 point elsewhere (zero points nowhere)."""
    try:
        double = freeze(subject.model).double()
    except Exception as error:  # a lock, an open file
        raise NotAssessableError(f"the model cannot be copied into float64: {error}") from error
    try:
        exact = _gradient(double, subject, torch.float64)
    except RuntimeError as error:  # a model that makes float32 tensors of its own
        raise NotAssessableError(f"the model does not run in float64: {error}") from error
    cosine = F.cosine_similarity(subject.gradient.double().nan_to_num(), exact.nan_to_num(), dim=1, eps=1e-300)
    return _share(cosine < AGREEMENT)


def flat_loss(subject: AttackedModel) -> float:
    """Share of images whose loss PGD-20 has not raised above that of the clean image."""
    if subject.short.adversarial is None:
        raise RuntimeError("the adversarial images were not kept")
    before, after = (
        F.cross_entropy(logits, subject.labels, reduction="none")
        for logits in (subject.clean, subject.logits(subject.short.adversarial))
    )
    return _share(after <= before)


def unbounded_survivors(subject: AttackedModel) -> float:
    """Share of images that stand where the budget is no bound: from the clean image, along the gradient alone."""
    norm: Norm = "linf" if subject.norm == "linf" else "l2"  # all of [0, 1] is reached in any norm
    eps = UNBOUNDED[norm]
    reach = eps if norm == "linf" else Fraction(int(subject.images[0].numel() ** 0.5) + 1)
    attack = make_pgd(norm, eps, 50, reach / 20, keep="best", random_start=False)
    return _share(subject.attack(attack).robust)


def more_steps(subject: AttackedModel) -> float:
    """Share of images that stand against PGD-20 and fall to PGD-200."""
    return _share(subject.short.robust & ~subject.after_long)


def adaptive_steps(subject: AttackedModel) -> float:
    """Share of images that stand against both PGD and fall to APGD."""
    return _share(subject.after_long & ~subject.standing)


def gradient_free(subject: AttackedModel) -> float:
    """Share of images that stand against all gradients and fall to Square, which uses none."""
    left = subject.outlast(square(subject.norm, subject.eps, QUERIES), subject.standing)
    return _share(subject.standing & ~left)


def transfer(subject: AttackedModel) -> float:
    """Share of images that stand against all gradients of the model and fall to those of another."""
    if subject.surrogate is None:
        raise NotAssessableError("no other model was given")
    found = subject.attack(apgd(subject.norm, subject.eps), model=subject.surrogate).adversarial
    if found is None:
        raise RuntimeError("the adversarial images were not kept")
    return _share(subject.standing & misclassified(subject.logits(found), subject.labels))


def _share(mask: Tensor) -> float:
    return float(mask.float().mean())


Measurement = Callable[[AttackedModel], float]
