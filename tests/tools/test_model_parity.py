"""Saved state dicts against their owners' logits, bit for bit: a sample here, the whole by `make model-parity`."""

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from model_zoo.fit import Fit
from tools import model_parity
from tools.model_parity import OwnersNetwork, compare, timm_network, torchvision_networks

SMALL_TORCHVISION = ("mnasnet0_5", "mnasnet0_75", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5",
                     "squeezenet1_0", "squeezenet1_1", "resnet18", "efficientnet_b0", "googlenet")  # fmt: skip
SMALL_TIMM = (
    "mobilenetv3_small_050.lamb_in1k", "resnet10t.c3_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "tf_efficientnet_lite0.in1k", "ghostnet_100.in1k",
    "lcnet_050.ra2_in1k", "deit_tiny_patch16_224.fb_in1k", "convnext_atto.d2_in1k", "levit_128s.fb_dist_in1k",
    "edgenext_xx_small.in1k", "mobilevitv2_050.cvnets_in1k", "xcit_nano_12_p16_224.fb_in1k", "starnet_s1.in1k",
)  # fmt: skip
"""Kinds of network as unlike as possible; the names of those that some release of timm lacks are passed over."""


def sample() -> list[OwnersNetwork]:
    from model_zoo.nets.with_timm import import_timm

    chosen, timm = random.Random(17), import_timm()
    known = [name for name in SMALL_TIMM if timm.is_model(name.partition(".")[0])]
    wanted = {f"torchvision:{name}" for name in chosen.sample(SMALL_TORCHVISION, 2)}
    return [
        *(network for network in torchvision_networks() if network.name in wanted),
        *(timm_network(name) for name in chosen.sample(known, 3)),
    ]


@pytest.mark.parametrize("network", sample(), ids=lambda network: network.name)
def test_a_sample_of_saved_networks_gives_its_owners_logits(network: OwnersNetwork, tmp_path: Path) -> None:
    assert compare(network, tmp_path).verdict == "equal"


def test_a_tensor_filled_wrong_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: one bias of one layer swapped as it is loaded."""
    from model_zoo import fill

    filled = fill.chosen

    def wrongly(*given: object) -> Fit:
        fit = filled(*given)  # type: ignore[arg-type]
        fit.arrays["bn1.bias"] = fit.arrays["bn1.bias"].flip(0)
        return fit

    monkeypatch.setattr(fill, "chosen", wrongly)
    assert compare(timm_network("resnet10t.c3_in1k"), tmp_path).verdict == "different"


def test_logits_that_say_nothing_are_no_proof(tmp_path: Path) -> None:
    class Silent(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(images), 1000)

    network = timm_network("resnet10t.c3_in1k")
    silent = OwnersNetwork(network.name, network.make, lambda _: Silent())
    assert compare(silent, tmp_path).why == "the owner's own logits say nothing"
    assert model_parity.OWNERS.keys() == {"torchvision", "timm"}
