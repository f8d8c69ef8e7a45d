"""The table of attacks by name: description, maker and suite. Imports no attack before it is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.attacks.base import Attack

NOFROST_EPS = Fraction(8, 255)
"""Source of NoFrost's evaluation (arXiv 2207.01156; its README)."""


@dataclass(frozen=True)
class ListedAttack:
    """A row of the table.

    about: description with source; maker: `module:function` of this package, which maps (norm, eps, choices) to an
    `Attack`; empty for an attack that only a suite makes
    usual: fixed or default choices; told: what the maker gets about the model's classes: their number, or the number of
    possible targets
    title: "accuracy under ..." for a suite of that name, which uses the `options` besides data, eps and reliability;
    empty if the attack has a suite of its own
    eps: default budget of the suite; None for the norm's usual one
    """

    about: str
    maker: str = ""
    usual: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    told: Literal["", "classes", "targets"] = ""
    title: str = ""
    options: tuple[str, ...] = ()
    eps: Fraction | None = None

    def make(self) -> "Callable[..., Attack]":
        """Import and return the maker."""
        module, _, name = self.maker.partition(":")
        found: Callable[..., Attack] = getattr(import_module(f"bench.attacks.{module}"), name)
        return found


def _apgd(loss: str, words: str, source: str) -> ListedAttack:
    return ListedAttack(
        f"Auto-PGD on {words} ({source})",
        "autoattack:apgd",
        {"loss": loss},
        title=f"Auto-PGD on {words}",
        options=("norm", "steps", "restarts"),
    )


def _towards(words: str, source: str, maker: str, title: str) -> ListedAttack:
    return ListedAttack(
        f"{words}, nine targets ({source})",
        maker,
        told="targets",
        title=f"{title} towards nine targets",
        options=("norm", "steps"),
    )


def _nofrost(name: str, words: str, *about: str) -> ListedAttack:
    said = "as in NoFrost's evaluation"
    return ListedAttack(
        f"{words} ({'; '.join([*about, said])})",
        "nofrost:named",
        {"name": name},
        title=f"{words.partition(', confidence')[0].partition(': ')[0]}, {said}",
        options=("steps", "step_size"),
        eps=NOFROST_EPS,
    )


_APGD_SOURCE = "arXiv 2003.01690"
_PGD = {"steps": 10, "step_size": None}

ATTACKS: Mapping[str, ListedAttack] = {
    "pgd": ListedAttack(
        "projected gradient descent, evaluated at its final iterate (arXiv 1706.06083; the papers' protocol)",
        "presets:make_pgd",
        _PGD,
    ),
    "pgdbest": ListedAttack(
        "projected gradient descent, broken when any iterate is misclassified",
        "presets:make_pgd",
        _PGD | {"keep": "best"},
    ),
    "apgd-ce": _apgd("ce", "cross-entropy", _APGD_SOURCE),
    "apgd-dlr": _apgd("dlr", "the difference of logits ratio", _APGD_SOURCE),
    "apgd-pm": _apgd("pm", "the probability margin", "arXiv 2411.15210"),
    "apgd-t": _towards(
        "Auto-PGD on the targeted difference of logits ratio", _APGD_SOURCE, "autoattack:apgd_t", "Auto-PGD"
    ),
    "fab-t": _towards("targeted fast adaptive boundary attack", "arXiv 1907.02044", "autoattack:fab_t", "FAB"),
    "square": ListedAttack(
        "Square Attack, 5,000 queries (arXiv 1912.00049)",
        "autoattack:square",
        title="Square Attack (no gradients)",
        options=("norm",),
    ),
    "bim": _nofrost("bim", "the basic iterative method: PGD from the clean image", "arXiv 1607.02533"),
    "mi-fgsm": _nofrost("mi-fgsm", "the momentum iterative method", "arXiv 1710.06081"),
    "mi-pgd": _nofrost("mi-pgd", "the momentum iterative method from a random start"),
    "cw-pgd": _nofrost("cw-pgd", "PGD on Carlini and Wagner's loss, confidence 50", "arXiv 1608.04644"),
    "transfer": ListedAttack(
        "momentum, diverse inputs and smoothed gradients on other models (arXiv 1904.02884); only as a suite"
    ),
    "autoattack": ListedAttack(
        "the standard ensemble: apgd-ce, apgd-t, fab-t, square (arXiv 2003.01690; for L1 arXiv 2103.01208)",
        "autoattack:autoattack",
        told="classes",
    ),
    "aa-fast": ListedAttack(
        "a cheaper ensemble of the same parts, under its own name", "autoattack:aa_fast", told="classes"
    ),
}
"""Every attack by name. To add one, add a row here and the file of its maker."""


def list_attacks() -> list[str]:
    """Return the names of all attacks (`bench list attacks`)."""
    return list(ATTACKS)
