"""AutoAttack's `rand` version, for models with a random forward pass (Croce and Hein, arXiv 2003.01690).

Gradients are those of the expected loss (expectation over transformation, Athalye et al., arXiv 1802.00420): the mean
over 20 draws. Each image is attacked alone, and draws are keyed by (seed, image id, purpose, number), so that neither
batch, order nor shard changes them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor, nn

from bench.attacks.autoattack import apgd
from bench.attacks.base import Attack
from bench.attacks.budget import Norm
from bench.attacks.checks import REPEATABLE_RTOL, check_classes, check_labels, check_writes, relative_change
from bench.attacks.forward import answer
from bench.attacks.losses import CLASSES_NEEDED, misclassified
from bench.attacks.memory import ENDS, as_it_came, check_forgets, check_no_memory
from bench.attacks.network import Cost, Network, Objective, device_of, frozen_if_copied
from bench.attacks.queue import Queue, Trial, Workload
from bench.attacks.randomness import generator
from bench.attacks.request import Request
from bench.attacks.result import CLEAN, AttackResult, judged
from bench.attacks.search import ModelOutput
from bench.errors import UsageError
from bench.rounding import decimal

EOT = 20
"""Number of draws per gradient, the authors' value."""

REPEATS = 20
"""Number of draws to choose an image's worst point, and again to measure its share of correct predictions."""


class ExpectedNetwork(Network):
    """Gradients at one image, each the mean over `EOT` draws of the model; `key` keys the draws.

    When a gradient is requested, the returned logits always predict `label`, so that the search does not end at the
    first misclassified draw: it looks for the point with the fewest correct draws. When only logits are requested the
    search is at its end, and they report success, so that it returns its last point, not that of the luckiest draws.
    """

    def __init__(self, model: nn.Module, device: torch.device, key: tuple[int, str, str], label: Tensor) -> None:
        super().__init__(model, device)
        self.key, self.label, self.asked = key, label, 0

    def logits(self, x: Tensor) -> ModelOutput:
        """Return logits of a class other than the label, for x [1, 3, h, w]."""
        return ModelOutput(x, -self._unmoved(super().logits(x).logits))

    def gradient(self, x: Tensor, objective: Objective) -> ModelOutput:
        """Return logits of the label, and the mean of `objective` over the draws with its gradient."""
        drawn = [super(ExpectedNetwork, self).gradient(x, objective) for _ in self._draws()]
        value = torch.stack([one.objective for one in drawn if one.objective is not None]).mean(0)
        slope = torch.stack([one.gradient for one in drawn if one.gradient is not None]).mean(0)
        return ModelOutput(x, self._unmoved(drawn[0].logits), value, slope)

    def _unmoved(self, logits: Tensor) -> Tensor:
        return torch.zeros_like(logits).scatter(1, self.label.to(logits.device)[:, None], 1.0)

    def _draws(self) -> Iterator[int]:
        seed, image_id, purpose = self.key
        for _ in range(EOT):
            with drawing(seed, image_id, purpose, self.asked, self.device):
                yield self.asked
            self.asked += 1


