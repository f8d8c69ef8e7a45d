"""Transfer attacks from other models, for a model with unreliable gradients: a lower bound of what breaks it.

Images are made on surrogates by the momentum iterative method (arXiv 1710.06081) with diverse inputs (arXiv 1803.06978)
and translation-invariant gradients (arXiv 1904.02884), and judged by the model.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks import norms
from bench.attacks.base import Attack, AttackResult
from bench.attacks.checks import relative_change
from bench.attacks.clean import clean_logits
from bench.attacks.forward import answer
from bench.attacks.losses import misclassified
from bench.attacks.memory import as_it_came
from bench.attacks.network import Cost, Network, Precision, device_of, freeze
from bench.attacks.prepared import LOGITS_RTOL, PROBE
from bench.attacks.randomness import Generators, generator
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, judged
from bench.condition import spell
from bench.errors import UsageError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.registry import find_card

STEPS = 10
DECAY = 1.0
DIVERSE = 0.5
"""Probability that a step shrinks the image and places it on black (arXiv 1803.06978, section 4.1)."""

SMALLEST = 0.9
"""Minimum side of the shrunk image, relative to the whole."""

NOTE = "images made on other models: other attacks may break more, so the accuracy is an upper bound"
SAME = "surrogate {} gives the model's own logits: it is the model under another name, and its images are no transfer"

VERSION = "1"


def step_size(eps: Fraction) -> Fraction:
    """Return a quarter of eps: ten steps can cross the ball and return."""
    return eps / 4


@dataclass(frozen=True)
class TransferAttack(Attack):
    """Images made on each of `surrogates` (model names); an image is broken if one of them is misclassified."""

    surrogates: tuple[str, ...] = ()

    @property
    def implementation(self) -> str:
        """The code and the surrogates' weights behind the number."""
        made = ", ".join(f"{name} {_weights(name)}" for name in self.surrogates)
        return f"bench.attacks.transfer {VERSION} from {made}"

    def made_through(self, branch: str) -> Attack:
        """Refuse: the model's branches do not affect how the images are made."""
        raise UsageError(f"transfer is made on other models, not through branch {branch}: use --suite pgd-branches")

    def searched_in(self, precision: Precision) -> Attack:
        """Refuse: surrogates run in their own precision."""
        raise UsageError(f"--precision {precision}: transfer has none; leave it out")

    def carry_out(self, request: Request) -> AttackResult:
        """Attack on the surrogates, and let the model judge; `steps` in the result are those on surrogates."""
        images, labels = request.images, request.labels
        logits = clean_logits(
            request, Network(request.model, request.device), as_it_came(request.model), gradients=False
        )
        broken_by = [CLEAN if wrong else None for wrong in misclassified(logits, labels).tolist()]
        adversarial, steps, cost = images.clone(), torch.zeros_like(labels), Cost(forward=len(images))
        clean, notes = logits[:PROBE].clone(), [NOTE]
        for name in self.surrogates:
            rows = torch.tensor([row for row, verdict in enumerate(broken_by) if verdict is None], dtype=torch.int64)
            request.progress(len(images) - len(rows), len(images))
            if not len(rows):
                break
            surrogate = _fitting(name, images, logits.shape[1]).to(request.device)
            if relative_change(clean, answer(surrogate, images[:PROBE].to(request.device)).cpu()) <= LOGITS_RTOL:
                notes.append(SAME.format(name))
            for part in torch.split(rows, request.batch_size):
                draws = [generator(request.seed, request.ids[row], f"transfer {name}", 0) for row in part.tolist()]
                adversarial[part] = craft(surrogate, images[part], labels[part], draws, float(self.eps))
            steps[rows] += STEPS
            cost += Cost(STEPS * len(rows) + len(rows), STEPS * len(rows))
            logits[rows] = request.score(adversarial[rows])
            for row in rows[misclassified(logits[rows], labels[rows])].tolist():
                broken_by[row] = f"transfer from {name}"
        return judged(request, self, adversarial, logits, broken_by, steps, cost, tuple(notes))


