"""Training recipes, one row each: a network, the domains of its batches, and an attacker.

``at`` trains on adversarial images only, ``mix`` on clean and adversarial ones through one batch norm, ``mbn`` on both
with one batch norm each; they are otherwise equal.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.errors import UsageError
from model_zoo.card import Method
from model_zoo.tiny.build import TinySpec
from model_zoo.traits import AttackMethod, Objective

Domain = Literal["clean", "augmented", "adversarial"]
SmoothPart = Literal["attack", "update"]

PAIRING = 0.5
"""Weight of the mean squared difference of the logits in adversarial logit pairing (arXiv 1803.06373, section 4.2)."""

TRADES_WEIGHT = 6.0
"""Weight of the divergence in TRADES, 1/lambda (arXiv 1901.08573, section 5)."""


@dataclass(frozen=True)
class Attacker:
    """Attack in training: `steps` signed gradient steps of `1.25 eps / steps` from a uniform start (arXiv 2001.03994).

    eps: Linf radius for images in [0, 1]
    ramp: share of the training over which eps grows linearly from 0
    method: `gradient` steps along the gradient, with the signed step's L2 norm, within the same ball; `noise` adds
        Gaussian noise of standard deviation eps without any gradient
    """

    eps: float = 8 / 255
    steps: int = 1
    ramp: float = 0.3
    method: AttackMethod = "pgd"

    def eps_at(self, progress: float) -> float:
        """Return the radius at `progress` in [0, 1] of the training."""
        return self.eps * min(1.0, progress / self.ramp) if self.ramp else self.eps


@dataclass(frozen=True)
class Recipe:
    """Training parameters of a model.

    domains: parts of each batch, in order; each is a version of the same images and has equal weight in the loss. With
        as many normalisation branches as domains, each part uses its own branch.
    clean_share: clean images in percent of the adversarial ones, first in each batch; needs a single normalisation
    objective: added to cross-entropy (`alp`) or in its place (`trades`); needs clean and adversarial images
    augment: whether every image is augmented first, as by AutoAugment
    optimizer: SGD with Nesterov momentum 0.9, or AdamW
    learning_rate: peak value; linear warm-up over the share `warm_up` of the training, then a cosine to 0
    clip: largest ratio of gradient to weight norm of each filter (AGC, arXiv 2102.06171, section 4.1); 0 for none
    freeze: number of last epochs with running statistics in batch norms ("consistent BN", arXiv 1906.03787)
    smooth: passes in which `relu_smooth_gradient` uses the smooth derivative (SAT, arXiv 2006.14536, Table 1)
    start_from: recipe whose weights of the same seed the network starts from
    """

    name: str
    method: Method
    about: str
    domains: tuple[Domain, ...] = ("clean",)
    clean_share: float = 100.0
    objective: Objective = ""
    augment: bool = False
    net: TinySpec = field(default_factory=TinySpec)
    attacker: Attacker = field(default_factory=Attacker)
    epochs: int = 8
    images: int = 8_000
    batch_size: int = 64
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    warm_up: float = 0.25
    clip: float = 0.0
    freeze: int = 0
    smooth: tuple[SmoothPart, ...] = ()
    start_from: str = ""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the committed zoo."""

    def __post_init__(self) -> None:
        if not 0 < self.clean_share <= 100 or (self.clean_share < 100 and self.net.branches):
            raise UsageError(
                f"{self.name}: a share of clean images is above 0, at most 100 %, and below that of one normalisation "
                f"alone; found {self.clean_share:g} % and branches {list(self.net.branches)}"
            )
        if not self.seeds:
            raise UsageError(f"{self.name}: expected at least one training seed, found none")
        if self.objective and self.domains != ("clean", "adversarial"):
            raise UsageError(f"{self.name}: {self.objective} pairs clean with adversarial images, found {self.domains}")

    def model_name(self, seed: int) -> str:
        """Return the model's name: `tiny_at` for seed 0, `tiny_at_s1` for others."""
        return f"tiny_{self.name}" + (f"_s{seed}" if seed else "")


