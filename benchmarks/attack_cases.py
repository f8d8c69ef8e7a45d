"""Models and options for which robust accuracy was once overestimated, against a plain loop: table of docs/attacks.md.

    python benchmarks/attack_cases.py -n 120

Models are `tiny_at` with a transform of its input or output. The attack is PGD-20 with step 0.7/255 within 8/255,
without random start, by this package and by an independent loop of ten lines. Options are those of `bench run --model
tiny_at`.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import torch
from attack_models import Pictures, tiny_pictures
from torch import Tensor, nn
from torch.nn import functional as F

import bench
from bench.attacks.autoattack import square
from bench.attacks.presets import make_pgd
from bench.errors import UsageError
from model_zoo import load_model

EPS, STEP, STEPS = Fraction(8, 255), Fraction(7, 2550), 20
LEVELS = 15


class StraightThrough(torch.autograd.Function):
    """Rounding to `LEVELS` levels with the identity's gradient."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return (x * LEVELS).round() / LEVELS

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class Behind(nn.Module):
    """`net` with `change` applied to its images and `answer` to its logits."""

    def __init__(self, net: nn.Module, change: Callable[[Tensor], Tensor], answer: Callable[..., Tensor]) -> None:
        super().__init__()
        self.net, self.change, self.answer = net, change, answer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.answer(self.net(self.change(x)), x)
        return out


class Purified(nn.Module):
    """Purification: a gradient step in the forward pass that reduces the network's uncertainty."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x if x.requires_grad else x.detach().requires_grad_()
            doubt = self.net(leaf).logsumexp(1).sum()
            (gradient,) = torch.autograd.grad(doubt, leaf, create_graph=True)
        out: Tensor = self.net((x + gradient / 255).clamp(0, 1))
        return out


def same(logits: Tensor, _x: Tensor) -> Tensor:
    """Return the logits unchanged."""
    return logits


def silent(logits: Tensor, x: Tensor) -> Tensor:
    """Return NaN for images with values that are not multiples of 1/255."""
    whole = ((x * 255).round() - x * 255).abs().flatten(1).amax(1) < 1e-3
    return torch.where(whole[:, None], logits, torch.nan)


def models(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield models by name."""
    yield "straight-through Function", Behind(net, StraightThrough.apply, same)
    yield "the same with detach", Behind(net, lambda x: x + ((x * LEVELS).round() / LEVELS - x).detach(), same)
    yield "NaN off whole 255ths", Behind(net, lambda x: x, silent)
    yield "gradients within its forward pass", Purified(net)
    yield "two classes", Behind(net, lambda x: x, lambda z, _x: torch.stack([z[:, :5].amax(1), z[:, 5:].amax(1)], 1))


def bare(model: nn.Module, shown: Pictures, labels: Tensor) -> float:
    """Return the share of images that withstand the last iterate."""
    x = shown.images
    for _ in range(STEPS):
        leaf = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(leaf), labels, reduction="sum"), leaf)
        x = x + float(STEP) * gradient.nan_to_num().sign()
        x = torch.clamp(shown.images + (x - shown.images).clamp(-float(EPS), float(EPS)), 0, 1)
    with torch.no_grad():
        logits = model(x)
    return float(((logits.argmax(1) == labels) & logits.isfinite().all(1)).double().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=120)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shown, net = tiny_pictures(options.n), load_model("tiny_at")
    attack = make_pgd("linf", EPS, STEPS, STEP, random_start=False)
    for name, model in models(net):
        labels = (shown.labels >= 5).long() if name == "two classes" else shown.labels
        found = attack.run(model.eval(), shown.images, labels, shown.ids)
        left, loop = float(found.robust.double().mean()), bare(model, shown, labels)
        print(f"{name}: {left:.2%}, a bare loop {loop:.2%}; {'; '.join(found.notes)}", flush=True)
    writes = Behind(net, lambda x: x.add_(0.004), same).eval()
    noisy = Behind(net, lambda x: x + 0.05 * torch.randn_like(x), same).eval()
    few = shown.head(32)
    print("writes into its input:", refused(lambda: square("linf", EPS).run(writes, few.images, few.labels, few.ids)))
    print("random:", refused(lambda: attack.run(noisy, few.images, few.labels, few.ids)))
    for asked in choices():
        with tempfile.TemporaryDirectory() as out:
            table = bench.run("tiny_at", "pgd", limit=options.n, out=out, quiet=True, **asked)
        row = table[table["metric"] == "robust_accuracy"].iloc[0]
        print(f"{asked}: {100 * row['value']:.2f} % {row['reliability']}: {row['because']}", flush=True)


def refused(call: Callable[[], Any]) -> str:
    """Return the message of the error that `call` raises."""
    try:
        call()
    except UsageError as error:
        return f"refused: {error}"
    return "not refused"


def choices() -> list[dict[str, Any]]:
    """Return the options whose numbers are shown."""
    return [
        {"steps": 1, "step_size": "0.1/255"},
        {"norm": "l2", "eps": 2},
        {"norm": "l2"},
        {"eps": "8/255", "steps": 1},
    ]


if __name__ == "__main__":
    main()
