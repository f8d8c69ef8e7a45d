"""Modules, callables and images that lie in memory: the numbers are those of a loop written by hand."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
)
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

import bench
from bench.datasets.caller import unlike_labels
from bench.datasets.given import GivenDataset, keep
from bench.datasets.tiny import generate
from bench.errors import DataError, IncompleteError, UsageError
from bench.memory import run, wrap
from bench.testing import fake_model, write_pictures
from model_zoo.errors import CardError, WeightsError, ZooError
from model_zoo.load import load_model
from model_zoo.model import Model
from model_zoo.nets.with_timm import import_timm

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
UNIT: dict[str, Any] = {"mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny() -> tuple[Tensor, Tensor]:
    """Forty images as float [n, 3, h, w] in [0, 1], and their labels."""
    made = generate("val", 40, 7)
    return torch.from_numpy(made.images).permute(0, 3, 1, 2).float() / 255, torch.as_tensor(made.labels).long()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """A trained network that normalises by itself."""
    return load_model("tiny_std").eval()


def bare(model: nn.Module) -> nn.Module:
    """As a user has it: a module of torch's own kinds, that takes [0, 1]."""
    return nn.Sequential(nn.Identity(), model)


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The row of the suite as a whole."""
    return table[table["condition"] == "all"]


def by_hand(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


class OneByOne(Dataset[Any]):
    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.pairs[index]


class Stream(IterableDataset[Any]):
    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __iter__(self) -> Any:
        return iter(self.pairs)


def as_bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


FORMS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "a pair": lambda x, y: (x, y),
    "a list of two": lambda x, y: [x, y],
    "uint8": lambda x, y: (as_bytes(x), y),
    "NumPy, channels last": lambda x, y: (as_bytes(x).permute(0, 2, 3, 1).numpy(), y.numpy()),
    "a TensorDataset": TensorDataset,
    "a Dataset": lambda x, y: OneByOne([(a, int(b)) for a, b in zip(x, y, strict=True)]),
    "an IterableDataset": lambda x, y: Stream(list(zip(x, y, strict=True))),
    "a DataLoader": lambda x, y: DataLoader(TensorDataset(x, y), batch_size=7),
    "a loader with names": lambda x, y: DataLoader(OneByOne([(a, b, "name") for a, b in zip(x, y, strict=True)]), 7),  # type: ignore[misc]
    "a list of pairs": lambda x, y: list(zip(x, y, strict=True)),
}

ODD: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "a generator of pairs": lambda x, y: ((a, b) for a, b in zip(x, y, strict=True)),
    "a generator of batches": lambda x, y: ((x[i : i + 7], y[i : i + 7]) for i in range(0, 40, 7)),
    "float64": lambda x, y: (x.double(), y),
    "big-endian": lambda x, y: (x.numpy().astype(">f4"), y.numpy().astype(">i4")),
    "backwards twice": lambda x, y: (np.flip(np.flip(x.numpy(), 3).copy(), 3), y),
    "read only": lambda x, y: (np.frombuffer(x.numpy().tobytes(), np.float32).reshape(x.shape), y),
    "channels last in memory": lambda x, y: (x.contiguous(memory_format=torch.channels_last), y),
    "Fortran's order": lambda x, y: (np.asfortranarray(x.numpy()), y),
    "with gradients": lambda x, y: (x.clone().requires_grad_(), y),
    "a negative view": lambda x, y: (torch._neg_view(-x), y),
    "uint64 labels": lambda x, y: (x, y.numpy().astype(np.uint64)),
    "labels in a column": lambda x, y: (x, y[:, None]),
    "labels with an index of their own": lambda x, y: (x, pd.Series(y.numpy(), index=range(40)[::-1])),
    "labels as categories": lambda x, y: (x, pd.Categorical(y.numpy())),
    "two lists": lambda x, y: (list(x), y.tolist()),
    "a list of two lists of arrays": lambda x, y: [list(x.numpy()), list(y.numpy())],
    "a mask that hides nothing": lambda x, y: (np.ma.masked_array(x.numpy()), y),
}


@pytest.mark.parametrize("form", ODD)
def test_every_form_is_the_same_set(tiny: tuple[Tensor, Tensor], form: str) -> None:
    assert keep(ODD[form](*tiny), 10, "tiny").folder == keep(tiny, 10, "tiny").folder


def test_two_lists_of_pil_pictures_and_labels_are_a_list_of_pairs() -> None:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (40 + i, 60, 3), dtype=np.uint8)) for i in range(3)]
    pairs = keep(list(zip(pictures, (0, 1, 2), strict=True)), 10, "folder10")
    assert keep((pictures, [0, 1, 2]), 10, "folder10").folder == pairs.folder
    with pytest.raises(UsageError, match="3 images and 2 labels"):
        keep((pictures, [0, 1]), 10, "folder10")


def test_a_picture_in_the_place_of_a_label_is_not_printed() -> None:
    pair = (torch.zeros(3, 8, 8), torch.zeros(3, 8, 8))
    with pytest.raises(UsageError, match=r"found Tensor of \(192,\)") as error:
        keep([pair, pair, pair], 10, "tiny")
    assert len(str(error.value)) < 120


@pytest.mark.parametrize("form", FORMS)
def test_pictures_in_memory_give_the_accuracy_of_a_loop(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = bench.run(bare(net), "clean", data=FORMS[form](*tiny), size=tiny[0].shape[-1], out=tmp_path, **UNIT)
    (value,), (n,) = whole(table)["value"], whole(table)["n"]
    assert (value, n) == (pytest.approx(by_hand(net, *tiny)), 40)
    said = capsys.readouterr().err
    assert "Sequential: 10 classes, labels folder10" in said
    assert "data: 40 images of 10 classes" in said


def test_attacks_take_them_as_they_take_any(tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    table = bench.run(
        bare(net), "pgd", data=tiny, out=tmp_path, eps="8/255", steps=3, quiet=True, reliability=0, **UNIT
    )
    values = dict(zip(table["metric"], table["value"], strict=True))
    assert values["clean_accuracy"] == pytest.approx(by_hand(net, *tiny))
    assert values["robust_accuracy"] < values["clean_accuracy"]


def test_the_same_pictures_and_the_same_module_are_not_measured_again(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.run(bare(net), "clean", data=tiny, out=tmp_path, quiet=True, **UNIT)
    from bench.engine import execute

    monkeypatch.setattr(execute, "measure", lambda *_: pytest.fail("measured again"))
    again = bench.run(bare(net), "clean", data=TensorDataset(*tiny), out=tmp_path, quiet=True, **UNIT)
    assert again.equals(first)


def test_other_pictures_of_the_same_number_are_another_set(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]
) -> None:
    for images in (tiny[0], tiny[0].flip(3)):
        bench.run(bare(net), "clean", data=(images, tiny[1]), out=tmp_path, quiet=True, **UNIT)
    assert bench.results(tmp_path)["protocol"].nunique() == 2


def test_named_models_and_modules_side_by_side(tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    """A named model is shown the tensors as they are, too: neither resized nor cropped."""
    table = bench.run(["tiny_std", "tiny_at", bare(net)], "clean", data=tiny, out=tmp_path, quiet=True, **UNIT)
    values = dict(zip(table["model"], table["value"], strict=True))
    assert values["tiny_std"] == values["Sequential"] == pytest.approx(by_hand(net, *tiny))
    assert values["tiny_at"] == pytest.approx(by_hand(load_model("tiny_at"), *tiny))


def test_photographs_are_prepared_by_the_input(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (40 + i, 60, 3), dtype=np.uint8)) for i in range(12)]
    labels, net = [i % 4 for i in range(12)], fake_model(classes=4).net
    transform = T.Compose([T.Resize(36), T.CenterCrop(32), T.ToTensor(), T.Normalize(MEAN, STD)])
    table = bench.run(
        net, "clean", data=OneByOne(list(zip(pictures, labels, strict=True))), transform=transform,
        protocol="published", out=tmp_path, quiet=True,
    )  # fmt: skip
    expected = by_hand(net.eval(), torch.stack([transform(p) for p in pictures]), torch.tensor(labels))
    assert list(whole(table)["value"]) == [pytest.approx(expected)]
    assert list(whole(table)["n"]) == [12]


def test_an_input_that_the_protocol_does_not_use_is_said(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a resize 98 % were right; under the canonical rule, which nobody was told of, 92 %."""
    shown = as_bytes(tiny[0]).permute(0, 2, 3, 1).numpy()
    photographs = [(Image.fromarray(x), int(y)) for x, y in zip(shown, tiny[1], strict=True)]
    said = "photographs are prepared by resize_crop 32 37 bicubic (protocol canonical, one rule for all models), not by"
    for resize, protocol, other in ((32, "canonical", True), (37, "canonical", False), (32, "published", False)):
        asked: Any = {"size": 32, "resize": resize, "protocol": protocol, **UNIT}
        table = bench.run(bare(net), "clean", data=photographs, out=tmp_path / f"{resize}{protocol}", **asked)
        assert (said in capsys.readouterr().err) is other
    assert whole(table)["value"].iloc[0] == pytest.approx(by_hand(net, *tiny))
    bench.run(bare(net), "clean", data=tiny, out=tmp_path / "b", size=32, resize=32, **UNIT)
    assert said not in capsys.readouterr().err  # tensors are used as they are


