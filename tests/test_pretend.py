"""The pretend accelerator catches what a GPU would: planted faults, each as somebody would write it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests import pretend
from tests.pretend import DEVICE, DeviceFaultError

PLACE = pretend.install()


def images(n: int = 4) -> Tensor:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def mask_left_on_the_host(x: Tensor) -> object:
    return torch.where(torch.ones(len(x), 1, 1, 1, dtype=torch.bool), x, 0)


def noise_left_on_the_host(x: Tensor) -> object:
    return x + torch.rand(x.shape)


def host_index(x: Tensor) -> object:
    return x[torch.tensor([0, 2])]


def device_index_into_the_host(x: Tensor) -> object:
    return torch.rand(4)[x.flatten(1).sum(1).argsort()]


def numpy_of_the_device(x: Tensor) -> object:
    return x.numpy()


def array_of_the_device(x: Tensor) -> object:
    return np.asarray(x)


def host_generator(x: Tensor) -> object:
    return torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(0))


def the_devices_own_chance(x: Tensor) -> object:
    return torch.rand_like(x)


def model_left_on_the_host(x: Tensor) -> object:
    return nn.Conv2d(3, 4, 3)(x)


def item_in_a_loop(x: Tensor) -> object:
    with DEVICE.asynchronous():
        return [float(row.max()) for row in x]


def branch_on_a_value(x: Tensor) -> object:
    with DEVICE.asynchronous():
        return x if (x > 0).all() else -x


def shape_by_value(x: Tensor) -> object:
    with DEVICE.asynchronous():
        return x[x > 0.5]


def overwritten_before_it_arrived(x: Tensor) -> object:
    buffer = pretend.pinned(x.cpu())
    sent = buffer.to(PLACE, non_blocking=True)
    buffer.zero_()
    return sent.cpu()


FAULTS = (
    mask_left_on_the_host, noise_left_on_the_host, host_index, device_index_into_the_host, numpy_of_the_device,
    array_of_the_device, host_generator, the_devices_own_chance, model_left_on_the_host, item_in_a_loop,
    branch_on_a_value, shape_by_value, overwritten_before_it_arrived,
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: Callable[[Tensor], object]) -> None:
    with pytest.raises(DeviceFaultError):
        fault(images().to(PLACE))


def test_a_copy_used_before_it_arrived_is_nonsense() -> None:
    late = images().to(PLACE).to("cpu", non_blocking=True)
    assert late.isnan().all()
    torch.pretend.synchronize()
    assert torch.equal(late, images())


def test_what_is_right_gives_the_hosts_numbers() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    x, label = images(), torch.tensor([0, 1, 2, 3])
    here, there = (_gradient(net, x, label), _gradient(net.to(PLACE), x.to(PLACE), label.to(PLACE)).cpu())
    assert here.abs().max() > 0
    torch.testing.assert_close(there, here)


def _gradient(net: nn.Module, x: Tensor, label: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(nn.functional.cross_entropy(net(leaf), label), [leaf])[0]


def test_waits_and_bytes_are_counted() -> None:
    with DEVICE.counted() as ledger:
        x = images().to(PLACE)
        assert bool((x >= 0).all())
        x.sum((1, 2, 3)).tolist()
    assert ledger.up == images().numel() * 4
    assert ledger.down == 4 * 4
    assert len(ledger.syncs) == 2
