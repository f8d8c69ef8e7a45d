"""The fields of a model that figures use: its card's traits. Two models are comparable if a key over these is equal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.known_models import name_of
from bench.manifest import RunModel
from model_zoo.card import ModelCard
from model_zoo.registry import by_other_name, split_branch
from model_zoo.traits import NO_TRAITS, TRAITS, Traits

ACTIVATIONS = {
    "relu": "ReLU",
    "silu": "SILU",
    "gelu": "GELU",
    "softplus": "Softplus",
    "elu": "ELU",
    "smoothrelu": "SmoothReLU",
    "parametric_softplus": "Parametric Softplus",
    "celu": "CELU",
    "mish": "Mish",
    "silu_rectified": "SILU, x > 0",
    "gelu_rectified": "GELU, x > 0",
    "elu_rectified": "ELU, x > 0",
    "elu_2": "ELU, alpha 2",
    "celu_2": "CELU, alpha 2",
}
"""Activations as the papers write them; their order fixes each one's colour in every figure."""

COMPARED = (
    "family",
    "depth",
    "width",
    "size",
    "activation",
    "normalisation",
    "denoising",
    "images",
    "share",
    "attacker",
    "smooth_gradient",
    "objective",
    "consistent",
    "augmentation",
    "extra_data",
    "parent",
    "separate",
    "role",
    "epochs",
)
"""Fields in which two models can differ. A figure frees those that it compares; all others must be equal."""

GROWTH = ("depth", "width", "size")
"""Fields in which networks of one family differ."""

MIXTURE = ("images", "share", "normalisation", "separate", "role", "consistent", "objective")
"""Fields in which joint trainings differ: the mixture of images and its normalisation."""


@dataclass(frozen=True)
class Facts:
    """A model of a results folder or of a published number. `size` is its input in pixels, 0 if unknown."""

    name: str
    branch: str = ""
    method: str = ""
    traits: Traits = NO_TRAITS
    size: int = 0
    parameters: int = 0
    branches: tuple[str, ...] = ()
    extra_data: str = ""
    dataset: str = ""
    card: ModelCard | None = None
    architecture: str = ""

    @classmethod
    def of(cls, name: str, about: RunModel | None = None, given: Traits | None = None) -> "Facts":
        """Look up a model's fields: first in `given`, then on its card, then in its run's record `about`."""
        about = about or RunModel()
        base, branch = split_branch(name_of(name))
        card = about.card(name) or (None if about.is_unlike_card(name) else by_other_name().get(base))
        told = [given or Traits(), card.traits if card else Traits(), about.traits]
        size = about.input.get("size") or (card.input.size if card else 0)
        return cls(
            name,
            branch,
            (card.method if card else "") or about.method,
            merged(told),
            size,
            (card.parameters if card else 0) or about.parameters,
            card.branches if card else about.branches,
            card.extra_data if card else about.extra_data,
            card.dataset if card else about.dataset,
            card,
            (card.architecture if card else "") or about.architecture,
        )

    @property
    def share(self) -> float | None:
        """Clean training images, in percent of the adversarial ones."""
        return self.traits.share

    @property
    def adversarial(self) -> bool:
        """Whether the model was trained on adversarial images, alone or among others."""
        return "adversarial" in self.traits.images

    @property
    def separate(self) -> int:
        """Number of batch norms in training, one for each part of a batch; 1 if all images share one."""
        return self.traits.batch_norms or len(self.branches) or 1

    @property
    def role(self) -> str:
        """Kind of training images that this branch normalises: the first kind if the name has no branch; empty if the
        branch is unknown."""
        images = self.traits.images
        if self.separate < 2 or len(images) != self.separate or (self.branch and self.branch not in self.branches):
            return ""
        return images[self.branches.index(self.branch)] if self.branch in self.branches else images[0]

    @property
    def flops(self) -> float | None:
        """Multiply-adds for one image; None if the network cannot be built from a card."""
        from bench.figures.flops import flops_of_card  # imports torch

        return flops_of_card(self.card) if self.card else None

    def get(self, field: str) -> Any:
        """Return the value of a field of `COMPARED`."""
        return getattr(self.traits, field) if field in TRAITS else getattr(self, field)

    def key(self, free: Iterable[str]) -> tuple[tuple[str, Any], ...]:
        """Return every field but the free ones with its value; an unknown family is replaced by the architecture."""
        known = {field: self.get(field) for field in COMPARED if field not in free}
        if "family" in known:
            known["family"] = known["family"] or self.architecture
        return tuple(known.items())

    def lacks(self, needs: Iterable[str]) -> list[str]:
        """Return the fields in `needs` that are unknown."""
        clean = bool(self.traits.images) and not self.adversarial
        unasked = ("attacker",) if clean else ()
        return [field for field in needs if field not in unasked and self.get(field) in ("", 0, (), None)]


def merged(told: Sequence[Traits]) -> Traits:
    """Return for each field the first known value."""
    found = told[0]
    for other in told[1:]:
        empty = Traits()
        gaps = {name: getattr(other, name) for name in TRAITS if getattr(found, name) == getattr(empty, name)}
        found = replace(found, **gaps)
    return found


def groups(models: Iterable[Facts], *free: str) -> list[list[Facts]]:
    """Group models that differ only in the free fields; the largest group first."""
    found: dict[Any, list[Facts]] = {}
    for model in models:
        found.setdefault(model.key(free), []).append(model)
    return sorted(found.values(), key=len, reverse=True)


def differences(every: Sequence[Sequence[Facts]], *free: str) -> list[str]:
    """Name each group by the fields in which the groups differ, without the free ones; empty for a single group."""
    keys = [dict(group[0].key(free)) for group in every]
    fields = [field for field in COMPARED if field not in free and len({str(key[field]) for key in keys}) > 1]
    return [", ".join(filter(None, (written(field, key[field]) for field in fields))) for key in keys]


def written(field: str, value: Any) -> str:
    """Return a field's value for a legend."""
    if value in ("", 0, (), None, False):
        return ""
    told = {
        "depth": f"{value} layers",
        "width": f"width {value}",
        "size": f"{value} px",
        "activation": ACTIVATIONS.get(str(value), str(value)),
        "normalisation": "no normalisation" if value == "none" else f"{value} norm",
        "denoising": "denoising",
        "share": f"{value} % clean",
        "consistent": "consistent batch norm",
        "augmentation": "no augmentation" if value == "none" else str(value),
        "parent": f"from {value}",
        "separate": f"{value} batch norms" if value != 1 else "",
        "role": f"{value} branch",
        "epochs": f"{value} epochs",
        "extra_data": "extra data",
    }
    if field in ("images", "smooth_gradient"):
        return " + ".join(value)
    return told.get(field, str(value))
