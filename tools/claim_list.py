"""The papers' claims as comparisons of tiny models: one model is better than another under a condition."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.suites.tiny import pgd20

INTRIGUING = "Intriguing Properties of Adversarial Training at Scale (1906.03787)"
SAT = "Smooth Adversarial Training (2006.14536)"
ADVPROP = "AdvProp (1911.09665)"
NOFROST = "NoFrost (2207.01156)"
OPEN = "What the papers leave open"

PGD = f"tiny/{pgd20().name}"
AA = "tiny/aa-fast-linf-eps8_255-v2"
CLEAN, STYLISED, A, C = "tiny/clean", "tiny-stylized/clean", "tiny-a/clean", "tiny-c"
WHAT = {PGD: "PGD-20", AA: "`aa-fast` v2", CLEAN: "clean", STYLISED: "stylised", A: "A", C: "corrupted"}


@dataclass(frozen=True)
class InPaper:
    """The paper's statement on a comparison. `numbers` are rows of results/published.csv, the worse side first."""

    words: str = ""
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.words, " -> ".join(f"{n:g} %" for n in self.numbers)])) or "direction only"


@dataclass(frozen=True)
class Claim:
    """Claim that `better` has higher accuracy than `worse` (recipes with branches) under a condition; `figure` shows
    it."""

    paper: str
    says: str
    better: str
    worse: str
    condition: str
    published: InPaper = InPaper()
    figure: str = ""

    @property
    def key(self) -> str:
        """Unique key: the two sides and the condition."""
        return f"{self.better} - {self.worse}, {self.condition}"


_NO_ENSEMBLE = InPaper("not in the papers")
_ALONE = InPaper("ResNet-152, targeted PGD-2000 at 16/255", (20.9, 39.2))
_BRANCH = InPaper("ResNet-152, targeted PGD-2000 at 16/255", (20.9, 38.3))
_DEPTH = InPaper("ResNet-152 and 638, targeted PGD-2000 at 16/255", (42.2, 46.7))
_FEWER = InPaper("ResNet-152, targeted PGD-2000 at 16/255", (20.9, 32.1))
_PAIRED = InPaper("ResNet-152, targeted PGD-2000 at 16/255", (20.9, 23.0))
_PAIRED_BRANCH = InPaper("ResNet-152, targeted PGD-2000 at 16/255: 3 points less with it")
_SILU = InPaper("ResNet-50, PGD-50 at 4/255", (33.1, 41.9))
_GELU = InPaper("ResNet-50, PGD-50 at 4/255", (33.1, 41.5))
_ELU = InPaper("ResNet-50, PGD-50 at 4/255", (33.1, 40.7))
_SMOOTHRELU = InPaper("ResNet-50, PGD-50 at 4/255", (33.1, 40.1))
_SOFTPLUS = InPaper("ResNet-50, PGD-200 at 4/255, by pixel", (33.0, 38.7))
_VANILLA = InPaper("EfficientNet-B7", (84.5, 85.2))
_ONE_FOR_BOTH = InPaper("EfficientNet-B0", (76.2, 77.1))
_TUNED = InPaper("EfficientNet-B7", (84.8, 85.2))

