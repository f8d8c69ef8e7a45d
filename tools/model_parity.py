"""Test of bit-equal logits with other libraries' networks: `make model-parity`.

For every classifier of torchvision and the two smallest of each of timm's families, a state dict of random numbers is
saved under the library's names and read by the library's loader and by `model_zoo.load_model`. Prints a table of equal
and different networks.
"""

import argparse
import contextlib
import dataclasses
import functools
import gc
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from bench.errors import first_line
from model_zoo.errors import ZooError
from model_zoo.load import load_model
from model_zoo.nets.with_timm import import_timm
from model_zoo.registry import find_card
from tools.input_parity import Finding, print_findings

PER_FAMILY = 2
MOST_PARAMETERS = 100_000_000
"""Largest tested network of timm; larger ones have the same layers."""


@dataclass(frozen=True)
class OwnersNetwork:
    """A model of another library: functions that make it without weights and that read a file with the library's
    loader."""

    name: str
    make: Callable[[], nn.Module]
    read: Callable[[Path], nn.Module]


def torchvision_networks() -> Iterator[OwnersNetwork]:
    """Yield all classifiers, with the loading of `get_model(weights=...)`."""
    from torchvision import models

    for name in models.list_models(module=models):
        quiet: dict[str, Any] = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        if name.startswith("vit_"):
            quiet["image_size"] = models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
        make = functools.partial(models.get_model, name, weights=None, **quiet)
        yield OwnersNetwork(f"torchvision:{name}", make, functools.partial(_read_by_torchvision, name))


def _read_by_torchvision(name: str, path: Path) -> nn.Module:
    from torchvision import models

    def from_disk(*_: object, **__: object) -> Mapping[str, Tensor]:
        state: Mapping[str, Tensor] = torch.load(path, weights_only=True)
        return state

    with mock.patch.object(models.WeightsEnum, "get_state_dict", from_disk):
        net: nn.Module = models.get_model(name, weights="DEFAULT")
    return net


def timm_networks(per_family: int = PER_FAMILY) -> Iterator[OwnersNetwork]:
    """Yield the smallest architectures with ImageNet-1k weights of each of timm's modules, with timm's loader."""
    timm = import_timm()
    for module in timm.list_modules():
        sizes = {name: count for name in _imagenet_models(module) if (count := parameters_of(name)) < MOST_PARAMETERS}
        for name in sorted(sizes, key=lambda name: (sizes[name], name))[:per_family]:
            yield timm_network(name)


def timm_network(name: str) -> OwnersNetwork:
    """Return timm's model `name`, with timm's loader."""
    timm = import_timm()
    classes = timm.get_pretrained_cfg(name).num_classes
    return OwnersNetwork(
        f"timm:{name}",
        lambda: timm.create_model(name, num_classes=classes),
        lambda path: timm.create_model(
            name, num_classes=1000, pretrained=True, pretrained_cfg_overlay={"file": str(path)}
        ),
    )


def _imagenet_models(module: str) -> list[str]:
    """Return one pretrained name per architecture in `module` with ImageNet's 1000 classes."""
    timm, found = import_timm(), dict[str, str]()
    for name in timm.list_models(module=module, pretrained=True):
        cfg: Any = timm.get_pretrained_cfg(name)
        if cfg.num_classes - (cfg.label_offset or 0) == 1000:
            found.setdefault(name.partition(".")[0], name)
    return list(found.values())


def parameters_of(name: str) -> int:
    """Return the number of values in a model of timm; more than any other for one that cannot be built on `meta`."""
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return sum(p.numel() for p in import_timm().create_model(name).parameters())
    except Exception:  # some read values while they are built
        return MOST_PARAMETERS - 1


def save_drawn(net: nn.Module, path: Path, seed: int = 17) -> None:
    """Save the state of `net` with random numbers in every tensor, so that a missing tensor changes the logits."""
    generator = torch.Generator().manual_seed(seed)
    state = net.state_dict()  # with the modules' versions, as usual
    for name, tensor in state.items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            state[name] = _scaled(name, noise)
    torch.save(state, path)


def _scaled(name: str, noise: Tensor) -> Tensor:
    """Scale noise to keep logits finite: positive variances, gains near one, weights by fan-in."""
    if name.endswith("running_var"):
        return 1 + 0.1 * noise.abs()
    if noise.ndim < 2:
        return 0.1 * noise + name.endswith("weight")
    scaled: Tensor = noise / (noise[0].numel() or 1) ** 0.5
    return scaled


_STARTS = ("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "uniform_", "normal_",
           "trunc_normal_", "orthogonal_")  # fmt: skip


@contextlib.contextmanager
def without_initial_weights() -> Iterator[None]:
    """Skip the initialisation of weights within the block, the slowest part; a file fills all of them later."""
    with contextlib.ExitStack() as stack:
        for name in _STARTS:
            stack.enter_context(mock.patch.object(nn.init, name, lambda tensor, *_, **__: tensor))
        weight_init = import_timm("timm.layers.weight_init")
        stack.enter_context(mock.patch.object(weight_init, "_trunc_normal_", lambda tensor, *_, **__: tensor))
        yield


def compare(network: OwnersNetwork, folder: Path) -> Finding:
    """Compare the logits of both networks on one image of noise, bit for bit."""
    path = folder / "weights.pth"
    with without_initial_weights(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some warn of changed initial weights
        save_drawn(network.make(), path)
        spec = find_card(network.name).input
        images = torch.rand(1, 3, spec.size, spec.size, generator=torch.Generator().manual_seed(3))
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
        theirs = _logits(network.read(path).eval(), (images - mean) / std)
        gc.collect()
        try:
            ours = _logits(load_model(network.name, weights_file=path), images)
        except ZooError as error:
            return Finding(network.name, "refused", first_line(error))
    if not theirs.isfinite().all() or theirs.std() == 0:
        return Finding(network.name, "different", "the owner's own logits say nothing")
    if torch.equal(ours, theirs):
        return Finding(network.name, "equal")
    return Finding(network.name, "different", f"by {(ours - theirs).abs().max():.3g} of {theirs.abs().max():.3g}")


def _logits(net: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = net(images)
    return found


OWNERS: dict[str, Callable[[], Iterator[OwnersNetwork]]] = {"torchvision": torchvision_networks, "timm": timm_networks}


def main() -> int:
    """Print the table; returns exit code 1 if a network differs or is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("owners", nargs="*", default=list(OWNERS), help="torchvision, timm")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for owner in parser.parse_args().owners:
            findings = []
            for network in OWNERS[owner]():
                findings.append(compare(network, Path(folder)))
                print(*dataclasses.astuple(findings[-1]), file=sys.stderr, flush=True)
            print_findings(owner, findings)
            wrong += sum(finding.verdict != "equal" for finding in findings)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
