"""The model card: everything that is known of one checkpoint, read from one TOML file and checked.

A card is the only file that adding a checkpoint adds. An example, with every table::

    name = "sat_resnet50"
    method = "sat"                      # one of METHODS
    architecture = "resnet50"
    parameters = 25557032
    paper = "Smooth Adversarial Training, arXiv 2006.14536"
    dataset = "imagenet"                # home data set: where `--dataset` is not given
    labels = "imagenet1k"               # label space of the logits

    [build]                             # handed to the room's `build(card)`; keys are the room's own
    depth = 50

    [input]
    size = 224
    resize = 256

    [weights]
    format = "tf_checkpoint"
    licence = "MIT"
    availability = "public"

    [[weights.files]]
    name = "Res50-silu.index"
    url = "https://..."
    sha256 = "..."

    [traits]                            # what figures ask for: model_zoo/traits.py
    family = "resnet"
    depth = 50
    activation = "silu"
    normalisation = "batch"
    images = ["adversarial"]
    attacker = { eps = "4/255", steps = 1 }

    [[reported]]
    metric = "robust_accuracy"          # fields: model_zoo/reported.py
    value = 42.3
    dataset = "imagenet"
    attack = "pgd"
    norm = "linf"
    eps = "4/255"
    steps = 200
    step_size = "1/255"
    targeted = false
    source = "arXiv 2006.14536, abstract"
"""

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from model_zoo.errors import CardError
from model_zoo.reported import ReportedNumber
from model_zoo.schema import SchemaError, parse
from model_zoo.traits import NO_TRAITS, Traits

Method = Literal["intriguing", "sat", "advprop", "nofrost", "standard"]
METHODS: tuple[str, ...] = typing.get_args(Method)
"""Every method, in the order of colours and marks in charts."""

Interpolation = Literal[
    "bilinear", "bicubic", "nearest", "box", "hamming", "lanczos", "cv2_cubic", "tf1_bicubic", "tf1_bilinear"
]
"""The first six are Pillow's (antialiased but for `nearest`); `cv2_cubic` is OpenCV's on uint8 (tensorpack);
`tf1_bicubic` and `tf1_bilinear` are TensorFlow 1's, without half-pixel centres (the original EfficientNet code)."""

Geometry = Literal["resize_crop", "resize_crop_down", "crop_resize", "squash", "border", "centre_crop", "none"]
"""`resize_crop`: short side to `resize`, then a centre crop of `size`, an odd pixel as torchvision halves it (half to
even); `resize_crop_down` halves it down, as transformers does. `crop_resize`: a centre crop of
size / (size + crop_padding) of the short side, then a resize to `size`. `squash`: both sides to `resize`, whatever the
image's shape, then the crop. `border`: long side to `resize`, a border in the mean's colour, then the crop.
`centre_crop`: the crop alone. `none`: the image is used as it is. A crop larger than the image is padded with
black, as torchvision does."""

Channels = Literal["rgb", "bgr"]
Stored = Literal["fit", "again"]
_WORDS: dict[str, tuple[str, ...]] = {
    "geometry": typing.get_args(Geometry),
    "interpolation": typing.get_args(Interpolation),
    "channels": typing.get_args(Channels),
    "stored": typing.get_args(Stored),
}

LARGEST_STD = 2
"""A std of 2, with a mean of -1, maps [0, 1] to [0.5, 1]; no network is known above 1."""

Availability = Literal["embedded", "package", "public", "on request", "not released", "user", "local", "random"]


@dataclass(frozen=True)
class InputSpec:
    """How the authors turn an image into the network's input (the `published` protocol).

    `mean` and `std` are in units of [0, 1], in RGB order; `channels` is the order that the network was trained on.
    """

    size: int
    geometry: Geometry = "resize_crop"
    resize: int = 0
    crop_padding: int = 32
    interpolation: Interpolation = "bicubic"
    channels: Channels = "rgb"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    stored: Stored = "fit"
    """Images that come at a fixed size (ImageNet-C): brought to `size` where theirs differs, or, as some authors
    did, prepared a second time like photographs, which enlarges and crops them."""

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 4096:
            raise CardError(f"input.size must lie in 8..4096 pixels, found {self.size}")
        if self.geometry in ("resize_crop", "resize_crop_down", "squash", "border") and 2 * self.resize < self.size:
            raise CardError(
                f"input.resize is a side before the crop of size {self.size}: at least half of that (what lacks is "
                f"padded), found {self.resize}"
            )
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)):
            raise CardError(f"input.mean and input.std must be finite, found {self.mean}, {self.std}")
        if not all(s > 0 for s in self.std):
            raise CardError(f"input.std must be positive, found {self.std}")
        if max(self.mean) > 1 or max(self.std) > LARGEST_STD:
            raise CardError(
                f"input.mean and input.std are in units of [0, 1], found {self.mean}, {self.std}: divide those of "
                "images in 0..255 by 255"
            )
        for name, known in _WORDS.items():
            if (found := getattr(self, name)) not in known:
                raise CardError(f"input.{name} must be one of {', '.join(known)}; found {found!r}")

    def record(self) -> dict[str, Any]:
        """Return the fields for a record of results; fields added later are left out at their default."""
        fields = dataclasses.asdict(self)
        if self.stored == "fit":
            del fields["stored"]
        return fields


