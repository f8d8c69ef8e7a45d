"""Hooks see what layers see, in any network, and nothing else changes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import convnext
from torchvision.ops import FrozenBatchNorm2d

from bench.diagnostics.collect import Collected, collecting
from bench.diagnostics.distances import symmetric_kl, wasserstein2
from bench.diagnostics.moments import Moments
from bench.diagnostics.points import stored
from bench.errors import UsageError
from model_zoo.nets.normalisation import BranchedBatchNorm2d, ScaledStdConv2d
from model_zoo.nets.with_timm import import_timm
from tests.rounding import assert_same_moments


def look(model: nn.Module, *batches: Tensor) -> Collected:
    with collecting(model) as found, torch.inference_mode():
        for batch in batches:
            model(batch)
    return found


def test_a_gaussian_network_has_the_distances_of_theory() -> None:
    """Activations are 2 x - 1 and 0.5 x + 3 of standard normal x; the layer stores other moments."""
    conv = nn.Conv2d(1, 2, 1)
    conv.weight.data = torch.tensor([2.0, 0.5]).view(2, 1, 1, 1)
    conv.bias.data = torch.tensor([-1.0, 3.0])
    norm = nn.BatchNorm2d(2)
    norm.running_mean, norm.running_var = torch.tensor([0.0, 2.5]), torch.tensor([1.0, 0.25])
    x = torch.randn(64, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = look(nn.Sequential(conv, norm).eval(), *x.split(10)).moments["1"]
    np.testing.assert_allclose(seen.mean, [-1, 3], atol=0.01)
    np.testing.assert_allclose(seen.variance, [4, 0.25], rtol=0.01)
    kept = stored(norm)
    assert kept.mean is not None
    assert kept.variance is not None
    kl = symmetric_kl(seen.mean, seen.variance, kept.mean, kept.variance)
    np.testing.assert_allclose(kl, [(4 + 1) / 2 + (1 + 1) / 8 - 1, 2 * (0.25 + 0.25) / 0.5 - 1], rtol=0.02)
    w2 = wasserstein2(seen.mean, seen.variance, kept.mean, kept.variance)
    np.testing.assert_allclose(w2, [np.hypot(1, 1), 0.5], rtol=0.02)


def test_batches_do_not_matter_and_the_model_is_untouched() -> None:
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4))
    model = nn.Sequential(*layers).eval()
    x = torch.rand(20, 3, 12, 12)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    whole, parts = look(model, x), look(model, *x.split(3))
    for name, moments in whole.moments.items():
        other = parts.moments[name]
        assert_same_moments((other.mean, other.variance), (moments.mean, moments.variance), 100, 72)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())


def test_one_image_in_a_batch_of_one() -> None:
    seen = look(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5)).eval(), torch.rand(1, 3, 2, 2))
    assert seen.moments["2"].count == 1
    assert not seen.moments["2"].variance.any()


def assert_moments_of(values: Tensor, seen: Moments) -> None:
    """The moments of `values` [n, c, ...] by channel, which sums of 3 x 3 x 3 products made."""
    by_channel = values.detach().double().movedim(1, 0).flatten(1)
    expected = by_channel.mean(1), by_channel.var(1, correction=0)
    assert_same_moments((seen.mean, seen.variance), expected, by_channel.shape[1], 27)


@pytest.mark.parametrize(
    ("norm", "kind", "keeps"),
    [
        (nn.BatchNorm2d(4), "batch", True),
        (nn.BatchNorm2d(4, track_running_stats=False), "batch", False),
        (nn.SyncBatchNorm(4), "batch", True),
        (FrozenBatchNorm2d(4), "batch", True),
        (BranchedBatchNorm2d(4, ("clean", "adv")), "batch", True),
        (nn.GroupNorm(2, 4), "group", False),
        (nn.InstanceNorm2d(4), "instance", False),
    ],
)
def test_every_kind_of_normalisation_is_found_once(norm: nn.Module, kind: str, keeps: bool) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm).eval()
    found = look(model, torch.rand(2, 3, 8, 8))
    assert [p.kind for p in found.points.values()] == [kind]
    assert found.moments["1"].count == 2 * 36
    assert (stored(norm).variance is not None) == keeps


def test_timms_batch_norm_with_activation_is_found() -> None:
    norm = import_timm("timm.layers").BatchNormAct2d(4)
    found = look(nn.Sequential(nn.Conv2d(3, 4, 3), norm).eval(), torch.rand(2, 3, 8, 8))
    assert list(found.moments) == ["1"]


def test_layer_norm_counts_its_last_axis() -> None:
    found = look(nn.Sequential(nn.Flatten(2), nn.LayerNorm(16)).eval(), torch.rand(2, 3, 4, 4))
    assert found.moments["1"].mean.shape == (16,)


@pytest.mark.parametrize("side", [10, 8])  # at 8 the width is the number of channels
@pytest.mark.parametrize(
    "norm",
    [
        convnext.LayerNorm2d(8),
        import_timm("timm.layers").LayerNorm2d(8),
        import_timm("timm.layers").LayerNormAct2d(8),
        nn.LayerNorm([8, 10, 10]),
        nn.LayerNorm([10, 10]),
    ],
)
def test_a_layer_norm_of_images_is_measured_by_channel(norm: nn.LayerNorm, side: int) -> None:
    side = norm.normalized_shape[-1] if len(norm.normalized_shape) > 1 else side
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norm).eval()
    x = torch.rand(4, 3, side + 2, side + 2)
    seen = look(model, *x.split(3)).moments["1"]
    assert_moments_of(model[0](x), seen)


def test_a_layer_norm_of_images_with_channels_last_is_measured_by_its_last_axis() -> None:
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.permute(0, 2, 3, 1)

    model = nn.Sequential(nn.Conv2d(3, 8, 3), Last(), nn.LayerNorm(8)).eval()
    x = torch.rand(4, 3, 10, 10)
    assert_moments_of(model[0](x), look(model, x).moments["2"])


class RMSNorm(nn.Module):
    """As language models and vision transformers write their own: over the last axis."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(torch.ones(channels)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + self.variance_epsilon).rsqrt() * self.weight


