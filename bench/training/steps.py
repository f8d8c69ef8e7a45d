"""One step of training: make the domains of a batch, pass each through its normalisation, average their losses."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.attacks import norms
from bench.training.data import TrainingBatch
from bench.training.recipes import Attacker, Domain, Recipe
from model_zoo.nets.activations import SmoothGradientReLU
from model_zoo.nets.normalisation import branch_names, split_branches, use_branch


def loss_of(
    net: nn.Module, batch: TrainingBatch, recipe: Recipe, progress: float, generator: torch.Generator
) -> Tensor:
    """Mean cross-entropy over the recipe's domains, ready for `backward`; `progress` of the training in [0, 1]."""
    parts = [_version(net, batch, domain, recipe, progress, generator) for domain in recipe.domains]
    labels = batch.labels.repeat(len(parts))
    with ExitStack() as stack:
        stack.enter_context(_smooth(net, "update" in recipe.smooth))
        if branch_names(net):
            stack.enter_context(split_branches(net, branch_names(net)))
        return F.cross_entropy(net(torch.cat(parts)), labels)


def _version(
    net: nn.Module, batch: TrainingBatch, domain: Domain, recipe: Recipe, progress: float, generator: torch.Generator
) -> Tensor:
    """The batch's images [n, 3, h, w] as `domain` has them."""
    if domain == "clean":
        return batch.images
    if domain == "augmented":
        return augment(batch.images, generator)
    with _smooth(net, "attack" in recipe.smooth):
        return perturb(net, batch, recipe.attacker, recipe.attacker.eps_at(progress), generator)


def perturb(net: nn.Module, batch: TrainingBatch, attacker: Attacker, eps: float, generator: torch.Generator) -> Tensor:
    """Adversarial images [n, 3, h, w] of the network in eval mode, through its last branch (the adversarial one)."""
    images, x = batch.images, batch.images
    if eps == 0:
        return images
    noise = torch.empty(images.shape, memory_format=torch.channels_last).uniform_(-eps, eps, generator=generator)
    x = (images + noise.to(images.device)).clamp_(0, 1)
    with _attacked(net):
        for _ in range(attacker.steps):
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(F.cross_entropy(net(x), batch.labels), x)
            ahead = x.detach() + 1.25 * eps / attacker.steps * norms.steepest(gradient, "linf")
            x = norms.project(ahead, images, eps, "linf")
    return x


@contextmanager
def _attacked(net: nn.Module) -> Iterator[None]:
    """Within the block: eval mode, the adversarial branch, and no gradients of weights (a third of the time)."""
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
    """Within the block every `SmoothGradientReLU` passes a smooth derivative backwards, if `on`."""
    units: Sequence[SmoothGradientReLU] = [m for m in net.modules() if isinstance(m, SmoothGradientReLU)]
    for unit in units:
        unit.smooth = on
    yield
    for unit in units:
        unit.smooth = False


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Light, contrast, camera noise and mirror image at random: float [n, 3, h, w] in [0, 1] to the same."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(len(images), *shape, generator=generator).mul_(high - low).add_(low).to(images.device)

    mirrored = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, images.flip(3), images)
    centre = images.mean((1, 2, 3), keepdim=True)
    contrasted = (mirrored - centre) * uniform(0.4, 1.3, 1, 1, 1) + centre * uniform(0.8, 1.2, 3, 1, 1)
    noise = torch.randn(images.shape, generator=generator).to(images.device) * uniform(0, 0.1, 1, 1, 1)
    return (contrasted + noise).clamp_(0, 1)
