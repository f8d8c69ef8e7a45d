"""The condition of a measurement: one record, one writer and one reader of its name.

::

    DATASET[SPLIT]/clean                          imagenet/clean
    DATASET/CORRUPTION/SEVERITY[-jpegQUALITY]     imagenet/fog/3-jpeg85     imagenet-c/fog/3 (the official file)
    DATASET/ATTACK                                imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted
    DATASET/CORRUPTION/SEVERITY/ATTACK            tiny/fog/3-jpeg85/pgd-linf-eps8_255-k20-a1_255-r1-untargeted
    ...:PROBE+PROBE                               imagenet/clean:moments+consistency

If a set has several splits, the split follows the set's name in square brackets. Only this module parses such names.
"""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

from bench.errors import UsageError

NORMS = ("linf", "l2", "l1")

SHORT = "short"
"""Word for an attack with steps that together cannot reach the edge of the ball from its centre."""

_FAMILY = r"(?P<family>[a-z0-9]+(?:-[a-z0-9]+)*?)"
_ATTACK = re.compile(_FAMILY + r"-(?P<norm>linf|l2|l1)-eps(?P<eps>[0-9._]+)(?P<rest>(?:-.+)?)")
_CORRUPTED = re.compile(r"(?P<severity>[0-9]+)(?:-jpeg(?P<jpeg>[0-9]+))?")
_DATASET = re.compile(r"(?P<dataset>[^/:\[\]]+)(?:\[(?P<split>[^/:\[\]]+)\])?")
_NAME = re.compile(r"[^/:+\[\]]+")
_COUNTS = {"k": "steps", "r": "restarts", "t": "targets", "q": "queries"}
_THROUGH = "through-"


def spell(value: Fraction, norm: str = "linf") -> str:
    """Write a fraction as in a condition: `4_255` and `0.5_255` for Linf, `0.5` for other norms, else `2_7`.

    It contains no `/`, which separates the parts of a condition; `unspell` is the inverse.
    """
    pixels = value * 255
    if norm == "linf" and _decimal(pixels):
        return f"{float(pixels):g}_255"
    return f"{float(value):g}" if _decimal(value) else f"{value.numerator}_{value.denominator}"


def unspell(text: str) -> Fraction:
    """Read the output of `spell`. Raises `ValueError` for any other text."""
    above, _, below = text.partition("_")
    try:
        return Fraction(above) / Fraction(below or 1)
    except ZeroDivisionError as error:
        raise ValueError(f"{text!r}: a fraction over zero") from error


def _decimal(value: Fraction) -> bool:
    """Return whether `:g` writes `value` exactly, and without an exponent."""
    text = f"{float(value):g}"
    return "e" not in text and Fraction(text) == value


@dataclass(frozen=True)
class AttackFields:
    """The settings in an attack's name.

    family: `pgd`, `apgd-ce`, `autoattack`, ...; norm: `linf`, `l2` or `l1`; eps: budget on images in [0, 1]
    steps, step_size, restarts, targets, queries: None if the attack has no such setting or its family fixes it
    words: further settings in order, such as `untargeted`, `targeted`, `cleanstart`, `standard`
    through: the batch-norm branch that is attacked; empty for the one that predicts
    """

    family: str
    norm: str
    eps: Fraction
    steps: int | None = None
    step_size: Fraction | None = None
    restarts: int | None = None
    targets: int | None = None
    queries: int | None = None
    words: tuple[str, ...] = ()
    through: str = ""

    @property
    def targeted(self) -> bool | None:
        """Whether the attack is targeted; None if its name does not say."""
        return True if "targeted" in self.words else False if "untargeted" in self.words else None

    @property
    def loss(self) -> str:
        """The part of the family's name after `apgd-` (`ce`, `dlr`, `t`); empty for all others."""
        return self.family.removeprefix("apgd-") if self.family.startswith("apgd-") else ""

    def __str__(self) -> str:
        counts = [
            f"k{self.steps}" if self.steps is not None else "",
            f"a{spell(self.step_size, self.norm)}" if self.step_size is not None else "",
            f"r{self.restarts}" if self.restarts is not None else "",
            f"t{self.targets}" if self.targets is not None else "",
            f"q{self.queries}" if self.queries is not None else "",
        ]
        through = f"{_THROUGH}{self.through}" if self.through else ""
        pieces = [self.family, self.norm, f"eps{spell(self.eps, self.norm)}", *counts, *self.words, through]
        return "-".join(filter(None, pieces))

    @classmethod
    @functools.cache
    def parse(cls, text: str) -> "AttackFields":
        """Read the output of `str`. Raises `ValueError` for any other text."""
        match = _ATTACK.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no attack: expected FAMILY-NORM-epsBUDGET, as pgd-linf-eps4_255-k10")
        choices, _, through = match["rest"].partition(f"-{_THROUGH}")
        counts: dict[str, int] = {}
        words: list[str] = []
        step_size = None
        for piece in filter(None, choices.split("-")):
            kind, rest = piece[0], piece[1:]
            if kind in _COUNTS and rest.isdigit():
                counts[_COUNTS[kind]] = int(rest)
            elif kind == "a" and rest[:1].isdigit():
                step_size = unspell(rest)
            else:
                words.append(piece)
        found = cls(
            match["family"],
            match["norm"],
            unspell(match["eps"]),
            step_size=step_size,
            words=tuple(words),
            through=through,
            **counts,
        )
        if str(found) != text:
            raise ValueError(f"{text!r} is no attack as it is written here: expected {str(found)!r}")
        return found