_CLAIMS = (
    Claim(
        INTRIGUING,
        "adversarial images alone beat a mixture through one batch norm",
        "at",
        "mix",
        PGD,
        _ALONE,
        "intriguing-clean-share",
    ),
    Claim(
        INTRIGUING,
        "a batch norm for each domain beats one for both",
        "mbn@adv",
        "mix",
        PGD,
        _BRANCH,
        "intriguing-mixture-batch-norm",
    ),
    Claim(
        INTRIGUING,
        "its clean branch beats the single batch norm on clean images",
        "mbn@clean",
        "mix",
        CLEAN,
        InPaper("79.3 % for the clean branch, ResNet-152; no number for the single batch norm"),
        "intriguing-mixture-batch-norm",
    ),
    Claim(
        INTRIGUING,
        "group norm beats one batch norm on the mixture",
        "gn",
        "mix",
        PGD,
        InPaper(),
        "intriguing-normalisation",
    ),
    Claim(
        INTRIGUING,
        "running statistics in the last epochs (consistent batch norm) help",
        "at_frozen",
        "at",
        PGD,
        InPaper(),
        "intriguing-consistent-batch-norm",
    ),
    Claim(INTRIGUING, "depth helps robustness", "at_deep", "at", PGD, _DEPTH, "intriguing-depth"),
    Claim(
        INTRIGUING,
        "a fifth of the clean images beats all of them",
        "mix_20",
        "mix",
        PGD,
        _FEWER,
        "intriguing-clean-share",
    ),
    Claim(
        INTRIGUING, "logit pairing helps on the mixture", "mix_alp", "mix", PGD, _PAIRED, "intriguing-attack-iterations"
    ),
    Claim(
        INTRIGUING,
        "a batch norm for each domain is better without logit pairing",
        "mbn@adv",
        "mbn_alp@adv",
        PGD,
        _PAIRED_BRANCH,
        "intriguing-mixture-batch-norm",
    ),
    Claim(INTRIGUING, "more depth helps more", "at_deepest", "at_deep", PGD, _DEPTH, "intriguing-depth"),
    Claim(
        INTRIGUING,
        "depth helps clean training too",
        "std_deepest",
        "std",
        CLEAN,
        InPaper("ResNet-152 and 638, by pixel", (79.0, 79.7)),
        "intriguing-depth",
    ),
    Claim(SAT, "SiLU beats ReLU", "sat_silu", "at", PGD, _SILU, "sat-activation-scatter"),
    Claim(
        SAT,
        "SiLU costs no clean accuracy",
        "sat_silu",
        "at",
        CLEAN,
        InPaper("ResNet-50", (68.7, 69.7)),
        "sat-activation-scatter",
    ),
    Claim(SAT, "GELU beats ReLU", "sat_gelu", "at", PGD, _GELU, "sat-activation-scatter"),
    Claim(SAT, "ELU beats ReLU", "sat_elu", "at", PGD, _ELU, "sat-activation-scatter"),
    Claim(SAT, "SmoothReLU beats ReLU", "sat_smoothrelu", "at", PGD, _SMOOTHRELU, "sat-activation-scatter"),
    Claim(SAT, "softplus beats ReLU", "sat_parametric_softplus", "at", PGD, _SOFTPLUS, "sat-activation-scatter"),
    Claim(
        SAT,
        "a smooth backward pass in the attacker alone helps",
        "sat_smooth_attack",
        "at",
        PGD,
        InPaper(),
        "sat-gradient-ablation",
    ),
    Claim(
        SAT,
        "a smooth backward pass in the update alone helps",
        "sat_smooth_update",
        "at",
        PGD,
        InPaper(),
        "sat-gradient-ablation",
    ),
    Claim(
        SAT, "a smooth backward pass in both helps", "sat_smooth_both", "at", PGD, InPaper(), "sat-gradient-ablation"
    ),
    Claim(
        ADVPROP, "the main branch beats vanilla training", "advprop@clean", "std", CLEAN, _VANILLA, "advprop-scaling"
    ),
    Claim(
        ADVPROP,
        "the main branch beats vanilla training of equal time",
        "advprop@clean",
        "std_long",
        CLEAN,
        _VANILLA,
        "advprop-scaling",
    ),
    Claim(
        ADVPROP,
        "the same on corrupted images",
        "advprop@clean",
        "std_long",
        C,
        InPaper("EfficientNet-B7, mCE 6.5 points lower (abstract)"),
        "advprop-distorted-sets",
    ),
    Claim(
        ADVPROP,
        "the same on natural adversarial images",
        "advprop@clean",
        "std_long",
        A,
        InPaper("EfficientNet-B7, +7.0 points (abstract)"),
        "advprop-distorted-sets",
    ),
    Claim(
        ADVPROP,
        "the same on stylised images",
        "advprop@clean",
        "std_long",
        STYLISED,
        InPaper("EfficientNet-B7, +4.8 points (abstract)"),
        "advprop-distorted-sets",
    ),
    Claim(
        ADVPROP,
        "the auxiliary batch norm beats one for both",
        "advprop@clean",
        "advprop_single",
        CLEAN,
        _ONE_FOR_BOTH,
        "advprop-single-batch-norm",
    ),
    Claim(
        ADVPROP,
        "it beats adversarial pre-training with clean fine-tuning",
        "advprop@clean",
        "advprop_tuned",
        CLEAN,
        _TUNED,
        "advprop-fine-tuning",
    ),
    Claim(
        ADVPROP,
        "a third branch for augmented images helps",
        "advprop_fine@clean",
        "advprop@clean",
        CLEAN,
        InPaper(),
        "advprop-variants",
    ),
    Claim(
        ADVPROP,
        "a small network wants a weak attacker",
        "advprop_eps1@clean",
        "mbn@clean",
        CLEAN,
        InPaper(),
        "advprop-attacker-strength",
    ),
    Claim(
        ADVPROP,
        "a larger network wants a stronger one",
        "mbn_deep@clean",
        "advprop_eps1_deep@clean",
        CLEAN,
        InPaper(),
        "advprop-attacker-strength",
    ),
    Claim(
        ADVPROP,
        "an attacker along the gradient itself helps too",
        "advprop_gradient@clean",
        "std_long",
        CLEAN,
        InPaper(),
        "advprop-variants",
    ),
    Claim(
        ADVPROP,
        "an attacker helps more than Gaussian noise",
        "advprop@clean",
        "advprop_noise@clean",
        CLEAN,
        InPaper(),
        "advprop-variants",
    ),
    Claim(
        ADVPROP,
        "it helps on augmented images too",
        "advprop_augmented@clean",
        "std_augmented",
        CLEAN,
        InPaper(),
        "advprop-variants",
    ),
    Claim(
        NOFROST,
        "no normalisation beats batch norm on the same mixture",
        "nofrost",
        "mix",
        PGD,
        InPaper("NF-ResNet-50 against ResNet-50, PGD-20 at 8/255", (13.57, 23.56)),
        "nofrost-clean-robust",
    ),
    Claim(
        NOFROST,
        "no normalisation keeps clean accuracy better",
        "nofrost",
        "mix",
        CLEAN,
        InPaper("NF-ResNet-50 against ResNet-50", (59.28, 74.06)),
        "nofrost-clean-robust",
    ),
    Claim(
        NOFROST, "the same with augmentations (NoFrost*)", "nofrost_star", "mix_star", PGD, InPaper(), "nofrost-radar"
    ),
    Claim(
        NOFROST,
        "the same where the attacker grows over 80 % of training",
        "nofrost_slow",
        "mix_slow",
        PGD,
        InPaper(),
        "nofrost-training",
    ),
    Claim(
        NOFROST,
        "no normalisation then keeps clean accuracy better",
        "nofrost_slow",
        "mix_slow",
        CLEAN,
        InPaper(),
        "nofrost-training",
    ),
    Claim(
        OPEN,
        "TRADES beats cross-entropy on the same mixture",
        "trades",
        "mix",
        PGD,
        InPaper("not in the papers"),
        "nofrost-clean-robust",
    ),
    Claim(
        OPEN,
        "plain adversarial training beats AdvProp's adversarial branch",
        "at",
        "advprop@adv",
        PGD,
        InPaper("not in the papers"),
        "advprop-main-auxiliary",
    ),
    Claim(
        OPEN,
        "adversarial training makes a network robust at all",
        "at",
        "std",
        PGD,
        InPaper("not in the papers"),
        "nofrost-clean-robust",
    ),
)


def _under_an_ensemble(claim: Claim) -> Iterator[Claim]:
    """Yield the claim, and after one on PGD the same under an ensemble."""
    yield claim
    if claim.condition == PGD:
        yield replace(claim, says="the same under an ensemble", condition=AA, published=_NO_ENSEMBLE)


CLAIMS = tuple(one for claim in _CLAIMS for one in _under_an_ensemble(claim))