_ADVERSARIAL: tuple[Domain, ...] = ("adversarial",)
_JOINT: tuple[Domain, ...] = ("clean", "adversarial")
_TWO = TinySpec(branches=("clean", "adv"))
_THREE = TinySpec(branches=("clean", "aug", "adv"))
_AUGMENTED: tuple[Domain, ...] = ("clean", "augmented", "adversarial")
_DEEP, _DEEPEST = (2, 2, 2), (4, 4, 4)
_TWO_DEEP = replace(_TWO, blocks=_DEEP)
_ONE_SEED = (0,)

_STD = Recipe("std", "standard", "undefended")
_AT = Recipe("at", "intriguing", "adversarial images only, ReLU", _ADVERSARIAL)
_MIX = Recipe("mix", "intriguing", "clean and adversarial images, one batch norm", _JOINT)
_MBN = replace(_MIX, name="mbn", about="clean and adversarial images, a batch norm each (mixture BN)", net=_TWO)
_WEAK = Attacker(eps=4 / 255)
_WEAKEST = Attacker(eps=1 / 255)
_ADVPROP = replace(
    _MBN, name="advprop", method="advprop", about="auxiliary batch norm, weaker attacker (eps 4/255)", attacker=_WEAK
)
_NOFROST = replace(
    _MIX,
    name="nofrost",
    method="nofrost",
    about="clean and adversarial images, no normalisation",
    net=TinySpec(norm="none"),
    optimizer="adamw",
    learning_rate=0.01,
    clip=0.1,
)


def _like(recipe: Recipe, name: str, about: str, **changes: Any) -> Recipe:
    """Return `recipe` with `changes`."""
    return replace(recipe, name=name, about=about, **changes)


def _smooth_unit(activation: str, **changes: Any) -> Recipe:
    net = TinySpec(activation=activation)
    about = f"adversarial images only, {activation}"
    return _like(_AT, f"sat_{activation}", about, method="sat", net=net, **changes)


def _smooth_gradient(name: str, *parts: SmoothPart) -> Recipe:
    about = f"adversarial images only, ReLU with a smooth backward pass in the {' and the '.join(parts)}"
    net = TinySpec(activation="relu_smooth_gradient")
    return _like(_AT, f"sat_{name}", about, method="sat", net=net, smooth=parts)


def _clean_share(percent: int, **changes: Any) -> Recipe:
    about = f"adversarial images and {percent} % as many clean ones, one batch norm"
    return _like(_MIX, f"mix_{percent}", about, clean_share=percent, **changes)