@contextmanager
def drawing(seed: int, image_id: str, purpose: str, number: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers, within the block, for one draw of one image."""
    value = int(generator(seed, image_id, purpose, number).integers(2**62))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(value)
        yield


@dataclass(frozen=True)
class RandomisedAttack(Attack):
    """Runs `trials` to their end on every image with gradients over `EOT` draws.

    Of the clean image and the trials' last points, the one with the fewest correct draws of `REPEATS` counts. The
    prediction is one more draw, so that the interval of an accuracy covers random draws and images. The notes give the
    spread of the accuracy over further draws.
    """

    @property
    def randomised(self) -> bool:
        return True

    def carry_out(self, request: Request) -> AttackResult:
        """Attack each image alone, so that the batch size changes nothing."""
        fresh = as_it_came(request.model)
        same_draws = partial(drawing, request.seed, "", "check", 0, request.device)
        _check_random(request.model, request.images[:1])
        check_forgets(fresh, request.model, request.images[:1].to(request.device), same_draws)
        found = []
        for place in range(len(request)):
            found.append(_Picture(self, request, place).attack())
            request.progress(place + 1, len(request))
        adversarial = torch.cat([one.point for one in found])
        ends = adversarial[:ENDS].to(request.device)
        check_no_memory(fresh, request.model, ends, same_draws)
        logits = torch.cat([one.logits[:1] for one in found])
        wrong = misclassified(logits, request.labels).tolist()
        broken_by = [one.broken_by if broken else None for broken, one in zip(wrong, found, strict=True)]
        steps = torch.tensor([one.cost.backward // EOT for one in found])
        cost = sum((one.cost for one in found), Cost())
        right = torch.stack([~misclassified(one.logits, one.label.expand(REPEATS)) for one in found])
        return judged(request, self, adversarial, logits, broken_by, steps, cost, (_spread(right),))


def autoattack_rand(norm: Norm, eps: Fraction, classes: int) -> RandomisedAttack:
    """Make Auto-PGD on cross-entropy and (with 3 classes or more) on DLR, 100 steps each, over 20 draws."""
    losses = ("ce", "dlr") if classes >= CLASSES_NEEDED["dlr"] else ("ce",)
    trials = tuple(Trial(apgd(norm, eps, loss).trials[0].search) for loss in losses)
    return RandomisedAttack("autoattack-rand", norm, eps, trials, f"eot{EOT}")


def _check_random(model: nn.Module, image: Tensor) -> None:
    """Refuse a model that draws no random numbers from torch, or also draws from other generators."""
    place = image.to(device_of(model))
    draws = []
    for number in (0, 0, 1, 2):
        shown = place.clone()
        with drawing(0, "", "check", number, place.device):
            draws.append(answer(model, shown))
        check_writes(place, shown)
    first, again, *others = draws
    if relative_change(first, again) > REPEATABLE_RTOL:
        raise UsageError(
            "the model draws random numbers of its own: with the same torch seed its outputs for one image differ, so "
            "results would not be reproducible: draw from torch's default generator, not from a torch.Generator, "
            "NumPy's or Python's"
        )
    if max(relative_change(first, other) for other in others) <= REPEATABLE_RTOL:
        raise UsageError("the forward pass is not random: use --suite autoattack, which is stronger on such a model")


def _spread(right: Tensor) -> str:
    """Return the note about correct predictions bool [n, repeats]."""
    shares = right.double().mean(0)
    mean, low, high = (decimal(100 * float(share), ".2f") for share in (shares.mean(), shares.min(), shares.max()))
    return (
        f"a randomised model: over {right.shape[1]} draws of its random numbers {mean} % of {len(right)} attacked "
        f"images are correct, from {low} to {high} %"
    )


class _Picture:
    """One image of a request: [1, 3, h, w], with its label [1] and id."""

    def __init__(self, attack: RandomisedAttack, request: Request, place: int) -> None:
        self.attacks, self.model, self.frozen = attack, request.model, frozen_if_copied(request.model)
        self.image, self.label = request.images[place, None], request.labels[place, None]
        self.id, self.seed, self.device = request.ids[place], request.seed, request.device
        self.cost = Cost()
        self.point, self.broken_by = self.image, CLEAN
        self.logits = self.image.new_zeros(0)

    def attack(self) -> "_Picture":
        """Find the worst point, and draw the model's outputs there."""
        clean = self._ask(self.image, "clean")
        check_labels(self.label, clean.shape[1])
        check_classes(self.attacks.name, max(trial.classes for trial in self.attacks.trials), clean.shape[1])
        least = self._share(self.image)
        for number, trial in enumerate(self.attacks.trials):
            network = ExpectedNetwork(self.frozen, self.device, (self.seed, self.id, f"eot {number}"), self.label)
            load = Workload(self.image, self.label, [self.id], clean[:1])
            queue = Queue(network, (trial,), load, self.seed, 1)
            queue.add(0)
            queue.drain()
            self.cost = self.cost + network.cost
            point = queue.findings[0].image[None]
            share = self._share(point)
            if share <= least:
                least, self.point, self.broken_by = share, point, trial.search.name
        self.logits = self._ask(self.point, "answer")
        return self

    def _share(self, point: Tensor) -> float:
        answers = self._ask(point, "choice")
        return float((~misclassified(answers, self.label.expand(len(answers)))).float().mean())

    def _ask(self, point: Tensor, purpose: str) -> Tensor:
        """Return logits [repeats, k] of the model itself at one point."""
        drawn = []
        point = point.contiguous()  # a random number's place follows that of its pixel in memory
        for number in range(REPEATS):
            with drawing(self.seed, self.id, purpose, number, self.device):
                drawn.append(answer(self.model, point.to(self.device)).float().cpu())
        self.cost.forward += REPEATS
        return torch.cat(drawn)
