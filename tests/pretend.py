"""A pretend accelerator: tensors that live in host memory and behave as a GPU's do where a GPU fails.

``device("pretend")`` is torch's open-registration backend. Every tensor on it is a `DeviceTensor`, which keeps its
values in a host tensor that nothing but this file can reach. What it refuses, a GPU refuses or answers wrongly:

- operands on two devices (a host scalar is allowed, as torch allows it), also a host index into a device tensor, which
  torch allows at the price of a hidden copy;
- `.numpy()` of a device tensor;
- a host generator for a device's random numbers, and random numbers from the device's own state, which differ from the
  host's;
- inside `Device.asynchronous()` every read that waits for the device (`.item()`, `bool()`, `.tolist()`, a blocking copy
  to the host, a result whose shape hangs on values);
- a copy to the host under way (`non_blocking=True`): its values are NaN or nonsense until the device is waited for; and
  a pinned host tensor that is written to before its copy to the device has arrived.

It counts what a GPU makes slow: synchronisations, and bytes moved either way.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

aten = torch.ops.aten
NAME = "pretend"


class DeviceFaultError(RuntimeError):
    """What a GPU would refuse, or answer wrongly without a word."""


@dataclass
class Ledger:
    """What was asked of the device: `syncs` by the operation that waited, bytes `up` to it and `down` from it."""

    syncs: list[str] = field(default_factory=list)
    up: int = 0
    down: int = 0
    kernels: int = 0


class Device:
    """The one device: its ledger, copies under way, and whether waiting is allowed."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.may_wait = True
        self._arriving: list[Callable[[], None]] = []

    def wait(self, why: str) -> None:
        """A synchronisation: the host waits, and every copy under way arrives."""
        if not self.may_wait:
            raise DeviceFaultError(f"the host waits for the device here: {why}")
        self.ledger.syncs.append(why)
        self.arrive()

    def arrive(self) -> None:
        """Let every copy under way arrive."""
        arriving, self._arriving = self._arriving, []
        for copy in arriving:
            copy()

    def send(self, host: Tensor, out: Tensor) -> None:
        """A copy to the host that does not wait: until the next synchronisation `out` holds nonsense."""

        def copy() -> None:
            out.copy_(host)

        self._arriving.append(copy)
        out.fill_(torch.nan if out.is_floating_point() else 77)

    def fetch(self, source: Tensor) -> None:
        """A copy from pinned memory that does not wait: whoever writes to `source` before it arrived is told."""
        then = source.clone()

        def check() -> None:
            if not torch.equal(then, source):
                raise DeviceFaultError("pinned memory was written to before its copy to the device had arrived")

        self._arriving.append(check)

    @contextmanager
    def counted(self) -> Iterator[Ledger]:
        """A ledger of what happens inside."""
        before, self.ledger = self.ledger, Ledger()
        try:
            yield self.ledger
        finally:
            self.ledger = before

    @contextmanager
    def asynchronous(self) -> Iterator[None]:
        """Inside, the host may not wait for the device."""
        self.may_wait = False
        try:
            yield
        finally:
            self.may_wait = True


DEVICE = Device()
_PINNED: "weakref.WeakSet[Tensor]" = weakref.WeakSet()


def pinned(host: Tensor) -> Tensor:
    """A copy in memory that the device reads by itself (torch has none to give for a device that is not there)."""
    copy = host.clone()
    _PINNED.add(copy)
    return copy