class ChannelsFirstLayerNorm(nn.Module):
    """As ConvNeXt's and SAM's authors write it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return self.weight[:, None, None] * scaled + self.bias[:, None, None]


class L2Norm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=1)


@pytest.mark.parametrize("side", [10, 8])  # at 8 the width is the number of channels
@pytest.mark.parametrize("norm", [
    ChannelsFirstLayerNorm(8), L2Norm(), import_timm("timm.layers").RmsNorm2d(8),
    import_timm("timm.layers").SimpleNorm2d(8),
])  # fmt: skip
def test_a_normalisation_of_another_library_is_measured_by_channel(norm: nn.Module, side: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.Conv2d(8, 4, 1)).eval()
    x = torch.rand(4, 3, side + 2, side + 2)
    found = look(model, *x.split(3))
    assert list(found.moments) == ["1"]
    assert_moments_of(model[0](x), found.moments["1"])


@pytest.mark.parametrize("norm", [RMSNorm(16), nn.RMSNorm(16), import_timm("timm.layers").RmsNorm(16)])
def test_a_normalisation_of_tokens_is_measured_by_its_last_axis(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Flatten(2), norm, nn.Linear(16, 4)).eval()
    x = torch.rand(5, 3, 4, 4)
    found = look(model, x)
    assert list(found.moments) == ["1"]
    assert_moments_of(x.flatten(2).movedim(2, 1), found.moments["1"])
    assert np.array_equal(stored(norm).gamma, np.ones(16))


def test_without_normalisation_the_convolutions_outputs_are_seen() -> None:
    model = nn.Sequential(ScaledStdConv2d(3, 4, 3), nn.ReLU(), ScaledStdConv2d(4, 6, 3)).eval()
    x = torch.rand(2, 3, 8, 8)
    found = look(model, x)
    assert list(found.moments) == ["0", "2"]
    assert_moments_of(model[0](x), found.moments["0"])
    assert stored(model[0]).gamma is None


def test_linear_layers_alone_and_nothing_at_all() -> None:
    assert list(look(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)).eval(), torch.rand(2, 3, 2, 2)).moments) == ["1"]
    with pytest.raises(UsageError, match="neither normalisation layers nor"):
        look(nn.Sequential(nn.ReLU()).eval(), torch.rand(2, 3))


def test_a_layer_used_twice_is_two_places() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.norm(self.norm(x) + 5)
            return y

    found = look(Twice().eval(), torch.rand(4, 3, 5, 5), torch.rand(4, 3, 5, 5))
    assert list(found.moments) == ["norm", "norm#2"]
    assert found.moments["norm#2"].count == 200
    assert (found.moments["norm#2"].mean - found.moments["norm"].mean > 4).all()


def test_half_precision_networks_are_summed_in_more() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    x = torch.rand(8, 3, 16, 16)
    whole, half = look(model, x), look(model.to(torch.bfloat16), x.bfloat16())
    assert half.moments["1"].mean.dtype == np.float64
    np.testing.assert_allclose(half.moments["1"].mean, whole.moments["1"].mean, atol=0.01)


def test_training_mode_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    model[1].train()
    with pytest.raises(UsageError, match=r"training mode \(1\): call model.eval"):
        look(model, torch.rand(2, 3, 8, 8))