_SLOW = Attacker(ramp=0.8)
_SLOW_ABOUT = "eps growing over 80 % of training"

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _STD,
        _AT,
        _MIX,
        _MBN,
        _NOFROST,
        _smooth_unit("silu"),
        _smooth_unit("gelu"),
        _ADVPROP,
        _like(_STD, "std_long", "undefended, as much time as mbn takes", epochs=22),
        _like(_MIX, "advprop_single", "as advprop, but one batch norm for both", method="advprop", attacker=_WEAK),
        _like(
            _STD,
            "advprop_tuned",
            "adversarial pre-training, clean fine-tuning",
            method="advprop",
            start_from="at",
            learning_rate=0.02,
        ),
        _like(_MIX, "gn", "clean and adversarial images, group norm", net=TinySpec(norm="group"), clip=0.1),
        _like(_AT, "at_deep", "adversarial images only, twice the blocks", net=TinySpec(blocks=_DEEP)),
        _smooth_gradient("smooth_attack", "attack"),
        _smooth_gradient("smooth_update", "update"),
        _smooth_gradient("smooth_both", "attack", "update"),
        _like(_AT, "at_frozen", "adversarial images only, running statistics in the last two epochs", freeze=2),
        _smooth_unit("smoothrelu"),
        _smooth_unit("elu"),
        _smooth_unit("parametric_softplus"),
        _smooth_unit("elu_2", seeds=_ONE_SEED),
        _smooth_unit("celu_2", seeds=_ONE_SEED),
        _smooth_unit("silu_rectified", seeds=_ONE_SEED),
        _smooth_unit("gelu_rectified", seeds=_ONE_SEED),
        _like(
            _ADVPROP,
            "advprop_fine",
            "three branches: clean, augmented, adversarial (eps 4/255)",
            domains=_AUGMENTED,
            net=_THREE,
        ),
        _like(_MIX, "mix_star", "clean, augmented and adversarial images, one batch norm", domains=_AUGMENTED),
        _like(
            _NOFROST, "nofrost_star", "clean, augmented and adversarial images, no normalisation", domains=_AUGMENTED
        ),
        _like(_ADVPROP, "advprop_eps1", "auxiliary batch norm, weakest attacker (eps 1/255)", attacker=_WEAKEST),
        _like(
            _ADVPROP,
            "advprop_eps1_deep",
            "auxiliary batch norm, eps 1/255, twice the blocks",
            attacker=_WEAKEST,
            net=_TWO_DEEP,
        ),
        _like(
            _ADVPROP,
            "advprop_deep",
            "auxiliary batch norm, eps 4/255, twice the blocks",
            net=_TWO_DEEP,
            seeds=_ONE_SEED,
        ),
        _like(_MBN, "mbn_deep", "clean and adversarial images, a batch norm each, twice the blocks", net=_TWO_DEEP),
        _clean_share(20),
        *(_clean_share(percent, seeds=_ONE_SEED) for percent in (40, 60, 80)),
        _like(_MIX, "mix_alp", "clean and adversarial images, one batch norm, logit pairing", objective="alp"),
        _like(_MBN, "mbn_alp", "clean and adversarial images, a batch norm each, logit pairing", objective="alp"),
        _like(_STD, "std_deep", "undefended, twice the blocks", net=TinySpec(blocks=_DEEP), seeds=_ONE_SEED),
        _like(_STD, "std_deepest", "undefended, four times the blocks", net=TinySpec(blocks=_DEEPEST)),
        _like(_AT, "at_deepest", "adversarial images only, four times the blocks", net=TinySpec(blocks=_DEEPEST)),
        _like(
            _ADVPROP,
            "advprop_noise",
            "auxiliary batch norm, Gaussian noise (eps 4/255) in place of an attacker",
            attacker=replace(_WEAK, method="noise"),
        ),
        _like(
            _ADVPROP,
            "advprop_gradient",
            "auxiliary batch norm, attacker (eps 4/255) along the gradient itself",
            attacker=replace(_WEAK, method="gradient"),
        ),
        _like(_STD, "std_augmented", "undefended, every image augmented", augment=True),
        _like(_ADVPROP, "advprop_augmented", "as advprop, every image augmented first", augment=True),
        _like(_MIX, "trades", "TRADES: the prediction on clean images held under attack", objective="trades"),
        replace(_MIX, name="mix_slow", about=f"{_MIX.about}, {_SLOW_ABOUT}", attacker=_SLOW),
        replace(
            _NOFROST,
            name="nofrost_slow",
            about=f"{_NOFROST.about}, {_SLOW_ABOUT}",
            attacker=_SLOW,
            learning_rate=0.003,
            warm_up=0.06,
            clip=0.0,
        ),
    )
}
"""Recipes by importance. The zoo is trained in this order, so that an interrupted training has the main comparisons."""


def find_recipe(name: str) -> Recipe:
    """Return the recipe `name`. Raises `UsageError` with the nearest names."""
    if name not in RECIPES:
        raise UsageError.unknown("recipe", name, RECIPES)
    return RECIPES[name]