@dataclass(frozen=True)
class WeightFile:
    """One released file; `size` in bytes, 0 if unknown.

    `sha256` is the hex digest, or as many of its first digits as the authors publish (PyTorch's file names carry
    eight); empty where they publish none: then the first verified fetch records it and later ones are held to it.
    """

    name: str
    url: str = ""
    sha256: str = ""
    size: int = 0
    path: str = ""
    """Path of a user's own file (`local`): relative to its card, or absolute."""
    key: str = ""
    """Key of the weights in a file with several sets, as in `FILE:KEY`."""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.name).parts
        if not self.name.isprintable() or not parts or {"/", ".."} & set(parts) or set(self.name) & set("\\:"):
            raise CardError(f"a weights file's name must be a path within its folder, found {self.name!r}")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise CardError(f"a weights file's url must be https, found {self.url!r}")


@dataclass(frozen=True)
class WeightsSpec:
    """Where the weights are, their format, and their licence."""

    format: str
    availability: Availability
    licence: str
    files: tuple[WeightFile, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ModelCard:
    """One checkpoint. `build` is passed to the method's `build.py`; `branches` are its normalisation branches, main
    first."""

    name: str
    method: Method
    architecture: str
    input: InputSpec
    weights: WeightsSpec
    parameters: int = 0
    """Number of trainable parameters, all branches together; 0 if the card does not give it."""
    paper: str = ""
    also_named: tuple[str, ...] = ()
    """Names of the same checkpoint in other zoos (`timm:NAME`): published numbers of either apply to both."""
    dataset: str = "imagenet"
    labels: str = "imagenet1k"
    classes: int = 1000
    extra_data: str = ""
    branches: tuple[str, ...] = ()
    build: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    reported: tuple[ReportedNumber, ...] = ()
    traits: Traits = NO_TRAITS
    room: str = ""
    """The subpackage of `model_zoo` with the `build.py` of the network (or, with a dot, that module itself); the
    method's own by default."""
    place: str = ""
    """The folder of a user's own card, where its weights may be; set when it is read."""

    def __post_init__(self) -> None:
        typed = self.name.startswith("file:")  # which is a path, as the user has it
        if not self.name or (not typed and any(c.isspace() or c in "@,/" for c in self.name)):
            raise CardError(f"card name {self.name!r} must be non-empty, without spaces, '@', ',' or '/'")
        if self.name.startswith(".") or not self.name.isprintable():
            raise CardError(f"card name {self.name!r} must be printable and not begin with a dot")
        for number in self.reported:
            if number.branch and number.branch not in self.branches:
                raise CardError(f"reported.branch must be one of {list(self.branches)}, found {number.branch!r}")
        if not self.room:
            object.__setattr__(self, "room", self.method)


def read_card(path: Path, *, own: bool = False) -> ModelCard:
    """Read and check the card at `path`; weights of the user's `own` card may be anywhere on this machine. Raises
    `CardError` with the file, the key, and what was expected."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib recurses, and Python refuses numbers of 4300 digits
        raise CardError(f"{path}: not a TOML file: {error}") from None
    try:
        card = parse_card(data)
    except CardError as error:
        raise CardError(f"{path}: {error}") from None
    if not card.room.isidentifier():  # with a dot it would name any module, such as the one that runs a user's file
        raise CardError(f"{path}: card.room must be a room of the zoo, found {card.room!r}")
    if card.place or (not own and (card.weights.availability == "local" or any(f.path for f in card.weights.files))):
        raise CardError(f"{path}: only a card of one's own has weights of availability 'local', and none a place")
    return replace(card, place=str(path.resolve().parent)) if own else card


def parse_card(data: Mapping[str, Any]) -> ModelCard:
    """Make a card from parsed TOML; the dataclasses above are the schema, so a new field is added only there."""
    try:
        return typing.cast(ModelCard, parse(ModelCard, data, "card"))
    except SchemaError as error:
        raise CardError(str(error)) from None
