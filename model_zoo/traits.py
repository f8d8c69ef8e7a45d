"""Traits of a checkpoint for comparisons: the kind of network and its training. None is inferred from names."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from model_zoo.errors import CardError
from model_zoo.reported import fraction

TrainingImages = Literal["clean", "augmented", "adversarial"]
Normalisation = Literal["", "batch", "group", "layer", "instance", "none"]
AttackMethod = Literal["pgd", "gradient", "noise"]
Objective = Literal["", "alp", "trades"]


@dataclass(frozen=True)
class TrainingAttack:
    """The attacker in training. method: `pgd` (signed steps), `gradient` (steps along the gradient itself), or `noise`
    (Gaussian); eps: a fraction of the pixel range; steps: 0 where the source does not say, or there are none; ramp:
    share of training over which eps grows from 0, None where the source does not say."""

    eps: str
    method: AttackMethod = "pgd"
    norm: Literal["linf", "l2"] = "linf"
    steps: int = 0
    targeted: bool | None = None
    ramp: float | None = None

    def __post_init__(self) -> None:
        if self.ramp is not None and not 0 <= self.ramp <= 1:
            raise CardError(f"traits.attacker.ramp is a share of training, 0 to 1; found {self.ramp}")
        try:
            if fraction(self.eps) <= 0:
                raise ValueError
        except (ValueError, ZeroDivisionError):
            raise CardError(
                f'traits.attacker.eps must be a positive fraction such as "4/255", found {self.eps!r}'
            ) from None

    @property
    def radius(self) -> float:
        """`eps` in units of 1/255."""
        return float(255 * fraction(self.eps))

    def __str__(self) -> str:
        kind = {"pgd": f"PGD-{self.steps}" if self.steps else "PGD", "gradient": "gradient", "noise": "noise"}
        growing = f", growing over {100 * self.ramp:g} % of training" if self.ramp else ""
        return f"{kind[self.method]} {self.norm} eps {self.eps}{growing}"


@dataclass(frozen=True)
class Traits:
    """Each field is empty (0, None) where the card does not say; what asks for it leaves the model out and says so.

    family: what grows together (`resnet`, `resnext`, `efficientnet`); depth: layers with weights; width: times the
        family's usual one
    activation, normalisation: of the network throughout; `none` is a network without normalisation
    batch_norms: in training, a batch norm for each part of a batch, where the checkpoint has fewer branches than that
        (AdvProp releases the main one alone); 0 where it has them all
    denoising: blocks that denoise features (arXiv 1812.03411)
    images: parts of a training batch, each a version of the same images of the same weight; a network with as many
        normalisation branches has one for each, in this order
    clean_share: clean training images in percent of the adversarial ones, where `images` does not give it (100 of both)
    attacker: of the adversarial ones; smooth_gradient: where ReLU's backward pass is smooth (arXiv 2006.14536, Table 1)
    objective: cross-entropy where empty; consistent: batch norms use running statistics in the last epochs
    augmentation: `none` for flips and crops, else its name; parent: the card whose weights training started from
    epochs: passes over the training set; seed: of the training, counted from 0; None where there is but one
    """

    family: str = ""
    depth: int = 0
    width: float = 0.0
    activation: str = ""
    normalisation: Normalisation = ""
    batch_norms: int = 0
    denoising: bool = False
    images: tuple[TrainingImages, ...] = ()
    clean_share: float | None = None
    attacker: TrainingAttack | None = None
    smooth_gradient: tuple[Literal["attack", "update"], ...] = ()
    objective: Objective = ""
    consistent: bool = False
    augmentation: str = ""
    parent: str = ""
    epochs: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.clean_share is not None and not 0 <= self.clean_share <= 100:
            raise CardError(f"traits.clean_share is in percent, 0 to 100; found {self.clean_share}")
        if self.attacker and self.images and "adversarial" not in self.images:
            raise CardError(f"traits.attacker is that of adversarial training images; images are {list(self.images)}")
        if min(self.depth, self.epochs, self.width) < 0:
            raise CardError("traits.depth, width and epochs are not negative")

    @property
    def share(self) -> float | None:
        """Clean images in percent of the adversarial ones; None without adversarial ones, or if unknown."""
        if self.clean_share is not None or "adversarial" not in self.images:
            return self.clean_share
        return 100.0 * self.images.count("clean") / self.images.count("adversarial")

    @property
    def only(self) -> str:
        """`clean` or `adversarial` if training uses only these images; else empty."""
        return self.images[0] if len(self.images) == 1 and not self.clean_share else ""

    def of_network(self) -> "Traits":
        """Return what holds for the network whatever its weights: nothing of its training."""
        kept = ("family", "depth", "width", "activation", "normalisation", "denoising")
        return Traits(**{name: getattr(self, name) for name in kept})

    def written(self) -> str:
        """Return the fields that are set, for display: `family = resnet, depth = 50`."""
        empty = Traits.__dataclass_fields__
        told = {name: getattr(self, name) for name in empty if getattr(self, name) != empty[name].default}
        return ", ".join(f"{k} = {' + '.join(v) if isinstance(v, tuple) else v}" for k, v in told.items())


TRAITS: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Traits))

NO_TRAITS = Traits()
