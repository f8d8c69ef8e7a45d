"""Measurements of gradient masking and of the forward pass, as shares and ratios; higher is worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks.autoattack import apgd, square
from bench.attacks.base import Attack, AttackResult
from bench.attacks.budget import Norm
from bench.attacks.checks import relative_change
from bench.attacks.forward import answer
from bench.attacks.losses import CLASSES_NEEDED, misclassified
from bench.attacks.network import freeze, frozen_if_copied, input_gradient
from bench.attacks.presets import make_pgd

SHORT, LONG = 20, 200
"""Steps of the two PGD attacks that are compared: those that papers report, and enough to converge."""

QUERIES = 1000
"""Queries of Square, on the images that survive gradient attacks."""

AGREEMENT = 0.9
"""Cosine between the gradients in float32 and float64 below which they disagree."""

UNBOUNDED: Mapping[str, Fraction] = {"linf": Fraction(254, 255), "l2": Fraction(1000)}
"""Budgets that make any image reachable from any other (nearly, for Linf, since eps 1 would be refused)."""


class NotAssessableError(Exception):
    """A measurement is not possible, for the reason in the message."""


@dataclass(frozen=True)
class AttackedModel:
    """The model under test and images that it classifies correctly: images [n, 3, h, w], labels [n], ids."""

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
        """The model's device."""
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
        """Return the same for the images of a mask [n]."""
        ids = [name for name, chosen in zip(self.ids, rows.tolist(), strict=True) if chosen]
        return replace(self, images=self.images[rows], labels=self.labels[rows], ids=ids)

    def attack(self, attack: Attack, rows: Tensor | None = None, model: nn.Module | None = None) -> AttackResult:
        """Run `attack` on all images or the `rows` of a mask [n], on the model under test or on another."""
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
        """Return bool [n]: which of `rows` also survive `attack`; the others are not attacked."""
        standing = rows.clone()
        if rows.any():
            standing[rows] = self.attack(attack, rows).robust
        return standing

    @cached_property
    def short(self) -> AttackResult:
        """Make PGD-20 with steps of a quarter of the budget. Raises `NotAssessableError` in L1."""
        if self.norm == "l1":
            raise NotAssessableError("PGD with a fixed step is not an L1 attack")
        return self.attack(make_pgd(self.norm, self.eps, SHORT, self.eps / 4))

    @cached_property
    def after_long(self) -> Tensor:
        """Return bool [n]: survives PGD-20, and survives PGD-200 with the same step."""
        short = self.short.robust
        return self.outlast(make_pgd(self.norm, self.eps, LONG, self.eps / 4), short)

    @cached_property
    def standing(self) -> Tensor:
        """Return bool [n]: survives every gradient attack: PGD, and APGD on cross-entropy and (with 3 classes or
        more) DLR."""
        before = torch.ones_like(self.labels, dtype=torch.bool) if self.norm == "l1" else self.after_long
        standing = self.outlast(apgd(self.norm, self.eps), before)
        if self.clean.shape[1] < CLASSES_NEEDED["dlr"]:
            return standing
        return self.outlast(apgd(self.norm, self.eps, "dlr"), standing)

    @cached_property
    def gradient(self) -> Tensor:
        """Return the gradient of the cross-entropy at the images, in float32: [n, 3 h w]; zero if the model cannot be
        differentiated."""
        try:
            return _gradient(frozen_if_copied(self.model), self, torch.float32)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            return torch.zeros_like(self.images).flatten(1)


def _gradient(model: nn.Module, subject: AttackedModel, dtype: torch.dtype) -> Tensor:
    rows = []
    for images, labels in zip(
        torch.split(subject.images, subject.batch_size), torch.split(subject.labels, subject.batch_size), strict=True
    ):
        leaf = images.to(subject.device, dtype)
        loss = partial(F.cross_entropy, target=labels.to(subject.device), reduction="none")
        rows.append(input_gradient(model, leaf, loss).flatten(1).cpu())
    return torch.cat(rows)


def training_modules(subject: AttackedModel) -> float:
    """Return the share of modules in training mode (batch statistics, dropout)."""
    modules = list(subject.model.modules())
    return sum(module.training for module in modules) / len(modules)


def random_forward(subject: AttackedModel) -> float:
    """Return the largest change of a logit when the same batch is passed again, relative to the largest logit."""
    return relative_change(subject.clean, subject.logits(subject.images))


def moved_at_zero(subject: AttackedModel) -> float:
    """Return the share of predictions that PGD at eps 0 changes."""
    result = subject.attack(make_pgd("linf", Fraction(0), 3, Fraction(1, 255)))  # one image, whatever the norm
    return _share(result.prediction != subject.clean.argmax(1))


def blind_gradients(subject: AttackedModel) -> float:
    """Return the share of images with a gradient that is exactly zero or not finite."""
    finite = subject.gradient.isfinite().all(1)
    return _share(~finite | (subject.gradient == 0).all(1))


def float64_disagreement(subject: AttackedModel) -> float:
    """Return the share of images with different gradient directions in float32 and float64 (a zero gradient counts
    as different)."""
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
    """Return the share of images for which PGD-20 does not raise the loss above that of the clean image."""
    if subject.short.adversarial is None:
        raise RuntimeError("the adversarial images were not kept")
    before, after = (
        F.cross_entropy(logits, subject.labels, reduction="none")
        for logits in (subject.clean, subject.logits(subject.short.adversarial))
    )
    return _share(after <= before)


def unbounded_survivors(subject: AttackedModel) -> float:
    """Return the share of images that survive an unbounded attack: from the clean image, along the gradient alone."""
    norm: Norm = "linf" if subject.norm == "linf" else "l2"  # all of [0, 1] is reached in any norm
    eps = UNBOUNDED[norm]
    reach = eps if norm == "linf" else Fraction(int(subject.images[0].numel() ** 0.5) + 1)
    attack = make_pgd(norm, eps, 50, reach / 20, keep="best", random_start=False)
    return _share(subject.attack(attack).robust)


def more_steps(subject: AttackedModel) -> float:
    """Return the share of images that survive PGD-20 but not PGD-200."""
    return _share(subject.short.robust & ~subject.after_long)


def adaptive_steps(subject: AttackedModel) -> float:
    """Return the share of images that survive both PGD attacks but not APGD."""
    return _share(subject.after_long & ~subject.standing)


def gradient_free(subject: AttackedModel) -> float:
    """Return the share of images that survive all gradient attacks but not Square, which uses no gradients."""
    left = subject.outlast(square(subject.norm, subject.eps, QUERIES), subject.standing)
    return _share(subject.standing & ~left)


def transfer(subject: AttackedModel) -> float:
    """Return the share of images that survive all gradient attacks on the model but not those on another model."""
    if subject.surrogate is None:
        raise NotAssessableError("no other model was given")
    found = subject.attack(apgd(subject.norm, subject.eps), model=subject.surrogate).adversarial
    if found is None:
        raise RuntimeError("the adversarial images were not kept")
    return _share(subject.standing & misclassified(subject.logits(found), subject.labels))


def _share(mask: Tensor) -> float:
    return float(mask.float().mean())


Measurement = Callable[[AttackedModel], float]
