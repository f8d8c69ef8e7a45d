"""Speed compared with five libraries: foolbox, torchattacks, adv-lib, ART and pyautoattack, on the attacks they offer.

    python -m venv peers && peers/bin/pip install foolbox torchattacks adv-lib adversarial-robustness-toolbox
    python benchmarks/attack_peers.py --models tiny_at,tiny_std -n 200
    python benchmarks/attack_peers.py --models tiny_at,tiny_std -n 16 --kinds ensemble      # minutes

Every row is one attack on the same images and model, by this package and by each library, in turn in one process, in
CPU time of one thread; the ratio is theirs over ours. "left" is the robust accuracy. Shares may differ, because
libraries judge the final or the best iterate and draw their own random starts.
"""

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

import torch
from attack_models import Pictures, open_model, pictures
from torch import Tensor, nn

from bench.attacks.autoattack import apgd, autoattack
from bench.attacks.base import Attack
from bench.attacks.budget import Norm
from bench.attacks.presets import make_pgd
from bench.attacks.reference import reference

Peer = Callable[[], Tensor]
"""Function that returns the attacked images [n, 3, h, w]."""

EPS: dict[Norm, Fraction] = {"linf": Fraction(8, 255), "l2": Fraction(1, 2)}
ORDER = {"linf": float("inf"), "l2": 2.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="tiny_at,tiny_std")
    parser.add_argument("--norms", default="linf,l2")
    parser.add_argument("-n", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--kinds", default="pgd-20,pgd-50,apgd-ce-100", help="and ensemble, which takes minutes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    import_module("bench.attacks.compiled")  # takes seconds, once per process
    for name in options.models.split(","):
        model, shown = open_model(name), pictures(None, options.n)
        for norm in options.norms.split(","):
            for kind in options.kinds.split(","):
                compare(name, kind, norm, model, shown, options.batch_size)


def compare(name: str, kind: str, norm: Norm, model: nn.Module, shown: Pictures, batch_size: int) -> None:
    """Print one row of the table."""
    attack = ours(kind, norm)
    attack.run(model, shown.images[:1], shown.labels[:1], shown.ids[:1])  # compiles late functions
    seconds, result = timed(lambda: attack.run(model, shown.images, shown.labels, shown.ids, batch_size=batch_size))
    cells = [f"ours {seconds:.2f} s, {float(result.robust.float().mean()):.1%} left"]
    for peer, call in peers(kind, norm, model, shown, batch_size):
        try:
            spent, left = timed(call)
        except Exception as error:  # a library that fails loses only its own cell
            cells.append(f"{peer} failed ({type(error).__name__})")
            continue
        with torch.no_grad():
            right = (model(left).argmax(1) == shown.labels).float().mean()
        cells.append(f"{peer} {spent / seconds:.2f}x, {float(right):.1%}")
    print(f"{name} {norm} {kind}: " + "; ".join(cells), flush=True)


def ours(kind: str, norm: Norm) -> Attack:
    """Return the native attack."""
    eps = EPS[norm]
    if kind.startswith("pgd"):
        steps = int(kind.split("-")[1])
        return make_pgd(norm, eps, steps, step(norm, steps))
    return apgd(norm, eps) if kind == "apgd-ce-100" else autoattack(norm, eps)


def step(norm: Norm, steps: int) -> Fraction:
    """Return PGD's step size, equal for all libraries."""
    return EPS[norm] * Fraction(5, 2) / steps


def peers(kind: str, norm: Norm, model: nn.Module, shown: Pictures, batch: int) -> Iterator[tuple[str, Peer]]:
    """Yield each library with this attack and norm. All but pyautoattack take the images in batches of `batch`."""
    eps, x, y = float(EPS[norm]), shown.images.contiguous(), shown.labels

    def batched(call: Callable[[Tensor, Tensor], Tensor]) -> Peer:
        def run() -> Tensor:
            parts = zip(torch.split(x, batch), torch.split(y, batch), strict=True)
            return torch.cat([call(images, labels) for images, labels in parts]).detach()

        return run

    if kind.startswith("pgd"):
        steps = int(kind.split("-")[1])
        yield from pgd_peers(norm, steps, model, batched)
    elif kind == "apgd-ce-100":
        yield from apgd_peers(norm, model, batched)
    else:
        run = reference(norm, EPS[norm])
        yield (
            "pyautoattack",
            lambda: run.run(model, x, y, shown.ids, batch_size=batch, keep_adversarial=True).adversarial,
        )
        import torchattacks

        with quiet():
            other = torchattacks.AutoAttack(model, norm="Linf" if norm == "linf" else "L2", eps=eps, n_classes=10)
        yield "torchattacks", batched(other)


def pgd_peers(norm: Norm, steps: int, model: nn.Module, batched: Any) -> Iterator[tuple[str, Peer]]:
    import foolbox
    import torchattacks
    from adv_lib.attacks import pgd_linf
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    eps, size = float(EPS[norm]), float(step(norm, steps))
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    loop = kind(abs_stepsize=size, steps=steps)
    yield "foolbox", batched(lambda x, y: loop.run(wrapped, x, foolbox.criteria.Misclassification(y), epsilon=eps))
    named = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    yield "torchattacks", batched(named(model, eps=eps, alpha=size, steps=steps))
    if norm == "linf":
        yield "adv-lib", batched(lambda x, y: pgd_linf(model, x, y, eps, steps=steps, absolute_step_size=size))
    with quiet():
        classifier = PyTorchClassifier(
            model, nn.CrossEntropyLoss(), (3, 32, 32), 10, clip_values=(0, 1), device_type="cpu"
        )
        art = ProjectedGradientDescentPyTorch(
            classifier,
            norm=ORDER[norm],
            eps=eps,
            eps_step=size,
            max_iter=steps,
            num_random_init=1,
            batch_size=32,
            verbose=False,
        )
    yield "ART", batched(lambda x, y: torch.from_numpy(art.generate(x.numpy(), y.numpy())))


def apgd_peers(norm: Norm, model: nn.Module, batched: Any) -> Iterator[tuple[str, Peer]]:
    import adv_lib.attacks
    import torchattacks
    from art.attacks.evasion import AutoProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier
    from pyautoattack.autopgd_base import APGDAttack

    eps, name = float(EPS[norm]), "Linf" if norm == "linf" else "L2"
    theirs = APGDAttack(model, n_iter=100, norm=name, eps=eps, loss="ce", device="cpu", n_restarts=1)
    yield "pyautoattack", batched(lambda x, y: theirs.perturb(x, y))
    yield "torchattacks", batched(torchattacks.APGD(model, norm=name, eps=eps, steps=100, loss="ce"))
    yield (
        "adv-lib",
        batched(lambda x, y: adv_lib.attacks.apgd(model, x, y, eps, ORDER[norm], n_iter=100, loss_function="ce")),
    )
    with quiet():
        classifier = PyTorchClassifier(
            model, nn.CrossEntropyLoss(), (3, 32, 32), 10, clip_values=(0, 1), device_type="cpu"
        )
        art = AutoProjectedGradientDescent(
            classifier,
            norm=ORDER[norm],
            eps=eps,
            eps_step=2 * eps,
            max_iter=100,
            nb_random_init=1,
            batch_size=32,
            loss_type="cross_entropy",
            verbose=False,
        )
    yield "ART", batched(lambda x, y: torch.from_numpy(art.generate(x.numpy(), y.numpy())))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress a library's messages."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    with quiet():
        started = time.process_time()
        result = call()
        return time.process_time() - started, result


if __name__ == "__main__":
    main()