class DeviceTensor(Tensor):
    """A tensor on the device. `host` holds its values."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> "DeviceTensor":
        dense = host.layout == torch.strided
        where = {"strides": host.stride(), "storage_offset": host.storage_offset()} if dense else {}
        made = Tensor._make_wrapper_subclass(
            cls, host.size(), dtype=host.dtype, device=torch.device(NAME, 0), requires_grad=False, **where
        )
        made.host = host
        return made

    def __init__(self, host: Tensor) -> None:
        pass

    def __repr__(self) -> str:
        return f"DeviceTensor({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:  # noqa: ARG002
        raise DeviceFaultError("numpy() of a tensor on the device")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise DeviceFaultError("NumPy was given a tensor on the device")

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return launch(func, args, kwargs or {})


WAITS = {
    aten._local_scalar_dense.default: ".item(), bool(), int() or float()",
    aten.nonzero.default: "nonzero (its shape hangs on values)",
    aten.masked_select.default: "masked_select (its shape hangs on values)",
    aten._unique2.default: "unique (its shape hangs on values)",
    aten.unique_dim.default: "unique (its shape hangs on values)",
    aten.equal.default: "torch.equal",
    aten.is_nonzero.default: "bool()",
    aten.repeat_interleave.Tensor: "repeat_interleave (its shape hangs on values)",
}
INDEXING = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}
COPIES = {aten._to_copy.default, aten.copy_.default}
RANDOM = {"rand", "randn", "randint", "randperm", "bernoulli", "normal", "normal_", "uniform_", "bernoulli_", "random_",
          "exponential_", "multinomial", "rand_like", "randn_like", "randint_like", "native_dropout", "poisson",
          "dropout", "rrelu_with_noise"}  # fmt: skip


def launch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Carry out one operation on the device, or say why a GPU would not."""
    if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
        parts = func.decompose(*args, **kwargs)  # in inference mode such operations come here whole
        if parts is not NotImplemented:
            return parts
    flat, spec = pytree.tree_flatten((args, kwargs))
    tensors = [x for x in flat if isinstance(x, Tensor)]
    ours = [x for x in tensors if isinstance(x, DeviceTensor)]
    if func in COPIES:
        return _copy(func, args, kwargs)
    strangers = [x for x in tensors if not isinstance(x, DeviceTensor)]
    if strangers and any(x.ndim or func in INDEXING for x in strangers):
        shapes = [tuple(x.shape) for x in strangers]
        raise DeviceFaultError(f"{func}: operands on two devices; {shapes} are in host memory")
    name = func.overloadpacket.__name__
    if name in RANDOM:
        _check_random(func, kwargs, flat)
    if func in WAITS:
        DEVICE.wait(f"{WAITS[func]}")
    if func in INDEXING and any(x is not None and x.dtype == torch.bool for x in args[1]):
        DEVICE.wait("indexing with a mask (its shape hangs on values)")
    DEVICE.ledger.kernels += 1
    bare = [x.host if isinstance(x, DeviceTensor) else _on_host(x) for x in flat]
    host_args, host_kwargs = pytree.tree_unflatten(bare, spec)
    host_kwargs.pop("pin_memory", None)
    out = func(*host_args, **host_kwargs)
    if func is aten._local_scalar_dense.default or func is aten.equal.default:
        return out
    own = {id(x.host): x for x in ours}
    return pytree.tree_map_only(Tensor, lambda x: own.get(id(x)) if id(x) in own else DeviceTensor(x), out)


def _on_host(x: Any) -> Any:
    return torch.device("cpu") if isinstance(x, torch.device) else x


def _check_random(func: Any, kwargs: dict[str, Any], flat: list[Any]) -> None:
    generators = [x for x in flat if isinstance(x, torch.Generator)]
    if any(g.device.type == "cpu" for g in generators):
        raise DeviceFaultError(f"{func}: a generator of the host for random numbers of the device")
    raise DeviceFaultError(f"{func}: random numbers from the device's own state are not the host's: draw on the host")


