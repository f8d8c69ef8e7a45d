"""`Attack`: a frozen value with every setting of an attack, which runs on a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor, nn

from bench.attacks.budget import Norm, check_budget, parse_eps
from bench.attacks.evaluation import Evaluation
from bench.attacks.network import Cost, Precision
from bench.attacks.queue import Trial
from bench.attacks.request import Progress, Request, silent
from bench.attacks.result import AttackResult
from bench.condition import AttackFields, spell

__all__ = ["Attack", "AttackResult", "Cost", "Norm", "Progress", "Trial", "parse_eps"]

VERSION = "4"
"""Version of the native engine, part of a number's protocol; raised whenever a verdict may change. 3: a fast copy
must have the model's gradients, the original model judges, and an image with NaN or infinite logits is broken. 4: so
is a tie."""


@dataclass(frozen=True)
class Attack:
    """Trials within one budget. An image is broken as soon as one of them breaks it.

    `family` and `choices` make the name. `through` is the batch-norm branch that is attacked, if it is not the one that
    predicts. With a `precision` below fp32 searches run the model in it: an adversarial image must be confirmed by the
    model in float32, and surviving images are attacked again in float32, with the last trial, or with all trials from
    the first one that broke the image only in the lower precision.
    """

    family: str
    norm: Norm
    eps: Fraction
    trials: tuple[Trial, ...]
    choices: str = ""
    through: str = ""
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        check_budget(self.norm, self.eps)
        AttackFields.parse(self.name)

    @property
    def name(self) -> str:
        """Canonical name, as in conditions: `pgd-linf-eps4_255-k50-a1_255-r1-untargeted`."""
        through = f"through-{self.through}" if self.through else ""
        return "-".join(
            filter(None, [self.family, self.norm, f"eps{spell(self.eps, self.norm)}", self.choices, through])
        )

    @property
    def fields(self) -> AttackFields:
        """The settings in the name, as a list."""
        return AttackFields.parse(self.name)

    @property
    def implementation(self) -> str:
        """The code behind the number, with its version."""
        searched = f", searched in {self.precision}, then fp32" if self.precision != "fp32" else ""
        return f"bench.attacks {VERSION}{searched}"

    @property
    def randomised(self) -> bool:
        """Whether the attack is for randomised models."""
        return False

    def made_through(self, branch: str) -> "Attack":
        """Return the same attack made through batch-norm branch `branch`; the model's own branch still predicts."""
        return replace(self, through=branch)

    def searched_in(self, precision: Precision) -> "Attack":
        """Return the same attack with searches in `precision`."""
        return replace(self, precision=precision)

    def run(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        ids: Sequence[str],
        *,
        seed: int = 0,
        batch_size: int = 32,
        progress: Progress | None = None,
        keep_adversarial: bool = False,
    ) -> AttackResult:
        """Attack `images` float32 [n, 3, h, w] in [0, 1], with `labels` int64 [n] and unique `ids`; `model` is in eval
        mode.

        The images stay in host memory; up to `batch_size` at a time are in a pass on the model's device, or fewer if
        its memory does not suffice. Raises `UsageError` for a model or an input that would make the verdict
        meaningless.
        """
        request = Request(model, images, labels, ids, seed, batch_size, progress or silent)
        found = self.carry_out(request)
        return found if keep_adversarial else replace(found, adversarial=None)

    def carry_out(self, request: Request) -> AttackResult:
        """Make and judge the adversarial images, and return them with the verdicts."""
        return Evaluation(self, request).run()
