"""A training step: make the domains of a batch, pass each through its normalisation branch, average the losses."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks import norms
from bench.training.data import TrainingBatch
from bench.training.recipes import PAIRING, TRADES_WEIGHT, Attacker, Domain, Recipe
from model_zoo.nets.activations import SmoothGradientReLU
from model_zoo.nets.normalisation import branch_names, split_branches, use_branch
from model_zoo.traits import Objective


class TrainingStep(NamedTuple):
    """Result of a step. loss: scalar, for `backward`; right: accuracy on each domain's images, in [0, 1]."""

    loss: Tensor
    right: dict[Domain, float]


def take(
    net: nn.Module, batch: TrainingBatch, recipe: Recipe, progress: float, generator: torch.Generator
) -> TrainingStep:
    """Compute the recipe's objective over its domains; `progress` of the training in [0, 1]."""
    if recipe.augment:
        batch = TrainingBatch(augment(batch.images, generator), batch.labels)
    parts = [_version(net, batch, domain, recipe, progress, generator) for domain in recipe.domains]
    labels = torch.cat([batch.labels[: len(part)] for part in parts])
    with ExitStack() as stack:
        stack.enter_context(_smooth(net, "update" in recipe.smooth))
        if branch_names(net):
            stack.enter_context(split_branches(net, branch_names(net)))
        logits = net(torch.cat(parts))
    hits = (logits.detach().argmax(1) == labels).float().split([len(part) for part in parts])
    right = {domain: float(hit.mean()) for domain, hit in zip(recipe.domains, hits, strict=True)}
    return TrainingStep(_objective(logits, labels, recipe.objective), right)


def _objective(logits: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    """Return the mean objective of logits [n, k]; for `alp` and `trades`, clean images come first, then adversarial."""
    if not objective:
        return F.cross_entropy(logits, labels)
    clean, adversarial = logits.chunk(2)
    if objective == "alp":
        return F.cross_entropy(logits, labels) + PAIRING * F.mse_loss(clean, adversarial)
    natural = F.cross_entropy(clean, labels[: len(clean)])
    return natural + TRADES_WEIGHT * _divergence(adversarial, clean)


def _divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """Return the mean KL divergence of predictions [n, k] from the reference (TRADES, arXiv 1901.08573, eq. 5)."""
    return F.kl_div(F.log_softmax(logits, 1), F.log_softmax(reference, 1), reduction="batchmean", log_target=True)


def _version(
    net: nn.Module, batch: TrainingBatch, domain: Domain, recipe: Recipe, progress: float, generator: torch.Generator
) -> Tensor:
    """Return the batch's images [n, 3, h, w] as `domain` needs them; only the recipe's share for clean images."""
    if domain == "clean":
        return batch.images[: round(len(batch.images) * recipe.clean_share / 100)]
    if domain == "augmented":
        return augment(batch.images, generator)
    with _smooth(net, "attack" in recipe.smooth):
        eps = recipe.attacker.eps_at(progress)
        return perturb(net, batch, recipe.attacker, eps, generator, trades=recipe.objective == "trades")


def perturb(
    net: nn.Module,
    batch: TrainingBatch,
    attacker: Attacker,
    eps: float,
    generator: torch.Generator,
    *,
    trades: bool = False,
) -> Tensor:
    """Return adversarial images [n, 3, h, w] for the network in eval mode, with its last (adversarial) branch.

    trades: whether to maximise the divergence from the clean prediction instead of the label's loss
    """
    images = batch.images
    if eps == 0:
        return images
    if attacker.method == "noise":
        noise = torch.empty(images.shape, memory_format=torch.channels_last).normal_(0, eps, generator=generator)
        return (images + noise.to(images.device)).clamp_(0, 1)
    noise = torch.empty(images.shape, memory_format=torch.channels_last).uniform_(-eps, eps, generator=generator)
    x = (images + noise.to(images.device)).clamp_(0, 1)
    with _attacked(net):
        with torch.no_grad():
            reference = net(images) if trades else None
        for _ in range(attacker.steps):
            x = x.detach().requires_grad_()
            loss = F.cross_entropy(net(x), batch.labels) if reference is None else _divergence(net(x), reference)
            (gradient,) = torch.autograd.grad(loss, x)
            ahead = x.detach() + 1.25 * eps / attacker.steps * _direction(gradient, attacker)
            x = norms.project(ahead, images, eps, "linf")
    return x


def _direction(gradient: Tensor, attacker: Attacker) -> Tensor:
    """Return the gradient's sign [n, 3, h, w], or the gradient scaled to the sign's L2 norm."""
    if attacker.method == "pgd":
        return norms.steepest(gradient, "linf")
    return norms.steepest(gradient, "l2") * math.sqrt(gradient[0].numel())


@contextmanager
def _attacked(net: nn.Module) -> Iterator[None]:
    """Use eval mode, the adversarial branch and no weight gradients within the block; the latter saves a third."""
    weights = [p for p in net.parameters() if p.requires_grad]
    training = [m for m in net.modules() if m.training]
    net.eval().requires_grad_(False)
    with ExitStack() as stack:
        if names := branch_names(net):
            stack.enter_context(use_branch(net, names[-1]))
        yield
    for module in training:
        module.training = True
    for weight in weights:
        weight.requires_grad_(True)


@contextmanager
def _smooth(net: nn.Module, on: bool) -> Iterator[None]:
    """Use the smooth derivative in every `SmoothGradientReLU` within the block, if `on`."""
    units: Sequence[SmoothGradientReLU] = [m for m in net.modules() if isinstance(m, SmoothGradientReLU)]
    for unit in units:
        unit.smooth = on
    yield
    for unit in units:
        unit.smooth = False


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast and noise and flip at random; float [n, 3, h, w] in [0, 1] in and out."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(len(images), *shape, generator=generator).mul_(high - low).add_(low).to(images.device)

    mirrored = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, images.flip(3), images)
    centre = images.mean((1, 2, 3), keepdim=True)
    contrasted = (mirrored - centre) * uniform(0.4, 1.3, 1, 1, 1) + centre * uniform(0.8, 1.2, 3, 1, 1)
    noise = torch.randn(images.shape, generator=generator).to(images.device) * uniform(0, 0.1, 1, 1, 1)
    return (contrasted + noise).clamp_(0, 1)