def _copy(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if func is aten.copy_.default:
        out, source = args[0], args[1]
        late = bool(args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
        _move(source, out, late)
        return out
    source, kwargs = args[0], dict(kwargs)
    place, late = kwargs.pop("device", None), kwargs.pop("non_blocking", False)
    kwargs.pop("pin_memory", None)
    stays = place is None
    up = isinstance(source, DeviceTensor) if stays else torch.device(place).type == NAME
    values = source.host if isinstance(source, DeviceTensor) else source
    if isinstance(source, DeviceTensor) == up:
        DEVICE.ledger.kernels += 1
        made = aten._to_copy.default(values, **kwargs)
        return DeviceTensor(made) if up else made
    made = aten._to_copy.default(values, **kwargs)
    out = DeviceTensor(made) if up else made
    _account(values, source, out, late)
    return out


def _move(source: Tensor, out: Tensor, late: bool) -> None:
    host_out = out.host if isinstance(out, DeviceTensor) else out
    values = source.host if isinstance(source, DeviceTensor) else source
    host_out.copy_(values)
    if isinstance(source, DeviceTensor) != isinstance(out, DeviceTensor):
        _account(values, source, out, late)
    else:
        DEVICE.ledger.kernels += 1


def _account(values: Tensor, source: Tensor, out: Tensor, late: bool) -> None:
    size = values.numel() * values.element_size()
    if isinstance(out, DeviceTensor):
        DEVICE.ledger.up += size
        if late and any(source is t for t in _PINNED):
            DEVICE.fetch(source)
        return  # from pageable memory the driver stages the copy; the host goes on
    DEVICE.ledger.down += size
    if late:
        DEVICE.send(values.to(out.dtype).clone(), out)
    else:
        DEVICE.wait(f"a copy to the host of {tuple(values.shape)}")


class _Module:
    """`torch.pretend`, as far as torch asks for it."""

    plugged_in = False
    """Seen by torch alone where a test asks for it: other tests of the process are of machines without one."""

    is_initialized = staticmethod(lambda: True)
    _is_in_bad_fork = staticmethod(lambda: False)
    current_device = staticmethod(lambda: 0)

    @classmethod
    def is_available(cls) -> bool:
        """Whether torch finds the device by itself."""
        return cls.plugged_in

    @classmethod
    def device_count(cls) -> int:
        """How many there are."""
        return int(cls.plugged_in)

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """There are no random numbers to seed."""

    @staticmethod
    def get_rng_state(_device: Any = None) -> Tensor:
        """No state: there are no random numbers. `torch.random.fork_rng` asks every accelerator that is registered."""
        return torch.empty(0, dtype=torch.uint8)

    @staticmethod
    def set_rng_state(_state: Tensor, _device: Any = None) -> None:
        """Take back a state that says nothing."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        """Dtypes of autocast."""
        return [torch.bfloat16, torch.float16]

    @staticmethod
    def synchronize(_device: Any = None) -> None:
        """Wait for the device."""
        DEVICE.wait("synchronize()")


def _copy_from(source: Tensor, out: Tensor, non_blocking: bool = False) -> Tensor:
    _move(source, out, non_blocking)
    return out


def _factory(func: Any) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Tensor:
        kept = {k: v for k, v in kwargs.items() if k not in ("device", "pin_memory")}
        return DeviceTensor(func(*map(_on_host, args), device=torch.device("cpu"), **kept))

    return make


_FACTORIES = (
    aten.empty.memory_format, aten.empty_strided.default, aten.arange.default, aten.arange.start,
    aten.arange.start_step, aten.linspace.default, aten.eye.default, aten.eye.m, aten.scalar_tensor.default,
)  # fmt: skip
_REGISTERED: list[torch.library.Library] = []


def install() -> torch.device:
    """Register the device with torch and return it: once a process, and (at a test file's import) before the first
    backward pass, when torch counts its devices."""
    if not _REGISTERED:
        _setup_privateuseone_for_python_backend(NAME, _Module())
        own = torch.library.Library("aten", "IMPL")
        for func in _FACTORIES:
            own.impl(func, _factory(func), "PrivateUse1")
        own.impl(aten._copy_from.default, _copy_from, "PrivateUse1")
        rest = torch.library.Library("_", "IMPL")
        rest.fallback(lambda func, *args, **kwargs: launch(func, args, kwargs), "PrivateUse1")
        _REGISTERED.extend((own, rest))
    return torch.device(NAME, 0)