def transfer(eps: Fraction, surrogates: Sequence[str]) -> TransferAttack:
    """Make the attack in Linf from `surrogates`. Raises `UsageError` if there are none."""
    if not surrogates:
        raise UsageError("transfer needs the name of a surrogate at least, found none")
    choices = f"k{STEPS}-a{spell(step_size(eps))}-mi-di-ti-from-{'-'.join(surrogates)}"
    return TransferAttack("transfer", "linf", eps, (), choices, surrogates=tuple(surrogates))


def craft(surrogate: nn.Module, images: Tensor, labels: Tensor, draws: Generators, eps: float) -> Tensor:
    """Return the final iterates [n, 3, h, w] on `surrogate`, on the CPU; draws are keyed by image."""
    device = device_of(surrogate)
    image, label = images.to(device), labels.to(device)
    x, velocity = image, torch.zeros_like(image)
    step = float(step_size(Fraction(eps).limit_denominator(10**9)))
    for _ in range(STEPS):
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            loss = F.cross_entropy(surrogate(diverse(leaf, draws)), label, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, leaf)
        velocity = DECAY * velocity + norms.unit(smooth(gradient), "l1")
        x = norms.project(x + step * velocity.sign(), image, eps, "linf")
    return x.detach().cpu()


def diverse(x: Tensor, draws: Generators) -> Tensor:
    """Return `x` [n, 3, h, w] with some images, by `draws`, shrunk and placed on black."""
    h, w = x.shape[2:]
    shown = []
    for picture, draw in zip(torch.split(x, 1), draws, strict=True):
        chance, scale, down, right = draw.random(4)
        side = int(h * (SMALLEST + (1 - SMALLEST) * scale)), int(w * (SMALLEST + (1 - SMALLEST) * scale))
        if chance >= DIVERSE or side == (h, w):
            shown.append(picture)
            continue
        top, left = int(down * (h - side[0] + 1)), int(right * (w - side[1] + 1))
        smaller = F.interpolate(picture, side, mode="bilinear", align_corners=False)
        shown.append(F.pad(smaller, (left, w - side[1] - left, top, h - side[0] - top)))
    return torch.cat(shown)


def smooth(gradient: Tensor) -> Tensor:
    """Smooth the gradient with a Gaussian of about a fifteenth of the image's width (arXiv 1904.02884, section 3.3)."""
    kernel = torch.from_numpy(_kernel(max(gradient.shape[3] // 15 // 2 * 2 + 1, 3))).to(gradient)
    return F.conv2d(gradient, kernel.repeat(3, 1, 1, 1), padding="same", groups=3)


@functools.cache
def _kernel(length: int) -> NDArray[np.float64]:
    """Return [1, length, length], a Gaussian cut at three standard deviations, with sum 1."""
    line = np.exp(-0.5 * np.linspace(-3, 3, length) ** 2)
    square: NDArray[np.float64] = np.outer(line, line)[None]
    square /= square.sum()
    return square


def _weights(name: str) -> str:
    """Return the hashes of the weights on the surrogate's card."""
    return "+".join(file.sha256[:12] or "unverified" for file in find_card(name).weights.files)


@functools.cache
def _surrogate(name: str) -> Model:
    return load_model(name)


def _fitting(name: str, images: Tensor, classes: int) -> nn.Module:
    """Return the frozen surrogate. Raises `UsageError` if it takes other images or has other classes."""
    model = _surrogate(name)
    size, known = model.card.input.size, model.card.classes
    if (size, known) != (images.shape[3], classes):
        raise UsageError(
            f"surrogate {name} sees images of {size} pixels and knows {known} classes, where the model has "
            f"{images.shape[3]} and {classes}: transfer needs surrogates of the same images and classes"
        )
    return freeze(model)