class Normalising(nn.Module):
    """Its own normalisation before a network, as buffers, or as torchvision's module."""

    def __init__(self, body: nn.Module, *, as_module: bool = False) -> None:
        super().__init__()
        self.body = body
        if as_module:
            self.first: nn.Module = T.Normalize(MEAN, STD)
        else:
            self.first = nn.Identity()
            self.register_buffer("img_mean", torch.tensor(MEAN).view(1, 3, 1, 1))
            self.register_buffer("img_std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Any:
        return self.body(self.first(images))


@pytest.mark.parametrize("as_module", [True, False])
def test_images_are_normalised_once(as_module: bool) -> None:
    own = Normalising(fake_model().net, as_module=as_module)
    for net in (own, lambda x: own(x)):
        with pytest.raises(
            CardError, match=r"the network normalises its input itself .* pass mean=0,0,0 and std=1,1,1"
        ):
            wrap(net, mean=MEAN, std=STD, size=32)
        wrap(net, size=32, **UNIT)
    wrap(nn.Sequential(nn.BatchNorm2d(3), fake_model().net), mean=MEAN, std=STD, size=32)


@pytest.mark.parametrize("held", [
    {"config": SimpleNamespace(id2label={0: "wolf", 1: "Cat", 2: "dog"})}, {"classes": ["wolf", "cat", "dog"]},
    {"class_to_idx": {"cat": 1, "dog": 2, "wolf": 0}}, {"pretrained_cfg": {"label_names": ("wolf", "cat", "dog")}},
])  # fmt: skip
def test_a_networks_own_names_of_classes_are_held_to_the_folders(tmp_path: Path, held: dict[str, Any]) -> None:
    """Folders are counted in the order of their names, and the network's classes are in another."""
    data = write_pictures(tmp_path / "data", ["cat", "dog", "wolf"], 4, size=32, width=32)
    net = fake_model(classes=3).net
    for name, value in held.items():
        setattr(net, name, value)
    asked: Any = {"out": tmp_path / "out", "size": 32, "quiet": True, **UNIT}
    says = r"same classes in another order: its class 0 is wolf, that of the labels cat; .*\(wolf, [cC]at, dog, ...\)"
    with pytest.raises(DataError, match=says):
        bench.run(net, "folder", data=data, **asked)
    with pytest.raises(DataError, match=says):
        bench.run(net, "clean", data=ImageFolder(data), **asked)
    order = [1, 2, 0]
    moved = bench.run(net, "clean", data=ImageFolder(data, target_transform=order.__getitem__), **asked)
    assert list(whole(moved)["n"]) == [12]


def test_classes_in_another_order_are_told(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    """2 % accuracy, and nothing else, from a network that has its classes one place later."""
    table = bench.run(lambda x: net(x).roll(1, 1), "clean,pgd", data=tiny, out=tmp_path, steps=1, reliability=0, **UNIT)
    said = "the model's classes are probably in another order than the labels"
    assert [said in line for line in table.attrs["remarks"]] == [True]
    assert said in capsys.readouterr().err


def test_a_file_whose_normalisation_nobody_states_is_told_imagenets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.py"
    source.write_text("from bench.testing import fake_model\n\ndef make():\n    return fake_model(classes=10).net\n")
    for options, said in (("", True), ("&mean=0,0,0&std=1,1,1", False)):
        bench.run(
            f"file:{source}:make?size=32&classes=10&labels=tiny10&dataset=tiny{options}",
            "clean",
            out=tmp_path / "out",
            limit=9,
        )
        assert ("normalised by ImageNet's mean and std, as nothing else is said" in capsys.readouterr().err) is said


def test_a_folder_serves_a_module_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for index in range(12):
        folder = tmp_path / "data" / "abcd"[index % 4]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    table = bench.run(
        fake_model(classes=4).net, "clean", data=tmp_path / "data", size=32, out=tmp_path / "out", quiet=True, **UNIT
    )
    assert list(whole(table)["n"]) == [12]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda x, y: (x * 2 - 1, y), r"found float32 from -1 to 1: take the Normalize out of the data's transform"),
        (lambda x, y: (x * 255, y), "found float32 from 0 to 255"),
        (lambda x, y: (x[:, :1], y), r"an image is \[3, h, w\]"),
        (lambda x, y: (x, y[:3]), "40 images and 3 labels"),
        (lambda x, y: (x, torch.nn.functional.one_hot(y, 10)), "a label must be a class index"),
        (lambda x, y: (x, y + 1), "label 10, but the model has the classes 0..9"),
        (lambda x, y: (x, y.float()), "a label must be a class index"),
        (lambda *_: [], "no images"),
        (lambda *_: 3, "found a int"),
        (lambda x, _: [x[0], x[1]], r"expected \(image, label\)"),
        (lambda x, _: [(x[0], 1), (x[1][:, :20], 2)], "images of 2 sizes"),
        (lambda x, y: {"image": x, "label": y}, "a dict of image, label: pass a pair"),
        (lambda x, y: pd.DataFrame({"a": list(x), "b": y}), "a DataFrame of a, b: pass a pair"),
        (lambda x, y: (np.ma.masked_array(x.numpy(), x.numpy() > 0.9), y), "masked values are neither images"),
        (lambda x, y: (x, np.ma.masked_array(y.numpy(), y.numpy() > 8)), "masked values|a label must be a class index"),
        (lambda x, y: (x.to_sparse(), y), "sparse values are neither images"),
        (lambda x, y: (x, y.float().requires_grad_()), "a label must be a class index"),
        (lambda x, y: (torch.where(x > 0.9, torch.nan, x), y), "found float32 from nan to nan"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], data: Callable[..., Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        bench.run(bare(net), "clean", data=data(*tiny), size=tiny[0].shape[-1], out=tmp_path, quiet=True, **UNIT)


@pytest.mark.parametrize("photographs", [False, True])
def test_a_thousand_classes_are_imagenet_s(tmp_path: Path, photographs: bool) -> None:
    rng, labels = np.random.default_rng(2), [7, 999, 0, 500]
    levels = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    data = [(Image.fromarray(p), y) for p, y in zip(levels, labels, strict=True)] if photographs else (levels, labels)
    net = fake_model().net
    table = bench.run(
        net, "clean", data=data, size=32, resize=32, protocol="published", out=tmp_path, quiet=True, **UNIT
    )
    images = torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255
    assert list(whole(table)["value"]) == [by_hand(net.eval(), images, torch.tensor(labels))]
    assert sorted(bench.records(tmp_path)["label"]) == [0, 7, 500, 999]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_floats_between_levels_are_shown_as_they_are(
    tmp_path: Path, tiny: tuple[Tensor, Tensor], kind: torch.dtype, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that sees less than a level: rounded, each image would have another class."""

    def fine(x: Tensor) -> Tensor:
        return -(((255 * x[:, 0, 0, 0] % 1)[:, None] - torch.linspace(0.05, 0.95, 10)) ** 2)

    torch.manual_seed(0)
    pictures = ((torch.randint(0, 250, (60, 3, 32, 32)) + torch.rand(60, 3, 32, 32)) / 255).to(kind)
    labels = fine(pictures.float()).argmax(1)
    for images, expected in (
        (pictures, 1.0),
        ((pictures.float() * 255).round() / 255, float((labels == 0).float().mean())),
    ):
        table = bench.run(fine, "clean", data=(images, labels), out=tmp_path, classes=10, **UNIT)
        assert list(whole(table)["value"]) == [pytest.approx(expected)]
    assert "have values between the 256 levels of 8 bits" in capsys.readouterr().err
    with pytest.raises((DataError, IncompleteError), match="corruptions need 8-bit images"):
        bench.run(fine, "imagenet-c-live", data=(pictures, labels), out=tmp_path, labels="tiny10", quiet=True, **UNIT)


def test_a_shuffling_loader_gives_one_set(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        loader = DataLoader(TensorDataset(*tiny), batch_size=7, shuffle=True)
        table = bench.run(bare(net), "clean", data=loader, out=tmp_path, **UNIT)
        assert list(whole(table)["value"]) == [pytest.approx(by_hand(net, *tiny))]
    assert bench.results(tmp_path)["protocol"].nunique() == 1
    assert "the loader shuffles: the images are sorted by their content" in capsys.readouterr().err


class Batches(BatchSampler):
    """A batch sampler whose `sampler` is sequential, and whose batches are not."""

    def __iter__(self) -> Any:
        every = list(super().__iter__())
        return iter([every[i] for i in torch.randperm(len(every))])


@pytest.mark.parametrize(
    "order",
    [
        lambda data: DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data), 7, drop_last=False)),
        lambda data: DataLoader(data, batch_sampler=[torch.randperm(40).tolist()]),
        lambda data: DataLoader(data, batch_sampler=Batches(SequentialSampler(data), 7, drop_last=False)),
        lambda data: DataLoader(data, 7, sampler=torch.randperm(40).tolist()),
    ],
)
def test_whatever_shuffles_a_loader_its_pictures_are_one_set(
    tiny: tuple[Tensor, Tensor], order: Callable[[Any], Any]
) -> None:
    """The same images with the same labels under one hash."""
    sets = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        sets.append(keep(order(TensorDataset(*tiny)), 10, "tiny"))
    assert sets[0] == sets[1]
    held = GivenDataset(sets[0].folder)
    found = {(np.asarray(held.read(i)).tobytes(), held.targets[i]) for i in range(len(held))}
    shown = (tiny[0].permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    assert found == {(picture.tobytes(), int(label)) for picture, label in zip(shown, tiny[1], strict=True)}


def test_a_loader_that_does_not_shuffle_keeps_its_order(tiny: tuple[Tensor, Tensor]) -> None:
    data = TensorDataset(*tiny)
    for loader in (
        DataLoader(data, 7),
        DataLoader(data, batch_sampler=BatchSampler(SequentialSampler(data), 7, False)),
    ):
        assert list(keep(loader, 10, "tiny").labels) == tiny[1].tolist()


def test_what_a_loader_leaves_out_or_draws_is_said(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    table = bench.run(
        bare(net), "clean", data=DataLoader(TensorDataset(*tiny), 7, drop_last=True), out=tmp_path, **UNIT
    )
    assert list(whole(table)["n"]) == [35]
    assert "drops its last batch: 5 of 40 images are left out" in capsys.readouterr().err
    jitter = [(T.RandomErasing(p=1.0), y) for y in range(4)]

    class Jittered(Dataset[Any]):
        def __len__(self) -> int:
            return len(jitter)

        def __getitem__(self, index: int) -> Any:
            return jitter[index][0](tiny[0][index]), jitter[index][1]

    bench.run(bare(net), "clean", data=Jittered(), out=tmp_path, **UNIT)
    assert "a random transform makes another set at every call" in capsys.readouterr().err


def test_images_that_are_there_twice_are_counted(tiny: tuple[Tensor, Tensor]) -> None:
    """As of an IterableDataset that gives each of two workers the whole set."""
    pairs = list(zip(*tiny, strict=True))
    (said,) = keep(DataLoader(ConcatDataset([OneByOne(pairs), OneByOne(pairs[:7])]), 8), 10, "tiny").notes
    assert said.startswith("7 of 47 images are there before, with the same label")
    assert keep((torch.cat([tiny[0]] * 2), torch.cat([tiny[1], (tiny[1] + 1) % 10])), 10, "tiny").notes == ()


def test_places_are_not_labels(tiny: tuple[Tensor, Tensor]) -> None:
    """`(image, index, label)`, of no more images than classes."""
    items = [(x, i, int(y)) for i, (x, y) in enumerate(zip(*tiny, strict=True))]
    for data in (OneByOne(items), DataLoader(OneByOne(items), 8, shuffle=True)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"\(image, place, label\)\? Give \(image, label\)"):
            keep(data, 40, "folder40")
    turned = OneByOne([(x, y, i) for x, i, y in items])  # type: ignore[misc]
    assert list(keep(turned, 40, "folder40").labels) == tiny[1].tolist()


@pytest.mark.parametrize(
    ("shape", "says"),
    [((4, 3, 32, 48), "images of 32 x 48; a network's input is square"), ((4, 3, 48, 48), "images of 48 x 48, where")],
)
def test_pictures_in_memory_are_never_resized(tmp_path: Path, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bench.run("tiny_std", "clean", data=(torch.rand(shape), torch.arange(4)), out=tmp_path, quiet=True)


def test_a_module_whose_input_nobody_tells_is_refused(tmp_path: Path, tiny: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UsageError, match=r"Sequential \(mean=, std= missing\): give its preprocessing"):
        bench.run(fake_model(classes=10).net, "clean", data=tiny, out=tmp_path, quiet=True)
    with pytest.raises(UsageError, match=r"mean=: for modules in memory"):
        bench.run("tiny_std", "tiny", mean=MEAN, out=tmp_path, quiet=True)


def test_wrap_normalises_and_counts_classes() -> None:
    net = fake_model(classes=7).net
    model = wrap(net, mean=MEAN, std=STD, size=32, name="ours")
    images = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    assert torch.equal(model(images), net((images - mean) / std))
    assert isinstance(model, Model)
    assert (model.name, model.card.classes, model.card.labels, model.card.dataset) == ("ours", 7, "folder7", "folder")
    assert wrap(fake_model().net, size=32, **UNIT).card.labels == "imagenet1k"


def test_a_callable_is_a_model(tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    def answer(images: Tensor) -> Tensor:
        found: Tensor = net(images)
        return found

    table = bench.run(answer, "clean", data=tiny, out=tmp_path, quiet=True, **UNIT)
    assert list(whole(table)["model"]) == ["answer"]
    assert list(whole(table)["value"]) == [pytest.approx(by_hand(net, *tiny))]


def test_timms_own_configuration_is_its_input() -> None:
    net = import_timm().create_model("resnet10t", num_classes=5)
    assert wrap(net).input == load_spec("timm:resnet10t.c3_in1k")
    assert wrap(net, size=64, resize=72).input.size == 64


def load_spec(name: str) -> Any:
    from model_zoo.registry import find_card

    return find_card(name).input


def test_a_wrong_size_is_explained() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    with pytest.raises(UsageError, match=r"Sequential: fails on an image of 32 x 32 .*name the right size="):
        wrap(net, size=32, **UNIT)
    assert wrap(net, size=16, **UNIT).card.classes == 4


def test_a_folder_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises((DataError, ZooError), match="does not hold images given in memory"):
        bench.run("tiny_std", "clean", dataset="memory", data=f"memory={tmp_path}", out=tmp_path / "out", quiet=True)


def test_the_signature_tells_every_keyword() -> None:
    import inspect

    names = list(inspect.signature(run).parameters)
    assert names[:2] == ["models", "suites"]
    assert {"data", "eps", "transform", "mean", "size", "quiet"} <= set(names)
    assert "eps" in (run.__doc__ or "")


def test_type_checkers_see_every_keyword_as_it_may_be_given() -> None:
    """The TypedDict of `bench.run` beside what it takes; and the generated file is as it would be written."""
    import inspect
    from typing import get_type_hints

    from bench.memory import MemoryKeywords
    from tools.keywords import PAGE, text

    taken = {name: p.annotation for name, p in inspect.signature(run).parameters.items()}
    assert get_type_hints(MemoryKeywords) == {n: a for n, a in taken.items() if n not in ("models", "suites")}
    assert PAGE.read_text("utf-8") == text()


@pytest.mark.parametrize(("call", "says"), [
    (lambda net: bench.wrap(net, means=(0.0, 0.0, 0.0)), r"wrap: unknown option 'means' \(did you mean mean"),
    (lambda net: bench.run(net, "clean", sized=32), r"run: unknown option 'sized' \(did you mean size"),
    (lambda net: bench.run(net, "clean", epss=1), r"run: unknown option 'epss' \(did you mean eps"),
])  # fmt: skip
def test_a_misspelt_keyword_is_answered_with_the_nearest(net: nn.Module, call: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(net)


def test_features_are_no_logits(tmp_path: Path, tiny: tuple[Tensor, Tensor]) -> None:
    """A network without its head, as feature extractors are: its largest feature would be its answer."""
    body = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
    with pytest.raises(
        UsageError, match="returns 48 numbers an image, and the labels of 40 images reach from 0 to 9: features of a"
    ):
        bench.run(body, "clean", data=tiny, out=tmp_path, quiet=True, **UNIT)
    table = bench.run(body, "clean", data=tiny, out=tmp_path, classes=48, quiet=True, **UNIT)
    assert (table["metric"] == "accuracy").any()


class WithBackground(nn.Module):
    """A network with one class more than the labels have, first or last among its logits."""

    def __init__(self, body: nn.Module, *, first: bool) -> None:
        super().__init__()
        self.body, self.first = body, first

    def forward(self, images: Tensor) -> Tensor:
        logits = self.body(images)
        none = torch.full_like(logits[:, :1], -9.0)
        return torch.cat([none, logits] if self.first else [logits, none], 1)


@pytest.mark.parametrize("first", [True, False])
def test_a_class_more_than_the_labels_have_is_refused_unless_it_is_named(
    tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor], first: bool
) -> None:
    """Which of eleven logits stands for label 0 nobody knows: with the background first all images counted as wrong."""
    eleven = WithBackground(net, first=first)
    for model in (eleven, wrap(eleven, size=32, **UNIT)):
        with pytest.raises(
            UsageError, match=r"returns 11 numbers an image, .* from 0 to 9: a background or unknown class"
        ):
            bench.run(model, "clean", data=tiny, out=tmp_path, quiet=True, **({} if isinstance(model, Model) else UNIT))
    table = bench.run(eleven, "clean", data=tiny, out=tmp_path, classes=11, quiet=True, **UNIT)
    assert whole(table)["value"].iloc[0] == pytest.approx(by_hand(eleven, *tiny))


def test_the_background_of_imagenets_1001_logits_is_refused(tmp_path: Path, tiny: tuple[Tensor, Tensor]) -> None:
    body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1001))
    with pytest.raises(UsageError, match=r"returns 1001 logits.* a background, .*logits\[:, 1:\]"):
        bench.run(body, "clean", data=tiny, out=tmp_path, quiet=True, **UNIT)
    write_pictures(tmp_path / "data", ["n01440764"])
    with pytest.raises(DataError, match=r"1001 classes, but .* needs 1000; .* a background, .*logits\[:, 1:\]"):
        bench.run(body, "imagenet", data=tmp_path / "data", out=tmp_path, size=32, quiet=True, **UNIT)


@pytest.mark.parametrize(("labels", "says"), [
    ("cifar10", r"labels: unknown label space 'cifar10': categories16, .*, tiny10, or folderN for N classes"),
    ("folder12", "labels='folder12' are 12 classes, and Sequential has 10"),
    ("imagenet1k", "labels='imagenet1k' are 1000 classes, and Sequential has 10"),
])  # fmt: skip
def test_labels_that_are_not_a_models_are_refused(net: nn.Module, labels: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wrap(bare(net), size=32, labels=labels, **UNIT)


@pytest.mark.parametrize(("labels", "classes", "unlike"), [
    ([*range(10)] * 2, 11, True),  # each of ten classes
    ([*range(1, 11)] * 2, 11, True),  # labels from 1
    ([0, 5, 9] * 4, 11, False),  # a few images of many classes
    ([0, 1, 2, 4, 6, 8, 9] * 40, 11, True),  # (10/11)^280
    ([7] * 20, 10, False),  # the images of one class
    ([*range(10)] * 2, 10, False),
    ([*range(9)], 10, False),  # fewer than ten images
    ([*range(100)] * 9, 1000, False),  # some of ImageNet's
])  # fmt: skip
def test_labels_that_are_not_a_models_classes_are_known_by_their_range(
    labels: list[int], classes: int, unlike: bool
) -> None:
    assert bool(unlike_labels(labels, classes)) is unlike


@pytest.mark.parametrize(("net", "says"), [
    (nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), r"2 parameters are not made yet \(1.weight, 1.bias\): show"),
    (nn.Sequential(nn.Flatten(), nn.Linear(3072, 10, device="meta")), r"2 tensors are on the device meta, without"),
], ids=["lazy", "meta"])  # fmt: skip
def test_a_network_without_numbers_is_refused(net: nn.Module, says: str) -> None:
    """The first image would draw a lazy layer's, and it would score by chance."""
    with pytest.raises(WeightsError, match=says):
        bench.wrap(net, size=32, **UNIT)
    with pytest.raises(WeightsError, match=says):
        bench.run(net, "clean", data=(torch.rand(2, 3, 32, 32), torch.arange(2)), **UNIT)


def _small() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return nn.Sequential(net, nn.Linear(128, 5)).eval()


def _exported(net: nn.Module) -> Any:
    return torch.export.export(net, (torch.rand(2, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("n")},)).module()


LIVE = {
    "scripted": torch.jit.script,
    "traced": lambda net: torch.jit.trace(net, torch.rand(2, 3, 16, 16)),
    "frozen": lambda net: torch.jit.freeze(torch.jit.script(net)),
    "exported": _exported,
    "fx": torch.fx.symbolic_trace,
}
"""Forms in which a network is handed on, of the same network."""


@pytest.mark.parametrize("form", LIVE)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_a_network_in_another_form_has_its_numbers(form: str, tmp_path: Path) -> None:
    images = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(1)).mul(255).round().div(255)
    labels = torch.arange(12) % 5
    found = []
    for net in (_small(), LIVE[form](_small())):
        out = tmp_path / str(len(found))
        how = {"eps": "2/255", "steps": 3, "reliability": 0, "size": 16, "name": "m", "quiet": True}
        run(net, ["clean", "pgd"], data=(images, labels), out=out, **how, **UNIT)
        found.append(bench.records(out)["prediction"].tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize(("layer", "says"), [
    (nn.BatchNorm2d(3), "depends on the other images of the batch"), (nn.Dropout(), "differs on a second pass"),
])  # fmt: skip
def test_a_module_exported_in_training_mode_is_refused(layer: nn.Module, says: str, tmp_path: Path) -> None:
    """Its mode is baked in, and nothing that could be asked of it says so."""
    net = _exported(nn.Sequential(layer, _small()).train())
    data = (torch.rand(12, 3, 16, 16).mul(255).round().div(255), torch.arange(12) % 5)
    with pytest.raises(UsageError, match=says):
        run(net, "clean", data=data, size=16, name="m", out=tmp_path, quiet=True, **UNIT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_say_what_to_pass(dtype: torch.dtype) -> None:
    with pytest.raises(UsageError, match=rf"its weights are {str(dtype)[6:]} and images float32: pass net.float"):
        wrap(_small().to(dtype), size=16, **UNIT)


class Sixteen(Dataset[Any]):
    """Photographs of 16 bits, as microscopes and renderers write them."""

    def __init__(self, levels: np.ndarray[Any, Any]) -> None:
        self.levels = levels

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return Image.fromarray(self.levels[index]), 0


def test_photographs_of_sixteen_bits_keep_their_greys() -> None:
    """Pillow's own conversion clips at 255: every photograph would be white."""
    levels = np.random.default_rng(0).integers(0, 65536, (2, 40, 40), dtype=np.uint16)
    kept = keep(Sixteen(levels), 1, "folder1")
    for index, expected in enumerate(levels // 257):
        found = np.asarray(Image.open(next(kept.folder.glob(f"*/{index:07d}.png"))))
        assert (found == expected[..., None]).all()


@pytest.mark.parametrize("images", [lambda x: x / 255, lambda x: x.to(torch.uint8)], ids=["twice", "cast"])
def test_images_that_are_black_by_a_slip_are_refused(
    tiny: tuple[Tensor, Tensor], net: nn.Module, images: Callable[[Tensor], Tensor]
) -> None:
    dark = images(torch.cat([tiny[0], torch.ones(1, 3, 32, 32)]))
    with pytest.raises(UsageError, match=r"brighter than 0\.00392"):
        keep((dark, [0] * len(dark)), 10, "tiny")
    with pytest.raises(UsageError, match=r"brighter than 0\.00392"):
        bench.attack(net, tiny[0] / tiny[0].max() / 255, tiny[1], "pgd", eps="8/255", steps=1)
    assert len(keep((torch.zeros(2, 3, 32, 32), [0, 1]), 10, "tiny").labels) == 2


@pytest.mark.parametrize(("keywords", "says"), [
    ({"channels": "BGR"}, r"input.channels must be one of rgb, bgr; found 'BGR'"),
    ({"interpolation": "cubic"}, "input.interpolation must be one of .*found 'cubic'"),
    ({"geometry": "crop"}, "input.geometry must be one of .*found 'crop'"),
    ({"mean": (123.675, 116.28, 103.53)}, r"in units of \[0, 1\], found \(123.675, .*by 255"),
    ({"std": (255, 255, 255)}, r"in units of \[0, 1\], found .*\(255.0, 255.0, 255.0\): .*by 255"),
    ({"mean": 0.5}, "mean=: expected three numbers .*found 0.5"),
    ({"std": (0.5, 0.5)}, r"std=: expected three numbers .*found \(0.5, 0.5\)"),
    ({"size": 32.0}, "size=: expected a whole number"),
    ({"classes": 0}, "classes=: expected a whole number"),
])  # fmt: skip
def test_an_input_of_no_known_kind_is_refused(net: nn.Module, keywords: dict[str, Any], says: str) -> None:
    with pytest.raises((UsageError, ZooError), match=says):
        wrap(bare(net), **({"size": 32} | UNIT | keywords))


def test_an_input_may_come_in_lists_and_arrays(net: nn.Module) -> None:
    plain = wrap(bare(net), mean=MEAN, std=STD, size=32, resize=36, classes=10)
    many: Any = {"mean": list(MEAN), "std": np.array(STD), "size": np.int64(32), "resize": np.int32(36)}
    assert wrap(bare(net), **many, classes=np.int64(10)).card == plain.card  # type: ignore[arg-type]


@pytest.mark.parametrize(("head", "says"), [
    (lambda x: x.argmax(1), r"returns \[1\] for one image: expected logits \[1, classes\]"),
    (lambda x: x[:, :, None], r"returns \[1, 10, 1\] for one image"),
])  # fmt: skip
def test_what_is_no_row_of_logits_is_refused(net: nn.Module, head: Callable[[Tensor], Tensor], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wrap(lambda x: head(net(x)), size=32, **UNIT)


def test_a_suite_of_its_own_data_names_those_that_take_memory(net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UsageError, match=r"data: folder reads its own data set .*on images in memory: clean, "):
        bench.run(bare(net), "folder", data=tiny, quiet=True, **UNIT)


def test_a_device_and_a_budget_may_be_torchs_own(tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    tables = [
        bench.run(
            bare(net), "pgd", data=tiny, out=tmp_path / str(index), steps=1, reliability=0, quiet=True,
            **UNIT, **form,
        )
        for index, form in enumerate(
            [{"device": "cpu", "eps": "8/255"}, {"device": torch.device("cpu"), "eps": torch.tensor(8 / 255)}]
        )
    ]  # fmt: skip
    assert tables[0].equals(tables[1])


def test_several_processes_may_keep_the_same_images(tiny: tuple[Tensor, Tensor]) -> None:
    """Each rank of a training calls `bench.run`: what one of them reads is not written again by another."""
    photographs = [(Image.fromarray(np.full((40, 40, 3), i, np.uint8)), i) for i in range(3)]
    for data in (tiny, photographs):
        folder = keep(data, 10, "folder10").folder
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        before = [path.stat() for path in files]
        files[0].write_bytes(b"cut short")
        keep(data, 10, "folder10")
        after = [path.stat() for path in files]
        assert [s.st_size for s in after] == [s.st_size for s in before]
        assert [s.st_mtime_ns for s in after[1:]] == [s.st_mtime_ns for s in before[1:]]
        assert not [path for path in folder.parent.iterdir() if path.is_file()]


def test_images_of_other_classes_have_no_mce(tmp_path: Path, net: nn.Module, tiny: tuple[Tensor, Tensor]) -> None:
    """AlexNet's errors, which it divides by, are errors among ImageNet's thousand classes."""
    data = as_bytes(tiny[0][:2]), tiny[1][:2]
    table = bench.run(bare(net), "imagenet-c-live", data=data, out=tmp_path, quiet=True, **UNIT)
    said = "imagenet-c-live: no mce: defined for the classes of imagenet1k, and these images have those of folder10"
    assert said in table.attrs["remarks"]
    assert table.attrs["unanswered"] == []  # nothing is missing: no repeated command could add it
    table = table.set_index("metric")
    assert table.loc[["mce", "relative_mce", "ce_fog"], "value"].isna().all()
    records = bench.records(tmp_path).query("condition != 'memory/clean'")
    assert table.loc["mean_error", "value"] == pytest.approx((records["prediction"] != records["label"]).mean())


@pytest.mark.parametrize("wrapped", [
    lambda folder: folder, lambda folder: Subset(folder, [0, 2]), lambda folder: DataLoader(folder, batch_size=None),
    lambda folder: ConcatDataset([folder, folder]),
], ids=["itself", "subset", "loader", "concatenated"])  # fmt: skip
def test_places_in_a_list_of_classes_are_not_imagenets_labels(
    tmp_path: Path, wrapped: Callable[[ImageFolder], Any]
) -> None:
    """torchvision's ImageFolder of three of ImageNet's folders counts 0, 1, 2."""
    root = write_pictures(tmp_path / "some", ("n01440764", "n02123045", "n15075141"), 1)
    net, given = fake_model().net.eval(), dict(size=32, resize=36, quiet=True, out=tmp_path / "out", **UNIT)
    with pytest.raises(UsageError, match=r"in which n02123045 is 1; among the classes of imagenet1k it is 281: give"):
        bench.run(net, "clean", data=wrapped(ImageFolder(root)), **given)
    mapped = ImageFolder(root, target_transform=(0, 281, 999).__getitem__)
    tables = [bench.run(net, suite, data=data, **given) for suite, data in (("clean", mapped), ("imagenet", root))]
    assert whole(tables[0])["value"].tolist() == whole(tables[1])["value"].tolist()
    labels = bench.records(tmp_path / "out").groupby("protocol")["label"].agg(sorted)
    assert labels.tolist() == [[0, 281, 999]] * 2
    others = bench.run(fake_model(classes=3).net, "clean", data=ImageFolder(root), **given)
    assert whole(others)["n"].tolist() == [3]


def test_classes_that_are_none_of_imagenets_are_not_its_first_ones(tmp_path: Path) -> None:
    """Labels 0..9 of a set such as torchvision's CIFAR10, for a network of ImageNet's classes."""
    root = write_pictures(tmp_path / "others", ("airbus", "otherwise"), 1)
    net, given = fake_model().net.eval(), dict(size=32, resize=36, quiet=True, out=tmp_path / "out", **UNIT)
    with pytest.raises(UsageError, match=r"its 2 classes \(airbus, otherwise, ...\) are none of imagenet1k"):
        bench.run(net, "clean", data=ImageFolder(str(root)), **given)
    labelled = ImageFolder(str(root), target_transform=lambda label: 281 + label)
    assert bench.run(net, "clean", data=labelled, **given)["n"].iloc[0] == 2


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="set BENCH_CACHE to a folder that can be written to"):
        keep([(torch.zeros(3, 8, 8), 0), (torch.ones(3, 8, 8), 1)], 2, "own")