@dataclass(frozen=True)
class Condition:
    """A data set (or a `split` of it) with an optional corruption, attack and probes.

    corruption, severity: a corruption and its severity of 1 to 5, or empty and 0; jpeg: the JPEG quality after a
    corruption computed during the run, else None; probes: names of diagnostics, in order
    """

    dataset: str
    split: str = ""
    corruption: str = ""
    severity: int = 0
    jpeg: int | None = None
    attack: AttackFields | None = None
    probes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.dataset, *filter(None, (self.split, self.corruption)), *self.probes):
            if not _NAME.fullmatch(name):
                raise UsageError(f"{name!r}: a name in a condition is not empty and holds none of / : + [ ]")
        if bool(self.corruption) != bool(self.severity) or (self.jpeg is not None and not self.corruption):
            raise UsageError(f"{self.dataset}: a corruption and a severity of 1 or more come together")

    @property
    def clean(self) -> bool:
        """Whether the images are neither corrupted nor attacked."""
        return not self.corruption and self.attack is None

    @property
    def probe_norm(self) -> str:
        """The norm that a probe measures in (`margin-l2-fmn100`); empty if none names one."""
        pieces = [piece for probe in self.probes for piece in probe.split("-")]
        return next((piece for piece in pieces if piece in NORMS), "")

    def __str__(self) -> str:
        dataset = f"{self.dataset}[{self.split}]" if self.split else self.dataset
        jpeg = f"-jpeg{self.jpeg}" if self.jpeg is not None else ""
        corrupted = f"{self.corruption}/{self.severity}{jpeg}" if self.corruption else ""
        pieces = list(filter(None, [corrupted, str(self.attack or "")]))
        shown = "/".join([dataset, *(pieces or ["clean"])])
        return f"{shown}:{'+'.join(self.probes)}" if self.probes else shown

    @classmethod
    @functools.cache
    def parse(cls, text: str) -> "Condition":
        """Read the output of `str`. Raises `ValueError` for any other text."""
        shown, _, probes = text.partition(":")
        dataset, *rest = shown.split("/")
        named = _DATASET.fullmatch(dataset)
        corrupted = _CORRUPTED.fullmatch(rest[1]) if len(rest) >= 2 else None
        if named is None or len(rest) not in (1, 2, 3) or (len(rest) >= 2) != (corrupted is not None):
            raise ValueError(f"{text!r} is no condition: expected SET/clean, SET/CORRUPTION/SEVERITY or SET/ATTACK")
        attack = rest[-1] if len(rest) != 2 and rest[-1] != "clean" else ""
        try:
            found = cls(
                named["dataset"],
                named["split"] or "",
                rest[0] if corrupted else "",
                int(corrupted["severity"]) if corrupted else 0,
                int(corrupted["jpeg"]) if corrupted and corrupted["jpeg"] else None,
                AttackFields.parse(attack) if attack else None,
                tuple(probes.split("+")) if probes else (),
            )
        except UsageError as error:
            raise ValueError(str(error)) from error
        if str(found) != text:
            raise ValueError(f"{text!r} is no condition as it is written here: expected {str(found)!r}")
        return found
